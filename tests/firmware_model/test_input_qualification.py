from math import inf, nan

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.input_qualification import cross_check, qualify, qualify_slow, watch
from firmware_model.measurements import Fault, Source
from firmware_model.signals import NO_SECOND_TRACK, DriveMode

RASTER = 0.01

# Every value that is looked at, with one that is plausible and the source it belongs to.
VALUES = {
    "front.motor_speed": (123.0, "front.motor_speed", Source.FRONT_INVERTER),
    "front.motor_torque": (-45.0, "front.motor_torque", Source.FRONT_INVERTER),
    "rear.dc_voltage": (377.0, "rear.dc_voltage", Source.REAR_INVERTER),
    "rear.motor_speed": (-321.0, "rear.motor_speed", Source.REAR_INVERTER),
    "battery.voltage": (355.0, "battery.voltage", Source.BATTERY_STATE),
    "battery.current": (-120.0, "battery.current", Source.BATTERY_STATE),
    "battery.discharge_limit": (99e3, "battery.discharge_limit", Source.BATTERY_LIMIT),
    "battery.charge_limit": (33e3, "battery.charge_limit", Source.BATTERY_LIMIT),
    "battery.state_of_charge": (0.33, "battery.state_of_charge", Source.BATTERY_CHARGE),
    "battery.temperature_highest": (41.0, "battery.temperature_highest", Source.BATTERY_CHARGE),
    "battery.temperature_lowest": (-7.0, "battery.temperature_lowest", Source.BATTERY_CHARGE),
    "pedals.accelerator": (0.7, "accelerator", Source.PEDALS),
    "pedals.brake": (0.2, "brake", Source.PEDALS),
    "steering.wheel_angle": (-3.0, "wheel_angle", Source.STEERING),
    "motion.yaw_rate": (0.4, "yaw_rate", Source.MOTION),
    "motion.longitudinal_acceleration": (-6.0, "longitudinal_acceleration", Source.MOTION),
    "motion.lateral_acceleration": (8.0, "lateral_acceleration", Source.MOTION),
}
TIMEOUTS = {Source.BATTERY_CHARGE: 1.0, Source.FRONT_WHEELS: 0.2, Source.REAR_WHEELS: 0.2}
AGES = {
    Source.FRONT_INVERTER: "front.link", Source.REAR_INVERTER: "rear.link", Source.BATTERY_STATE: "battery.state_link",
    Source.BATTERY_LIMIT: "battery.limit_link", Source.BATTERY_CHARGE: "battery.charge_link", Source.PEDALS: "pedals.link",
    Source.STEERING: "steering.link", Source.MOTION: "motion.link", Source.FRONT_WHEELS: "wheels.front_link",
    Source.REAR_WHEELS: "wheels.rear_link",
}  # fmt: skip


class QualificationRig(Rig):
    """Qualification alone, in its 10 ms raster."""

    def watch(self, seconds=RASTER):
        for _ in range(round(seconds / RASTER)):
            qualify(self.inputs, self.state, self.calibration)
            qualify_slow(self.inputs, self.state, self.calibration.input_qualification)
            watch(RASTER, self.state, self.calibration)
        return Fault(int(self.state.sources.faults))

    def qualified(self, path):
        record = self.state.inputs
        for name in path.split("."):
            record = getattr(record, name)
        return float(record)


@pytest.mark.parametrize("path", VALUES)
def test_a_plausible_value_is_taken_over(path):
    rig = QualificationRig()
    value, where, _ = VALUES[path]
    rig.set(path, value)
    assert rig.watch() == Fault(0)
    assert rig.qualified(where) == value


@pytest.mark.parametrize("bad", [nan, inf, -inf, 1e9])
@pytest.mark.parametrize("path", VALUES)
def test_an_invalid_value_leaves_the_last_one_and_becomes_a_fault(path, bad):
    rig = QualificationRig()
    value, where, source = VALUES[path]
    rig.set(path, value)
    rig.watch()
    rig.set(path, bad)
    timeout = TIMEOUTS.get(source, 0.1)
    assert rig.watch(timeout - RASTER) == Fault(0)
    assert rig.watch(2 * RASTER) == Fault[f"{source.name}_INVALID"]
    assert rig.qualified(where) == value


@pytest.mark.parametrize("source", AGES)
def test_a_silent_source_is_a_fault_after_its_timeout(source):
    rig = QualificationRig()
    timeout = TIMEOUTS.get(source, 0.1)
    rig.set(f"{AGES[source]}.age", timeout)
    assert rig.watch() == Fault(0)
    rig.set(f"{AGES[source]}.age", timeout + 0.001)
    assert rig.watch() == Fault[f"{source.name}_SILENT"]
    rig.set(f"{AGES[source]}.age", nan)
    assert rig.watch() == Fault[f"{source.name}_SILENT"]


@pytest.mark.parametrize("wheel", ["front_left", "front_right", "rear_left", "rear_right"])
def test_an_invalid_wheel_speed_takes_its_axle_with_it(wheel):
    rig = QualificationRig(speed=10.0)
    rig.watch()
    rig.set(f"wheels.{wheel}", nan)
    axle = wheel.partition("_")[0]
    assert rig.watch(0.25) == Fault[f"{axle.upper()}_WHEELS_INVALID"]
    assert rig.qualified(f"{axle}_wheel_speed") == 10.0
    assert rig.qualified(f"{axle}_wheels_trusted") == 0.0


def test_wheel_speeds_count_without_their_sign():
    rig = QualificationRig(speed=3.5)
    rig.set("wheels.front_left", -3.0)
    rig.set("wheels.front_right", 4.0)
    rig.watch()
    assert rig.qualified("front_wheel_speed") == 3.5


def test_an_unknown_gear_is_invalid():
    rig = QualificationRig()
    rig.watch()
    rig.inputs.pedals.gear = 1
    assert rig.watch(0.12) == Fault.PEDALS_INVALID
    assert rig.state.inputs.gear == 4


def test_a_pedal_slightly_beyond_its_end_is_at_its_end():
    rig = QualificationRig()
    rig.set("pedals.accelerator", 1.04)
    rig.set("pedals.brake", -0.04)
    assert rig.watch() == Fault(0)
    assert (rig.qualified("accelerator"), rig.qualified("brake")) == (1.0, 0.0)


def test_a_source_is_trusted_again_when_it_has_been_well_for_some_time():
    rig = QualificationRig()
    rig.set("steering.link.age", 0.5)
    rig.watch(0.05)
    assert rig.state.inputs.steering_trusted == 0
    rig.set("steering.link.age", 0.005)
    assert rig.watch(0.19) == Fault.STEERING_SILENT
    assert rig.watch(0.02) == Fault(0)
    assert rig.state.inputs.steering_trusted == 1


def test_an_inverter_that_is_not_there_is_not_missed():
    rig = QualificationRig()
    rig.set("rear.link.age", 1e6)
    rig.calibration.rear.motor_present = 0
    assert rig.watch() == Fault(0)


def test_the_panel_is_missed_only_where_arming_is_required():
    rig = QualificationRig()
    rig.set("panel.link.age", 1e6)
    assert rig.watch() == Fault(0)
    rig.calibration.supervisor.arming_required = 1
    assert rig.watch() == Fault.PANEL_SILENT


@given(st.sampled_from(sorted(VALUES)), st.floats(allow_nan=True, allow_infinity=True))
def test_what_the_laws_see_is_always_finite(path, value):
    rig = QualificationRig()
    rig.set(path, value)
    rig.watch(0.03)
    seen = rig.qualified(VALUES[path][1])
    assert abs(seen) < 1.1e6


# Contradictions -------------------------------------------------------------------------------------------------------------


class CrossRig(QualificationRig):
    """Qualification and cross-check in their 10 ms raster, READY, with what the table of faults would make active fed back."""

    def contradictions(self, seconds=RASTER):
        for _ in range(round(seconds / RASTER)):
            qualify(self.inputs, self.state, self.calibration)
            qualify_slow(self.inputs, self.state, self.calibration.input_qualification)
            watch(RASTER, self.state, self.calibration)
            cross_check(RASTER, self.inputs, self.state, self.calibration)
        return Fault(int(self.state.sources.contradictions))

    def turn(self, yaw_rate, speed, direction=1.0):
        """All sensors as in a curve without slip."""
        self.set_speed(direction * speed)
        wheels = self.inputs.wheels
        wheels.front_left, wheels.front_right = speed - direction * 0.77 * yaw_rate, speed + direction * 0.77 * yaw_rate
        wheels.rear_left, wheels.rear_right = speed - direction * 0.7775 * yaw_rate, speed + direction * 0.7775 * yaw_rate
        self.inputs.motion.yaw_rate = yaw_rate


def test_sensors_that_agree_contradict_nothing():
    rig = CrossRig(speed=20.0)
    assert rig.contradictions(1.0) == Fault(0)


@pytest.mark.parametrize(
    ("first", "second", "fault", "counts"),
    [
        (0.40, 0.40, Fault(0), 0.40),
        (0.40, 0.449, Fault(0), 0.40),
        (0.40, 0.451, Fault.ACCELERATOR_TRACKS_DIFFER, 0.40),
        (0.60, 0.20, Fault.ACCELERATOR_TRACKS_DIFFER, 0.20),
        (0.40, nan, Fault.ACCELERATOR_TRACK_2, 0.40),
        (nan, 0.30, Fault.ACCELERATOR_TRACK_1, 0.30),
        (inf, 0.30, Fault.ACCELERATOR_TRACK_1, 0.30),
        (0.40, -1.5, Fault.ACCELERATOR_TRACK_2, 0.40),
        (0.40, NO_SECOND_TRACK, Fault(0), 0.40),
    ],
)
def test_of_both_tracks_of_the_accelerator_the_lower_valid_one_counts(first, second, fault, counts):
    rig = CrossRig()
    rig.set("pedals.accelerator", first)
    rig.set("pedals.accelerator_track_2", second)
    assert rig.contradictions() == fault
    assert rig.qualified("accelerator") == counts


@pytest.mark.parametrize("second", [nan, inf, NO_SECOND_TRACK])
def test_without_any_valid_track_the_pedals_are_invalid(second):
    rig = CrossRig()
    rig.set("pedals.accelerator", nan)
    rig.set("pedals.accelerator_track_2", second)
    assert rig.contradictions(0.12) == Fault(0)
    assert rig.state.sources.faults == Fault.PEDALS_INVALID


def test_an_unknown_drive_mode_leaves_the_last_one():
    rig = CrossRig()
    rig.inputs.pedals.drive_mode, rig.inputs.pedals.e_pedal = DriveMode.SNOW, 1
    rig.contradictions()
    rig.inputs.pedals.drive_mode = 6
    assert rig.contradictions(0.5) == Fault(0)
    assert (rig.state.inputs.drive_mode, rig.state.inputs.e_pedal) == (DriveMode.SNOW, 1)


@pytest.mark.parametrize(("axle", "fault"), [("front", Fault.FRONT_DC_LINK), ("rear", Fault.REAR_DC_LINK)])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_dc_link_that_is_not_at_the_pack_s_voltage_contradicts_it(axle, fault, sign):
    rig = CrossRig()
    rig.set(f"{axle}.dc_voltage", 390.0 + sign * 24.9)
    assert rig.contradictions() == Fault(0)
    rig.set(f"{axle}.dc_voltage", 390.0 + sign * 25.1)
    assert rig.contradictions() == fault
    rig.state.supervisor.state = 2  # precharge
    assert rig.contradictions() == Fault(0)


@pytest.mark.parametrize(
    ("axle", "fault"), [("front", Fault.FRONT_WHEELS_CONTRADICTED), ("rear", Fault.REAR_WHEELS_CONTRADICTED)]
)
@pytest.mark.parametrize("wrong", [0.0, 16.4, 23.6])
def test_wheels_that_do_not_turn_with_their_motor_contradict_it(axle, fault, wrong):
    rig = CrossRig(speed=20.0)  # 1.5 m/s and 10 %
    for side in ("left", "right"):
        rig.set(f"wheels.{axle}_{side}", 20.0 + 3.4)
    assert rig.contradictions() == Fault(0)
    for side in ("left", "right"):
        rig.set(f"wheels.{axle}_{side}", wrong)
    assert rig.contradictions() == fault
    assert rig.qualified(f"{axle}_wheel_speed") == pytest.approx(23.4)  # it is not taken over
    rig.state.faults.active = fault
    rig.contradictions()
    assert rig.qualified(f"{axle}_wheels_trusted") == 0.0


def test_wheels_are_not_compared_with_an_inverter_that_has_failed_or_is_not_there():
    rig = CrossRig(speed=20.0)
    rig.set("wheels.front_left", 10.0)
    rig.set("front.link.age", 1.0)
    assert rig.contradictions(0.05) == Fault(0)
    rig = CrossRig(speed=20.0)
    rig.set("wheels.rear_left", 10.0)
    rig.calibration.rear.motor_present = 0
    assert Fault.REAR_WHEELS_CONTRADICTED not in rig.contradictions(0.05)


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("yaw_rate", [-0.8, -0.2, 0.2, 0.8])
def test_a_yaw_rate_that_the_wheels_confirm_contradicts_nothing(yaw_rate, direction):
    rig = CrossRig()
    rig.turn(yaw_rate, 10.0, direction)
    assert rig.contradictions(0.1) == Fault(0)
    rig.inputs.motion.yaw_rate = yaw_rate + 0.29
    assert rig.contradictions(0.1) == Fault(0)


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("stuck", [0.0, -0.6, 1.0])
def test_a_stuck_yaw_rate_is_contradicted_by_the_wheels_of_both_axles(stuck, direction):
    rig = CrossRig()
    rig.turn(0.5, 10.0, direction)
    rig.inputs.motion.yaw_rate = stuck
    assert rig.contradictions(0.1) == Fault.YAW_RATE_CONTRADICTED
    rig.state.faults.active = Fault.YAW_RATE_CONTRADICTED
    rig.contradictions()
    assert rig.qualified("motion_trusted") == 0.0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("wheels.rear_right", 13.0),  # one wheel spins: both axles disagree
        ("brakes.front_left", 3e5),  # a braked wheel slips
        ("brakes.rear_right", nan),
        ("rear.motor_torque", -26.0),  # driven wheels may spin on one side of both axles
        ("front.motor_torque", 26.0),
    ],
)
def test_wheels_that_do_not_roll_freely_contradict_no_yaw_rate(path, value):
    rig = CrossRig()
    rig.turn(0.5, 10.0)
    rig.inputs.motion.yaw_rate = 0.0
    rig.set(path, value)
    assert Fault.YAW_RATE_CONTRADICTED not in rig.contradictions(0.1)


def test_slow_wheels_contradict_no_yaw_rate():
    rig = CrossRig()
    rig.turn(0.5, 2.9)
    rig.inputs.motion.yaw_rate = 0.0
    assert rig.contradictions(0.1) == Fault(0)


@pytest.mark.parametrize(
    ("offset", "fault"), [(5.9, Fault(0)), (6.1, Fault.ACCELERATION_CONTRADICTED), (-6.1, Fault.ACCELERATION_CONTRADICTED)]
)
def test_an_acceleration_that_the_wheels_do_not_show_contradicts_them(offset, fault):
    rig = CrossRig()
    rig.inputs.motion.longitudinal_acceleration = 3.0 + offset
    for k in range(500):
        rig.set_speed(5.0 + 0.03 * k)
        found = rig.contradictions()
    assert found == fault
    rig.state.faults.latched = found
    rig.contradictions()
    assert rig.qualified("motion_trusted") == float(fault == Fault(0))


def test_locked_wheels_do_not_contradict_the_acceleration():
    rig = CrossRig(speed=25.0)
    rig.contradictions()
    rig.set_speed(0.0)
    rig.inputs.motion.longitudinal_acceleration = -9.0
    rig.set("brakes.rear_left", 60e5)
    assert rig.contradictions(2.0) == Fault(0)


def test_an_axle_that_spins_does_not_contradict_the_acceleration():
    rig = CrossRig(speed=5.0)
    for k in range(100):
        rig.inputs.front.motor_speed = (5.0 + 0.3 * k) * 8.1938 / 0.3108
        rig.inputs.wheels.front_left = rig.inputs.wheels.front_right = 5.0 + 0.3 * k
        assert Fault.ACCELERATION_CONTRADICTED not in rig.contradictions()


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize(("axle", "other"), [("front", "rear"), ("rear", "front")])
def test_the_wheels_stand_in_for_the_motor_of_a_failed_inverter(axle, other, direction):
    rig = CrossRig(speed=direction * 20.0)
    rig.contradictions()
    rig.set(f"{axle}.link.age", 0.5)
    rig.contradictions(0.02)
    rig.set_speed(direction * 10.0)
    rig.set(f"{axle}.motor_speed", 0.0)
    rig.contradictions()
    assert rig.qualified(f"{axle}.motor_speed") == pytest.approx(rig.qualified(f"{other}.motor_speed"))
    assert rig.qualified(f"{axle}.motor_speed") == pytest.approx(direction * 10.0 * 8.1938 / 0.3108)


@given(st.data())
def test_whatever_the_sensors_say_the_cross_check_stays_finite(data):
    rig = CrossRig(speed=data.draw(st.floats(-20, 40)))
    numbers = st.floats(allow_nan=True, allow_infinity=True)
    paths = [*VALUES, "pedals.accelerator_track_2", "wheels.front_left", "wheels.rear_right", "brakes.front_left"]
    for _ in range(3):
        for path in data.draw(st.lists(st.sampled_from(paths), max_size=4)):
            rig.set(path, data.draw(numbers))
        rig.contradictions(0.05)
        assert abs(rig.state.cross_check.speed) < 1e3
        assert abs(rig.state.cross_check.acceleration) < 1e3
        assert 0.0 <= rig.state.inputs.accelerator <= 1.0
