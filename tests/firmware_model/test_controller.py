from math import inf, isfinite, nan

import numpy as np
import pytest
from controller_rig import LINKS, Rig
from hypothesis import given
from hypothesis import strategies as st
from interpreter import COMPILED, examples, needs_compiler
from small_car import ACCELERATION, FRONT, POWER, PREDICTED, REAR, SPEED, TIME, DrivingRig

from firmware_model.controller import step
from firmware_model.kernel import kernel
from firmware_model.kernel.records import locate
from firmware_model.measurements import Fault, Measurements
from firmware_model.signals import DriveMode, Gear, Inputs, Outputs
from firmware_model.state import State

LIMIT = 180e3


def brake_torques(rig):
    brakes = rig.outputs.brakes
    return [float(torque) for torque in (brakes.front_left, brakes.front_right, brakes.rear_left, brakes.rear_right)]


def launch(seconds, dt=1e-3, **car):
    rig = DrivingRig()
    for name, value in car.items():
        setattr(rig.car, name, value)
    rig.inputs.battery.discharge_limit = rig.state.discharge_limiter.discharge_limit = rig.car.discharge_limit
    rig.inputs.pedals.accelerator = 1.0
    return rig, rig.drive(seconds, dt)


@needs_compiler
@pytest.mark.parametrize(
    "car",
    [
        {},
        {"discharge_limit": 100e3},
        {"discharge_limit": 243e3, "copper": 0.045, "iron": 0.004, "mass": 1700.0},
        {"auxiliary_power": 3500.0, "iron": 0.0085},
    ],
    ids=["as is", "weak battery", "light and efficient", "thirsty"],
)
def test_at_full_pedal_the_power_rides_the_limit_without_exceeding_it(car):
    rig, log = launch(3.5, **car)
    share = log[:, POWER] / rig.car.discharge_limit
    above = share > 1.0
    assert not any(above[k : k + 20].all() for k in range(len(above) - 20))  # more than one sample of 10 ms
    riding = share[np.flatnonzero(share > 0.96)[0] + 100 :]
    assert riding.mean() > 0.985
    assert riding.min() > 0.97
    assert (log[:, PREDICTED] <= rig.car.discharge_limit).all()
    assert rig.measurements.torque_monitor.trips == 0
    assert rig.faults == 0


@needs_compiler
def test_a_limit_that_drops_is_obeyed_within_the_lag_of_the_path():
    rig, _ = launch(1.5)
    rig.car.discharge_limit = 80e3
    log = rig.drive(0.5)
    assert (log[130:, POWER] <= 80e3).all()
    assert rig.measurements.torque_monitor.trips == 0


@needs_compiler
def test_regeneration_rides_the_charge_limit_and_friction_fills_in():
    rig = DrivingRig(speed=25.0)
    rig.car.charge_limit = rig.inputs.battery.charge_limit = rig.state.discharge_limiter.charge_limit = 23e3
    rig.inputs.pedals.brake = 0.3
    log = rig.drive(1.5)
    assert -log[500:, POWER].min() <= 23e3
    assert -log[500:, POWER].mean() >= 0.95 * 23e3
    # The pedal's 2 m/s2 come in full; of the lift-off's 1300 N as much as the battery takes.
    resistance = 140.0 + 0.45 * 22.0**2
    pedal = (1875.0 * 2.0 + resistance) / 2000.0
    assert pedal < -log[1000:, ACCELERATION].mean() < pedal + 1300.0 / 2000.0


@needs_compiler
def test_braking_ends_at_standstill_with_friction_alone():
    rig = DrivingRig(speed=4.0)
    rig.inputs.pedals.brake = 0.3
    log = rig.drive(3.0)
    assert log[-1, SPEED] == 0.0
    assert rig.torques == pytest.approx((0.0, 0.0), abs=0.5)
    assert sum(brake_torques(rig)) / 0.3108 == pytest.approx(1875.0 * 2.0, rel=3e-3)


@pytest.mark.parametrize(("speed", "lift_off"), [(5.0, 900.0), (0.5, 0.0)])
def test_the_car_brakes_backward_as_it_does_forward(speed, lift_off):
    deceleration = []
    for direction, engaged in ((1.0, Gear.DRIVE), (-1.0, Gear.REVERSE)):
        rig = Rig(direction * speed)
        rig.state.supervisor.gear = rig.inputs.pedals.gear = engaged
        rig.inputs.pedals.brake = 0.6
        for _ in range(50):
            rig.run(0.01, 5e-3)
            rig.inputs.front.motor_torque, rig.inputs.rear.motor_torque = rig.torques
        by_motors = -direction * sum(rig.torques) * 8.1938
        deceleration.append((by_motors + sum(brake_torques(rig))) / 0.3108 / 1875.0)
    assert deceleration == pytest.approx([5.5 + lift_off / 1875.0] * 2, rel=0.01)


@pytest.mark.parametrize(("gear", "speed"), [(Gear.DRIVE, -2.0), (Gear.REVERSE, 2.0), (Gear.NEUTRAL, -2.0), (Gear.DRIVE, 0.0)])
def test_where_the_motors_may_not_brake_the_brakes_do_it_alone(gear, speed):
    """Rolling against the gear, in none, and at standstill."""
    rig = Rig(speed)
    rig.state.supervisor.gear = rig.inputs.pedals.gear = gear
    rig.inputs.pedals.brake = 0.6
    rig.run(0.3)
    assert rig.torques == pytest.approx((0.0, 0.0), abs=1e-6)
    assert sum(brake_torques(rig)) / 0.3108 == pytest.approx(1875.0 * 5.5, rel=0.01)


@pytest.mark.parametrize("speed", [-0.05, 0.05])
def test_an_uncertain_speed_about_standstill_does_not_brake_a_launch(speed):
    rig = Rig(speed)
    rig.inputs.pedals.accelerator = 1.0
    rig.run(0.2)
    assert min(rig.torques) > 50.0
    assert brake_torques(rig) == pytest.approx([0.0] * 4, abs=1e-6)


@needs_compiler
def test_the_result_does_not_depend_on_the_base_raster():
    _, coarse = launch(0.6, dt=1e-3)
    _, fine = launch(0.6, dt=2e-4)
    for column, tolerance in ((SPEED, 0.05), (FRONT, 6.0), (REAR, 6.0), (POWER, 2e3)):
        at = np.interp(np.arange(0.05, 0.6, 0.05), fine[:, TIME], fine[:, column])
        assert np.interp(np.arange(0.05, 0.6, 0.05), coarse[:, TIME], coarse[:, column]) == pytest.approx(at, abs=tolerance)


def curve(dt):
    """Motor and brake torques after a while in a curve in which the car turns too little, on the accelerator."""
    rig = Rig(speed=20.0)
    rig.inputs.pedals.accelerator = 0.4
    rig.inputs.steering.wheel_angle = 1.0
    rig.inputs.motion.yaw_rate, rig.inputs.motion.lateral_acceleration = 0.15, 3.0
    rig.run(0.4, dt)
    return [*rig.torques, *brake_torques(rig)]


@needs_compiler
def test_yaw_control_and_allocation_do_the_same_at_1_and_at_10_khz():
    coarse, fine = curve(1e-3), curve(1e-4)
    assert max(fine[2], fine[4]) > 50.0  # a wheel inside the curve is braked
    assert coarse == pytest.approx(fine, rel=0.01, abs=1.0)


@kernel
def count_tasks(steps, dt, inputs, outputs, state, measurements, calibration):
    """How often the tasks of 1, 10 and 100 ms have run, by the raster's own clocks, which go back when they do."""
    raster, ones, tens, hundreds = state.raster, 0, 0, 0
    for _ in range(steps):
        one, ten, ticks = raster.elapsed_1ms, raster.elapsed_10ms, raster.ticks_10ms
        step(dt, inputs, outputs, state, measurements, calibration)
        ones += raster.elapsed_1ms < one + 0.5 * dt
        tens += raster.elapsed_10ms < ten + 0.5 * dt
        hundreds += raster.ticks_10ms < ticks
    return ones, tens, hundreds


@needs_compiler
@pytest.mark.parametrize("dt", [1e-3, 5e-4, 3e-4, 2e-4, 1e-4])
def test_the_tasks_run_as_often_as_stated_at_any_base_raster_and_do_not_drift(dt):
    rig, seconds = Rig(), 30.0
    counts = count_tasks(round(seconds / dt), dt, rig.inputs, rig.outputs, rig.state, rig.measurements, rig.calibration)
    assert counts == pytest.approx((seconds / 1e-3, seconds / 10e-3, seconds / 100e-3), abs=1.01)


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
def test_at_power_on_every_task_runs_in_the_first_step(dt):
    rig = Rig()
    assert count_tasks(1, dt, rig.inputs, rig.outputs, rig.state, rig.measurements, rig.calibration) == (1, 1, 1)


@needs_compiler
def test_a_long_launch_is_the_same_at_1_and_at_10_khz():
    _, coarse = launch(6.0, dt=1e-3)
    _, fine = launch(6.0, dt=1e-4)
    assert coarse[-1, SPEED] == pytest.approx(fine[-1, SPEED], rel=2e-3)
    assert coarse[-1, POWER] == pytest.approx(fine[-1, POWER], rel=5e-3)


@needs_compiler
@pytest.mark.parametrize("charge_limit", [60e3, 0.0])
def test_the_e_pedal_stops_the_car_and_holds_it_whatever_the_battery_takes(charge_limit):
    rig = DrivingRig(speed=10.0)
    rig.car.charge_limit = rig.inputs.battery.charge_limit = rig.state.discharge_limiter.charge_limit = charge_limit
    rig.inputs.pedals.e_pedal = 1
    log = rig.drive(10.0)
    # 3.7 kN and some road load on 1875 kg, with rotating parts 2000 kg; near the end 1.2 kN
    assert -log[500:1000, ACCELERATION].mean() == pytest.approx(3750.0 / 2000.0, rel=0.1)
    stopped = np.flatnonzero(log[:, SPEED] == 0.0)[0]
    assert 5.0 < log[stopped, TIME] < 9.0
    assert -log[:stopped, ACCELERATION].min() < 2.3
    brakes = rig.outputs.brakes
    total = brakes.front_left + brakes.front_right + brakes.rear_left + brakes.rear_right
    assert total / 0.3108 == pytest.approx(6000.0, rel=3e-3)
    assert rig.torques == pytest.approx((0.0, 0.0), abs=0.5)
    assert (rig.faults, rig.measurements.torque_monitor.trips) == (0, 0)
    rig.inputs.pedals.accelerator = 0.3
    log = rig.drive(2.0)
    assert log[-1, SPEED] > 2.0
    assert rig.measurements.driver_demand.hold_force == 0.0


@needs_compiler
def test_a_change_of_drive_mode_at_full_pedal_is_no_step_in_the_torque():
    rig = DrivingRig(speed=15.0)
    rig.inputs.pedals.accelerator = 0.6
    rig.drive(1.0)
    for mode in (DriveMode.SPORT, DriveMode.SNOW, DriveMode.ECO, DriveMode.STANDARD):
        rig.inputs.pedals.drive_mode = mode
        log = rig.drive(0.7)
        torques = log[:, [FRONT, REAR]]
        assert np.abs(torques[10:] - torques[:-10]).max() < 10.0  # in the raster of vectoring: 1000 Nm/s
    assert rig.measurements.torque_monitor.trips == 0


TORQUE_STOPS = {
    "battery.state_link": 0.1, "battery.limit_link": 0.1, "battery.charge_link": 1.0,
    "pedals.link": 0.1, "wheels.front_link": 0.2, "wheels.rear_link": 0.2,
}  # fmt: skip


@pytest.mark.parametrize("link", TORQUE_STOPS)
def test_a_silent_source_ends_the_torque_in_time(link):
    """Not before its timeout, and within 70 ms after it: 10 ms raster, then 340 Nm at 6000 Nm/s."""
    rig = Rig(speed=3.0)
    rig.inputs.pedals.accelerator = 1.0
    rig.run(0.3)
    timeout, dt = TORQUE_STOPS[link], 1e-2
    age = 0.0
    while age < timeout - dt:
        age += dt
        rig.set(f"{link}.age", age)
        rig.run(dt)
    assert min(rig.torques) > 300.0
    for _ in range(9):
        age += dt
        rig.set(f"{link}.age", age)
        rig.run(dt)
    assert rig.torques == (0.0, 0.0)
    assert rig.faults != 0


@pytest.mark.parametrize("axle", ["front", "rear"])
def test_a_silent_inverter_ends_its_own_torque_in_time_and_limits_the_other(axle):
    rig = Rig(speed=3.0)
    rig.inputs.pedals.accelerator = 1.0
    rig.run(0.3)
    age, dt = 0.0, 1e-2
    while age < 0.1 - dt:
        age += dt
        rig.set(f"{axle}.link.age", age)
        rig.run(dt)
    assert min(rig.torques) > 300.0
    for _ in range(40):
        age += dt
        rig.set(f"{axle}.link.age", age)
        rig.run(dt)
    lost, other = rig.torques if axle == "front" else rig.torques[::-1]
    assert (lost, other) == (0.0, pytest.approx(0.5 * 340.0, rel=1e-3))
    assert rig.faults == Fault[f"{axle.upper()}_INVERTER_SILENT"]


@pytest.mark.parametrize("link", ["steering.link", "motion.link"])
def test_without_steering_or_motion_only_yaw_control_is_off(link):
    rig = Rig(speed=20.0)
    rig.inputs.pedals.accelerator = 0.3
    rig.run(0.3)
    assert rig.measurements.yaw_control.active == 1
    rig.set(f"{link}.age", 0.2)
    rig.run(0.1)
    assert rig.measurements.yaw_control.active == 0
    assert min(rig.torques) > 10.0


def test_torque_comes_back_when_a_source_is_heard_again():
    rig = Rig(speed=3.0)
    rig.inputs.pedals.accelerator = 0.5
    rig.run(0.3)
    before = rig.torques
    rig.inputs.pedals.link.age = 0.5
    rig.run(0.1)
    assert rig.torques == (0.0, 0.0)
    rig.inputs.pedals.link.age = 0.005
    rig.run(0.5)
    assert rig.torques == pytest.approx(before, rel=0.01)


TORQUE_INPUTS = [
    path
    for path, field in Inputs.fields()
    if field.dtype == "f8"
    and ".link" not in path
    and "_link" not in path
    and path.split(".")[0] in ("pedals", "battery", "wheels")
    and path != "pedals.accelerator_track_2"  # the first track is enough
    and not path.endswith(
        ("inverter_temperature", "motor_temperature", "temperature_average", "state_of_health", "_energy", "isolation")
    )
    and "cell_voltage" not in path
]


@pytest.mark.parametrize("value", [nan, inf, -inf] if COMPILED else [nan])
@pytest.mark.parametrize("path", ["front.motor_speed", "rear.motor_speed", "front.motor_torque", "rear.dc_voltage"])
def test_an_invalid_inverter_ends_its_own_torque_and_a_fault_says_why(path, value):
    rig = Rig(speed=3.0)
    rig.inputs.pedals.accelerator = 0.5
    rig.run(0.1)
    rig.set(path, value)
    rig.run(0.35, dt=5e-3)
    front, rear = rig.torques
    assert (front == 0.0) == path.startswith("front")
    assert (rear == 0.0) == path.startswith("rear")
    assert Fault[f"{path.partition('.')[0].upper()}_INVERTER_INVALID"] in Fault(rig.faults)


@pytest.mark.parametrize("value", [nan, inf, -inf] if COMPILED else [nan])
@pytest.mark.parametrize("path", TORQUE_INPUTS)
def test_an_invalid_input_of_the_torque_path_ends_the_torque_and_a_fault_says_why(path, value):
    rig = Rig(speed=3.0)
    rig.inputs.pedals.accelerator = 0.5
    rig.run(0.1)
    rig.set(path, value)
    rig.run(1.15 if path.startswith(("battery.temperature", "battery.state_of_charge")) else 0.35, dt=5e-3)
    assert rig.torques == (0.0, 0.0)
    assert any(fault.name.endswith("_INVALID") for fault in Fault(rig.faults))


REAL_INPUTS = [path for path, field in Inputs.fields() if field.dtype == "f8"]
ages = st.sampled_from([0.0, 0.005, 0.05, 0.15, 3.0, 1e6, nan])
reals = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-1.5, 1.5), st.floats(-500, 500), st.floats(0, 4e5))


@examples(60)
@given(st.data())
def test_whatever_comes_in_the_outputs_are_finite_and_in_range(data):
    rig = Rig(speed=data.draw(st.floats(-10, 45)))
    for _ in range(4):
        for path in data.draw(st.lists(st.sampled_from(REAL_INPUTS), max_size=6)):
            rig.set(path, data.draw(ages if path.endswith(".age") else reals))
        rig.inputs.pedals.gear = data.draw(st.sampled_from([*Gear, 1, 9]))
        rig.inputs.pedals.drive_mode = data.draw(st.sampled_from([*DriveMode, 5, 7]))
        rig.inputs.pedals.e_pedal = data.draw(st.integers(0, 1))
        rig.inputs.front.error_code = data.draw(st.sampled_from([0, 2, 63]))
        rig.run(0.03)
        for record, array in ((Outputs, rig.arrays[1]), (Measurements, rig.arrays[3])):
            for path, _ in record.fields():
                assert np.isfinite(locate(array, path)).all(), path
        for out in (rig.outputs.front, rig.outputs.rear):
            assert -340.0 <= out.motor_torque <= 340.0
            assert -340.0 <= out.torque_limit_lower <= 0.0 <= out.torque_limit_upper <= 340.0
        assert all(0.0 <= torque <= 3500.0 for torque in brake_torques(rig))
        for path, _ in State.fields():
            # An age is taken over as it comes: a source of unknown age is not trusted.
            assert path.endswith(".age") or np.isfinite(locate(rig.arrays[2], path)).all(), path
        budget, limiter = rig.measurements.power_budget, rig.measurements.discharge_limiter
        idle = 400.0 + 2.0 * 2.0 * (60.0 + 0.0051 * 2500.0**2)  # what flows without torque, at the most
        assert -limiter.charge_limit - 1.0 <= budget.predicted_power <= max(limiter.discharge_limit, idle) + 1.0


@needs_compiler
@examples(60)
@given(st.data())
def test_torque_that_bad_inputs_take_away_has_a_fault_that_says_why_and_the_state_stays_finite(data):
    rig = Rig(speed=3.0)
    rig.inputs.pedals.accelerator = rig.inputs.pedals.accelerator_track_2 = 0.5
    rig.run(0.2, dt=2e-3)
    wanted = rig.torques
    paths = [path for path in REAL_INPUTS if path.split(".")[0] in ("pedals", "front", "rear", "battery", "wheels", "motion")]
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3, unique=True)):
        rig.set(path, data.draw(st.sampled_from([nan, inf, -inf, -1e9, 1e9])))
    rig.run(1.2, dt=2e-3)
    lost = min(rig.torques) < 0.5 * min(wanted)
    assert not lost or rig.faults or rig.measurements.supervisor.latched_faults
    for path, field in State.fields():
        if path.startswith("sources.") and path.endswith(".age"):
            continue  # as the node tells it
        assert field.dtype != "f8" or np.isfinite(locate(rig.arrays[2], path)).all(), path


@needs_compiler
@examples(60)
@given(
    st.floats(0, 1), st.floats(0, 1), st.floats(-8, 43), st.sampled_from(list(Gear)), st.floats(0, 300e3), st.floats(0, 100e3),
    st.sampled_from(list(DriveMode)), st.integers(0, 1),
)  # fmt: skip
def test_no_healthy_drive_ever_trips_the_monitor(accelerator, brake, speed, gear, discharge, charge, mode, e_pedal):
    rig = Rig(speed)
    rig.inputs.pedals.drive_mode, rig.inputs.pedals.e_pedal = mode, e_pedal
    rig.inputs.battery.discharge_limit, rig.inputs.battery.charge_limit = discharge, charge
    rig.inputs.pedals.accelerator, rig.inputs.pedals.brake = accelerator, brake
    rig.run(0.2)
    rig.inputs.pedals.gear = gear
    rig.run(0.2)
    rig.inputs.pedals.accelerator, rig.inputs.pedals.brake = brake, accelerator
    rig.run(0.2)
    rig.inputs.pedals.e_pedal, rig.inputs.pedals.drive_mode = 1 - e_pedal, 3 - mode
    rig.run(0.2)
    assert rig.measurements.torque_monitor.trips == 0


def test_the_clamps_of_a_bench_hold_torque_and_speed():
    rig = DrivingRig()
    rig.calibration.torque_path.motor_torque_clamp = 20.0
    rig.calibration.torque_path.motor_speed_clamp = 157.0
    rig.calibration.driver_demand.speed_limiter_gain = 50e3
    rig.inputs.pedals.accelerator = 1.0
    log = rig.drive(0.3)
    assert log[:, [FRONT, REAR]].max() == pytest.approx(20.0, rel=5e-3)
    assert log[:, [FRONT, REAR]].max() <= 20.0 + 1e-9
    rig.set_speed(6.2)
    rig.run(0.05)
    assert max(rig.torques) <= 0.0


def test_a_car_with_one_motor_drives_with_that_one():
    rig = Rig(speed=3.0)
    rig.calibration.rear.motor_present = 0
    rig.set("rear.link.age", 1e6)
    rig.inputs.pedals.accelerator = 1.0
    rig.run(0.5)
    assert rig.torques == pytest.approx((340.0, 0.0), abs=0.01)  # what ride control holds back swings out
    assert rig.faults == 0


class Replay(Rig):
    """A recording of the EV-CAN alone: inverter and battery, no chassis."""

    def __init__(self, speed=20.0):
        super().__init__(speed, ready=False)
        for link in LINKS:
            if not link.startswith(("front", "battery")):
                self.set(f"{link}.age", 1e6)
        self.calibration.rear.motor_present = 0
        self.request = Outputs.new()[0]
        self.request.front.link.age = 0.005
        self.request.power.high_voltage, self.request.power.ready = 7, 1
        self.state.discharge_limiter.discharge_limit, self.state.discharge_limiter.charge_limit = 180e3, 60e3

    def ask(self, torque, seconds=0.5):
        self.request.front.motor_torque = torque
        self.follow(self.request, seconds)
        return self.torques


@pytest.mark.parametrize("torque", [150.0, -60.0, 0.0])
def test_a_recorded_request_is_followed(torque):
    replay = Replay()
    assert replay.ask(torque) == pytest.approx((torque, 0.0))
    assert replay.faults == 0
    assert (replay.outputs.power.high_voltage, replay.outputs.power.ready) == (7, 1)


def test_a_recorded_request_is_held_to_the_battery_s_limit():
    replay = Replay()
    replay.inputs.battery.discharge_limit = 60e3
    torque, _ = replay.ask(250.0)
    assert 0.90 < torque * replay.inputs.front.motor_speed / 60e3 < 0.98
    assert replay.measurements.power_budget.share_of_limit == pytest.approx(0.988, abs=0.002)


def test_nothing_is_invented_beside_a_recorded_request():
    replay = Replay()
    replay.inputs.pedals.accelerator = 1.0
    assert replay.ask(0.0) == (0.0, 0.0)
    assert brake_torques(replay) == [0.0] * 4


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("front.link.age", 0.2, Fault.FRONT_INVERTER_SILENT),
        ("battery.limit_link.age", 0.2, Fault.BATTERY_LIMIT_SILENT),
        ("battery.voltage", nan, Fault.BATTERY_STATE_INVALID),
    ],
)
def test_a_missing_source_ends_a_recorded_request(path, value, fault):
    replay = Replay()
    replay.ask(100.0)
    replay.set(path, value)
    assert replay.ask(100.0) == (0.0, 0.0)
    assert replay.faults == fault


@pytest.mark.parametrize(("torque", "age", "fault"), [(nan, 0.005, Fault.REQUEST_INVALID), (100.0, 0.2, Fault.REQUEST_SILENT)])
def test_a_request_that_is_invalid_or_missing_ends_the_torque(torque, age, fault):
    replay = Replay()
    replay.ask(100.0)
    replay.request.front.link.age = age
    torques = replay.ask(torque)
    assert torques == (0.0, 0.0)
    assert all(isfinite(value) for value in torques)
    assert replay.faults == fault
