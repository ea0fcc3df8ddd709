"""udsoncan's client, with can-isotp under it, at a responder beside a running loop: the same over every bus.

Over SocketCAN (``make test-vcan``) once more with the kernel's own ISO-TP, where the kernel has it.
"""

import time
from typing import Any

import isotp
import pytest
from bus_places import INTERFACES, Place
from echo_server import ECHO, FAULTY, SLOW, echo_server
from isotp_tester import FUNCTIONAL, REQUEST, RESPONSE, ask, hear, send, uds_client
from platforms import needs_absolute_sleep
from responder_rig import NODE, running

from hil.diagnostics.channel import TransportSettings
from hil.diagnostics.protocol import Session
from hil.diagnostics.responder import TESTERS_MOST
from hil.frames import TRANSMITTED, bytes_from_payload
from hil.realtime_station import SessionOptions

pytestmark = needs_absolute_sleep

LONGEST = bytes(k * 7 % 256 for k in range(4094))


def test_udsoncan_changes_sessions_and_is_present(network: Any, place: Place, peer: Any) -> None:
    with running(network, place[0]), uds_client(peer) as client:
        timing = client.change_session(3).service_data
        assert (timing.p2_server_max, timing.p2_star_server_max) == (0.05, 5.0)
        client.tester_present()
        with client.suppress_positive_response:
            assert client.tester_present() is None
        client.change_session(1)


@pytest.mark.parametrize(("block_size", "separation"), [(0, 1), (8, 0)])
def test_the_longest_message_goes_both_ways(network: Any, place: Place, peer: Any, block_size: int, separation: int) -> None:
    settings = TransportSettings(block_size=block_size, separation_asked=separation)
    with running(network, place[0], transport=settings) as run:
        with uds_client(peer, blocksize=block_size, stmin=separation) as client:
            client.conn.send(bytes([ECHO]) + LONGEST)
            assert client.conn.wait_frame(timeout=20.0) == bytes([ECHO + 0x40]) + LONGEST
        assert run.bench.errors == []


def test_the_block_size_and_the_time_between_frames_of_both_sides_are_kept(network: Any, place: Place, peer: Any) -> None:
    settings = TransportSettings(block_size=3, separation_asked=20)
    with running(network, place[0], transport=settings):
        message = bytes([ECHO]) + bytes(range(47))
        send(peer, bytes([0x10, len(message)]) + message[:6])
        rest, number = message[6:], 1
        while rest:
            assert hear(peer).data[:3] == bytes([0x30, 3, 20])
            for _ in range(3):
                send(peer, bytes([0x20 | number % 16]) + rest[:7])
                rest, number = rest[7:], number + 1
        first = hear(peer)
        assert first.data[:3] == bytes([0x10, 48, ECHO + 0x40])
        times = []
        for block in range(3):
            send(peer, bytes([0x30, 2, 30]))
            for _ in range(2):
                times.append((message := hear(peer)).timestamp)
                assert message.data[0] == 0x20 | len(times)
            if block < 2:
                assert hear(peer, seconds=0.1) is None  # without a further flow control
        gaps = [after - before for before, after in zip(times[::2], times[1::2], strict=True)]
        assert min(gaps) > 0.02  # [s] the tester asked for 0.03, and a bus may carry one frame later than another


def test_a_functional_request_is_answered_and_an_unknown_service_is_not(network: Any, place: Place, peer: Any) -> None:
    with running(network, place[0]):
        assert ask(peer, b"\x3e\x00", FUNCTIONAL) == b"\x7e\x00"
        send(peer, b"\x02\x99\x00", FUNCTIONAL)
        send(peer, b"\x10\x20\xba" + bytes(5), FUNCTIONAL)  # a first frame to all, which no one may answer
        assert hear(peer, seconds=0.2) is None
        assert ask(peer, b"\x99\x00") == b"\x7f\x99\x11"


def test_each_29_bit_tester_has_a_session_of_his_own_and_there_is_room_for_some(network: Any, place: Place, peer: Any) -> None:
    def asked(tester: int, message: bytes, base: int = 0x18DA0000 | NODE << 8) -> bytes:
        return ask(peer, message, base | tester, 0x18DA0000 | tester << 8 | NODE, extended=True)

    with running(network, place[0]):
        assert asked(0xF1, b"\x10\x03")[:2] == b"\x50\x03"
        assert asked(0xF2, b"\x3e\x00", 0x18DB3300) == b"\x7e\x00"
        for tester in range(1, TESTERS_MOST - 1):
            assert asked(tester, b"\xba\x01") == b"\xfa\x01"
        send(peer, b"\x02\xba\x01", 0x18DA0000 | NODE << 8 | 0xEE, extended=True)
        assert hear(peer, 0x18DAEE97, seconds=0.2) is None
        assert ask(peer, b"\xba\x02") == b"\xfa\x02"  # the pair of short identifiers is always free


def test_an_answer_that_takes_long_is_announced_and_a_mistake_in_a_service_is_one_answer(
    network: Any, place: Place, peer: Any
) -> None:
    told: list[str] = []
    with running(network, place[0], options=SessionOptions(report=told.append), server=echo_server(slow_polls=20)) as run:
        send(peer, bytes([2, SLOW, 7]))
        assert hear(peer).data[:4] == bytes([3, 0x7F, SLOW, 0x78])
        assert hear(peer).data[:3] == bytes([2, SLOW + 0x40, 7])
        assert ask(peer, bytes([FAULTY])) == bytes([0x7F, FAULTY, 0x10])
        assert ask(peer, bytes([ECHO, 1])) == bytes([ECHO + 0x40, 1])
        run.until(lambda: "VCM: a service failed: ZeroDivisionError: a mistake" in told)


def test_who_begins_anew_has_no_session_any_more(network: Any, place: Place, peer: Any) -> None:
    ended: list[str] = []
    with running(network, place[0]) as run:
        assert ask(peer, b"\x10\x03")[:2] == b"\x50\x03"
        link = run.bench.stations[0]._responders[0].links[0]
        link.tester.leaving.append(lambda tester: ended.append("left"))
        run.bench.stations[0].restart()
        run.until(lambda: ended == ["left"])
        assert link.tester.session == Session.DEFAULT
        assert ask(peer, b"\x10\x03")[:2] == b"\x50\x03"
        link.tester.leaving.append(lambda tester: ended.append("left again"))
    assert ended == ["left", "left again"]  # as at the end of a run


def test_it_sleeps_unless_a_session_goes_on(network: Any, place: Place, peer: Any) -> None:
    with running(network, place[0]) as run:
        responder = run.bench.stations[0]._responders[0]
        assert ask(peer, bytes([ECHO, 1])) == bytes([ECHO + 0x40, 1])
        assert responder._until_due() is None
        assert ask(peer, b"\x10\x03")[:2] == b"\x50\x03"
        assert responder._until_due() is not None


def test_what_is_to_be_looked_at_is_looked_at_although_it_fails(network: Any, place: Place, peer: Any) -> None:
    looks: list[float] = []

    def look(now: float) -> None:
        looks.append(now)
        raise OSError("the disk is full")

    told: list[str] = []
    with running(network, place[0], options=SessionOptions(report=told.append), look=look, look_period=0.01) as run:
        run.until(lambda: len(looks) > 3)
        assert ask(peer, bytes([ECHO, 1])) == bytes([ECHO + 0x40, 1])
        run.until(lambda: told.count("VCM: a service failed: OSError: the disk is full") == 1)


def test_a_server_of_one_request_at_a_time_drops_what_comes_meanwhile(network: Any, place: Place, peer: Any) -> None:
    settings = TransportSettings(separation=10, padding=0xFF)
    with running(network, place[0], transport=settings, response_delay=0.02, drops_while_busy=True):
        begun = time.monotonic()
        send(peer, bytes([7, ECHO, *range(6)]))
        send(peer, bytes([2, ECHO, 0x99]))
        assert hear(peer).data == bytes([7, ECHO + 0x40, *range(6)])
        assert time.monotonic() - begun >= 0.02
        assert hear(peer, seconds=0.2) is None
        answer = ask(peer, bytes([ECHO, 1]))
        assert answer == bytes([ECHO + 0x40, 1])
        send(peer, bytes([1, ECHO]))
        assert hear(peer).data == bytes([1, ECHO + 0x40, *[0xFF] * 6])


def test_what_the_responder_sends_is_recorded_as_sent_once_and_what_others_send_of_it_is_foreign(
    network: Any, place: Place, peer: Any
) -> None:
    with running(network, place[0]) as run:
        assert ask(peer, bytes([ECHO, 5])) == bytes([ECHO + 0x40, 5])

        def recorded() -> list[tuple[int, int, bytes]]:
            rows = [frame for frames in run.frames for frame in frames if frame.identifier in (REQUEST, RESPONSE)]
            return [(int(f.identifier), int(f.kind) & TRANSMITTED, bytes_from_payload(f.payload, f.length)) for f in rows]

        run.until(lambda: len(recorded()) >= 2)
        run.look()
        assert recorded() == [
            (REQUEST, 0, bytes([2, ECHO, 5, 0, 0, 0, 0, 0])),
            (RESPONSE, TRANSMITTED, bytes([2, ECHO + 0x40, 5, 0, 0, 0, 0, 0])),
        ]
        assert run.bench.foreign_frames == 0
        send(peer, bytes([2, ECHO + 0x40, 6]), RESPONSE)
        run.until(lambda: run.bench.foreign_frames == 1)
        run.until(lambda: len(recorded()) == 3)
        assert recorded()[2][1] == 0


def test_who_only_listens_answers_nobody(network: Any, place: Place, peer: Any) -> None:
    with running(network, place[0], options=SessionOptions(listen_only=True)) as run:
        send(peer, bytes([2, ECHO, 5]))
        assert hear(peer, seconds=0.2) is None
        run.look()
        assert run.bench.carried[1] == 0


def test_the_kernels_own_iso_tp_finds_the_same(network: Any) -> None:
    with INTERFACES["socketcan"]() as (address, _):
        try:
            sockets = isotp.socket()
        except OSError as error:
            pytest.skip(f"this kernel has no ISO-TP of its own: {error}")
        sockets.set_fc_opts(bs=8, stmin=0)
        sockets.set_opts(txpad=0)
        with running(network, address):
            sockets.bind(address.split(":")[1], isotp.Address(isotp.AddressingMode.Normal_11bits, txid=REQUEST, rxid=RESPONSE))
            sockets.send(bytes([ECHO]) + LONGEST)
            assert sockets.recv() == bytes([ECHO + 0x40]) + LONGEST
        sockets.close()
