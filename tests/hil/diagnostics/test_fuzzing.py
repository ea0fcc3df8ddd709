"""What nobody sends by intention. E4HIL_FUZZ_REQUESTS=1000000 runs as many random requests instead of some thousands."""

import gc
import os
import pathlib
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from fuzzing import Fuzzer, Plan
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from server_rig import security_subject

from bench.commands.diagnostics_conformance import controller_subject
from hil.calibration import pages
from hil.calibration.table import findings
from hil.diagnostics import fault_file
from hil.diagnostics.identifiers import identifiers
from hil.diagnostics.lock import LEVELS, SECRET_FILE, key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import Access, DiagnosticServer, Rule, Service, Session
from hil.diagnostics.transfer import BLOCK, HEAD

REQUESTS = int(os.environ.get("E4HIL_FUZZ_REQUESTS", "10000"))  # of each of the two kinds of tester
WARM_UP = 2000  # requests until caches and corpus have their size
GROWTH = 100_000  # [bytes] of memory that are no growth: the corpus changes
FILES = 6_000_000  # [bytes] that all files of a control unit may have
# Services of the controller that answer one who has no key.
OPEN = {0x10, 0x11, 0x14, 0x19, 0x21, 0x22, 0x27, 0x28, 0x29, 0x2A, 0x2C, 0x3E, 0x85}

both = pytest.mark.parametrize("has_key", [False, True], ids=["stranger", "insider"])


def size_of(directory):
    """Bytes of all files in it."""
    return sum(path.stat().st_size for path in directory.iterdir())


def key_of(directory):
    """What one who has the secret answers to a seed."""
    secret = read_secret(directory / SECRET_FILE)
    return lambda tester, level, seed: key_for_seed(level_key(secret, level), level, tester.name, seed)


def growth_under(fuzzer, requests, right_key):
    """Memory [bytes] that is left after so many requests and was not there before them."""
    fuzzer.run(WARM_UP, right_key)
    fuzzer.finish()
    gc.collect()
    tracemalloc.start()
    try:
        fuzzer.run(requests, right_key)
        fuzzer.finish()
        gc.collect()
        # pathlib interns names; the interpreter's table of these doubles once, by megabytes, and is no growth.
        left = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, pathlib.__file__)])
    finally:
        tracemalloc.stop()
    return sum(trace.size for trace in left.traces)


@both
def test_random_requests_find_no_forbidden_answer_open_no_lock_and_leave_no_memory(tmp_path, has_key):
    subject, car = security_subject(tmp_path)
    fuzzer = Fuzzer(subject, seed=1)
    assert growth_under(fuzzer, REQUESTS, key_of(tmp_path) if has_key else None) < GROWTH
    assert car.sends
    assert car.detects
    assert car.restarts > 0
    assert fuzzer.positive >= ({0x10, 0x11, 0x27, 0x28, 0x29, 0x3E, 0x85} if has_key else {0x10, 0x11, 0x27, 0x29, 0x3E, 0x85})
    assert size_of(tmp_path) < FILES


# Requests of the controller's services that do something.
KNOWN = [bytes.fromhex(text) for text in (
    "14 ff ff ff", "19 01 ff", "19 02 ff", "19 04 d0 00 81 ff", "19 0a", "21 81", "22 f1 90 f1 86", "22 20 00 40 00", "28 00 01",
    "2c 01 f2 00 40 00 01 04", "2c 01 f3 00 f1 90 03 05", "2c 03 f2 00", "2a 03 00", "2a 04", "85 01",
)]  # fmt: skip


def plans(node):
    """What one who has the key does with the controller ``node``; some of it is refused, and has to be."""
    number = {row.name: row.number.to_bytes(2) for row in identifiers(node).values()}
    mass = b"\x2e" + number["calibration.vehicle.mass"]
    brake, motor = (b"\x2f" + number[f"output.{name}"] for name in ("brakes.rear_left", "front.motor_torque"))
    wrong = node.parameters.copy()
    wrong[0].vehicle.mass = np.nan
    memory = "23 24 10 00 00 00 00 08", "2c 02 f2 01 24 20 00 00 00 00 08", "2a 02 01", "2a 04 01"
    upload = "35 00 24 40 00 00 00 08 00", "36 01", "36 02", "36 02", "37"
    bleeding = "31 01 02 02", "31 03 02 02", "31 02 02 02", "31 01 02 03", "31 03 02 03", "31 01 02 01", "31 03 02 01"
    return [
        Plan(Session.EXTENDED, Access.READ, texts(*memory)),
        Plan(Session.EXTENDED, Access.READ, texts(*upload)),
        Plan(Session.EXTENDED, Access.CALIBRATE, tuple(mass + struct.pack(">d", value) for value in (1950.0, 1e9, np.nan))),
        Plan(Session.EXTENDED, Access.ACTUATE, (brake + b"\x03" + struct.pack(">d", 500.0), brake + b"\x02", brake + b"\x00")),
        Plan(Session.EXTENDED, Access.ACTUATE, (brake + b"\x03" + struct.pack(">d", 400.0), motor + b"\x03" + bytes(8))),
        Plan(Session.EXTENDED, Access.ACTUATE, texts(*bleeding)),
        Plan(Session.EXTENDED, Access.ACTUATE, texts("28 01 01", "85 02", "28 00 01", "85 01")),
        Plan(Session.EXTENDED, Access.ACTUATE, texts("28 01 01", "85 02", "11 01")),
        Plan(Session.PROGRAMMING, Access.FLASH, tuple(download(node.parameters.tobytes()))),
        Plan(Session.PROGRAMMING, Access.FLASH, tuple(download(wrong.tobytes()))),
    ]


def texts(*requests):
    return tuple(map(bytes.fromhex, requests))


def download(image):
    """The requests by which a calibration goes down."""
    yield bytes.fromhex("34 00 24 10 00 00 00") + len(image).to_bytes(2)
    size = BLOCK - HEAD
    for number, start in enumerate(range(0, len(image), size), 1):
        yield bytes([0x36, number]) + image[start : start + size]
    yield b"\x37" + zlib.crc32(image).to_bytes(4)


@both
def test_random_requests_to_the_whole_controller_find_nothing_either(tmp_path, monkeypatch, has_key):
    monkeypatch.setattr(fault_file, "PERIOD", 0.0)  # [s] on the wall, which a tester who clears would be busy for
    monkeypatch.setattr(pages, "UNDO_DEPTH", 10)  # which the warm-up fills
    with controller_subject(tmp_path) as (subject, node):
        calibration = node.parameters.tobytes()
        fuzzer = Fuzzer(subject, seed=3, known=KNOWN, plans=plans(node))
        growth = growth_under(fuzzer, REQUESTS // 2, key_of(tmp_path) if has_key else None)
        subject.live(0.5)
        test = node.state[0].actuator_test.request, node.measurements[0].actuator_test
        assert (test[0].active, test[1].running) == (0, 0)
        assert growth < GROWTH
        if has_key:
            assert fuzzer.positive == set(subject.server.services)
            assert findings(node.parameters) == []
        else:
            assert OPEN - {0x2A} <= fuzzer.positive <= OPEN  # which needs 0x2C before it
            assert node.parameters.tobytes() == calibration
    assert size_of(tmp_path) < FILES


class OpensForAll(DiagnosticServer):
    """A server with a mistake: a message of 4095 bytes unlocks."""

    def request(self, tester, data, now, *, functional=False):
        if len(data) == 4095:
            tester.access = LEVELS[-1]
        return super().request(tester, data, now, functional=functional)


class AnswersTheSuppressed(DiagnosticServer):
    def _answered(self, request, answer, *, was_told=False):
        return super()._answered(request, answer, was_told=True)


class Leaks(DiagnosticServer):
    """A server with a mistake: it keeps what fails."""

    def request(self, tester, data, now, *, functional=False):
        tester.leaving.append(lambda tester: None)
        return super().request(tester, data, now, functional=functional)


def run_to_the_end(fuzzer):
    fuzzer.run(3000)
    fuzzer.finish()


@pytest.mark.parametrize("mistaken", [OpensForAll, AnswersTheSuppressed, Leaks])
def test_a_mistake_in_a_server_is_found(tmp_path, mistaken):
    subject, car = security_subject(tmp_path)
    subject.server = mistaken(subject.server.services.values(), lambda: car.speed)
    with pytest.raises(AssertionError):
        run_to_the_end(Fuzzer(subject, seed=1))


class Conversation(RuleBasedStateMachine):
    """Testers in the order that finds most, which hypothesis shortens when it has found something."""

    directory: Path

    @initialize()
    def begin(self):
        for path in self.directory.iterdir():
            path.unlink()
        self.subject, self.car = security_subject(self.directory)
        self.fuzzer = Fuzzer(self.subject, seed=1)

    def tester(self, index):
        return self.fuzzer.testers[index]

    @rule(index=st.integers(0, 2), data=st.binary(max_size=40), functional=st.booleans())
    def send_anything(self, index, data, functional):
        self.fuzzer.send(self.tester(index), data, functional=functional)

    @rule(index=st.integers(0, 2), session=st.sampled_from([0x01, 0x02, 0x03, 0x81, 0x82, 0x83]))
    def change_session(self, index, session):
        self.fuzzer.send(self.tester(index), bytes([0x10, session]))

    @rule(index=st.integers(0, 2), level=st.sampled_from(LEVELS))
    def unlock(self, index, level):
        self.fuzzer.unlock(self.tester(index), level, key_of(self.directory))

    @rule(index=st.integers(0, 2), level=st.sampled_from(LEVELS), wrong=st.binary(min_size=32, max_size=32))
    def try_a_wrong_key(self, index, level, wrong):
        self.fuzzer.send(self.tester(index), bytes([0x27, 2 * level - 1]))
        self.fuzzer.send(self.tester(index), bytes([0x27, 2 * level]) + wrong)

    @rule(index=st.integers(0, 2), other=st.integers(0, 2), level=st.sampled_from(LEVELS))
    def use_the_seed_of_another(self, index, other, level):
        answer = self.fuzzer.send(self.tester(index), bytes([0x27, 2 * level - 1])) or b""
        if index != other and answer[:1] == b"\x67":
            key = key_of(self.directory)(self.tester(index), level, answer[2:])
            self.fuzzer.send(self.tester(other), bytes([0x27, 2 * level]) + key)

    @rule(index=st.integers(0, 2), number=st.sampled_from([0x11, 0x28, 0x29, 0x85, 0x3E]), rest=st.binary(min_size=1, max_size=3))
    def ask_a_service(self, index, number, rest):
        self.fuzzer.send(self.tester(index), bytes([number]) + rest)

    @rule(seconds=st.sampled_from([0.0, 0.05, 1.0, 5.1, 11.0]), speed=st.sampled_from([0.0, 30.0, float("nan")]))
    def go_on(self, seconds, speed):
        self.subject.set_speed(speed)
        self.fuzzer.step(seconds)

    def teardown(self):
        self.fuzzer.finish()
        assert self.car.sends
        assert self.car.detects


def test_no_conversation_of_several_testers_finds_a_forbidden_answer_or_an_open_lock(tmp_path):
    Conversation.directory = tmp_path
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Conversation, settings=settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=checks)
    )


class Slow:
    """Work that is done when it was asked for often enough, or fails."""

    def __init__(self, rounds):
        self._rounds = rounds

    def __call__(self):
        self._rounds -= 1
        return b"\x00" * 4 if self._rounds < 0 else None


def test_answers_that_take_long_are_as_the_standard_says_among_all_other_requests(tmp_path):
    subject, car = security_subject(tmp_path)

    def routine(request):
        if request.data[2:4] == b"\0\0":
            return Slow(request.data[1] + 2)
        return lambda: request.data[1:4] + bytes(1)

    def download(request):
        return Slow(len(request.data) * 100)

    others = [Service(0x34, "RequestDownload", Rule("slow", download, 2, 10))]
    subject.server = DiagnosticServer([*subject.server.services.values(), *others], lambda: car.speed)
    fuzzer = Fuzzer(subject, seed=2)
    fuzzer.run(5000)
    fuzzer.finish()
    assert 0x34 in fuzzer.positive


def test_atheris_finds_nothing_either(tmp_path):
    pytest.importorskip("atheris", reason="atheris is not installed")
    harness = Path(__file__).with_name("atheris_harness.py")
    command = [sys.executable, str(harness), str(tmp_path), "-runs=10000", "-max_len=200", "-seed=1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "Done 10000 runs" in ended.stderr
