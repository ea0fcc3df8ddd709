"""The driver of USB-CAN adapters, on a pseudo-terminal that answers as one."""

import gc
import time
from pathlib import Path

import can
import pytest
from slcan_dongle import Dongle
from waiting import wait_until

from hil import slcan
from hil.bus import BusAddress, open_bus
from hil.bus_state import BusState
from hil.errors import UsageError
from hil.slcan import SlcanBus


@pytest.fixture
def dongle(tmp_path):
    adapter = Dongle(tmp_path / "ttyCAN")
    yield adapter
    adapter.unplug()


@pytest.fixture
def bus(dongle):
    opened = SlcanBus(str(dongle.path), 500_000)
    yield opened
    opened.shutdown()


def test_the_adapter_is_closed_set_and_opened_in_this_order(dongle):
    SlcanBus(str(dongle.path), 250_000).shutdown()
    wait_until(lambda: dongle.lines[-1] == "C" and "O" in dongle.lines)
    assert dongle.lines == ["C", "V", "S5", "O", "C"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"t1DA2AABB", can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"\xaa\xbb")),
        (b"t1da2aabb", can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"\xaa\xbb")),
        (b"t0000", can.Message(arbitration_id=0, is_extended_id=False)),
        (b"T18DAF11081122334455667788", can.Message(arbitration_id=0x18DAF110, data=bytes.fromhex("1122334455667788"))),
        (b"r1DA8", can.Message(arbitration_id=0x1DA, is_extended_id=False, is_remote_frame=True, dlc=8)),
        (b"R1FFFFFFF0", can.Message(arbitration_id=0x1FFFFFFF, is_remote_frame=True, dlc=0)),
        (b"t1DA1AA1234", can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"\xaa")),  # with time stamp
    ],
)
def test_a_line_is_the_frame_it_says(dongle, bus, line, expected):
    dongle.write(line + b"\r")
    read = bus.recv(5.0)
    assert read.equals(expected, timestamp_delta=None, check_channel=False)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (can.Message(arbitration_id=0x7, is_extended_id=False, data=b"\x0a"), "t00710A"),
        (can.Message(arbitration_id=0x7, data=bytes(8)), "T0000000780000000000000000"),
        (can.Message(arbitration_id=0x7, is_extended_id=False, is_remote_frame=True, dlc=3), "r0073"),
        (can.Message(arbitration_id=0x7, is_remote_frame=True, dlc=0), "R000000070"),
    ],
)
def test_a_frame_is_the_line_it_says(dongle, bus, message, line):
    bus.send(message)
    wait_until(lambda: line in dongle.lines)


@pytest.mark.parametrize("torn", [b"t1DA2AAB", b"t1DA2AABBCC", b"t8000", b"T200000000", b"t1D\xff0", b"xyz", b"x" * 100, b"FXX"])
def test_a_line_that_is_no_frame_is_an_error_and_the_next_is_read(dongle, bus, torn):
    dongle.write(torn + b"\r" + b"t1DA0\r")
    with pytest.raises(ValueError, match="is no frame"):
        bus.recv(5.0)
    while True:
        try:
            assert bus.recv(5.0).arbitration_id == 0x1DA
            return
        except ValueError:  # the rest of a line that was too long
            continue


def test_a_line_may_come_in_pieces(dongle, bus):
    for byte in b"t1DA2AABB":
        dongle.write(bytes([byte]))
        assert bus.recv(0.001) is None
    dongle.write(b"\r")
    assert bus.recv(5.0).data == b"\xaa\xbb"


def test_answers_between_frames_are_no_frames(dongle, bus):
    dongle.write(b"z\r\rZ\r\at1DA0\rV1013\rF00\r")
    assert bus.recv(5.0).arbitration_id == 0x1DA
    assert bus.recv(0.01) is None


def test_a_thousand_frames_come_in_order(dongle, bus):
    for start in range(0, 1000, 50):
        dongle.write(b"".join(b"t%03X0\r" % number for number in range(start, start + 50)))
        assert [bus.recv(5.0).arbitration_id for _ in range(50)] == list(range(start, start + 50))


def test_who_asks_without_time_does_not_wait_for_the_next_frame(bus):
    bus._port.timeout = 60.0
    start = time.monotonic()
    assert bus.recv(0.0) is None
    assert time.monotonic() - start < 50.0


def test_a_refused_frame_is_told_at_the_next_one(dongle, bus):
    frame = can.Message(arbitration_id=7, is_extended_id=False)
    dongle.accepts = False
    bus.send(frame)
    wait_until(lambda: bus.recv(0) is None and bus._refusals)
    dongle.accepts = True
    with pytest.raises(can.CanOperationError, match="transmit buffer full"):
        bus.send(frame)
    bus.send(frame)


def test_flags_tell_of_an_error_passive_controller(dongle, bus):
    def state():
        bus.recv(0)
        return bus.controller_state()

    wait_until(lambda: state() == BusState.ACTIVE)
    dongle.flags = 0x24
    wait_until(lambda: state() == BusState.ERROR_PASSIVE)
    dongle.flags = 0x04
    wait_until(lambda: state() == BusState.ACTIVE)


@pytest.mark.parametrize("listen_only", [False, True])
def test_the_channel_of_a_controller_in_trouble_is_closed_and_opened_while_nothing_is_heard(dongle, monkeypatch, listen_only):
    monkeypatch.setattr(slcan, "RESTART", 0.05)
    bus = SlcanBus(str(dongle.path), 500_000, listen_only)
    try:
        dongle.lines.clear()
        dongle.flags = 0x20

        def restarted():
            bus.recv(0)
            bus.controller_state()
            return "C" in dongle.lines

        wait_until(restarted)
        wait_until(lambda: dongle.lines[dongle.lines.index("C") + 1 :][:1] == ["L" if listen_only else "O"])
    finally:
        bus.shutdown()


def test_a_controller_in_trouble_that_hears_frames_is_left_alone(dongle, bus):
    dongle.lines.clear()
    dongle.flags = 0x20
    bus.recv(0)
    for _ in range(20):
        dongle.write(b"t1DA0\r")
        assert bus.recv(5.0)
        bus.controller_state()
    assert set(dongle.lines) <= {"F"}


def test_an_adapter_that_does_not_answer_is_used_all_the_same(dongle, monkeypatch):
    for name in ("FIRST_ANSWER", "ANSWER", "REPEAT"):
        monkeypatch.setattr(slcan, name, 0.06)
    dongle.deaf = True
    bus = SlcanBus(str(dongle.path), 500_000)
    for _ in range(3 * slcan.ASKED_IN_VAIN):
        assert bus.controller_state() is None
    dongle.write(b"t1DA0\r")
    assert bus.recv(5.0).arbitration_id == 0x1DA
    bus.shutdown()
    wait_until(lambda: dongle.lines[-1] == "C")
    assert dongle.lines.count("F") == slcan.ASKED_IN_VAIN


def address(path: Path, bitrate: int | None = 500_000) -> BusAddress:
    return BusAddress("slcan", str(path), bitrate)


def test_a_port_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere@500000\": no such port; there are: "):
        open_bus(address(tmp_path / "nowhere"))


def test_a_port_in_use_is_refused(dongle, bus):
    with pytest.raises(UsageError, match="in use by another session of this process"):
        open_bus(address(dongle.path))


def test_a_bitrate_that_the_protocol_has_not_is_refused(dongle):
    with pytest.raises(UsageError, match=r"cannot do 123456 bit/s; it can do: 10000, .*1000000"):
        open_bus(address(dongle.path, 123456))


@pytest.mark.parametrize(
    ("command", "listen_only", "text"),
    [("S", False, "refuses the bitrate 500000"), ("O", False, "refuses to open"), ("L", True, "refuses to listen only")],
)
def test_what_the_adapter_refuses_is_said(dongle, monkeypatch, command, listen_only, text):
    usual = dongle._reply
    monkeypatch.setattr(dongle, "_reply", lambda line: b"\a" if line.startswith(command) else usual(line))
    with pytest.raises(UsageError, match=text):
        open_bus(address(dongle.path), listen_only=listen_only)
    monkeypatch.undo()
    open_bus(address(dongle.path)).shutdown()  # the port was given back


def test_a_command_that_the_adapter_does_not_know_is_not_taken_for_a_refused_bitrate(dongle, monkeypatch):
    usual = dongle._reply

    def slow_and_ignorant(line):
        if line.startswith("V"):
            time.sleep(0.005)
            return b"\a"
        return usual(line)

    monkeypatch.setattr(dongle, "_reply", slow_and_ignorant)
    open_bus(address(dongle.path)).shutdown()


def test_a_bus_that_could_not_be_opened_is_silent_when_it_is_thrown_away(tmp_path, caplog):
    with pytest.raises(UsageError):
        open_bus(address(tmp_path / "nowhere"))
    gc.collect()
    assert caplog.records == []


def test_an_unplugged_adapter_is_an_error_of_sending_and_receiving_and_closes_its_port(dongle):
    bus = SlcanBus(str(dongle.path), 500_000)
    dongle.unplug()
    with pytest.raises(can.CanOperationError):
        bus.recv(1.0)
    with pytest.raises(can.CanOperationError):
        bus.send(can.Message(arbitration_id=7, is_extended_id=False))
    with pytest.raises(can.CanOperationError):
        bus.shutdown()
    assert not bus._port.is_open
