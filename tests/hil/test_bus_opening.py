"""Opening a bus: what cannot be opened says in one line what there is and what to do, and leaves nothing behind."""

import grp
import logging
import os
import socket
import stat
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import can
import pytest
from platforms import needs_group_filter, needs_proc, needs_root
from pseudo_terminals import another_process, terminal
from slcan_dongle import Dongle

import hil.bus
from hil import serial_ports
from hil.bus import open_bus, parse_bus_address
from hil.can_links import CanLink
from hil.errors import UsageError


def refused(text: str) -> str:
    """The message with which an address is refused; it is one line and names the address."""
    with pytest.raises(UsageError) as caught:
        open_bus(parse_bus_address(text))
    message = str(caught.value)
    assert message.startswith(f'bus "{text}": ')
    assert "\n" not in message
    return message


@pytest.fixture
def dongle(tmp_path: Path) -> Iterator[Dongle]:
    """An adapter that answers."""
    adapter = Dongle(tmp_path / "ttyCAN")
    yield adapter
    adapter.unplug()


def descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_bus_inside_the_process_is_opened_and_carries_frames() -> None:
    one, other = (open_bus(parse_bus_address("virtual:test_bus_opening")) for _ in range(2))
    one.send(can.Message(arbitration_id=0x1D4, data=b"\x01", is_extended_id=False))
    assert other.recv(1.0).arbitration_id == 0x1D4
    one.shutdown()
    other.shutdown()


def test_an_unknown_interface_says_what_was_probably_meant() -> None:
    assert 'unknown interface "slcn", did you mean "slcan"; python-can has:' in refused("slcn:/dev/ttyACM0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slcan:/dev/ttyACM77@500000", "no such port; there are: "),
        ("slcan:ttyACM77@500000", "no such port; there are: "),
        ("slcan:/tmp@500000", "no serial port, but a file or folder"),
        ("slcan:/dev/null@500000", "no serial port, but a device of the memory"),
        ("udp_multicast:1.2.3.4", "no multicast group; groups are 224.0.0.0 to"),
        ("slcan:/dev/ttyACM77@123456", "cannot do 123456 bit/s; it can do: 10000"),
        ("slcan:/dev/ttyACM77@500000,bud=9600", 'no option "bud", did you mean "baud"'),
        ("robotell:/dev/ttyACM77", "no such port"),
        ("udp_multicast:front.invalid", "cannot be opened: "),
        ("iscan:0", "cannot be opened: "),
    ],
)
def test_what_is_not_there_says_what_there_is(text: str, expected: str) -> None:
    assert expected in refused(text)


@pytest.mark.parametrize("text", ["pcan:PCAN_USBBUS1", "kvaser:0", "neousys:0", "cantact:0", "vector:0", "ixxat:0", "systec:0"])
def test_a_driver_that_is_missing_says_how_to_get_it(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    interface = hil.bus.INTERFACES[text.partition(":")[0]]
    if not interface.missing():
        pytest.skip("the driver is installed here")
    assert interface.get in refused(text)
    assert capfd.readouterr() == ("", "")  # drivers warn at their import; the line above is enough


def test_settings_of_python_can_in_files_of_the_user_change_nothing(tmp_path: Path) -> None:
    (tmp_path / ".canrc").write_text("[default]\ninterface = virtual\nchannel = elsewhere\nbitrate = 125000\nhost = nowhere\n")
    code = "from hil.bus import *; bus = open_bus(parse_bus_address('virtual:here')); print(bus.channel_id); bus.shutdown()"
    environment = {**os.environ, "HOME": str(tmp_path), "CAN_CHANNEL": "elsewhere"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "here\n"


def test_a_device_that_is_forbidden_says_who_gives_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**parameters: object) -> None:
        raise OSError(13, "Access denied (insufficient permissions)")

    monkeypatch.setattr(can, "Bus", refuse)
    message = refused("virtual:0")
    assert "Access denied (insufficient permissions); no permission for the device: docs/adapters.md" in message


class UsbDevice:
    """One adapter as the package gs_usb shows it."""

    def __init__(self, bus: int, address: int, serial_number: str | None) -> None:
        self.bus, self.address, self._serial_number = bus, address, serial_number

    @property
    def serial_number(self) -> str:
        if self._serial_number is None:
            raise ValueError("The device has no langid")  # what pyusb says where it may not ask
        return self._serial_number


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("0", {"bus": 1, "address": 7}),
        ("1", {"bus": 3, "address": 2}),
        ("0031002F4A", {"bus": 3, "address": 2}),
        ("2", "no such adapter; there are: 0 (no permission to read its serial number"),
        ("0031002F", "no such adapter"),
    ],
)
def test_a_gs_usb_adapter_is_found_by_its_number_or_serial_number(
    monkeypatch: pytest.MonkeyPatch, channel: str, expected: dict[str, int] | str
) -> None:
    module = types.ModuleType("gs_usb.gs_usb")
    module.GsUsb = types.SimpleNamespace(scan=lambda: [UsbDevice(1, 7, None), UsbDevice(3, 2, "0031002F4A")])
    monkeypatch.setitem(sys.modules, "gs_usb", types.ModuleType("gs_usb"))
    monkeypatch.setitem(sys.modules, "gs_usb.gs_usb", module)
    if isinstance(expected, str):
        with pytest.raises(UsageError) as caught:
            hil.bus._gs_usb_device(channel)
        assert str(caught.value).startswith(expected)
    else:
        assert hil.bus._gs_usb_device(channel) == expected


# --- slcan -------------------------------------------------------------------------------------------------------------------


@needs_proc
def test_an_slcan_port_is_opened_at_its_bitrate_and_closed_again(dongle: Dongle) -> None:
    before = descriptors()
    for _ in range(20):
        bus = open_bus(parse_bus_address(f"slcan:{dongle.path}@250000"))
        bus.shutdown()
    assert descriptors() == before
    assert {"S5", "O", "C"} <= set(dongle.lines)


def test_listening_only_opens_the_channel_with_l(dongle: Dongle) -> None:
    open_bus(parse_bus_address(f"slcan:{dongle.path}"), listen_only=True).shutdown()
    assert {"S6", "L"} <= set(dongle.lines)
    assert "O" not in dongle.lines


@needs_proc
def test_two_sessions_do_not_share_a_port_until_the_first_is_closed(dongle: Dongle) -> None:
    first = open_bus(parse_bus_address(f"slcan:{dongle.path}"))
    before, said = descriptors(), list(dongle.lines)
    assert "in use by another session of this process" in refused(f"slcan:{dongle.path}")
    assert descriptors() == before
    assert dongle.lines == said  # the first was not disturbed
    first.shutdown()
    open_bus(parse_bus_address(f"slcan:{dongle.path}")).shutdown()


@needs_proc
def test_of_many_who_want_a_port_at_once_one_gets_it(dongle: Dongle) -> None:
    together = threading.Barrier(8)
    found: list[object] = []

    def want() -> None:
        together.wait()
        try:
            found.append(open_bus(parse_bus_address(f"slcan:{dongle.path}")))
        except UsageError as error:
            found.append(error)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    buses = [bus for bus in found if isinstance(bus, can.BusABC)]
    assert (len(found), len(buses)) == (8, 1)
    buses[0].shutdown()


@needs_proc
def test_a_port_that_another_process_has_names_that_process(dongle: Dongle) -> None:
    with another_process("slcand", lock=str(dongle.path)) as (process, _):
        assert f"in use by slcand (process {process.pid}); end it" in refused(f"slcan:{dongle.path}")
        process.kill()
        process.wait()
        open_bus(parse_bus_address(f"slcan:{dongle.path}")).shutdown()


@needs_proc
def test_a_port_of_an_adapter_is_refused_to_a_second_reader_even_without_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_ports, "is_pseudo_terminal", lambda path: False)
    with another_process("ModemManager") as (process, port):
        message = refused(f"slcan:{port}")
        assert f"in use by ModemManager (process {process.pid}); stop ModemManager" in message


@needs_root
def test_a_port_of_a_group_says_how_to_join_it() -> None:
    with terminal() as (_, port):
        Path(port).chmod(0o620)
        os.chown(port, 0, grp.getgrnam("tty").gr_gid)
        os.seteuid(65534)
        try:
            message = refused(f"slcan:{port}")
        finally:
            os.seteuid(0)
    assert 'no permission: the port belongs to the group "tty"; sudo usermod -aG tty ' in message


@pytest.mark.parametrize("change", [{"mode": 0o600, "group": 5}, {"mode": 0o660, "group": 0}])
def test_a_port_of_root_alone_asks_nobody_to_join_its_group(change: dict[str, int]) -> None:
    port = os.stat_result((stat.S_IFCHR | change["mode"], 0, 0, 1, 0, change["group"], 0, 0, 0, 0))
    assert serial_ports.forbidden(port).endswith('a udev rule with GROUP="dialout", MODE="0660" changes that')


# --- SocketCAN ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("socketcan:can9", 'no such CAN link, did you mean "can1"; there are: can0 (up), can1 (down), vcan0 (down)'),
        ("socketcan:can1", "the link is down: sudo ip link set can1 up type can bitrate 500000"),
        ("socketcan:can1@250000", "the link is down: sudo ip link set can1 up type can bitrate 250000"),
        ("socketcan:vcan0@250000", "the link is down: sudo ip link set vcan0 up"),
        (
            "socketcan:can0@250000",
            "the link has 500000 bit/s: sudo ip link set can0 down && sudo ip link set can0 up type can bitrate 250000",
        ),
    ],
)
def test_a_link_that_is_down_or_of_another_bitrate_says_how_to_set_it(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    links = [
        CanLink("can0", "can", True, "ERROR-ACTIVE", 500_000), CanLink("can1", "can", False), CanLink("vcan0", "vcan", False)
    ]  # fmt: skip
    monkeypatch.setattr(hil.bus, "can_links", lambda: links)
    monkeypatch.setattr(hil.bus, "kernel_has_can", lambda: True)
    assert refused(text).endswith(f'": {expected}')


def test_a_kernel_without_can_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hil.bus, "can_links", list)
    monkeypatch.setattr(hil.bus, "kernel_has_can", lambda: False)
    assert "this kernel has no CAN" in refused("socketcan:can0")


# --- socketcand --------------------------------------------------------------------------------------------------------------


@contextmanager
def tcp_server(*answers: bytes) -> Iterator[int]:
    """A server that greets each of its guests with the next of ``answers`` and then answers its commands with "< ok >"."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                with server.accept()[0] as guest:
                    guest.sendall(answer)
                    while guest.recv(256):
                        guest.sendall(b"< ok >")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5.0)
        assert not thread.is_alive()


def test_a_socketcand_that_is_not_there_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    message = refused(f"socketcand:can0,host=127.0.0.1,port={port}")  # python-can would try for 10 s
    assert (
        f"no answer from socketcand at 127.0.0.1, port {port}: Connection refused; start it there: socketcand -i can0" in message
    )


def test_another_server_at_that_port_is_no_socketcand() -> None:
    with tcp_server(b"220 mail ready\r\n") as port:
        assert "is no socketcand" in refused(f"socketcand:can0,host=localhost,port={port}")


def test_a_socketcand_that_greets_is_opened() -> None:
    with tcp_server(b"< hi >", b"< hi >") as port:
        bus = open_bus(parse_bus_address(f"socketcand:can0,host=127.0.0.1,port={port}"))
        assert bus.channel == "can0"
        bus.shutdown()


def test_drivers_keep_quiet_through_one_handler(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        open_bus(parse_bus_address("virtual:quiet")).shutdown()
    assert logging.getLogger("can").handlers.count(hil.bus.SILENT) == 1


@needs_group_filter
@pytest.mark.parametrize("groups", [("239.74.163.21", "239.74.163.22"), ("ff15::4:1", "ff15::4:2")], ids=["IPv4", "IPv6"])
def test_frames_of_another_multicast_group_are_not_heard(groups) -> None:
    import can

    try:
        buses = [open_bus(parse_bus_address(f"udp_multicast:{group}")) for group in groups]
    except UsageError as error:
        pytest.skip(f"no multicast here: {error}")
    with buses[0] as first, buses[1] as second:
        for _ in range(20):
            first.send(can.Message(arbitration_id=0x1D4, is_extended_id=False, data=b"front"))
        second.send(can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"rear"))
        heard = second.recv(1.0)
        assert heard is not None
        assert heard.arbitration_id == 0x1DA
        assert second.recv(0.05) is None
