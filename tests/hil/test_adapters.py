"""What is plugged in, from objects of pyserial, trees like the kernel's, terminals, beacons, and drivers that misbehave."""

import json
import socket
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pseudo_terminals import another_process, terminal
from serial.tools.list_ports_common import ListPortInfo

from hil import adapters
from hil.adapters import (
    PROBE,
    Adapter,
    driver_adapter,
    find_adapters,
    hub_adapters,
    link_adapter,
    missing_drivers,
    read_answers,
    read_beacon,
    serial_adapters,
    usb_adapters,
)
from hil.bus import parse_bus_address
from hil.bus_interfaces import INTERFACES, arguments
from hil.can_links import CanLink
from hil.serial_ports import HUB_PROCESS
from hil.virtual_can import BusPlan, Hub
from hil.virtual_can.hub import serving


def told(adapter: Adapter) -> dict[str, object]:
    """What python-can would be told by the address of an adapter, which must be one."""
    address = parse_bus_address(adapter.address)
    assert address.interface == adapter.interface
    return arguments(address.interface, address.channel, address.bitrate, dict(address.options))


def port(device: str, vid: int | None = None, pid: int | None = None, **details: str) -> ListPortInfo:
    info = ListPortInfo(device)
    info.vid, info.pid = vid, pid
    for name, value in details.items():
        setattr(info, name, value)
    return info


# --- serial ports ------------------------------------------------------------------------------------------------------------


def test_a_known_dongle_is_named_and_a_stranger_only_perhaps() -> None:
    with terminal() as (_, one), terminal() as (_, other):
        ports = [
            port(one, 0x16D0, 0x117E, manufacturer="MCS", product="CANable2 b158aa7", serial_number="207D3254594B"),
            port(other, 0x1A86, 0x7523, product="USB Serial"),
            port("/dev/ttyS0"),
        ]
        known, stranger = serial_adapters(ports)
        assert known.title == f"CANable 2 (slcan) MCS CANable2 b158aa7 ({one}, 16d0:117e, serial number 207D3254594B)"
        assert (known.state, known.hint) == ("free", "")
        assert told(known) == {"channel": one, "bitrate": 500_000}
        assert stranger.title == f"WCH USB Serial ({other}, 1a86:7523)"
        assert stranger.hint.startswith("only if it is an slcan adapter")
        assert [adapter.address for adapter in serial_adapters(ports, everything=True)][2] == "slcan:/dev/ttyS0@500000"


def test_the_name_that_stays_is_given_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal() as (_, device):
        link = tmp_path / "usb-MCS_CANable2_207D3254594B-if00"
        link.symlink_to(device)
        (tmp_path / "usb-other").symlink_to("/dev/null")
        monkeypatch.setattr("hil.serial_ports.BY_ID", tmp_path)
        (adapter,) = serial_adapters([port(device, 0x16D0, 0x117E)])
    assert adapter.address == f"slcan:{link}@500000"


def test_a_port_in_use_names_who_has_it() -> None:
    with another_process("slcand") as (process, device):
        (adapter,) = serial_adapters([port(device, 0xAD50, 0x60C4)])
        assert adapter.state == f"in use by slcand (process {process.pid})"
        assert adapter.hint == "end it first"


def test_ports_of_a_hub_in_another_process_are_listed() -> None:
    with another_process(HUB_PROCESS) as (process, device):
        found = {adapter.address: adapter.state for adapter in hub_adapters()}
        assert found[f"slcan:{device}@500000"] == f"hub is process {process.pid}"


def test_the_port_of_a_hub_is_named_as_the_hub_names_it(tmp_path: Path) -> None:
    (tmp_path / "control.lock").touch()
    with (tmp_path / "control.lock").open() as held, another_process(HUB_PROCESS, inherit=held.fileno()) as (process, device):
        (tmp_path / "front0").symlink_to(device)
        (tmp_path / "rear0").symlink_to("/dev/null")
        assert f"slcan:{tmp_path}/front0@500000" in {adapter.address for adapter in hub_adapters()}
        process.kill()
        process.wait()
        assert f"slcan:{tmp_path}/front0@500000" not in {adapter.address for adapter in hub_adapters()}


def test_the_port_of_a_hub_has_the_bitrate_of_its_bus(tmp_path: Path) -> None:
    with serving(Hub([BusPlan("front"), BusPlan("chassis", 250_000)], folder=tmp_path)):
        found = {adapter.address for adapter in hub_adapters()}
    assert {f"slcan:{tmp_path}/front0@500000", f"slcan:{tmp_path}/chassis0@250000"} <= found


# --- CAN links ---------------------------------------------------------------------------------------------------------------


def usb_device(system: Path, name: str, identifiers: tuple[int, int], links: tuple[str, ...] = (), **texts: str) -> None:
    """A USB device as /sys shows it, with the CAN links of its first interface."""
    device = system / "devices" / "pci0" / name
    interface = device / f"{name}:1.0"
    (interface / "net").mkdir(parents=True)
    texts |= {"idVendor": f"{identifiers[0]:04x}", "idProduct": f"{identifiers[1]:04x}"}
    for key, text in texts.items():
        (device / key).write_text(f"{text}\n")
    listed = system / "bus" / "usb" / "devices"
    listed.mkdir(parents=True, exist_ok=True)
    for path in (device, interface):
        (listed / path.name).symlink_to(path)
    (system / "class" / "net").mkdir(parents=True, exist_ok=True)
    for link in links:
        net = interface / "net" / link
        net.mkdir()
        (net / "device").symlink_to(interface)
        (system / "class" / "net" / link).symlink_to(net)
        driver = system / "bus" / "usb" / "drivers" / "gs_usb"
        driver.mkdir(parents=True, exist_ok=True)
        if not (interface / "driver").exists():
            (interface / "driver").symlink_to(driver)


def test_a_link_says_to_which_adapter_it_belongs_and_how_it_is(tmp_path: Path) -> None:
    usb_device(tmp_path, "1-4", (0x1D50, 0x606F), ("can0",), manufacturer="bytewerk", product="candleLight USB adapter")
    link = CanLink("can0", "can", True, "ERROR-PASSIVE", 500_000, 128, 3)
    assert link_adapter(link, tmp_path) == Adapter(
        "socketcan",
        "socketcan:can0@500000",
        "bytewerk candleLight USB adapter (gs_usb)",
        "up, ERROR-PASSIVE, 500 kbit/s, errors: 128 sending, 3 receiving",
    )
    assert usb_adapters(tmp_path) == []  # it has its link


@pytest.mark.parametrize(
    ("link", "hint"),
    [
        (CanLink("can0", "can", False, "STOPPED"), "sudo ip link set can0 up type can bitrate 500000"),
        (CanLink("can0", "can", False, "STOPPED", 250_000), "sudo ip link set can0 up type can bitrate 250000"),
        (CanLink("vcan0", "vcan", False), "sudo ip link set vcan0 up"),
        (CanLink("vcan0", "vcan", True), ""),
        (
            CanLink("can0", "can", True, "BUS-OFF", 500_000),
            "find the short or the missing termination, then: sudo ip link set can0 type can restart",
        ),
    ],
)
def test_a_link_that_does_not_run_says_what_to_do(tmp_path: Path, link: CanLink, hint: str) -> None:
    adapter = link_adapter(link, tmp_path)
    assert adapter.hint == hint
    assert told(adapter) == {"channel": link.name}


# --- USB ---------------------------------------------------------------------------------------------------------------------


def test_an_adapter_without_a_link_is_found_on_usb(tmp_path: Path) -> None:
    usb_device(tmp_path, "1-1", (0x1D50, 0x606F), serial="0031002F4A")
    usb_device(tmp_path, "1-2", (0x0C72, 0x000C))
    usb_device(tmp_path, "1-3", (0x046D, 0xC077), product="Mouse")
    candle, peak = usb_adapters(tmp_path)
    assert candle.address == "gs_usb:0031002F4A@500000"
    assert "sudo modprobe gs_usb makes a CAN link of it" in candle.hint
    assert (peak.interface, peak.address) == ("pcan", "")
    assert peak.title == "PEAK PCAN-USB (0c72:000c)"
    assert "sudo modprobe peak_usb" in peak.hint


def test_a_system_without_usb_has_none(tmp_path: Path) -> None:
    assert usb_adapters(tmp_path) == []


# --- drivers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "configuration", "expected"),
    [
        (
            "pcan",
            {"interface": "pcan", "channel": "PCAN_USBBUS1", "device_id": 0, "device_name": "PCAN-USB"},
            {"channel": "PCAN_USBBUS1", "bitrate": 500_000},
        ),
        ("kvaser", {"channel": 1, "device_name": "Leaf", "serial": 10, "dongle_channel": 1}, {"channel": 1, "bitrate": 500_000}),
        ("vector", {"channel": 0, "serial": 77, "channel_index": 2}, {"channel": 0, "bitrate": 500_000, "serial": 77}),
        ("ixxat", {"channel": 1, "unique_hardware_id": "HW9"}, {"channel": 1, "bitrate": 500_000, "unique_hardware_id": "HW9"}),
        ("systec", {"channel": 0, "device_number": 3}, {"channel": 0, "bitrate": 500_000, "device_number": 3}),
        ("cantact", {"channel": "ch:1"}, {"channel": 1, "bitrate": 500_000}),
    ],
)
def test_what_a_driver_finds_becomes_an_address_that_opens_it(
    name: str, configuration: dict[str, object], expected: dict[str, object]
) -> None:
    assert told(driver_adapter(name, configuration)) == expected


def test_the_network_of_a_neovi_is_assumed() -> None:
    assert driver_adapter("neovi", {"serial": "CY1234"}).address == "neovi:1@500000,serial=CY1234"


def test_answers_that_fail_or_are_missing_are_notes() -> None:
    lines = [
        json.dumps({"interface": "kvaser", "found": [{"channel": 0}]}),
        json.dumps({"interface": "neovi", "error": "RuntimeError: no server"}),
        '{"interface": "pc',  # its process crashed here
    ]
    notes: list[str] = []
    found = read_answers("\n".join(lines), ["kvaser", "neovi", "pcan"], notes)
    assert [adapter.address for adapter in found] == ["kvaser:0@500000"]
    assert notes == ["neovi: its driver failed: RuntimeError: no server", "pcan: its driver gave no answer within 2 s"]


# Drivers as plug-ins of python-can: one that finds, one that raises, one that prints, one that hangs, one that takes all down.
DRIVERS = """
import can, os, sys, time
class Good(can.BusABC):
    asked = False
    @staticmethod
    def _detect_available_configs():
        Good.asked = True
        return [{"channel": 3}]
class Raising(can.BusABC):
    _detect_available_configs = staticmethod(lambda: 1 / 0)
class Loud(can.BusABC):
    @staticmethod
    def _detect_available_configs():
        os.write(1, b"driver version 1.0\\n"); print("noise"); sys.stderr.write("noise")
        return []
class Hanging(can.BusABC):
    _detect_available_configs = staticmethod(lambda: time.sleep(3600))
class Crashing(can.BusABC):
    @staticmethod
    def _detect_available_configs():
        while not Good.asked: time.sleep(0.01)
        time.sleep(0.5)
        os.abort()
"""


@pytest.fixture
def drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plug-ins of python-can, installed as packages are."""
    (tmp_path / "bad_drivers.py").write_text(DRIVERS)
    information = tmp_path / "bad_drivers-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-drivers\nVersion: 1.0\n")
    names = ("Good", "Raising", "Loud", "Hanging", "Crashing")
    points = "\n".join(f"{name.lower()} = bad_drivers:{name}" for name in names)
    (information / "entry_points.txt").write_text(f"[can.interface]\n{points}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def ask(*names: str) -> tuple[list[Adapter], list[str]]:
    notes: list[str] = []
    with adapters._asking(list(names), notes) as answers:
        return answers(), notes


@pytest.mark.usefixtures("drivers")
def test_a_driver_that_raises_prints_or_hangs_spoils_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "PROBE_TIME", 1.5)
    found, notes = ask("good", "raising", "loud", "hanging")
    assert [adapter.address for adapter in found] == ["good:3@500000"]
    assert notes == [
        "raising: its driver failed: ZeroDivisionError: division by zero",
        "hanging: its driver gave no answer within 1.5 s",
    ]


@pytest.mark.usefixtures("drivers")
def test_a_driver_that_takes_its_process_down_leaves_the_answers_before_it() -> None:
    found, notes = ask("good", "crashing")
    assert [adapter.address for adapter in found] == ["good:3@500000"]
    assert notes == ["crashing: its driver gave no answer within 2 s"]


def test_a_process_that_does_not_even_start_is_a_note() -> None:
    notes: list[str] = []
    with adapters._asking(["pcan"], notes, ("/no/such/program",)) as answers:
        assert answers() == []
    assert notes == ["drivers cannot be asked: No such file or directory"]


def test_a_process_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "PROBE_TIME", -0.9)
    notes: list[str] = []
    with adapters._asking(["pcan"], notes, (sys.executable, "-c", "import time; time.sleep(3600)")) as answers:
        assert answers() == []
    assert len(notes) == 1


def test_the_program_that_asks_is_there() -> None:
    assert Path(PROBE[-1]).is_file()


# --- socketcand --------------------------------------------------------------------------------------------------------------

BEACON = b"""<CANBeacon name="bench-pi" type="SocketCAN" description="socketcand">
<URL>can://192.168.1.20:29536</URL><Bus name="can0"/><Bus name="can1"/></CANBeacon>"""


def test_a_beacon_gives_the_addresses_of_its_buses() -> None:
    first, second = read_beacon(BEACON)
    assert first.address == "socketcand:can0,host=192.168.1.20,port=29536"
    assert first.title == "CAN link of bench-pi"
    assert told(second) == {"channel": "can1", "host": "192.168.1.20", "port": 29536}


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"hello",
        b"<CANBeacon/>",
        b'<CANBeacon><URL>can://h:x</URL><Bus name="can0"/></CANBeacon>',
        b'<CANBeacon><URL>can://h:1</URL><Bus name="can0,host=evil"/></CANBeacon>',
        b'<CANBeacon><URL>can://h,port=2:1</URL><Bus name="can0"/></CANBeacon>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><CANBeacon><URL>can://h:1</URL><Bus name="can0"/></CANBeacon>',
        BEACON.replace(b"CANBeacon", b"Other"),
    ],
)
def test_what_is_no_beacon_gives_none(datagram: bytes) -> None:
    assert read_beacon(datagram) == []


@given(st.binary(max_size=100))
def test_no_datagram_makes_it_fail(datagram: bytes) -> None:
    read_beacon(datagram)
    read_beacon(BEACON[:60] + datagram + BEACON[60:])


def test_beacons_are_heard_while_other_things_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        number = free.getsockname()[1]
    monkeypatch.setattr(adapters, "BEACON_PORT", number)
    notes: list[str] = []
    heard = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not heard.wait(0.02):
                sender.sendto(BEACON, ("127.0.0.1", number))

    daemon = threading.Thread(target=send)
    daemon.start()
    with adapters._listening(1.0, notes) as result:
        found = result()
    heard.set()
    daemon.join()
    assert [adapter.interface for adapter in found] == ["socketcand", "socketcand"]
    assert notes == []


def test_a_port_for_beacons_that_is_taken_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 0))
        monkeypatch.setattr(adapters, "BEACON_PORT", taken.getsockname()[1])
        with adapters._listening(0.1, notes) as result:
            assert result() == []
    assert len(notes) == 1
    assert "cannot listen for beacons" in notes[0]


# --- all together --------------------------------------------------------------------------------------------------------------


def test_looking_leaves_nothing_behind_and_fails_never(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> list[Adapter]:
        raise RuntimeError("the kernel is on holiday")

    monkeypatch.setattr(adapters, "can_links", broken)
    threads = threading.active_count()
    findings = find_adapters(listen=0.05, everything=True)
    assert "CAN links: RuntimeError: the kernel is on holiday" in findings.notes
    assert {"virtual", "udp_multicast"} <= {adapter.interface for adapter in findings.adapters}
    for adapter in findings.adapters:
        assert not adapter.address or told(adapter)
    assert threading.active_count() == threads


def test_each_missing_driver_says_how_to_get_it() -> None:
    missing = missing_drivers()
    assert "virtual" not in missing
    assert all(INTERFACES[name].get in text for name, text in missing.items())
