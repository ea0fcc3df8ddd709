"""CAN links as the kernel tells them: its netlink answers, built here as its headers define them, and a real answer."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platforms import needs_netlink

from hil import can_links
from hil.can_links import CanLink, attributes, messages, parse_links


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def link(name: str, hardware: int, flags: int, information: bytes = b"") -> bytes:
    """RTM_NEWLINK (16) with IFLA_IFNAME (3), IFLA_LINKINFO (18, nested)."""
    body = struct.pack("=BBHiII", 0, 0, hardware, 3, flags, 0) + attribute(3, name.encode() + b"\0")
    return message(16, body + attribute(13, b"fq_codel\0") + attribute(18 | 0x8000, information))


def can_information(kind: str, *details: bytes) -> bytes:
    return attribute(1, kind.encode() + b"\0") + attribute(2 | 0x8000, b"".join(details))


TIMING = attribute(1, struct.pack("=8I", 500_000, 875, 125, 6, 7, 2, 1, 3))  # struct can_bittiming
CONSTANTS = attribute(2, b"gs_usb\0" + bytes(41))
STATE = attribute(4, struct.pack("=I", 2))
LISTEN_ONLY = attribute(5, struct.pack("=II", 0x2, 0x2))
COUNTERS = attribute(8, struct.pack("=HH", 130, 7))
DONE = message(3, struct.pack("=i", 0))


def test_a_dump_of_the_kernel_is_read() -> None:
    dump = (
        link("lo", 772, 0x49)
        + link("can0", 280, 0xC1, can_information("can", TIMING, CONSTANTS, STATE, LISTEN_ONLY, COUNTERS))
        + link("can1", 280, 0x80, can_information("can", attribute(1, bytes(32)), attribute(4, struct.pack("=I", 4))))
        + link("vcan0", 280, 0xC1, attribute(1, b"vcan\0"))
        + link("own0", 280, 0x1)
        + DONE
    )
    assert parse_links(dump) == [
        CanLink("can0", "can", True, "ERROR-PASSIVE", 500_000, 130, 7, listen_only=True),
        CanLink("can1", "can", False, "STOPPED"),
        CanLink("vcan0", "vcan", True),
        CanLink("own0", "", True),
    ]


def test_a_state_that_is_yet_unknown_is_none() -> None:
    dump = link("can0", 280, 1, can_information("can", attribute(4, struct.pack("=I", 99))))
    assert parse_links(dump) == [CanLink("can0", "can", True)]


@given(st.binary(max_size=200))
def test_no_answer_makes_it_fail(noise: bytes) -> None:
    parse_links(noise)
    parse_links(message(16, struct.pack("=BBHiII", 0, 0, 280, 3, 1, 0) + noise))


@needs_netlink
def test_the_real_kernel_names_its_links_as_its_other_interfaces_do() -> None:
    dump = can_links._dump(can_links.RTM_GETLINK, can_links.LINK.pack(0, 0, 0, 0, 0))
    names = {
        dict(attributes(body[can_links.LINK.size :]))[3].rstrip(b"\0").decode() for kind, body in messages(dump) if kind == 16
    }
    assert names == {name for _, name in socket.if_nameindex()}
    assert {link.name for link in can_links.can_links()} <= names
    assert can_links.find_link("no such link") is None
    assert can_links.gateway_rules() >= 0


@needs_netlink
def test_routes_of_other_families_are_no_rules_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    route = message(24, bytes([socket.AF_INET]) + bytes(11))
    rule = message(24, bytes([29, 1, 0, 0]))
    monkeypatch.setattr(can_links, "_dump", lambda request, body: route + rule + route + DONE)
    assert can_links.gateway_rules() == 1
