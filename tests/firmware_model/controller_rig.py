"""The controller's records, in good health, and compiled loops around its step."""

from interpreter import COMPILED
from structures import structure

from firmware_model.calibration import Calibration
from firmware_model.controller import follow_request, step
from firmware_model.kernel import kernel
from firmware_model.measurements import Measurements, SupervisorState
from firmware_model.signals import Gear, Inputs, Outputs
from firmware_model.state import State

STEP = 1e-3  # [s]
FRAME = 0.01  # [s]

LINKS = (
    "pedals.link", "steering.link", "motion.link", "wheels.front_link", "wheels.rear_link", "brakes.link", "panel.link",
    "front.link", "rear.link", "front.temperature_link", "rear.temperature_link",
    "battery.state_link", "battery.limit_link", "battery.charge_link",
)  # fmt: skip


@kernel
def count_frames(inputs):
    """One more frame from each source whose frames the laws count."""
    inputs.front.link.received += 1
    inputs.rear.link.received += 1
    inputs.wheels.front_link.received += 1
    inputs.wheels.rear_link.received += 1


@kernel
def repeat(steps, dt, inputs, outputs, state, measurements, calibration):
    steps_per_frame = round(FRAME / dt)
    for k in range(steps):
        if k % steps_per_frame == 0:
            count_frames(inputs)
        step(dt, inputs, outputs, state, measurements, calibration)


@kernel
def repeat_request(steps, dt, inputs, request, outputs, state, measurements, calibration):
    for _ in range(steps):
        follow_request(dt, inputs, request, outputs, state, measurements, calibration)


def first(array):
    """The only element of a recarray, as kernels take it."""
    return array[0] if COMPILED else structure(array)


def field(record, path):
    """The record that holds the last name of a dotted path, and that name."""
    *parents, name = path.split(".")
    for parent in parents:
        record = getattr(record, parent)
    return record, name


class Rig:
    """A controller whose inputs stand still until somebody sets them. Kernels take element 0 of each record."""

    def __init__(self, speed=0.0, ready=True):
        self.arrays = [record.new() for record in (Inputs, Outputs, State, Measurements, Calibration)]
        records = (first(array) for array in self.arrays)
        self.inputs, self.outputs, self.state, self.measurements, self.calibration = records
        for link in LINKS:
            self.set(f"{link}.age", 0.005)
        battery = self.inputs.battery
        battery.voltage, battery.current, battery.interlock, battery.relay_closed = 390.0, 0.0, 1, 1
        battery.discharge_limit, battery.charge_limit, battery.state_of_charge = 180e3, 60e3, 0.6
        self.inputs.front.dc_voltage = self.inputs.rear.dc_voltage = 390.0
        self.inputs.pedals.power_switch = 1
        self.set_speed(speed)
        if ready:
            self.make_ready()

    def set(self, path, value):
        record, name = field(self.inputs, path)
        setattr(record, name, value)

    def set_speed(self, speed):
        for axle, calibration in ((self.inputs.front, self.calibration.front), (self.inputs.rear, self.calibration.rear)):
            axle.motor_speed = speed * calibration.gear_ratio / calibration.wheel_radius
        for wheel in ("front_left", "front_right", "rear_left", "rear_right"):
            setattr(self.inputs.wheels, wheel, abs(speed))
        self.state.vehicle_speed.speed = speed
        slip, shafts, budget = self.state.wheel_slip, self.state.driveline, self.state.power_budget
        front, rear = self.calibration.front, self.calibration.rear
        for axle, driveline, prediction, wheels in (
            (front, shafts.front, budget.front, (slip.front.left, slip.front.right)),
            (rear, shafts.rear, budget.rear, (slip.rear.left, slip.rear.right)),
        ):
            prediction.motor_speed = speed / axle.wheel_radius * axle.gear_ratio
            driveline.speed = speed / axle.wheel_radius
            for wheel in wheels:
                wheel.shaft.speed = abs(speed) / axle.wheel_radius

    def make_ready(self):
        """READY in D, long enough ago for the limits to have risen."""
        self.state.supervisor.state = SupervisorState.READY
        self.state.supervisor.gear = self.inputs.pedals.gear = Gear.DRIVE
        self.state.discharge_limiter.discharge_limit = self.inputs.battery.discharge_limit
        self.state.discharge_limiter.charge_limit = self.inputs.battery.charge_limit

    def run(self, seconds, dt=STEP):
        repeat(round(seconds / dt), dt, self.inputs, self.outputs, self.state, self.measurements, self.calibration)

    def follow(self, request, seconds, dt=STEP):
        repeat_request(
            round(seconds / dt), dt, self.inputs, request, self.outputs, self.state, self.measurements, self.calibration
        )

    @property
    def torques(self):
        return float(self.outputs.front.motor_torque), float(self.outputs.rear.motor_torque)

    @property
    def faults(self):
        return int(self.measurements.supervisor.faults)
