from pathlib import Path

import pytest
from interpreter import needs_compiler

from bench.nodes.operator_panel import FRONT, HEARTBEAT, PER_NEWTON_METRE, REAR, STOP
from bench.operator import Operator, parse_torque, read_torque
from hil.errors import UsageError


@needs_compiler
def test_keys_do_what_they_say() -> None:
    operator = Operator()
    assert operator.press("a")
    assert operator.armed
    operator.press("up")
    operator.press("up")
    operator.press("down")
    assert (operator.words[FRONT], operator.words[REAR]) == (1000, 1000)
    operator.press(" ")
    assert operator.words[STOP] == 1
    assert not operator.armed
    assert operator.words[FRONT] == 0
    operator.press("a")
    assert operator.words[STOP] == 0
    operator.press("d")
    assert not operator.armed
    assert not operator.press("q")


@needs_compiler
def test_each_beat_is_another_number() -> None:
    operator = Operator()
    seen = set()
    for _ in range(3):
        operator.beat()
        seen.add(int(operator.words[HEARTBEAT]))
    assert len(seen) == 3


@pytest.mark.parametrize(("text", "expected"), [("10", (10.0, 10.0)), ("10,-5.5", (10.0, -5.5))])
def test_torques_are_read(text: str, expected: tuple[float, float]) -> None:
    assert parse_torque(text).at(3.0) == expected


@pytest.mark.parametrize("text", ["", "much", "1,2,3", "nan", "1,inf"])
def test_a_torque_that_is_none_says_what_is_expected(text: str) -> None:
    with pytest.raises(UsageError, match="expected one torque in Nm, or two"):
        parse_torque(text)


def test_a_csv_of_torques_is_followed_and_held_at_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "torque.csv"
    path.write_text("time,front,rear\n1,0,0\n2,10,-4\n")
    profile = read_torque(path)
    assert profile.at(0.0) == (0.0, 0.0)
    assert profile.at(1.5) == (5.0, -2.0)
    assert profile.at(9.0) == (10.0, -4.0)


def test_a_csv_without_a_rear_motor_gives_both_the_same(tmp_path: Path) -> None:
    path = tmp_path / "torque.csv"
    path.write_text("time,front\n0,3\n")
    assert read_torque(path).at(1.0) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header line and at least one line"),
        ("time,torque\n0,1\n", 'unknown column "torque"; there are: time, front, rear'),
        ("front,time\n0,1\n", "line 1: the columns time,front,rear were expected in that order"),
        ("time,front\n", "at least one line of values"),
        ("time,front\n0,1\n0,2\n", "times that rise"),
        ("time,front\n0,much\n", 'line 2: front: a number was expected, got "much"'),
        ("time,front\n0,inf\n", "finite numbers"),
        ("time,front\n0,1,2\n", "line 2: 2 values were expected, there are 3"),
        (f"time,front\n0,{'1' * 200_000}\n", "is not a CSV text file"),
    ],
)
def test_a_csv_that_is_wrong_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "torque.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_torque(path)


def test_more_than_the_clamp_is_not_asked_for() -> None:
    operator = Operator(torque_max=2.5)
    for key, asked in (("up", 1.0), ("up", 2.0), ("up", 2.5), ("up", 2.5), ("down", 1.5)):
        operator.press(key)
        assert (operator.front, operator.rear) == (asked, asked)
        assert operator.words[FRONT] == round(asked * PER_NEWTON_METRE)


def test_the_highest_torque_of_a_profile_is_that_of_either_motor_and_sign() -> None:
    assert parse_torque("3,-7").highest == 7.0
