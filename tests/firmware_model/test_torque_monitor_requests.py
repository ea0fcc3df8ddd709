from math import copysign, inf, nan

import pytest
from controller_rig import Rig, first
from monitor_rig import DT, SETTLED, MonitorRig, axles

from firmware_model.kernel import kernel
from firmware_model.measurements import Fault
from firmware_model.signals import Outputs
from firmware_model.torque_monitor import check_hand, check_request

# A recorded request ---------------------------------------------------------------------------------------------------------


class RequestRig(Rig):
    """The monitor beside a recording, in which one axle has a torque."""

    def __init__(self, torque, axle="front"):
        super().__init__(20.0)
        self.request, self.axle = first(Outputs.new()), axle
        self.request[axle].motor_torque = torque
        self.request.front.link.age = self.request.rear.link.age = 0.005
        self.watched = self.measurements.torque_monitor

    def check(self, commanded, seconds):
        monitor = self.state.torque_monitor
        for _ in range(round(seconds / DT)):
            self.outputs[self.axle].motor_torque = commanded
            check_request(DT, self.inputs, self.request, monitor, self.outputs, self.watched, self.calibration)
        return Fault(int(monitor.faults))


@axles
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_recorded_request_is_the_bound_in_a_replay(axle, sign):
    rig = RequestRig(sign * 100.0, axle)
    assert rig.check(sign * 109.9, 0.5) == Fault(0)
    assert rig.check(sign * 110.1, 0.01) == Fault.MONITOR_EXCESS
    assert rig.check(0.0, 0.02) == Fault(0)
    assert rig.check(sign * -7.9, 0.5) == Fault(0)
    assert rig.check(sign * -8.1, 0.01) == Fault.MONITOR_OPPOSITE


@pytest.mark.parametrize("request_torque", [0.5, -0.5])
def test_a_small_request_allows_a_small_torque(request_torque):
    rig = RequestRig(request_torque)
    rig.check(0.0, SETTLED)
    assert (rig.watched.allowed_lower, rig.watched.allowed_upper) == (min(request_torque, 0.0), max(request_torque, 0.0))


@axles
def test_what_a_recorded_inverter_delivers_is_compared_with_what_it_was_asked_for(axle):
    rig = RequestRig(100.0, axle)
    fault = Fault.FRONT_TORQUE_DEVIATION if axle == "front" else Fault.REAR_TORQUE_DEVIATION
    rig.inputs[axle].motor_torque = 110.0
    assert rig.check(20.0, 1.0) == Fault(0)  # our own command is not what it obeyed; the recording begins under load
    rig.inputs[axle].motor_torque = 110.5
    assert rig.check(20.0, 0.069) == Fault(0)
    assert rig.check(20.0, 0.001) == fault


@axles
@pytest.mark.parametrize(("age", "compared"), [(1e6, False), (0.051, False), (0.05, True)])
def test_without_a_request_nothing_is_compared(axle, age, compared):
    rig = RequestRig(0.0, axle)
    rig.request[axle].link.age = age
    rig.inputs[axle].motor_torque = 100.0
    assert (rig.check(0.0, 0.1) != Fault(0)) == compared


# Torque by hand -------------------------------------------------------------------------------------------------------------


@kernel
def watch_hand(steps, dt, front, rear, inputs, test, state, outputs, measurements, calibration):
    for _ in range(steps):
        outputs.front.motor_torque = front
        outputs.rear.motor_torque = rear
        check_hand(dt, inputs, test, state, outputs, measurements, calibration)


class HandMonitorRig(MonitorRig):
    """The monitor of a bench without a car: the operator's panel instead of pedals."""

    def __init__(self, front=0.0, rear=0.0):
        super().__init__(speed=0.0)
        panel, self.test = self.inputs.panel, self.state.actuator_test.request
        panel.front_torque, panel.rear_torque, panel.armed = front, rear, 1

    def check_hand(self, front, rear, seconds=DT):
        watch_hand(
            round(seconds / DT),
            DT,
            front,
            rear,
            self.inputs,
            self.test,
            self.memory,
            self.outputs,
            self.watched,
            self.calibration,
        )
        return self.torques

    def ask_of_test(self, front, rear=0.0):
        self.test.active, self.test.heartbeat = 1, self.test.heartbeat + 1
        self.test.front_motor_torque, self.test.rear_motor_torque = front, rear


@pytest.mark.parametrize(("asked", "commanded"), [(10.0, 10.0), (-10.0, -10.0), (20.0, 29.0), (50.0, 29.0)])
def test_what_the_operator_asks_for_within_the_clamp_is_no_fault(asked, commanded):
    rig = HandMonitorRig(front=asked)
    rig.check_hand(commanded, 0.0, 0.3)
    assert rig.monitor_faults & (Fault.MONITOR_EXCESS | Fault.MONITOR_OPPOSITE) == 0


@pytest.mark.parametrize(
    ("asked", "commanded", "fault"),
    [
        (10.0, 21.0, Fault.MONITOR_EXCESS),
        (50.0, 31.0, Fault.MONITOR_EXCESS),
        (10.0, -9.0, Fault.MONITOR_OPPOSITE),
        (nan, 9.0, Fault.MONITOR_OPPOSITE),
    ],
)
def test_more_than_the_operators_torque_or_against_it_is_cut(asked, commanded, fault):
    rig = HandMonitorRig(front=asked)
    assert rig.check_hand(commanded, 0.0, 0.3) == (0.0, 0.0)
    assert rig.monitor_faults & fault


def allowed_by_hand(rig):
    rig.check_hand(0.0, 0.0, SETTLED)
    both, front, rear = rig.watched, rig.watched.front, rig.watched.rear
    return [(float(band.allowed_lower), float(band.allowed_upper)) for band in (both, front, rear)]


def band(torque):
    return min(torque, 0.0), max(torque, 0.0)


@pytest.mark.parametrize(
    ("front", "rear"),
    [(10.0, 5.0), (-10.0, -5.0), (0.5, -2.0), (-2.0, 0.5), (20.0, -20.0), (0.0, 0.0), (12.0, 0.0)],
)
def test_each_motor_has_the_band_of_its_own_torque_and_both_that_of_the_sum(front, rear):
    (front_lower, front_upper), (rear_lower, rear_upper) = band(front), band(rear)
    both = front_lower + rear_lower, front_upper + rear_upper
    assert allowed_by_hand(HandMonitorRig(front, rear)) == [both, band(front), band(rear)]


@pytest.mark.parametrize(("asked", "allowed"), [(50.0, 20.0), (-50.0, -20.0), (nan, 0.0), (inf, 0.0)])
def test_beyond_the_clamp_or_without_sense_nothing_more_is_allowed(asked, allowed):
    assert allowed_by_hand(HandMonitorRig(front=asked)) == [band(allowed), band(allowed), (0.0, 0.0)]
    assert allowed_by_hand(HandMonitorRig(rear=asked)) == [band(allowed), (0.0, 0.0), band(allowed)]


@pytest.mark.parametrize("torque", [5000.0, -5000.0])
def test_no_clamp_allows_more_by_hand_than_its_highest_calibration(torque):
    rig = HandMonitorRig(torque, torque)
    rig.calibration.hand_torque.torque_max = nan
    highest = torque / 5000.0 * 400.0
    assert allowed_by_hand(rig) == [band(2.0 * highest), band(highest), band(highest)]


def test_motors_that_change_places_are_caught():
    rig = HandMonitorRig(20.0, -20.0)
    assert rig.check_hand(-20.0, 20.0, 0.3) == (0.0, 0.0)
    assert rig.monitor_faults & Fault.MONITOR_OPPOSITE


@pytest.mark.parametrize(("name", "value"), [("armed", 0), ("emergency_stop", 1)])
def test_without_arming_or_with_the_emergency_stop_nothing_is_allowed(name, value):
    rig = HandMonitorRig(15.0, -15.0)
    setattr(rig.inputs.panel, name, value)
    assert allowed_by_hand(rig) == [(0.0, 0.0)] * 3


@axles
@pytest.mark.parametrize("torque", [10.0, -10.0, 0.005])
def test_beyond_the_highest_speed_by_hand_only_slowing_down_is_allowed(axle, torque):
    rig = HandMonitorRig(**{axle: torque})
    number, direction = 1 if axle == "front" else 2, copysign(1.0, torque)
    for speed, allowed in ((20.0, torque), (157.1, torque), (157.2, 0.0), (-157.2, torque)):
        rig.inputs[axle].motor_speed = direction * speed
        assert allowed_by_hand(rig)[number] == band(allowed)


@axles
def test_no_calibration_of_the_speed_lets_a_motor_run_away_by_hand(axle):
    rig = HandMonitorRig(**{axle: 10.0})
    rig.calibration.hand_torque.speed_max = nan
    rig.inputs[axle].motor_speed = 1499.9
    assert allowed_by_hand(rig)[0] == band(10.0)
    rig.inputs[axle].motor_speed = 1500.1
    assert allowed_by_hand(rig) == [(0.0, 0.0)] * 3


@pytest.mark.parametrize(("timeout", "longest"), [(0.5, 0.5), (nan, 1.0)])
def test_an_operator_counts_until_the_panel_has_been_silent_for_its_time(timeout, longest):
    rig = HandMonitorRig(15.0, 3.0)
    rig.calibration.input_qualification.panel_timeout = timeout
    rig.inputs.panel.link.age = longest
    assert allowed_by_hand(rig) == [(0.0, 18.0), (0.0, 15.0), (0.0, 3.0)]
    rig.inputs.panel.link.age = longest + 0.001
    assert allowed_by_hand(rig) == [(0.0, 0.0)] * 3


@axles
def test_what_is_delivered_by_hand_is_compared_with_the_command(axle):
    rig = HandMonitorRig()
    rig.inputs[axle].motor_torque = 10.5
    rig.check_hand(0.0, 0.0, 0.070)
    assert rig.monitor_faults == (Fault.FRONT_TORQUE_DEVIATION if axle == "front" else Fault.REAR_TORQUE_DEVIATION)


def test_an_operator_who_is_gone_wants_nothing():
    rig = HandMonitorRig(front=15.0)
    rig.inputs.panel.link.age = 0.6
    assert rig.check_hand(15.0, 0.0, 0.3) == (0.0, 0.0)


# Torque of an actuator test -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("torque", [5.0, -5.0])
def test_what_a_tester_asks_for_is_no_fault_as_long_as_he_is_heard(torque):
    rig = HandMonitorRig()
    rig.ask_of_test(torque)
    assert rig.check_hand(torque, 0.0, 0.4) == (torque, 0.0)


def test_beyond_the_clamp_of_tests_a_torque_is_a_fault_though_the_tester_asks_for_it():
    rig = HandMonitorRig()
    rig.ask_of_test(20.0)
    rig.check_hand(5.0, 0.0, 0.3)
    rig.ask_of_test(20.0)
    assert rig.check_hand(20.0, 0.0, 0.3) == (0.0, 0.0)


def test_torque_of_a_test_goes_on_without_its_tester_only_until_the_monitor_misses_him():
    rig = HandMonitorRig()
    rig.calibration.actuator_test.motor_torque_max = 20.0
    rig.ask_of_test(15.0)
    assert rig.check_hand(15.0, 0.0, 0.45) == (15.0, 0.0)
    assert rig.check_hand(15.0, 0.0, 0.35) == (0.0, 0.0)


def test_without_an_armed_panel_a_tester_gets_no_torque():
    rig = HandMonitorRig()
    rig.calibration.actuator_test.motor_torque_max = 20.0
    rig.inputs.panel.armed = 0
    rig.ask_of_test(15.0)
    assert rig.check_hand(15.0, 0.0, 0.3) == (0.0, 0.0)
