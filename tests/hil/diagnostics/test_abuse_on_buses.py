"""Whatever comes from a bus, the responder goes on, the loop beside it does not notice, and nothing piles up.

By default a few hundred requests over every bus; ``E4HIL_ABUSE=10000`` asks for as many over each. Whether periods are missed
under it is measured by ``e4hil performance --realtime``: a test on a busy machine cannot tell.
"""

import gc
import os
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import can
from bus_places import Place
from echo_server import ECHO, SLOW, echo_server
from isotp_tester import FUNCTIONAL, LISTENED, REQUEST, RESPONSE, hear
from platforms import needs_absolute_sleep
from responder_rig import NODE, Running, running, running_controller
from waiting import wait_until

from hil.diagnostics.protocol import Access
from hil.diagnostics.responder import TESTERS_MOST

pytestmark = needs_absolute_sleep

REQUESTS = int(os.environ.get("E4HIL_ABUSE", "200"))
BATCH = 8  # frames at once: what the ports of the hub hold
TESTERS = [(REQUEST, False), (FUNCTIONAL, False), *((base | who, True) for base in (0x18DA9700, 0x18DB3300) for who in range(20))]
GROWTH = 200_000  # [bytes] that the modules of diagnostics may hold: a message each way for every tester

OVERFLOW = b"\x32\x00\x00"
Frame = tuple[int, bool, bytes]
# What three questions in a row are answered with, or begin with.
OF_ECHO = [(bytes([ECHO, 0xA5, number]), bytes([ECHO + 0x40, 0xA5, number])) for number in range(3)]
OF_CONTROLLER = [(b"\x10\x01", b"\x50\x01"), (b"\x3e\x00", b"\x7e\x00"), (b"\x22\xf1\x86", b"\x62\xf1\x86\x01")]


def abuse(rng: random.Random, services: Sequence[int]) -> list[Frame]:
    """Frames that somebody sends who knows the protocol and does not keep to it, to a server of these ``services``."""
    address = rng.choice(TESTERS[:1] * 4 + TESTERS)
    length = rng.choice([8, 20, 300, 4095])
    service = rng.choice(services)
    first = bytes([0x10 | length >> 8, length & 0xFF, service, *rng.randbytes(5)])
    huge = b"\x10\x00\xff\xff\xff\xff" + rng.randbytes(2)
    single = bytes([(size := rng.randint(1, 7)), rng.choice([*services, rng.randrange(256)]), *rng.randbytes(6)])
    consecutive = [bytes([0x20 | k % 16, *rng.randbytes(7)]) for k in range(1, 6)]
    flow = bytes([0x30 | rng.randrange(4), rng.randrange(256), rng.choice([0, 0, 1, rng.randrange(256)]), *bytes(5)])
    mutated = bytearray(single)
    mutated[rng.randrange(8)] ^= 1 << rng.randrange(8)
    ideas: list[Callable[[], list[bytes]]] = [
        lambda: [rng.randbytes(rng.randrange(9))],
        lambda: [single],
        lambda: [single[: size + 1]],
        lambda: [bytes(mutated)],
        lambda: [first],  # and no more of it
        lambda: [first, *consecutive],
        lambda: [first, *rng.sample(consecutive, 5)],
        lambda: [first, flow, *consecutive[:2], single],
        lambda: [huge, *consecutive[:2]],
        lambda: [flow],
        lambda: [bytes([0x10, 8, service, *range(5)]), bytes([0x21, 6, 7])],  # an answer whose flow control may not come
    ]
    return [(*address, data) for data in rng.choice(ideas)()]


def carry(peer: Any, frames: list[Frame]) -> None:
    for identifier, extended, data in frames:
        peer.send(can.Message(arbitration_id=identifier, is_extended_id=extended, data=data))


def is_carried(peer: Any, frames: list[Frame]) -> bool:
    """Whether the adapter took them; on a busy machine it may have no room left for a while."""
    try:
        carry(peer, frames)
    except can.CanError:
        return False
    return True


def heard(peer: Any) -> list[bytes]:
    """What the control unit has said by now."""
    messages = list(iter(lambda: peer.recv(0.0), None))
    return [bytes(message.data) for message in messages if is_answer(message)]


def is_answer(message: Any) -> bool:
    return message.arbitration_id == RESPONSE or message.arbitration_id & 0x1FFF00FF == 0x18DA0000 | NODE


def recover(peer: Any, questions: Sequence[tuple[bytes, bytes]] = OF_ECHO) -> None:
    """Once the tester has cut off the answers that are on their way, some of them slow because he said so, all is as before."""
    for question, answer in questions:
        end = time.monotonic() + LISTENED
        while answer not in [found[1 : 1 + len(answer)] for found in heard(peer)]:
            assert time.monotonic() < end, "no answer"
            with suppress(can.CanError):  # of frames before
                carry(peer, [(REQUEST, False, OVERFLOW), (REQUEST, False, bytes([len(question)]) + question)])
            time.sleep(0.05)


def held() -> int:
    """Memory [bytes] that diagnostics and transport hold."""
    gc.collect()
    kept = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(True, f"*/{part}") for part in ("hil/diagnostics/*", "hil/mailbox.py", "isotp/*")]
    )
    return sum(found.size for found in kept.statistics("filename"))


@contextmanager
def steady_memory(place: Place) -> Iterator[None]:
    """What happens leaves nothing behind in the modules of diagnostics."""
    traced = not place[0].startswith("socketcan")  # a kernel that runs as a process takes seconds for it
    if traced:
        tracemalloc.start()
    try:
        yield
        assert not traced or held() < GROWTH
    finally:
        tracemalloc.stop()


def send_abuse(run: Running, peer: Any, services: Sequence[int]) -> None:
    rng = random.Random(14229)
    for number in range(0, REQUESTS, BATCH):
        frames = [frame for _ in range(BATCH) for frame in abuse(rng, services)]
        for begin in range(0, len(frames), BATCH):
            wait_until(partial(is_carried, peer, frames[begin : begin + BATCH]))
            time.sleep(0.003)
        for answer in heard(peer):
            assert len(answer) == 8
            assert answer[0] >> 4 in (0, 1, 2, 3)
        if number % 64 == 0:
            run.look()


def test_random_mutated_and_disordered_requests_of_many_testers(network: Any, place: Place, peer: Any) -> None:
    with running(network, place[0], server=echo_server(slow_polls=2)) as run:
        with steady_memory(place):
            send_abuse(run, peer, [ECHO, SLOW, 0x10, 0x3E])
            recover(peer)
        responder = run.bench.stations[0]._responders[0]
        assert len(responder.links) <= 1 + TESTERS_MOST
        run.look()
        assert run.bench.errors == []
        assert run.bench.problems == []
        port = run.bench.stations[0].nodes[0].port[0]
        assert port.sent[0] > 0


def test_the_controllers_whole_server_is_abused_in_vain(place: Place, peer: Any, tmp_path: Path) -> None:
    with running_controller(place[0], tmp_path) as run:
        (station,) = run.bench.stations
        (responder,) = station._responders
        calibration = station.nodes[0].parameters.tobytes()
        with steady_memory(place):
            send_abuse(run, peer, list(responder.spec.server.services))
            recover(peer, OF_CONTROLLER)
        run.look()
        assert {link.tester.access for link in responder.links} == {Access.LOCKED}
        assert station.nodes[0].parameters.tobytes() == calibration
        assert station.nodes[0].state[0].actuator_test.request.active == 0
        assert run.bench.errors == []
        assert run.bench.problems == []


def test_messages_of_several_testers_that_come_frame_by_frame_in_turns_are_kept_apart(
    network: Any, place: Place, peer: Any
) -> None:
    testers = range(0xF1, 0xF5)
    messages = {tester: bytes([ECHO, *[tester] * 19]) for tester in testers}
    with running(network, place[0]):
        for begin, lead in ((0, [0x10, 20]), (6, [0x21]), (13, [0x22])):
            size = 8 - len(lead)
            carry(peer, [(0x18DA9700 | t, True, bytes([*lead, *m[begin : begin + size]])) for t, m in messages.items()])
        found: dict[int, bytes] = {}
        while len(found) < len(testers):
            message = peer.recv(5.0)
            assert message, found
            tester = message.arbitration_id >> 8 & 0xFF
            if is_answer(message) and message.data[0] == 0x10:
                found[tester] = bytes(message.data[2:])
        assert found == {tester: bytes([ECHO + 0x40, *[tester] * 5]) for tester in testers}
        for tester in testers:
            carry(peer, [(0x18DA9700 | tester, True, bytes([0x30, 0, 0]))])
            frames = [hear(peer, 0x18DA0000 | tester << 8 | NODE) for _ in range(2)]
            assert [bytes(frame.data) for frame in frames] == [bytes([0x20 | k, *[tester] * 7]) for k in (1, 2)]


def test_floods_of_a_full_bus_delay_nobody_for_good(network: Any, place: Place, peer: Any) -> None:
    floods = [b"\x02\x3e\x00", b"\x10\xff" + bytes(6), b"\x21" + bytes(7), b"\x30\x00\x00", b"\x10\x00\xff\xff\xff\xff\x00\x00"]
    seconds = 0.1 if REQUESTS < 10_000 else 2.0
    with running(network, place[0]) as run:
        for data in floods:
            begin, count = time.monotonic(), 0
            while (past := time.monotonic() - begin) < seconds:
                while count < 4000 * past:  # of a bus with 500 kbit/s
                    with suppress(can.CanError):  # an adapter that finds no gap on it
                        carry(peer, [(REQUEST, False, data)])
                    count += 1
                heard(peer)
                time.sleep(0.001)
            run.look()
        recover(peer)
        assert run.bench.errors == []
        assert run.bench.foreign_frames == 0
