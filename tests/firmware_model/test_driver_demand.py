import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.calibration import Calibration
from firmware_model.driver_demand import braking_force, demand, direction
from firmware_model.measurements import Measurements
from firmware_model.signals import DriveMode, Gear
from firmware_model.state import State

DT = 1e-2
MASS = 1875.0
PEDALS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
SPEEDS = (0.0, 2.0, 5.0, 10.0, 18.0, 26.0, 35.0, 45.0)


class Demand:
    """The driver demand alone, with a car whose speed somebody sets."""

    def __init__(self, mode=DriveMode.STANDARD, e_pedal=0, gear=Gear.DRIVE):
        self.arrays = [record.new() for record in (State, Measurements, Calibration)]
        state, measurements, self.calibration = (array[0] for array in self.arrays)
        self.inputs, self.state, self.measured = state.inputs, state.driver_demand, measurements.driver_demand
        self.inputs.drive_mode, self.inputs.e_pedal, self.gear = mode, e_pedal, gear
        self.state.mode_share[:] = 0.0
        self.state.mode_share[mode] = 1.0
        self.state.e_pedal_share, self.state.brake_range_share = e_pedal, int(gear == Gear.BRAKE)

    def __call__(self, accelerator, speed, brake=0.0, seconds=DT, dt=DT):
        """Force of the accelerator and braking force [N]."""
        self.inputs.accelerator, self.inputs.brake = accelerator, brake
        for _ in range(round(seconds / dt)):
            forces = demand(dt, self.inputs, self.gear, speed, self.state, self.measured, self.calibration)
        return forces


def force(accelerator, gear, speed, brake=0.0, mode=DriveMode.STANDARD):
    return Demand(mode, gear=gear)(accelerator, speed, brake)[0]


def twin(points, speeds, values, pedal, speed):
    """The map by numpy: along the speeds first, then along the pedal."""
    return np.interp(pedal, points, [np.interp(speed, speeds, row) for row in values])


@given(st.floats(0, 1), st.floats(2, 41), st.sampled_from(list(DriveMode)))  # below the speed limiter
def test_in_d_the_force_is_that_of_the_mode_s_map(pedal, speed, mode):
    table = Demand().calibration.driver_demand[f"force_{mode.name.lower()}"]
    assert force(pedal, Gear.DRIVE, speed, mode=mode) == pytest.approx(twin(PEDALS, SPEEDS, table, pedal, speed), abs=1e-6)


def test_a_floored_pedal_wants_all_but_in_eco_and_snow():
    full = {mode: force(1.0, Gear.DRIVE, 10.0, mode=mode) for mode in DriveMode}
    assert full == {0: 17.9e3, 1: 17.9e3, 2: pytest.approx(0.9 * 17.9e3), 3: pytest.approx(0.7 * 17.9e3)}


@pytest.mark.parametrize("pedal", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("speed", [1.0, 5.0, 14.0, 30.0])
def test_sport_answers_more_and_eco_and_snow_less_than_standard(pedal, speed):
    by_mode = [force(pedal, Gear.DRIVE, speed, mode=mode) for mode in (DriveMode.SPORT, DriveMode.STANDARD, DriveMode.ECO)]
    assert by_mode[0] > by_mode[1] > by_mode[2]
    assert force(pedal, Gear.DRIVE, speed, mode=DriveMode.SNOW) < by_mode[1]


def test_lifting_off_regenerates_and_b_does_so_more_strongly():
    assert force(0.0, Gear.DRIVE, 18.0) == pytest.approx(-1300.0)
    assert force(0.0, Gear.BRAKE, 18.0) == pytest.approx(-3000.0)
    assert force(0.0, Gear.BRAKE, 18.0, mode=DriveMode.SNOW) == pytest.approx(-0.6 * 3000.0)


def test_b_leaves_the_floored_pedal_as_it_is_and_fades_in_between():
    assert force(1.0, Gear.BRAKE, 10.0) == pytest.approx(17.9e3)
    share = (7340.0 + 1300.0) / (17.9e3 + 1300.0)
    assert force(0.5, Gear.BRAKE, 10.0) == pytest.approx(-3200.0 + share * (17.9e3 + 3200.0))


@given(
    st.floats(0, 1), st.floats(0, 1), st.floats(-5, 45), st.sampled_from([Gear.DRIVE, Gear.BRAKE]),
    st.sampled_from(list(DriveMode)), st.integers(0, 1),
)  # fmt: skip
def test_more_pedal_never_wants_less_force_nor_more_brake(a, b, speed, gear, mode, e_pedal):
    less, more = sorted((a, b))
    before, after = Demand(mode, e_pedal, gear)(less, speed), Demand(mode, e_pedal, gear)(more, speed)
    assert before[0] <= after[0] + 1e-9
    assert before[1] >= after[1] - 1e-9 >= -1e-9


@pytest.mark.parametrize("gear", [Gear.PARK, Gear.NEUTRAL])
def test_no_gear_no_force(gear):
    assert Demand(e_pedal=1, gear=gear)(1.0, 10.0) == (0.0, 0.0)
    assert direction(gear) == 0.0


def test_reverse_drives_backwards_with_less_force():
    assert force(1.0, Gear.REVERSE, 0.0) == pytest.approx(-(0.4 * 17.9e3 + 0.6 * 500.0))
    assert force(0.0, Gear.REVERSE, -5.0) == pytest.approx(900.0)
    assert direction(Gear.REVERSE) == -1.0


def test_the_car_creeps_until_the_brake_holds_it_or_it_is_under_way():
    assert force(0.0, Gear.DRIVE, 0.0) == 500.0
    assert force(0.0, Gear.DRIVE, 0.9) == pytest.approx(250.0)
    half = 0.05 + 0.25 * 500.0 / (2.0 * MASS)  # the pedal that asks for 500 N
    assert force(0.0, Gear.DRIVE, 0.0, brake=half) == pytest.approx(250.0)
    assert force(0.0, Gear.DRIVE, 0.0, brake=0.3) == 0.0
    assert force(0.0, Gear.DRIVE, 2.0) == 0.0


def test_at_top_speed_the_force_is_the_road_load_and_beyond_it_ends_without_braking():
    road_load = 135.1 + 3.185 * 43.6 + 0.4354 * 43.6**2
    assert force(1.0, Gear.DRIVE, 43.6) == pytest.approx(road_load)
    assert force(1.0, Gear.DRIVE, 45.0) == 0.0
    assert force(0.0, Gear.DRIVE, 45.0) == pytest.approx(-850.0)


def test_reverse_ends_at_its_own_top_speed():
    assert force(1.0, Gear.REVERSE, -9.0) == pytest.approx(0.0)


@pytest.mark.parametrize(("brake", "deceleration"), [(0.0, 0.0), (0.05, 0.0), (0.3, 2.0), (0.45, 3.75), (1.0, 11.0)])
def test_the_brake_pedal_asks_for_a_deceleration(brake, deceleration):
    rig = Demand()
    assert braking_force(brake, rig.calibration) == pytest.approx(MASS * deceleration)
    assert rig(0.0, 10.0, brake)[1] == pytest.approx(MASS * deceleration)


CHANGES = [
    ("mode", lambda rig: setattr(rig.inputs, "drive_mode", DriveMode.SNOW)),
    ("B", lambda rig: setattr(rig, "gear", Gear.BRAKE)),
    ("e-Pedal", lambda rig: setattr(rig.inputs, "e_pedal", 1)),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
@pytest.mark.parametrize("pedal", [0.0, 0.4, 1.0])
def test_a_change_of_mode_or_range_is_no_step_and_arrives(change, pedal):
    rig = Demand()
    before = sum(rig(pedal, 10.0) * np.array([1.0, -1.0]))
    change(rig)
    nets = []
    for _ in range(3000):
        driver, brake = rig(pedal, 10.0, dt=1e-3, seconds=1e-3)
        nets.append(driver - brake)
    steps = np.abs(np.diff([before, *nets]))
    assert steps.max() <= 0.0041 * abs(nets[-1] - before) + 1e-6  # 1 ms of a lag of 0.25 s
    settled = Demand(rig.inputs.drive_mode, rig.inputs.e_pedal, rig.gear)(pedal, 10.0)
    assert nets[-1] == pytest.approx(settled[0] - settled[1], abs=0.5)


def test_a_mode_takes_effect_alike_at_1_and_10_khz():
    nets = []
    for dt in (1e-3, 1e-4):
        rig = Demand()
        rig.inputs.drive_mode = DriveMode.SPORT
        nets.append(rig(0.5, 10.0, seconds=0.2, dt=dt)[0])
    assert nets[0] == pytest.approx(nets[1], rel=2e-3)
    assert 7340.0 < nets[0] < 9700.0


def test_modes_switched_to_and_fro_never_leave_the_range_of_their_maps():
    rig = Demand()
    rng = np.random.default_rng(1)
    for _ in range(500):
        rig.inputs.drive_mode = int(rng.integers(4))
        driver, _ = rig(0.5, 10.0)
        assert 2810.0 - 1e-6 <= driver <= 9700.0 + 1e-6
        assert sum(rig.state.mode_share) == pytest.approx(1.0)


@pytest.mark.parametrize("speed", [0.0, 1.0, 5.0, 18.0, 30.0])
def test_the_e_pedal_brakes_as_the_brake_pedal_does(speed):
    driver, brake = Demand(e_pedal=1)(0.0, speed)
    assert driver == 0.0
    assert brake == pytest.approx(np.interp(speed, SPEEDS, (1200, 2000, 3300, 3700, 3500, 3000, 2500, 2000)))


def test_the_e_pedal_adds_to_the_brake_pedal_and_does_not_creep():
    assert Demand(e_pedal=1)(0.0, 10.0, brake=0.3)[1] == pytest.approx(3700.0 + 2.0 * MASS)
    assert Demand(e_pedal=1)(0.0, 0.5)[0] == 0.0


def test_the_e_pedal_brakes_a_car_that_rolls_back():
    assert Demand(e_pedal=1)(0.0, -2.0) == (0.0, pytest.approx(1200.0))


def test_the_e_pedal_holds_the_car_that_it_has_stopped():
    rig = Demand(e_pedal=1)
    assert rig(0.0, 0.2)[1] < 1300.0
    assert rig(0.0, 0.1)[1] == pytest.approx(1240.0)  # the hold is on its way
    assert rig(0.0, 0.0, seconds=0.5) == (0.0, 6000.0)
    # A push does not end it.
    assert rig(0.0, -0.3, seconds=0.5)[1] == 6000.0


def test_the_hold_rises_at_its_rate():
    rig = Demand(e_pedal=1)
    rig(0.0, 0.0, seconds=0.1)
    assert rig.measured.hold_force == pytest.approx(2000.0)


@pytest.mark.parametrize("grade_force", [0.0, 1500.0, 3000.0])
def test_a_start_from_the_hold_never_leaves_the_car_without_force_on_a_hill(grade_force):
    rig = Demand(e_pedal=1)
    rig(0.0, 0.0, seconds=0.5)
    for pedal in np.linspace(0.0, 0.6, 200):
        driver, hold = rig(pedal, 0.0)
        assert driver + hold >= grade_force
    assert rig.measured.hold_force == 0.0
    assert rig(0.0, 5.0)[1] == pytest.approx(3300.0)


@pytest.mark.parametrize("end", ["e-Pedal off", "neutral"])
def test_the_hold_ends_with_the_e_pedal_and_in_neutral_but_not_in_park(end):
    rig = Demand(e_pedal=1)
    rig(0.0, 0.0, seconds=0.5)
    rig.gear = Gear.PARK
    assert rig(0.0, 0.0, seconds=0.5)[1] == 6000.0
    if end == "neutral":
        rig.gear = Gear.NEUTRAL
    else:
        rig.inputs.e_pedal = 0
    assert rig(0.0, 0.0, seconds=3.0)[1] == pytest.approx(0.0, abs=0.1)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-60, 60), st.sampled_from(list(Gear)), st.integers(0, 3), st.integers(0, 1))
def test_whatever_the_driver_does_the_forces_are_finite_and_bounded(accelerator, brake, speed, gear, mode, e_pedal):
    rig = Demand()
    rig.inputs.drive_mode, rig.inputs.e_pedal, rig.gear = mode, e_pedal, gear
    for _ in range(3):
        driver, braking = rig(accelerator, speed, brake)
        assert -17.9e3 <= driver <= 17.9e3
        assert 0.0 <= braking <= 11.0 * MASS + 6000.0
