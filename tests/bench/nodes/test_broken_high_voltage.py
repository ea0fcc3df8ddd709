"""The whole car, its controller included, with a broken high-voltage circuit or control units that give up."""

import math

import pytest
from interpreter import needs_compiler

from bench.drive import Drive
from bench.plant.high_voltage import ContactorFault
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from firmware_model.measurements import Fault, SupervisorState
from hil.network.database import load_network

pytestmark = needs_compiler


class Launch:
    """The twin-motor LEAF on its way to full throttle."""

    def __init__(self) -> None:
        vehicle = load_vehicle("leaf_twin_motor")
        self.drive = Drive(load_network(vehicle.network), vehicle, load_scenario("launch"))
        self.bench = self.drive.lockstep()

    @property
    def parts(self):
        return self.drive.car.parameters[0]

    @property
    def supervisor(self):
        return self.drive.controller.measurements[0].supervisor

    @property
    def circuit(self):
        return self.drive.car.measurements[0].high_voltage

    def run(self, duration: float) -> None:
        self.bench.advance(duration)

    def until(self, scenario_time: float) -> None:
        while self.drive.scenario_time < scenario_time:
            self.run(0.1)

    def torques(self) -> tuple[float, float]:
        outputs = self.drive.controller.outputs[0]
        return float(outputs.front.motor_torque), float(outputs.rear.motor_torque)


def test_a_healthy_car_is_ready_in_the_time_of_a_leaf_e_plus() -> None:
    launch = Launch()
    launch.run(1.9)
    assert launch.supervisor.state == SupervisorState.READY
    assert launch.circuit.connected == 1
    assert 0.0 < launch.circuit.made_voltage < 5.0


@pytest.mark.parametrize("contactor", ["precharge_fault", "main_minus_fault"])
def test_a_car_that_cannot_precharge_gives_up(contactor: str) -> None:
    launch = Launch()
    setattr(launch.parts.high_voltage, contactor, ContactorFault.OPEN)
    launch.run(8.0)
    assert launch.supervisor.latched_faults == Fault.PRECHARGE_TIMEOUT
    assert launch.supervisor.state == SupervisorState.FAULT
    assert launch.circuit.link_voltage == 0.0


def test_a_main_contactor_that_does_not_close_leaves_the_car_without_torque() -> None:
    launch = Launch()
    launch.parts.high_voltage.main_plus_fault = ContactorFault.OPEN
    launch.run(6.0)
    assert launch.circuit.connected == 0
    assert float(launch.drive.car.measurements[0].plant.front.motor.torque) == 0.0
    assert float(launch.drive.car.measurements[0].plant.rear.motor.torque) == 0.0


def test_a_main_contactor_that_opens_at_full_power_ends_the_torque_and_is_noticed_on_both_links() -> None:
    launch = Launch()
    launch.until(3.0)
    assert min(launch.torques()) > 100.0
    launch.parts.high_voltage.main_plus_fault = ContactorFault.OPEN
    launch.run(1.0)
    both = Fault.FRONT_DC_LINK | Fault.REAR_DC_LINK
    assert launch.supervisor.faults & both == both
    assert launch.torques() == (0.0, 0.0)
    assert launch.circuit.link_voltage < 100.0


def test_both_inverters_dead_end_the_drive() -> None:
    launch = Launch()
    launch.until(3.0)
    launch.parts.front_inverter.boot_time = launch.parts.rear_inverter.boot_time = math.inf
    launch.run(1.0)
    both = Fault.FRONT_INVERTER_SILENT | Fault.REAR_INVERTER_SILENT
    assert launch.supervisor.faults == both
    assert launch.torques() == (0.0, 0.0)
    assert float(launch.drive.car.measurements[0].plant.front.motor.torque) == 0.0


def test_an_inverter_that_has_latched_a_fault_leaves_the_car_its_other_axle() -> None:
    launch = Launch()
    launch.until(3.0)
    launch.parts.front_inverter.motor_connected = 0  # its resolver is torn off
    launch.run(0.5)
    assert launch.supervisor.faults & Fault.FRONT_INVERTER_ERROR
    front, rear = launch.torques()
    assert (front, rear > 50.0) == (0.0, True)
    condition = launch.drive.controller.inputs[0].front_condition
    assert condition.trouble_code in (0x0A3F, 0x0A2D, 0x0A03)


@pytest.mark.parametrize(("broken", "healthy"), [("front", "rear"), ("rear", "front")])
def test_torque_that_vanishes_at_full_throttle_does_not_look_like_a_slippery_road(broken, healthy) -> None:
    launch = Launch()
    launch.until(3.0)
    launch.parts[f"{broken}_inverter"].boot_time = math.inf
    launch.run(4.0)
    plant, road = launch.drive.car.measurements[0].plant, launch.drive.controller.measurements[0].vehicle_state
    assert plant[broken].motor.torque == 0.0
    assert plant[healthy].motor.torque > 100.0
    assert min(road.friction_left, road.friction_right) > 0.8


def test_a_battery_that_asks_for_its_relay_to_open_ends_the_drive_at_once() -> None:
    launch = Launch()
    launch.until(2.0)
    launch.parts.battery_controller.frame_timeout = 0.0  # every pause between two frames is now too long
    launch.run(0.5)
    assert launch.supervisor.latched_faults & Fault.RELAY_CUT_REQUEST
    assert launch.circuit.connected == 0
    assert launch.drive.controller.inputs[0].battery.relay_closed == 0
