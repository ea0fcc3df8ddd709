from math import inf, nan

import pytest
from controller_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.input_qualification import qualify, watch
from firmware_model.measurements import Fault, Source

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
    rig = QualificationRig()
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


def test_a_fault_lasts_from_two_seconds_on():
    rig = QualificationRig()
    rig.set("motion.link.age", 1.99)
    rig.watch()
    assert rig.state.sources.lasting_faults == 0
    rig.set("motion.link.age", 2.0)
    rig.watch()
    assert rig.state.sources.lasting_faults == Fault.MOTION_SILENT
    rig = QualificationRig()
    rig.set("motion.yaw_rate", nan)
    rig.watch(1.98)
    assert rig.state.sources.lasting_faults == 0
    rig.watch(0.04)
    assert rig.state.sources.lasting_faults == Fault.MOTION_INVALID


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
