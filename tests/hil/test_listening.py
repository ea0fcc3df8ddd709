"""Listening hears what comes in, acknowledges it, and sends nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import can
import pytest
from slcan_dongle import Dongle
from waiting import nothing_left_behind

from hil.bus import BusAddress
from hil.errors import UsageError
from hil.frames import EXTENDED
from hil.listening import listen

ENOUGH = 0.3  # [s] for frames that come every 5 ms


@contextmanager
def speaking(bus: can.BusABC, *messages: can.Message) -> Iterator[None]:
    """Send all of ``messages`` again and again."""
    done = threading.Event()

    def speak() -> None:
        while not done.wait(0.005):
            for message in messages:
                bus.send(message)

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_frames_of_all_buses_are_heard_with_the_place_of_their_bus() -> None:
    addresses = [BusAddress("virtual", "test_listening_0"), None, BusAddress("virtual", "test_listening_2")]
    with nothing_left_behind(), can.Bus("test_listening_0", "virtual") as first, can.Bus("test_listening_2", "virtual") as third:
        inverter = can.Message(arbitration_id=0x1DA, is_extended_id=False, data=b"\1\2\3")
        trouble = can.Message(arbitration_id=0x18CC078C, is_extended_id=True, data=bytes(7))
        remote = can.Message(arbitration_id=0x1DB, is_extended_id=False, is_remote_frame=True, dlc=8)
        with speaking(first, inverter, remote), speaking(third, trouble):
            frames = listen(addresses, ENOUGH)
        heard = {(int(f.bus), int(f.identifier), int(f.kind), int(f.length), int(f.payload)) for f in frames}
        assert heard == {(0, 0x1DA, 0, 3, 0x030201), (2, 0x18CC078C, EXTENDED, 7, 0)}
        assert first.recv(0.0) is None  # nobody has sent anything


def test_a_bus_on_which_nobody_speaks_gives_no_frames() -> None:
    begin = time.monotonic()
    assert len(listen([BusAddress("virtual", "test_listening_silence"), None], 0.1)) == 0
    assert time.monotonic() - begin >= 0.1


def test_torn_lines_of_a_serial_adapter_are_passed_over(tmp_path) -> None:
    dongle = Dongle(tmp_path / "ttyCAN")
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.005):
            dongle.write(b"t1DA8FF\rt1DA2BEEF\r")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        frames = listen([BusAddress("slcan", str(dongle.path), 500_000)], ENOUGH)
    finally:
        done.set()
        writer.join()
        dongle.unplug()
    assert len(frames) > 3
    assert set(frames.length.tolist()) == {2}


def test_a_bus_that_cannot_be_opened_is_named(tmp_path) -> None:
    with pytest.raises(UsageError, match="no_such_port"):
        listen([BusAddress("slcan", str(tmp_path / "no_such_port"), 500_000)], 0.1)


@pytest.mark.parametrize(("listen_only", "opened"), [(False, "O"), (True, "L")])
def test_who_only_listens_does_not_acknowledge_either(tmp_path, listen_only: bool, opened: str) -> None:
    dongle = Dongle(tmp_path / "ttyCAN")
    try:
        listen([BusAddress("slcan", str(dongle.path), 500_000)], 0.05, listen_only=listen_only)
    finally:
        dongle.unplug()
    assert [line for line in dongle.lines if line in ("O", "L")] == [opened]


def test_a_bus_that_fails_meanwhile_is_told_in_one_line(tmp_path) -> None:
    dongle = Dongle(tmp_path / "ttyCAN")
    pull = threading.Timer(0.2, dongle.unplug)
    pull.start()
    with pytest.raises(UsageError, match=r'bus "slcan:.*ttyCAN@500000": [^\n]+$'):
        listen([BusAddress("slcan", str(dongle.path), 500_000)], 30.0)
    pull.join()
