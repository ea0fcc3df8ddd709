"""The CAN links of Linux (SocketCAN): their state, bitrate and error counters, straight from the kernel by rtnetlink.

Numbers are those of the kernel's own headers (linux/rtnetlink.h, linux/if_link.h, linux/can/netlink.h, linux/can/gw.h).
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NETLINK_ROUTE = 0
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_GETLINK = 16, 18
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
ARPHRD_CAN = 280
AF_CAN = 29
IFF_UP = 0x1
IFLA_IFNAME, IFLA_LINKINFO = 3, 18
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFLA_CAN_BITTIMING, IFLA_CAN_STATE, IFLA_CAN_CTRLMODE, IFLA_CAN_BERR_COUNTER = 1, 4, 5, 8
CTRLMODE_LISTENONLY = 0x2
ATTRIBUTE_TYPE = 0x3FFF  # without the flags "nested" and "network byte order"
STATES = ("ERROR-ACTIVE", "ERROR-WARNING", "ERROR-PASSIVE", "BUS-OFF", "STOPPED", "SLEEPING")
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
TIMEOUT = 1.0  # [s] the kernel answers at once
LARGEST = 1 << 18  # [bytes] more than the kernel puts into one datagram of a dump


@dataclass(frozen=True)
class CanLink:
    """One CAN network interface of the kernel."""

    name: str
    kind: str  # "can" for hardware, "vcan", "vxcan" …; empty if the driver does not say
    up: bool
    state: str | None = None  # error state of the controller
    bitrate: int | None = None  # [bit/s]
    transmit_errors: int | None = None
    receive_errors: int | None = None
    listen_only: bool = False

    @property
    def command(self) -> str:
        """How to bring it up, without its bitrate."""
        return f"sudo ip link set {self.name} up"


def can_links() -> list[CanLink]:
    """All CAN links of this machine; none where the system is not Linux or the kernel has no CAN. Raises OSError."""
    if not hasattr(socket, "AF_NETLINK"):
        return []
    return parse_links(_dump(RTM_GETLINK, LINK.pack(0, 0, 0, 0, 0)))


def find_link(name: str) -> CanLink | None:
    """The link of that name. Raises OSError."""
    return next((link for link in can_links() if link.name == name), None)


def gateway_rules() -> int:
    """How many rules of the CAN gateway carry frames from one link of this machine to another. Raises OSError."""
    # Without can_gw the kernel answers with the routes of all other families.
    dump = _dump(RTM_GETROUTE, struct.pack("=BBH", AF_CAN, 0, 0))
    return sum(kind == RTM_NEWROUTE and body[:1] == bytes([AF_CAN]) for kind, body in messages(dump))


def parse_links(dump: bytes) -> list[CanLink]:
    """The CAN links in the kernel's answer to RTM_GETLINK."""
    links = []
    for kind, body in messages(dump):
        if kind != RTM_NEWLINK or len(body) < LINK.size:
            continue
        _, hardware, _, flags, _ = LINK.unpack_from(body)
        if hardware == ARPHRD_CAN:
            links.append(_link(dict(attributes(body[LINK.size :])), bool(flags & IFF_UP)))
    return links


def messages(dump: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each netlink message."""
    place = 0
    while place + HEADER.size <= len(dump):
        length, kind, *_ = HEADER.unpack_from(dump, place)
        if length < HEADER.size:
            return
        yield kind, dump[place + HEADER.size : place + length]
        place += _aligned(length)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each netlink attribute."""
    place = 0
    while place + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, place)
        if length < 4:
            return
        yield kind & ATTRIBUTE_TYPE, data[place + 4 : place + length]
        place += _aligned(length)


def _link(found: dict[int, bytes], up: bool) -> CanLink:
    information = dict(attributes(found.get(IFLA_LINKINFO, b"")))
    details = dict(attributes(information.get(IFLA_INFO_DATA, b"")))
    state = _number(details.get(IFLA_CAN_STATE))
    counters = details.get(IFLA_CAN_BERR_COUNTER, b"")
    transmit, receive = struct.unpack_from("=HH", counters) if len(counters) >= 4 else (None, None)
    modes = details.get(IFLA_CAN_CTRLMODE, b"")  # mask, flags
    return CanLink(
        name=_text(found.get(IFLA_IFNAME, b"")),
        kind=_text(information.get(IFLA_INFO_KIND, b"")),
        up=up,
        state=STATES[state] if state is not None and state < len(STATES) else None,
        bitrate=_number(details.get(IFLA_CAN_BITTIMING)) or None,  # the first of its fields; 0 while it was never set
        transmit_errors=transmit,
        receive_errors=receive,
        listen_only=bool((_number(modes[4:]) or 0) & CTRLMODE_LISTENONLY),
    )


def _dump(request: int, body: bytes) -> bytes:
    """All messages of a dump up to its end."""
    answer = bytearray()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as kernel:
        kernel.settimeout(TIMEOUT)
        kernel.sendto(HEADER.pack(HEADER.size + len(body), request, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body, (0, 0))
        while True:
            part = kernel.recv(LARGEST)
            answer += part
            if not part or any(kind in (NLMSG_DONE, NLMSG_ERROR) for kind, _ in messages(part)):
                return bytes(answer)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _number(data: bytes | None) -> int | None:
    return struct.unpack_from("=I", data)[0] if data and len(data) >= 4 else None


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
