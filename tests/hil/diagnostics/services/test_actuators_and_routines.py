"""Actuator tests and routines with the real controller and its car in lockstep: the tester's time is the car's time."""

import struct

import pytest
from data_rig import Rig, network, refused

from bench.drive import Drive
from bench.scenarios import load_scenario
from bench.station import BY_HAND
from bench.vehicles import load_vehicle
from hil.diagnostics import protocol
from hil.diagnostics.actuator_tests import ActuatorTests
from hil.diagnostics.protocol import Access, Code, Session
from hil.diagnostics.routines import Bleeding, BrakeBleed, CapacityEstimate, SelfTest, SelfTestFailure
from hil.diagnostics.services import input_output_control_by_identifier, routine_control
from hil.node import Node

PIECE = 0.05  # [s] between two polls


class CarRig(Rig):
    """A tester at a car; whatever he does, the car goes on."""

    def __init__(self, scenario, warm_up=0.5):
        vehicle = load_vehicle("leaf_twin_motor")
        drive = Drive(network(), vehicle, load_scenario(scenario))
        self.car, self.lockstep = drive.car, drive.lockstep()

        def assemble(rig):
            tests = ActuatorTests(rig.node)
            routines = [SelfTest(rig.node).routine(), BrakeBleed(tests).routine(), CapacityEstimate(rig.node).routine()]
            return [
                input_output_control_by_identifier.service(rig.identifiers, tests, lambda: rig.speed),
                routine_control.service(routines, lambda: rig.speed),
            ]

        super().__init__(assemble, drive.controller)
        self.pass_time(warm_up)

    @property
    def speed(self):
        return float(self.node.measurements[0].vehicle_speed.speed)

    @speed.setter
    def speed(self, value):
        pass

    @property
    def pressures(self):
        """What the brake actuators report [Pa]."""
        brakes = self.node.inputs[0].brakes
        return [float(brakes[wheel]) for wheel in ("front_left", "front_right", "rear_left", "rear_right")]

    def pass_time(self, seconds, *, present=True, alive=True):
        """Let the car go on; the tester is ``present``, the server is ``alive``. Returns what the server says."""
        said = []
        for _ in range(round(seconds / PIECE)):
            self.lockstep.advance(PIECE)
            self.now = self.lockstep.time
            if present:
                self.tester.last_heard = self.now
            if alive:
                said += [message for _, message in self.server.poll([self.tester], self.now)]
        return said

    def control(self, output, option, torque=None):
        state = b"" if torque is None else struct.pack(">d", torque)
        return self.ask("2f", self.number(f"output.{output}"), bytes([option]), state)


RETURN, RESET, FREEZE, ADJUST = range(4)
AT_REST = 2e5  # [Pa]


PARKED = """
title = "A car that stands in P"
duration = 60.0
[stimulus]
time = [0.0, 60.0]
accelerator = [0.0, 0.0]
brake = [0.0, 0.0]
steering_deg = [0.0, 0.0]
gear = ["P", "P"]
"""


@pytest.fixture(scope="session")
def parked(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenario") / "parked.toml"
    path.write_text(PARKED)
    return str(path)


@pytest.fixture
def rig(parked):
    return CarRig(parked)


def test_a_tested_brake_gets_pressure_and_loses_it_when_control_is_returned(rig):
    before = rig.pressures
    assert rig.control("brakes.rear_left", ADJUST, 900.0)[:4] == bytes(
        [0x6F, *rig.number("output.brakes.rear_left").to_bytes(2), 3]
    )
    rig.pass_time(1.0)
    assert rig.node.outputs[0].brakes.rear_left == 900.0
    pressed = rig.pressures
    assert pressed[2] > before[2] + 1e6
    assert [pressed[k] for k in (0, 1, 3)] == pytest.approx([before[k] for k in (0, 1, 3)], abs=AT_REST)
    assert rig.control("brakes.rear_left", RETURN)[3] == RETURN
    rig.pass_time(1.0)
    assert rig.pressures == pytest.approx(before, abs=AT_REST)


def test_when_the_tester_falls_silent_his_session_takes_the_test_with_it(rig):
    rig.control("brakes.front_left", ADJUST, 900.0)
    rig.pass_time(1.0)
    rig.pass_time(4.0, present=False)
    assert rig.node.outputs[0].brakes.front_left >= 900.0
    rig.pass_time(1.5, present=False)
    assert rig.tester.session == Session.DEFAULT
    assert rig.node.state[0].actuator_test.front_left == 0.0


def test_when_the_server_dies_the_brake_is_released_within_300_ms(rig):
    rig.control("brakes.front_left", ADJUST, 900.0)
    rig.pass_time(1.0)
    assert rig.node.state[0].actuator_test.front_left == 900.0
    rig.pass_time(0.3, alive=False)
    assert rig.node.state[0].actuator_test.front_left == 0.0
    rig.pass_time(0.5)
    assert rig.node.state[0].actuator_test.front_left == 0.0
    assert rig.control("brakes.front_left", ADJUST, 500.0)[0] == 0x6F
    rig.pass_time(1.0)
    assert rig.node.state[0].actuator_test.front_left == 500.0


def test_reset_and_freeze_are_torques_too(rig):
    rig.control("brakes.front_left", ADJUST, 900.0)
    rig.pass_time(0.15)
    rig.control("brakes.front_left", FREEZE)
    held = float(rig.node.state[0].actuator_test.front_left)
    assert 0.0 < held < 900.0
    rig.pass_time(0.5)
    assert rig.node.state[0].actuator_test.front_left == pytest.approx(held, abs=40.0)
    rig.control("brakes.front_left", RESET)
    rig.pass_time(0.1)
    assert rig.node.state[0].actuator_test.front_left == 0.0


@pytest.mark.parametrize("torque", [-1.0, 1500.1, float("nan"), float("inf")])
def test_a_torque_beyond_the_clamp_is_refused(rig, torque):
    assert rig.control("brakes.front_left", ADJUST, torque) == refused(0x2F, Code.REQUEST_OUT_OF_RANGE)
    rig.pass_time(0.2)
    assert rig.node.state[0].actuator_test.request.active == 0


def test_motors_are_tested_on_torque_by_hand_only(rig):
    assert rig.control("front.motor_torque", ADJUST, 1.0) == refused(0x2F, Code.CONDITIONS_NOT_CORRECT)


class HandRig(Rig):
    """A tester at a controller on torque by hand, which does not run."""

    def __init__(self):
        def assemble(rig):
            return [input_output_control_by_identifier.service(rig.identifiers, ActuatorTests(rig.node), lambda: rig.speed)]

        super().__init__(assemble, Node(BY_HAND, network()))

    def control(self, output, torque):
        return self.ask("2f", self.number(f"output.{output}"), "03", struct.pack(">d", torque))


@pytest.mark.parametrize(("axle", "torque"), [("front", 5.0), ("rear", -5.0)])
def test_on_torque_by_hand_a_motor_is_asked_for_its_torque(axle, torque):
    rig = HandRig()
    assert rig.control(f"{axle}.motor_torque", torque)[0] == 0x6F
    request = rig.node.state[0].actuator_test.request
    assert (request.active, request[f"{axle}_motor_torque"]) == (1, torque)


@pytest.mark.parametrize("torque", [5.1, -5.1, float("nan")])
def test_a_motor_torque_beyond_its_clamp_is_refused(torque):
    rig = HandRig()
    assert rig.control("front.motor_torque", torque) == refused(0x2F, Code.REQUEST_OUT_OF_RANGE)
    assert rig.node.state[0].actuator_test.request.active == 0


def test_two_testers_do_not_test_at_once(rig):
    first = rig.tester
    rig.control("brakes.front_left", ADJUST, 900.0)
    rig.tester = protocol.Tester("other", Session.EXTENDED, Access.ACTUATE)
    assert rig.control("brakes.front_right", ADJUST, 900.0) == refused(0x2F, Code.CONDITIONS_NOT_CORRECT)
    rig.control("brakes.front_left", RETURN)
    rig.pass_time(0.5)
    assert rig.node.state[0].actuator_test.front_left == 900.0
    first.enter(Session.DEFAULT)
    rig.pass_time(0.1)
    assert rig.control("brakes.front_right", ADJUST, 900.0)[0] == 0x6F


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        ("5000 00", Code.REQUEST_OUT_OF_RANGE),  # an input
        ("0042 00", Code.REQUEST_OUT_OF_RANGE),
        ("{brake} 04", Code.REQUEST_OUT_OF_RANGE),
        ("{brake} 03", Code.INCORRECT_LENGTH),
        ("{brake} 03 00000000", Code.INCORRECT_LENGTH),
        ("{brake} 00 00", Code.INCORRECT_LENGTH),
        ("{brake}", Code.INCORRECT_LENGTH),
    ],
)
def test_other_outputs_options_and_lengths_are_refused(rig, tail, code):
    brake = f"{rig.number('output.brakes.front_left'):04x}"
    assert rig.ask("2f", tail.format(brake=brake)) == refused(0x2F, code)


def test_while_driving_nothing_is_tested_and_a_test_ends_when_the_car_moves():
    rig = CarRig("launch", warm_up=3.0)
    rig.control("brakes.front_left", ADJUST, 20.0)
    while rig.speed < 2.0:
        rig.pass_time(PIECE)
        assert rig.now < 60.0
    assert rig.node.state[0].actuator_test.front_left == 0.0
    assert rig.control("brakes.front_left", ADJUST, 20.0) == refused(0x2F, Code.VEHICLE_SPEED_TOO_HIGH)
    assert rig.ask("31 01 0202") == refused(0x31, Code.VEHICLE_SPEED_TOO_HIGH)
    assert rig.control("brakes.front_left", RETURN)[0] == 0x6F


# 0x31 -----------------------------------------------------------------------------------------------------------------------


def test_the_self_test_takes_its_time_and_passes(rig):
    assert rig.ask("31 01 0201") is None
    said = rig.pass_time(1.0)
    assert said[0] == refused(0x31, Code.RESPONSE_PENDING)
    assert said[-1][:5] == bytes.fromhex("71 01 0201 00")
    assert rig.ask("31 03 0201") == bytes.fromhex("71 03") + said[-1][2:]


def test_the_self_test_finds_what_is_wrong(rig):
    rig.node.parameters[0].vehicle.mass = 1e9
    rig.ask("31 01 0201")
    rig.node.parameters[0].vehicle.wheelbase = 2.9
    rig.now += 1.0  # while the controller stands still
    said = rig.server.poll([rig.tester], rig.now)[-1][1]
    expected = SelfTestFailure.CALIBRATION_OUT_OF_RANGE | SelfTestFailure.CALIBRATION_CHANGED | SelfTestFailure.MONITOR_DEAD
    assert said[4] == expected


def test_brakes_are_bled_one_after_the_other(rig):
    assert rig.ask("31 01 0202") == bytes.fromhex("71 01 0202") + bytes([Bleeding.RUNNING, 0])
    assert rig.ask("31 01 0202") == refused(0x31, Code.REQUEST_SEQUENCE_ERROR)
    pulses = [0, 0, 0, 0]
    last = [0.0] * 4
    for _ in range(440):
        rig.pass_time(PIECE)
        test = rig.node.state[0].actuator_test
        now = [float(test[wheel]) for wheel in ("front_left", "front_right", "rear_left", "rear_right")]
        assert sum(torque > 0.0 for torque in now) <= 1
        pulses = [count + (new == 600.0 and old < 600.0) for count, new, old in zip(pulses, now, last, strict=True)]
        last = now
    assert pulses == [5, 5, 5, 5]
    assert rig.ask("31 03 0202")[4:] == bytes([Bleeding.COMPLETED, 4])
    assert rig.tester.leaving == []


def test_bleeding_is_stopped_by_the_tester_and_by_the_end_of_his_session(rig):
    rig.ask("31 01 0202")
    rig.pass_time(6.0)
    assert rig.ask("31 02 0202")[4:] == bytes([Bleeding.STOPPED, 1])
    assert rig.ask("31 02 0202") == refused(0x31, Code.REQUEST_SEQUENCE_ERROR)
    rig.pass_time(0.1)
    rig.ask("31 01 0202")
    rig.pass_time(0.3)
    rig.tester.enter(Session.EXTENDED)
    rig.tester.access = Access.ACTUATE
    rig.pass_time(0.1)
    assert rig.ask("31 03 0202")[4] == Bleeding.STOPPED
    assert max(float(rig.node.state[0].actuator_test[wheel]) for wheel in ("front_left", "rear_right")) == 0.0


def test_bleeding_that_the_controller_breaks_off_says_so(rig):
    rig.ask("31 01 0202")
    rig.pass_time(1.0)
    rig.pass_time(0.3, alive=False)
    rig.pass_time(0.1)
    assert rig.ask("31 03 0202")[4] == Bleeding.BROKEN_OFF


def test_the_capacity_is_what_the_controller_estimates(rig):
    rig.pass_time(3.0)
    estimate = rig.node.state[0].pack_estimate
    answer = rig.ask("31 01 0203")
    expected = estimate.capacity, estimate.state_of_charge, estimate.series_growth, estimate.polarisation_growth
    assert struct.unpack(">4d", answer[4:]) == tuple(float(value) for value in expected)
    assert answer[4:] == rig.ask("31 03 0203")[4:]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("31 01 0204", Code.REQUEST_OUT_OF_RANGE),
        ("31 02 0201", Code.SUB_FUNCTION_NOT_SUPPORTED),
        ("31 04 0201", Code.SUB_FUNCTION_NOT_SUPPORTED),
        ("31 01 0202 00", Code.INCORRECT_LENGTH),
        ("31 01 02", Code.INCORRECT_LENGTH),
        ("31 03 0201", Code.REQUEST_SEQUENCE_ERROR),
        ("31 03 0202", Code.REQUEST_SEQUENCE_ERROR),
        ("31 02 0202", Code.REQUEST_SEQUENCE_ERROR),
        ("31 03 0203", Code.REQUEST_SEQUENCE_ERROR),
    ],
)
def test_other_routines_and_results_of_none_are_refused(rig, request_, code):
    assert rig.ask(request_) == refused(0x31, code)


def test_routines_need_their_access(rig):
    rig.tester.access = Access.CALIBRATE
    assert rig.ask("31 01 0202") == refused(0x31, Code.SECURITY_ACCESS_DENIED)
    assert rig.control("brakes.front_left", ADJUST, 1.0) == refused(0x2F, Code.SECURITY_ACCESS_DENIED)
