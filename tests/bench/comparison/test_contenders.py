"""The baselines: the same code and car with other calibration values."""

import numpy as np
import pytest

from bench.calibrating import calibration_of
from bench.comparison.contenders import CONTENDERS, FIXED_SPLIT, FRONT_DRIVE, THIS, baseline
from bench.comparison.result import BOUND, above, below, less, told, under
from bench.comparison.steering import step_steer
from bench.comparison.track import Track, Trial
from bench.rows import OURS
from bench.vehicles import load_vehicle
from firmware_model.kernel.records import locate

VEHICLE = load_vehicle("leaf_twin_motor")


def test_this_controller_is_the_vehicles_own_calibration() -> None:
    assert THIS.name == OURS
    assert THIS.calibration(VEHICLE).tobytes() == calibration_of(VEHICLE).tobytes()


def test_both_baselines_are_without_yaw_and_slip_control() -> None:
    for contender in (FIXED_SPLIT, FRONT_DRIVE):
        calibration = contender.calibration(VEHICLE)[0]
        assert (calibration.yaw_control.enabled, calibration.wheel_slip.enabled) == (0, 0)


def test_front_drive_is_the_same_car_without_its_rear_motor() -> None:
    car = FRONT_DRIVE.car(VEHICLE)
    assert car.parameters.rear.motor.envelope_torque.max() == 0.0
    assert car.parameters.body.mass[0] == VEHICLE.parameters.body.mass[0]
    assert car.parameters.battery.tobytes() == VEHICLE.parameters.battery.tobytes()
    assert VEHICLE.parameters.rear.motor.envelope_torque.max() == 340.0
    assert FRONT_DRIVE.calibration(VEHICLE).rear.motor_present[0] == 0


def test_a_value_that_the_calibration_has_not_is_an_error() -> None:
    with pytest.raises((KeyError, ValueError)):
        baseline(calibration_of(VEHICLE), {"yaw_control.no_such_value": 1.0})


def test_values_are_written_where_their_paths_say() -> None:
    calibration = baseline(calibration_of(VEHICLE), {"torque_split.front_share": 0.25})
    assert locate(calibration, "torque_split.front_share")[0] == 0.25


FIGURES = {THIS: 8.0, FIXED_SPLIT: 10.0, FRONT_DRIVE: 12.0}


def test_a_row_has_the_others_and_the_bound_beside_it() -> None:
    row = told("figure", FIGURES, "m", bound=5.0)
    assert dict(row.beside) == {FIXED_SPLIT.name: 10.0, FRONT_DRIVE.name: 12.0, BOUND: 5.0}
    assert (row.value, row.passed) == (8.0, None)


@pytest.mark.parametrize(("share", "passed"), [(0.2, True), (0.21, False), (0.0, True)])
def test_less_than_the_fixed_split_by_a_share_of_it(share: float, passed: bool) -> None:
    row = less("figure", FIGURES, "m", share, "as driven")
    assert row.passed is passed
    assert ("missed: 20.0 % less than (a); as driven" if not passed else "as driven") == row.note


def test_figures_that_have_no_value_pass_nothing() -> None:
    nothing = {THIS: np.nan, FIXED_SPLIT: 10.0, FRONT_DRIVE: 12.0}
    assert less("figure", nothing, "m", 0.2).passed is False
    assert below("figure", nothing, "m", 3.0).passed is False
    assert above("figure", nothing, "m", 3.0).passed is False


def test_a_miss_is_told_in_words_and_every_row_says_friction_and_lateral_acceleration() -> None:
    rows = [below("figure", FIGURES, "m", 7.5, "as driven"), above("figure", FIGURES, "m", 7.5)]
    missed, reached = under("friction 0.5", rows, 4.27)
    assert missed.note == "missed: by 0.5 m; as driven; friction 0.5, 4.3 m/s² lateral"
    assert reached.note == "friction 0.5, 4.3 m/s² lateral"
    assert "did not get so far" in below("figure", {**FIGURES, THIS: np.nan}, "m", 7.5).note


def test_drives_of_all_contenders_repeat_to_the_bit_on_any_number_of_threads() -> None:
    trials = [Trial(contender, step_steer(28.0, 1.0)) for contender in CONTENDERS]
    track = Track(VEHICLE, workers=1)
    track.compile()
    one = track.drive_all(trials, lambda trace: trace["yaw_rate"])
    three = Track(VEHICLE, workers=3).drive_all(trials, lambda trace: trace["yaw_rate"])
    for first, second in zip(one, three, strict=True):
        assert np.array_equal(first, second)
