"""The hub as programs meet it: python-can and pyserial on its ports, from this process and others, and all that goes wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import can
import pytest
import serial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from port_rig import PATIENCE, Terminal, eventually, port

from hil.bus import BusAddress, parse_bus_address
from hil.errors import UsageError
from hil.serial_ports import own_hub_ports
from hil.virtual_can import BusPlan, Hub, HubClient, serving

BITRATE = 500_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with serving(Hub([BusPlan("front"), BusPlan("rear", ports=1)], folder=tmp_path / "hub")) as running:
        yield running


@pytest.fixture
def client(hub: Hub) -> Iterator[HubClient]:
    with HubClient(hub.folder) as connected:
        yield connected


@pytest.fixture
def terminals(hub: Hub) -> Iterator[list[Terminal]]:
    opened = [Terminal(hub.ports[name].path) for name in ("front0", "front1")]
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.fixture
def python_can(hub: Hub) -> Iterator[Callable[[str], can.BusABC]]:
    opened = []

    def open_port(name: str) -> can.BusABC:
        _, _, rest = hub.address(name).partition(":")
        channel, _, bitrate = rest.rpartition("@")
        bus = can.Bus(interface="slcan", channel=channel, bitrate=int(bitrate), sleep_after_open=0)
        opened.append(bus)
        return bus

    yield open_port
    for bus in opened:
        try:
            bus.shutdown()
        except can.CanError:
            bus.serialPortOrig.close()  # its port is gone: it cannot say goodbye


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_python_can_meets_python_can_with_every_kind_of_frame(python_can, client: HubClient) -> None:
    one, two = python_can("front0"), python_can("front1")
    eventually(lambda: port(client, "front0")["condition"] == port(client, "front1")["condition"] == "open")
    messages = [
        can.Message(arbitration_id=0x1D4, is_extended_id=False, data=bytes(range(8))),
        can.Message(arbitration_id=0x18DA10F1, is_extended_id=True, data=b"\xff"),
        can.Message(arbitration_id=0x7FF, is_extended_id=False, data=b""),
        can.Message(arbitration_id=0x123, is_extended_id=False, is_remote_frame=True, dlc=4),
    ]
    for message in messages:
        one.send(message)
    for message in messages:
        received = eventually(lambda: two.recv(0.1))
        assert received.equals(message, timestamp_delta=None, check_channel=False, check_direction=False)
    assert two.get_version(1.0) == (10, 13)
    assert two.get_serial_number(1.0) == "0001"


def test_its_ports_count_as_virtual_while_they_are_plugged_in(hub: Hub, client: HubClient) -> None:
    address, terminal = parse_bus_address(hub.address("front0")), os.path.realpath(hub.ports["front0"].path)
    assert address.is_virtual
    client.unplug("front0")
    assert not address.is_virtual
    assert terminal not in own_hub_ports
    client.plug("front0")
    assert address.is_virtual


def test_buses_do_not_hear_each_other(python_can, client: HubClient) -> None:
    front, rear = python_can("front0"), python_can("rear0")
    front.send(can.Message(arbitration_id=0x100, is_extended_id=False))
    eventually(lambda: port(client, "front0")["transmit_errors"] == 128)
    assert port(client, "rear0")["received"] == 0
    assert rear.recv(0.0) is None


def test_a_port_is_virtual_as_long_as_it_is_plugged_in(hub: Hub, client: HubClient) -> None:
    address = parse_bus_address(hub.address("front0"))
    terminal = BusAddress("slcan", str(hub.ports["front0"].path.resolve()))
    assert address.is_virtual
    assert terminal.is_virtual
    client.tell("unplug front0")
    assert not address.is_virtual
    assert not terminal.is_virtual
    client.tell("plug front0")
    assert address.is_virtual


def test_pyserial_opens_a_port_as_any_serial_adapter(hub: Hub) -> None:
    with serial.Serial(str(hub.ports["front0"].path), 115200, timeout=PATIENCE) as adapter:
        adapter.write(b"V\rN\rX\r")
        assert adapter.read_until(b"\a") == b"V1013\rN0000\r\a"


PEER = """
import sys, can
bus = can.Bus(interface="slcan", channel=sys.argv[1], bitrate=500000, sleep_after_open=0)
print("ready", flush=True)
while True:
    message = bus.recv(1.0)
    if message is not None:
        bus.send(can.Message(arbitration_id=message.arbitration_id + 1, is_extended_id=False, data=message.data))
"""


def start_peer(path: Path) -> "subprocess.Popen[str]":
    peer = subprocess.Popen([sys.executable, "-c", PEER, str(path)], stdout=subprocess.PIPE, text=True)
    assert peer.stdout is not None
    assert peer.stdout.readline() == "ready\n"
    return peer


def test_programs_of_several_processes_talk_and_one_that_is_killed_harms_nobody(hub: Hub, client: HubClient, terminals) -> None:
    first = terminals[0].open_channel()
    terminals[1].close()
    peer = start_peer(hub.ports["front1"].path)
    try:
        eventually(lambda: port(client, "front1")["condition"] == "open")
        first.write(b"t1002ABCD\r")
        first.expect(b"t1012ABCD\r")
    finally:
        peer.kill()
        peer.communicate()
    # As with a real adapter, the channel stays open and acknowledges; nobody reads.
    eventually(lambda: not port(client, "front1")["attended"])
    assert port(client, "front1")["condition"] == "open"
    first.write(b"t2000\r" * 5)
    eventually(lambda: port(client, "front1")["received"] >= 6)
    terminals[1].fd = Terminal(hub.ports["front1"].path).fd
    second = terminals[1].open_channel()
    assert b"t200" not in second.seen  # what the dead did not read is not for the next
    first.write(b"t3000\r")
    second.expect(b"t3000\r")


def test_frames_take_their_time_on_the_wire(terminals) -> None:
    one, two = (terminal.open_channel() for terminal in terminals)
    begin = time.monotonic()
    one.write(b"t100800000000000000FF\r" * 60)
    eventually(lambda: two.read().count(b"t100") == 60)
    assert time.monotonic() - begin >= 60 * 135 / BITRATE


def test_two_ports_send_to_each_other_at_once(terminals, client: HubClient) -> None:
    one, two = (terminal.open_channel() for terminal in terminals)
    one.write(b"".join(b"t1%02X0\r" % number for number in range(30)))
    two.write(b"".join(b"t2%02X0\r" % number for number in range(30)))
    for receiver, own, others in ((one, b"z\r", b"t2"), (two, b"z\r", b"t1")):
        eventually(lambda receiver=receiver, others=others: receiver.read().count(others) == 30)
        assert receiver.seen.count(own) == 30
        assert re.findall(others + rb"(..)0\r", receiver.seen) == [b"%02X" % number for number in range(30)]
    assert client.statistics()["buses"][0]["frames"] == 60


def test_a_program_that_does_not_read_loses_frames_that_are_flagged_and_blocks_nobody(terminals, client: HubClient) -> None:
    sender, sleeper = (terminal.open_channel() for terminal in terminals)
    sent = 0
    while not port(client, "front1")["lost"]:
        assert sent < 20_000
        sender.write(b"t1000\r" * 64)
        sent += 64
        sender.expect(b"z\r" * 64)
        eventually(lambda: not port(client, "front0")["waiting"])
    sender.write(b"t2FF0\r")
    sender.expect(b"z\r")
    sleeper.read()
    sleeper.write(b"F\r")
    flags = eventually(lambda: [line for line in sleeper.read().split(b"\r") if line.startswith(b"F")])
    assert flags[0] == b"F09"
    lines = sleeper.seen.split(b"\r")
    assert all(line in (b"t1000", b"t2FF0", b"F09", b"") for line in lines)  # whole lines are lost, never parts


def test_a_program_that_floods_a_port_is_answered_and_starves_nobody(hub: Hub, client: HubClient, terminals) -> None:
    flooder, _ = terminals
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            try:
                os.write(flooder.fd, b"\x00garbage" * 100)
            except BlockingIOError:
                stop.wait(0.001)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        with serial.Serial(str(hub.ports["rear0"].path), timeout=PATIENCE) as adapter:
            for _ in range(20):
                adapter.write(b"V\r")
                assert adapter.read_until(b"\r") == b"V1013\r"
    finally:
        stop.set()
        thread.join()


def test_a_program_that_writes_and_leaves_is_obeyed_and_seen_to_have_left(hub: Hub, client: HubClient) -> None:
    for _ in range(20):
        terminal = Terminal(hub.ports["front0"].path)
        terminal.write(b"C\rS6\rO\r" + b"V\r" * 1500)  # more than one read takes
        terminal.close()
        eventually(lambda: not port(client, "front0")["attended"])
        assert port(client, "front0")["condition"] == "open"


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=300))
def test_any_bytes_into_a_port_leave_it_usable(hub: Hub, garbage: bytes) -> None:
    terminal = Terminal(hub.ports["front0"].path)
    terminal.write(garbage)
    terminal.close()  # in the middle of a line: nothing of it reaches the next program
    terminal = Terminal(hub.ports["front0"].path)
    terminal.write(b"\r\rC\rS6\rO\rV\r")
    assert terminal.expect(b"V1013\r").endswith(b"\r\rV1013\r")
    terminal.close()


def test_unplugging_fifty_times_leaks_nothing_and_each_time_it_comes_back(hub: Hub, client: HubClient, terminals) -> None:
    other = terminals[1].open_channel()
    terminals[0].close()
    path = hub.ports["front0"].path
    counts = []
    for _ in range(50):
        terminal = Terminal(path).open_channel()
        terminal.write(b"t1000\r")
        other.expect(b"t1000\r")
        client.unplug("front0")
        assert not path.is_symlink()
        with pytest.raises(OSError, match="Input/output error"):
            terminal.write(b"t1000\r")
        terminal.close()
        client.plug("front0")
        assert port(client, "front0")["condition"] == "closed"
        counts.append((descriptors(), threading.active_count(), len(hub.buses["front"].controllers), len(hub._by_fd)))
    assert set(counts) == {counts[0]}
    terminals[0].fd = Terminal(path).fd


def test_a_terminal_that_another_driver_has_taken_over_is_let_go(monkeypatch, terminals, hub: Hub, client: HubClient) -> None:
    def refuse(*_: object) -> None:
        raise termios.error(22, "Invalid argument")  # as Linux answers while its slcan driver has the terminal

    monkeypatch.setattr("termios.tcflush", refuse)
    Terminal(f"/proc/self/fd/{terminals[0].fd}").open_channel().close()
    terminals[0].close()
    eventually(lambda: not port(client, "front0")["attended"])
    assert hub.ports["front0"].path.resolve() not in {link.resolve() for link in Path("/proc/self/fd").iterdir()}
    terminals[0].fd = os.dup(terminals[1].fd)  # for the fixture to close


def test_an_unplugged_port_obeys_nothing_but_plug(client: HubClient) -> None:
    client.unplug("front0")
    for command in (client.unplug, client.bus_off):
        with pytest.raises(UsageError, match="port front0 is not plugged in"):
            command("front0")
    client.plug("front0")


def test_python_can_notices_that_its_port_is_gone(python_can, client: HubClient) -> None:
    bus = python_can("front0")
    eventually(lambda: port(client, "front0")["condition"] == "open")
    client.unplug("front0")
    with pytest.raises(can.CanOperationError):
        eventually(lambda: bus.recv(0.1))
    assert port(client, "front0")["condition"] == "unplugged"


def test_bus_off_on_command_ends_by_closing_and_opening(client: HubClient, terminals) -> None:
    one, two = (terminal.open_channel() for terminal in terminals)
    client.bus_off("front0")
    assert port(client, "front0")["condition"] == "bus-off"
    one.write(b"t1000\r")
    one.expect(b"z\r")
    assert port(client, "front0")["waiting"] == 1
    one.write(b"C\rO\rt2000\r")
    two.expect(b"t2000\r")
    assert b"t1000" not in two.seen
    assert port(client, "front0")["condition"] == "open"


def test_disturbances_on_command_strike_and_are_told(client: HubClient, terminals) -> None:
    one, two = (terminal.open_channel() for terminal in terminals)
    client.lose("front1", count=2, identifier=0x1DB)
    one.write(b"t1DB0\rt1DA0\rt1DB0\rt1DB11F\r")
    assert two.expect(b"t1DB11F\r") == b"t1DA0\rt1DB11F\r"
    client.corrupt("front0", count=3)
    one.write(b"t3000\r")
    two.expect(b"t3000\r")
    assert port(client, "front0")["transmit_errors"] == 3 * 8 - 1
    client.delay("front1", 0.05)
    begin = time.monotonic()
    one.write(b"t4000\r")
    two.expect(b"t4000\r")
    assert time.monotonic() - begin >= 0.05
    client.delay("front1", 0.0)
    struck = [(found["effect"], found["target"], found["struck"]) for found in client.statistics()["disturbances"]]
    assert struck == [("lose", "front1", 2), ("corrupt", "front0", 3)]
    client.clear("front1")
    client.clear()
    assert client.statistics()["disturbances"] == []


def test_delayed_frames_keep_their_order_when_the_delay_is_taken_back(client: HubClient, terminals) -> None:
    one, two = (terminal.open_channel() for terminal in terminals)
    client.delay("front", 0.1)
    one.write(b"t1000\r")
    eventually(lambda: port(client, "front1")["received"] == 1)
    client.delay("front", 0)
    one.write(b"t2000\r")
    assert two.expect(b"t2000\r") == b"t1000\rt2000\r"


REFUSED = {
    "unplug middle0": 'no port "middle0"; there are front0, front1, rear0',
    "unplug front": 'no port "front"',
    "lose nobody": 'no bus or port "nobody"; there are front, rear, front0, front1, rear0',
    "lose front0 often": '"often": expected probability=…, count=…, identifier=…',
    "lose front0 probability=1.5": "must be 0 to 1",
    "lose front0 probability=nan": "must be 0 to 1",
    "lose front0 count=0": "at least 1",
    "corrupt front0 identifier=1DB": "a number was expected",
    "delay front0 soon": "a number was expected",
    "delay front0 -1": "must be 0 to 60 s",
    "delay front0 nan": "must be 0 to 60 s",
    "plug front0": "is plugged in",
    "explode\nstatistics": "expected one of: statistics",
    "explode": "expected one of: statistics",
    "": "expected one of: statistics",
}


@pytest.mark.parametrize("command", REFUSED)
def test_a_command_that_makes_no_sense_is_refused_with_a_reason(client: HubClient, command: str) -> None:
    with pytest.raises(UsageError) as caught:
        client.tell(command)
    assert REFUSED[command] in str(caught.value)
    assert client.statistics()["disturbances"] == []


def test_the_control_socket_is_private_and_survives_torn_endless_and_silent_clients(hub: Hub, client: HubClient) -> None:
    path = hub.folder / "control"
    assert path.stat().st_mode & 0o777 == 0o600
    with ExitStack() as stack:
        torn, endless, slow = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3))
        for each in (torn, endless, slow):
            each.settimeout(PATIENCE)
            each.connect(str(path))
        torn.sendall(b"stat")
        torn.close()
        endless.sendall(b"x" * 5000)
        with suppress(ConnectionResetError):
            assert endless.recv(1) == b""
        slow.sendall(b"statis")
        slow.sendall(b"tics\nunplug\n")
        with slow.makefile() as answers:
            assert "buses" in json.loads(answers.readline())
            assert "error" in json.loads(answers.readline())
    assert client.statistics()["buses"]


def test_a_second_hub_at_the_same_place_is_refused_and_the_first_goes_on(hub: Hub, client: HubClient) -> None:
    client.statistics()  # the hub has taken the client's call by now
    before = descriptors()
    with pytest.raises(UsageError, match=rf"in use by another hub \(process {os.getpid()}\)"):
        Hub([BusPlan("rear")], folder=hub.folder)
    with pytest.raises(UsageError, match="in use by another hub"):
        Hub([BusPlan("rear", links=[hub.ports["front0"].path])], folder=hub.folder / "other")
    assert descriptors() == before
    assert sorted(path.name for path in hub.folder.iterdir() if not path.name.startswith(".")) == [
        "control", "front0", "front1", "other", "rear0"
    ]  # fmt: skip
    assert not list((hub.folder / "other").iterdir())
    assert client.statistics()["buses"]


def test_a_file_that_no_hub_has_made_is_left_alone(tmp_path: Path) -> None:
    file, foreign = tmp_path / "front0", tmp_path / "front1"
    file.write_text("mine")
    foreign.symlink_to("/dev/null")
    for path in (file, foreign):
        with pytest.raises(UsageError, match=f"{path.name}: exists, and no hub has made it"):
            Hub([BusPlan("x", links=[path])], folder=tmp_path / "hub")
    assert file.read_text() == "mine"
    assert foreign.readlink() == Path("/dev/null")
    assert sorted(tmp_path.rglob("*")) == [file, foreign, tmp_path / "hub"]


PLANS = {
    "a name that is none": ([BusPlan("../etc")], "a name begins with a letter"),
    "no name": ([BusPlan("")], "a name begins with a letter"),
    "a name twice": ([BusPlan("front"), BusPlan("front")], '"front" would name two things'),
    "a bus like another's port": ([BusPlan("front"), BusPlan("front1")], '"front1" would name two things'),
    "a bus like the socket's file": ([BusPlan("control")], '"control" would name two things'),
    "a bitrate that no adapter has": ([BusPlan("front", 123_456)], "bitrate 123456 is none that USB-CAN adapters have: 10000"),
    "no port": ([BusPlan("front", ports=0)], "0 ports; must be 1 to 64"),
    "too many ports": ([BusPlan("front", ports=65)], "65 ports; must be 1 to 64"),
    "the same place twice": ([BusPlan("front", links=[Path("/tmp/x/f"), Path("/tmp/x/f")])], "/tmp/x/f: in use"),
    "a place that cannot be": ([BusPlan("front", links=[Path("/dev/null/front0")])], "/dev/null: cannot be made a folder"),
}


@pytest.mark.parametrize("mistake", PLANS)
def test_a_plan_that_cannot_be_is_refused_and_leaves_nothing(tmp_path: Path, mistake: str) -> None:
    plans, message = PLANS[mistake]
    before = descriptors()
    with pytest.raises(UsageError, match=message):
        Hub(plans, folder=tmp_path / "hub")
    assert descriptors() == before
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink() or path.is_file()]


@pytest.mark.parametrize("folder", ["/dev/null/hub", "/proc/hub"])
def test_a_folder_that_cannot_be_made_is_told(folder: str) -> None:
    with pytest.raises(UsageError, match=f"{folder}: cannot be made a folder"):
        Hub([BusPlan("front")], folder=Path(folder))


def test_a_folder_too_deep_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no socket can be made"):
        Hub([BusPlan("front")], folder=tmp_path / ("deep" * 30))


def test_another_system_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delattr("select.epoll")
    with pytest.raises(UsageError, match="the hub needs Linux"):
        Hub([BusPlan("front")], folder=tmp_path)


def test_no_hub_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no hub at {tmp_path}/control: .*start one with: e4hil hub"):
        HubClient(tmp_path)


def test_a_client_whose_hub_ends_is_told(tmp_path: Path) -> None:
    with serving(Hub([BusPlan("front")], folder=tmp_path)):
        client = HubClient(tmp_path)
    with client, pytest.raises(UsageError, match="the hub"):
        client.statistics()


def test_nothing_is_left_of_a_hub(tmp_path: Path) -> None:
    before = descriptors(), threading.active_count()
    place = tmp_path / "elsewhere" / "can0"
    with serving(Hub([BusPlan("front", links=[place])], folder=tmp_path / "hub")) as hub:
        terminal = Terminal(place).open_channel()
        assert hub.address("front0") == f"slcan:{place}@500000"
    with pytest.raises(OSError, match="Input/output error"):
        terminal.write(b"C\r")
    terminal.close()
    assert not list((tmp_path / "hub").iterdir())
    assert not list(place.parent.iterdir())
    assert (descriptors(), threading.active_count()) == before


HUB = "import sys; from hil.virtual_can import *; from pathlib import Path\n" \
    "hub = Hub([BusPlan('front')], folder=Path(sys.argv[1])); print('ready', flush=True); hub.serve()"  # fmt: skip


def test_what_a_killed_hub_leaves_is_replaced_and_its_clients_meet_an_error(tmp_path: Path) -> None:
    victim = subprocess.Popen([sys.executable, "-c", HUB, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        with pytest.raises(UsageError, match=rf"in use by another hub \(process {victim.pid}\)"):
            Hub([BusPlan("front")], folder=tmp_path)
        terminal = Terminal(tmp_path / "front0").open_channel()
        bus = can.Bus(interface="slcan", channel=str(tmp_path / "front1"), bitrate=BITRATE, sleep_after_open=0)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
    with pytest.raises(OSError, match="Input/output error"):
        terminal.write(b"t1000\r")
    with pytest.raises(can.CanOperationError):
        eventually(lambda: bus.recv(0.1))
    bus.serialPortOrig.close()
    bus._is_shutdown = True  # its shutdown would write to the port
    terminal.close()
    assert (tmp_path / "front0").is_symlink()
    with serving(Hub([BusPlan("front", ports=1)], folder=tmp_path)):
        Terminal(tmp_path / "front0").open_channel().close()
        assert not (tmp_path / "front1").is_symlink()  # nobody's now, and never to lead to another's terminal
    assert not list(tmp_path.iterdir())
