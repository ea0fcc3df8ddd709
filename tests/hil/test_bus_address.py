"""Addresses of buses: how they are written, what they mean to python-can, which of them are real, and which are the same."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platforms import needs_proc
from pseudo_terminals import another_process, terminal

import hil.bus
from hil.bus import BusAddress, check_roles, parse_bus_address
from hil.bus_interfaces import INTERFACES, LAWICEL_CODES, arguments
from hil.can_links import CanLink
from hil.errors import UsageError
from hil.serial_ports import HUB_PROCESS, own_hub_ports


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("virtual:front", BusAddress("virtual", "front")),
        ("slcan:/dev/ttyACM0@500000", BusAddress("slcan", "/dev/ttyACM0", 500000)),
        ("udp_multicast:239.74.163.2", BusAddress("udp_multicast", "239.74.163.2")),
        ("udp_multicast:ff15::1,port=5000", BusAddress("udp_multicast", "ff15::1", None, (("port", "5000"),))),
        ("slcan:socket://pi:3333@250000", BusAddress("slcan", "socket://pi:3333", 250000)),
        ("socketcand:can0,host=pi,port=29536", BusAddress("socketcand", "can0", None, (("host", "pi"), ("port", "29536")))),
        ("vector:0@500000,app=Own app", BusAddress("vector", "0", 500000, (("app", "Own app"),))),
    ],
)
def test_bus_addresses_are_read(text: str, expected: BusAddress) -> None:
    assert parse_bus_address(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    ["", "virtual", "virtual:", ":front", "slcan:/dev/ttyACM0@fast", "slcan:@500000", "slcan:/dev/ttyACM0@", "slcan:a@0",
     "slcan:a@-1", "slcan:a@٣", "slcan:a,", "slcan:a,baud", "slcan:a,=3"],
)  # fmt: skip
def test_a_bus_address_of_wrong_form_says_what_is_expected(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected interface:channel\[@bitrate\]"):
        parse_bus_address(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("can0", "socketcan:can0"), ("vcan1", "socketcan:vcan1"), ("COM3", "slcan:COM3@500000"),
     ("/dev/ttyACM0", "slcan:/dev/ttyACM0@500000")],
)  # fmt: skip
def test_a_channel_without_its_interface_is_understood(text: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {meant}$"):
        parse_bus_address(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_that_reads_back_or_one_line_of_error(text: str) -> None:
    try:
        address = parse_bus_address(text)
    except UsageError:
        return
    assert parse_bus_address(str(address)) == address


@pytest.mark.parametrize("name", INTERFACES)
def test_the_example_of_each_interface_is_what_python_can_is_told(name: str) -> None:
    address = parse_bus_address(INTERFACES[name].example)
    assert address.interface == name
    found = arguments(name, address.channel, address.bitrate, dict(address.options))
    assert str(found["channel"]) == address.channel
    assert ("bitrate" in found) is INTERFACES[name].sets_bitrate


def test_every_interface_of_python_can_is_in_the_table() -> None:
    import can

    assert set(can.interfaces.BACKENDS) <= set(INTERFACES)


def test_bitrates_are_those_of_the_drivers() -> None:
    from can.interfaces.iscan import IscanBus
    from can.interfaces.kvaser.canlib import BITRATE_OBJS
    from can.interfaces.pcan.basic import PCAN_BITRATES
    from can.interfaces.seeedstudio.seeedstudio import SeeedBus

    tables = {
        "pcan": PCAN_BITRATES, "kvaser": BITRATE_OBJS, "seeedstudio": SeeedBus.BITRATE,
        "iscan": IscanBus.BAUDRATES,
    }  # fmt: skip
    for name, table in tables.items():
        assert sorted(INTERFACES[name].bitrates or ()) == sorted(table), name


def test_the_codes_of_slcan_are_those_that_python_can_sends_and_lawicels_own_bitrate_of_s7() -> None:
    from can.interfaces.slcan import slcanBus

    assert LAWICEL_CODES == slcanBus._BITRATES | {800_000: "S7"}


def driver_of(interface: str) -> Any:
    """python-can's class for an interface; None where its module asks, on import, for a vendor's library that is not here."""
    import can

    with suppress(can.CanError):
        return can.interface._get_class_for_interface(interface)
    return None


def test_keywords_are_those_that_the_drivers_know() -> None:
    """A wrong keyword would vanish in the ``**kwargs`` of a driver without a word."""
    import inspect

    from hil.slcan import SlcanBus

    told_by_kwargs = {  # named in the driver's text, read from its **kwargs
        "kvaser": {"bitrate", "driver_mode"}, "neovi": {"bitrate", "serial", "receive_own_messages"},
        "systec": {"bitrate", "device_number", "state"},
    }  # fmt: skip
    checked = 0
    for name, interface in INTERFACES.items():
        driver = SlcanBus if name == "slcan" else driver_of(name)
        if driver is None:
            continue
        known = inspect.signature(driver).parameters
        words = {option.keyword for option in interface.options.values()} | set(interface.fixed) | set(interface.listen_only)
        words |= {"bitrate"} if interface.sets_bitrate else set()
        assert words <= set(known) | told_by_kwargs.get(name, set()), name
        checked += 1
    assert checked >= 10


def test_a_bitrate_that_the_driver_would_silently_replace_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot do 400000 bit/s; it can do: 5000, .*500000"):
        arguments("pcan", "PCAN_USBBUS1", 400_000, {})  # python-can would take 500000


def test_without_a_bitrate_it_is_that_of_the_leaf() -> None:
    assert arguments("slcan", "/dev/ttyACM0", None, {})["bitrate"] == 500_000
    assert "bitrate" not in arguments("virtual", "front", 250_000, {})


def test_options_are_named_and_numbers_are_numbers() -> None:
    assert arguments("vector", "1", None, {"app": "A", "serial": "7"}) == {
        "channel": 1, "bitrate": 500_000, "app_name": "A", "serial": 7
    }  # fmt: skip
    assert arguments("slcan", "COM3", None, {"baud": "9600"})["tty_baudrate"] == 9600
    for wrong, expected in (
        (("vector", "1", None, {"ap": "A"}), 'no option "ap", did you mean "app"'),
        (("vector", "one", None, {}), 'must be a number, not "one"'),
        (("slcan", "COM3", None, {"baud": "nan"}), 'must be a number, not "nan"'),
        (("slcan", "COM3", None, {"baud": "-1"}), "must be a number from 0 on"),
        (("socketcand", "can0", None, {}), "the machine is missing"),
        (("somebodys_plugin", "1", None, {"a": "b"}), "takes no options"),
    ):
        with pytest.raises(UsageError, match=expected):
            arguments(*wrong)


def test_listen_only_is_said_in_the_words_of_each_driver() -> None:
    assert arguments("slcan", "COM3", None, {}, listen_only=True)["listen_only"] is True
    assert arguments("cantact", "0", None, {}, listen_only=True)["monitor"] is True
    assert "listen_only" not in arguments("slcan", "COM3", None, {})


def test_frames_do_not_leave_the_machine_unless_that_is_asked_for() -> None:
    assert arguments("udp_multicast", "239.74.163.2", None, {})["hop_limit"] == 0
    assert parse_bus_address("udp_multicast:239.74.163.2").is_virtual
    assert not parse_bus_address("udp_multicast:239.74.163.2,hop_limit=1").is_virtual
    assert not parse_bus_address("udp_multicast:239.74.163.2,hop_limit=nonsense").is_virtual
    assert parse_bus_address("udp_multicast:ff15:7079:7468:6f6e:6465:6d6f:6d63:6173").is_virtual
    assert not parse_bus_address("udp_multicast:192.168.1.20").is_virtual  # its limit is for multicast alone
    assert not parse_bus_address("udp_multicast:bench-pi").is_virtual


def test_what_has_a_wire_is_no_virtual_bus() -> None:
    assert parse_bus_address("virtual:front").is_virtual
    for name in set(INTERFACES) - {"virtual", "udp_multicast"}:
        assert not parse_bus_address(INTERFACES[name].example).is_virtual, name
    assert not BusAddress("somebodys_plugin", "0").is_virtual


@pytest.mark.parametrize(
    ("link", "rules", "virtual"),
    [
        (CanLink("vcan0", "vcan", True), 0, True),
        (CanLink("vcan0", "vcan", True), 1, False),  # a gateway may carry its frames to a real link
        (CanLink("vcan0", "vxcan", True), 0, False),  # its other end is in another name space, where nobody can look
        (CanLink("vcan0", "can", True), 0, False),  # the name is nothing
        (CanLink("vcan0", "", True), 0, False),
        (None, 0, False),
    ],
)
def test_a_link_is_virtual_by_its_kind_and_only_while_nothing_connects_it(
    monkeypatch: pytest.MonkeyPatch, link: CanLink | None, rules: int, virtual: bool
) -> None:
    monkeypatch.setattr(hil.bus, "find_link", lambda name: link)
    monkeypatch.setattr(hil.bus, "gateway_rules", lambda: rules)
    assert BusAddress("socketcan", "vcan0").is_virtual is virtual


def test_a_kernel_that_does_not_answer_makes_no_virtual_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError("no netlink")

    monkeypatch.setattr(hil.bus, "find_link", refuse)
    assert not BusAddress("socketcan", "vcan0").is_virtual


@needs_proc
def test_a_terminal_is_virtual_only_while_a_hub_is_at_its_other_end() -> None:
    with another_process(HUB_PROCESS) as (process, port):
        address = BusAddress("slcan", port)
        assert address.is_virtual
        assert replace(address, interface="serial").is_virtual is False
        process.kill()
        process.wait()
        assert not address.is_virtual


@needs_proc
def test_the_terminal_of_any_other_program_may_lead_to_a_real_bus() -> None:
    with another_process("socat") as (_, port):
        assert not BusAddress("slcan", port).is_virtual


def test_the_hub_of_this_process_names_its_own_terminals() -> None:
    with terminal() as (_, port):
        address = BusAddress("slcan", port)
        assert not address.is_virtual
        own_hub_ports.add(port)
        try:
            assert address.is_virtual
        finally:
            own_hub_ports.remove(port)


# --- roles ---------------------------------------------------------------------------------------------------------------------


def roles(**texts: str) -> dict[str, BusAddress]:
    return {role: parse_bus_address(text) for role, text in texts.items()}


def test_roles_on_buses_of_their_own_are_fine() -> None:
    check_roles(roles(front="virtual:a", rear="virtual:b", chassis="socketcan:a"))
    check_roles(roles(front="vector:0,serial=1", rear="vector:0,serial=2"))
    check_roles({})


@pytest.mark.parametrize(
    ("front", "rear"),
    [
        ("socketcan:can0", "socketcan:can0@500000"),
        ("kvaser:0", "kvaser:00@250000"),
        ("udp_multicast:239.0.0.1", "udp_multicast:239.0.0.1,hop_limit=1"),
        ("vector:0,app=A,serial=1", "vector:0,serial=1,app=A"),
        ("socketcand:can0,host=pi", "socketcand:can0,port=29536,host=pi"),
        ("kvaser:one", "kvaser:one"),
    ],
)
def test_the_same_bus_under_two_names_is_still_one(front: str, rear: str) -> None:
    with pytest.raises(UsageError, match="front and rear are on the same bus"):
        check_roles(roles(front=front, rear=rear))


def test_two_links_to_one_port_are_one_adapter(tmp_path) -> None:
    with terminal() as (_, port):
        link = tmp_path / "usb-CANable-if00"
        link.symlink_to(port)
        with pytest.raises(UsageError, match="a serial port serves one role"):
            check_roles(roles(front="slcan:COM3", chassis="slcan:COM3@500000"), {"front": [1], "chassis": [2]})
        with pytest.raises(UsageError, match="a serial port serves one role; give each an adapter of its own"):
            check_roles(roles(front=f"slcan:{port}", chassis=f"slcan:{link}@500000"), {"front": [1], "chassis": [2]})


def test_roles_that_share_no_frame_may_share_a_bus() -> None:
    both = roles(front="socketcan:can0", chassis="socketcan:can0")
    check_roles(both, {"front": [0x1D4, 0x1DA], "chassis": [0x180]})
    with pytest.raises(UsageError, match=r"both would have the same frames there \(0x1D4 …\)"):
        check_roles(both, {"front": [0x1D4, 0x1DA], "chassis": [0x180, 0x1D4]})
    with pytest.raises(UsageError, match="with different bitrates"):
        check_roles(roles(front="socketcan:can0@500000", chassis="socketcan:can0@250000"), {"front": [1], "chassis": [2]})
