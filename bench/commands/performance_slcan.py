"""``e4hil performance --realtime`` of USB-CAN adapters: a full bus, and an adapter that is pulled out again and again.

The adapters are ports of a hub, which runs in a process of its own, as an adapter's firmware does.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.commands.measuring import ROUNDS, background
from bench.rows import Row, bounded
from hil.bus import open_bus, parse_bus_address
from hil.bus_state import BusState
from hil.peer import Peer
from hil.ring import new_rings
from hil.session import BusSession
from hil.session_records import SessionSettings
from hil.virtual_can import HubClient
from hil.virtual_can.can_bus import FRAME_BITS

BITRATE = 500_000
FULL_RATE = BITRATE / FRAME_BITS[0][8]  # [1/s] frames of eight bytes that fill the bus
IDENTIFIER = 0x123
BATCH_PAUSE = 2e-3  # [s]
TALKING_PAUSE = 10e-3  # [s]
QUIET = 0.2  # [s] without a frame after which none is to come
UNPLUGGED, UNPLUGGED_IN = 50, 60.0  # times that the adapter is pulled out; fewer if less than so long [s] is to be measured
SETTLING = 2.0  # [s] in which what ends has ended
WARM = 3  # times before threads, descriptors and memory are counted for the first time
PATIENCE = 10.0  # [s]
MEMORY_GROWTH = 1.0  # [MiB] less than this is how the allocator breathes


@dataclass(frozen=True)
class RunningHub:
    """A hub in another process, with two ports on one bus."""

    client: HubClient
    addresses: list[str]

    def port(self, number: int) -> dict[str, Any]:
        """How a port is."""
        found: dict[str, Any] = self.client.statistics()["buses"][0]["ports"][number]
        return found


@contextmanager
def running_hub() -> Iterator[RunningHub]:
    """A hub of its own, ended with the block."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.cli", "hub", f"bus@{BITRATE}", "--folder", folder, "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                description = json.loads(process.stdout.readline() if process.stdout else "")
                with HubClient(Path(folder)) as client:
                    yield RunningHub(client, [port["address"] for port in description["buses"][0]["ports"]])
            finally:
                process.terminate()


# --- a full bus ---------------------------------------------------------------------------------------------------------------


def full_bus_rows(seconds: float) -> list[Row]:
    """A full bus received through an adapter by our driver, in turns with python-can's: how much arrives."""
    ours, theirs = [], []
    with running_hub() as hub:
        for _ in range(ROUNDS):
            ours.append(receive_full_bus(hub, seconds / (2 * ROUNDS), python_can=False))
            theirs.append(receive_full_bus(hub, seconds / (2 * ROUNDS), python_can=True))
    rows = []
    for name, measured, most in (("full slcan bus", ours, 0), ("  python-can's driver", theirs, None)):
        sent, received, elapsed = np.sum(measured, axis=0)
        rows.append(bounded(f"{name}: lost", int(sent - received), "1", maximum=most, note=f"of {sent:.0f}"))
        rows.append(Row(f"{name}: received", received / elapsed, "1/s", note=f"of {FULL_RATE:.0f} that fit"))
    return rows


def receive_full_bus(hub: RunningHub, seconds: float, *, python_can: bool) -> tuple[int, int, float]:
    """Frames that were on the bus, those of them that arrived, in order, and the time it took [s]."""
    sender, receiver = Peer(hub.addresses[1]), Peer(hub.addresses[0], python_can=python_can)
    try:
        receiver.listen(QUIET)
        before = hub.port(1)["sent"]
        received = 0
        begin = time.monotonic()
        thread = threading.Thread(target=fill_bus, args=(sender, seconds), daemon=True)
        thread.start()
        last = -1
        while (message := receiver.listen(QUIET)) or thread.is_alive():
            number = int.from_bytes(message.data, "little") if message else last
            received += number > last
            last = max(last, number)
        thread.join()
        return hub.port(1)["sent"] - before, received, time.monotonic() - begin - QUIET
    finally:
        sender.close()
        receiver.close()


def fill_bus(sender: Peer, seconds: float) -> None:
    """Send numbered frames as fast as the bus takes them."""
    begin, number = time.monotonic(), 0
    while (elapsed := time.monotonic() - begin) < seconds:
        for _ in range(round(elapsed * FULL_RATE) - number):
            with suppress(Exception):  # one refused for a full buffer was never on the bus
                sender.send(IDENTIFIER, number)
            number += 1
        time.sleep(BATCH_PAUSE)


# --- an adapter that is pulled out ----------------------------------------------------------------------------------------------


def unplugging_rows(seconds: float) -> list[Row]:
    """An adapter pulled out and plugged in again: how soon a session notices, how soon it is back, and what it leaves behind."""
    times = max(WARM + 2, round(UNPLUGGED * min(1.0, seconds / UNPLUGGED_IN)))
    pulled = []
    before = held()
    with running_hub() as hub, talking(hub.addresses[1]), session_on(hub.addresses[0]) as session:
        for number in range(times):
            if number == WARM:
                before = held()
            pulled.append(pull_out_and_plug_in(hub, session))
        after = held_in_the_end(before)
    growth = after - before
    noticed, back = np.transpose(pulled)
    note = f"{times} times; in the middle {1e3 * float(np.median(noticed)):.0f} ms"
    limit = SessionSettings().silence
    return [
        bounded("adapter pulled out: noticed within", float(noticed.max()), "s", maximum=limit, note=note),
        Row(
            "  plugged in again: frames heard within",
            float(back.max()),
            "s",
            note=f"in the middle {float(np.median(back)):.2f} s",
        ),
        bounded("  threads left behind", int(growth[0]), "1", maximum=0),
        bounded("  descriptors left behind", int(growth[1]), "1", maximum=0),
        bounded("  memory left behind", float(growth[2]), "MiB", maximum=MEMORY_GROWTH),
    ]


def held_in_the_end(before: Any) -> Any:
    """What is held once the threads of the last loss have had the time to end: no more than ``before``, or it stays."""
    give_up = time.monotonic() + SETTLING
    while ((found := held()) > before)[:2].any() and time.monotonic() < give_up:
        time.sleep(0.02)
    return found


def pull_out_and_plug_in(hub: RunningHub, session: BusSession) -> tuple[float, float]:
    """Times [s] until the session says that its bus is lost, and until it hears frames again."""
    unplugged = time.monotonic()
    hub.client.unplug("bus0")
    noticed = wait_for(lambda: session.state == BusState.LOST, unplugged)
    heard, plugged = session.counters.received, time.monotonic()
    hub.client.plug("bus0")
    return noticed, wait_for(lambda: session.counters.received > heard, plugged)


@contextmanager
def session_on(address: str) -> Iterator[BusSession]:
    """A session as a node has it, open."""
    rings = [tuple(array[0] for array in new_rings(1, 64)) for _ in range(2)]
    opener = partial(open_bus, parse_bus_address(address))
    session = BusSession(opener, 0, time.monotonic_ns(), rings[0], rings[1], name="adapter")
    session.compile()
    session.start()
    try:
        wait_for(lambda: session.counters.received > 0, time.monotonic())
        yield session
    finally:
        session.stop()


@contextmanager
def talking(address: str) -> Iterator[None]:
    """Somebody else on the bus, who sends a frame every now and then, whether or not it is acknowledged."""
    peer = Peer(address)

    def talk(done: threading.Event) -> None:
        while not done.wait(TALKING_PAUSE):
            with suppress(Exception):  # its buffer may be full of frames that nobody has acknowledged
                peer.send(IDENTIFIER, 0)

    try:
        with background(talk):
            yield
    finally:
        peer.close()


def wait_for(condition: Callable[[], bool], begin: float) -> float:
    """Time [s] from ``begin`` until the condition holds; infinite if it does not in good time."""
    while not condition():
        if time.monotonic() - begin > PATIENCE:
            return float("inf")
        time.sleep(1e-3)
    return time.monotonic() - begin


def held() -> Any:
    """Threads, descriptors and resident memory [MiB] of this process."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return np.array([threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), resident])
