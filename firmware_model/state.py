"""What the controller remembers from one step to the next.

A fresh record (``State.new()``) is the controller at power-on. Nothing in here is for the outside: that is in
``measurements``.
"""

from firmware_model.kernel import choice, flag, integer, real, record
from firmware_model.measurements import SupervisorState
from firmware_model.signals import NEVER_RECEIVED, Gear


@record
class RasterState:
    """Which of the slower tasks are due."""

    elapsed = real("s", "time since the 10 ms tasks ran", default=0.01)
    ticks = integer("runs of the 10 ms tasks since the 100 ms tasks ran", default=9)


@record
class SourceState:
    """How far one source of frames is trusted."""

    age = real("s", "time since its last good frame", default=NEVER_RECEIVED)
    valid = flag("its present values are plausible")
    fault = integer("bit of Fault for which it is not trusted, 0 when it is")
    invalid_time = real("s", "time since its values were last plausible")
    well_time = real("s", "time for which it has been well")


@record
class SourceStates:
    """All sources."""

    faults = integer("faults of all sources, bits of Fault")
    lasting_faults = integer("those of them that last long enough to be latched")
    front_inverter = SourceState
    rear_inverter = SourceState
    battery_state = SourceState
    battery_limit = SourceState
    battery_charge = SourceState
    pedals = SourceState
    steering = SourceState
    motion = SourceState
    front_wheels = SourceState
    rear_wheels = SourceState
    panel = SourceState


@record
class QualifiedAxle:
    """Last plausible values of one inverter."""

    motor_speed = real("rad/s", "speed of the motor shaft")
    motor_torque = real("Nm", "delivered torque at the motor shaft")
    dc_voltage = real("V", "voltage of the DC link")


@record
class QualifiedBattery:
    """Last plausible values of the battery."""

    current = real("A", "pack current, positive in discharge")
    voltage = real("V", "pack voltage")
    discharge_limit = real("W", "power the pack allows in discharge")
    charge_limit = real("W", "power the pack allows in charge, positive")
    state_of_charge = real("1", "state of charge", default=0.5)
    temperature_highest = real("degC", "warmest part of the pack", default=25.0)
    temperature_lowest = real("degC", "coldest part of the pack", default=25.0)
    state_trusted = flag("voltage and current are trusted")
    limit_trusted = flag("the power limits are trusted")
    charge_trusted = flag("state of charge and temperatures are trusted")


@record
class QualifiedInputs:
    """What the control laws work with: always finite, and the last plausible value where the present one is not."""

    accelerator = real("1", "accelerator pedal", minimum=0.0, maximum=1.0)
    brake = real("1", "brake pedal", minimum=0.0, maximum=1.0)
    gear = choice(Gear, "shifter position", default=Gear.PARK)
    power_switch = flag("the driver wants the car on")
    wheel_angle = real("rad", "steering-wheel angle")
    yaw_rate = real("rad/s", "yaw rate")
    longitudinal_acceleration = real("m/s2", "acceleration forward")
    lateral_acceleration = real("m/s2", "acceleration to the left")
    front_wheel_speed = real("m/s", "mean circumferential speed of the front wheels, without sign")
    rear_wheel_speed = real("m/s", "mean circumferential speed of the rear wheels, without sign")
    steering_trusted = flag("the steering sensor is trusted")
    motion_trusted = flag("the sensor cluster is trusted")
    front_wheels_trusted = flag("the front wheel speeds are trusted")
    rear_wheels_trusted = flag("the rear wheel speeds are trusted")
    front = QualifiedAxle
    rear = QualifiedAxle
    battery = QualifiedBattery


@record
class VehicleSpeedState:
    """Speed estimate."""

    speed = real("m/s", "estimated speed over ground")
    acceleration_offset = real("m/s2", "learnt offset of the acceleration sensor")


@record
class YawControlState:
    """Yaw control."""

    yaw_rate_reference = real("rad/s", "lagged reference yaw rate")
    error_integral = real("rad", "integrated yaw-rate error")
    sideslip = real("rad", "estimated sideslip angle")


@record
class TorqueSplitState:
    """Front/rear distribution."""

    acceleration = real("m/s2", "lagged acceleration that shifts the load")


@record
class WheelSlipState:
    """Slip control of one axle."""

    motor_speed = real("rad/s", "lagged motor speed, from which the acceleration follows")
    active = flag("slip control holds the axle")
    direction = real("1", "sign of the torque that is limited", default=1.0)
    adhesion_torque = real("Nm", "integrator: axle torque that the road takes, in that direction")


@record
class WheelSlipStates:
    """Slip control of both axles."""

    front = WheelSlipState
    rear = WheelSlipState


@record
class DischargeLimiterState:
    """Limits and pack estimate."""

    initialised = flag("the averages have been set to the first plausible values")
    voltage_mean = real("V", "mean voltage")
    current_mean = real("A", "mean current")
    open_circuit_voltage = real("V", "estimated open-circuit voltage")
    resistance = real("Ohm", "estimated pack resistance")
    discharge_by_charge = real("W", "discharge power that the state of charge allows")
    charge_by_charge = real("W", "charge power that the state of charge allows")
    power_by_temperature = real("W", "power that the temperature allows")
    discharge_limit = real("W", "discharge limit, limited in its rise")
    charge_limit = real("W", "charge limit, limited in its rise")


@record
class MotorPredictionState:
    """Where one motor's speed is going."""

    motor_speed = real("rad/s", "lagged motor speed, from which the acceleration follows")


@record
class PowerBudgetState:
    """Prediction of the DC power, and the learnt losses."""

    front = MotorPredictionState
    rear = MotorPredictionState
    power_predicted = real("W", "power predicted for the last command")
    power_underway = real("W", "predicted power after half of the response lag")
    power_delivered = real("W", "predicted power after the response lag: what the pack should show now")
    settled_time = real("s", "time for which power has been changing slowly")
    loss_predicted = real("W", "loss within that power")
    loss_factor = real("1", "learnt factor on the modelled losses", default=1.0)


@record
class TorquePathState:
    """Last commanded torques."""

    front_torque = real("Nm", "last command to the front motor")
    rear_torque = real("Nm", "last command to the rear motor")
    not_finite = flag("the last command was not a number and went out as zero")


@record
class TorqueMonitorState:
    """The second opinion's own memory; shared with nobody."""

    accelerator = real("1", "last valid accelerator position")
    brake = real("1", "last valid brake position")
    discharge_limit = real("W", "last valid discharge limit")
    invalid_time = real("s", "time since the inputs were last valid")
    allowed_upper = real("Nm", "allowed sum of torques, falling no faster than the torque path can")
    allowed_lower = real("Nm", "the same for braking")
    excess_time = real("s", "time for which the torque has been beyond the allowed one")
    opposite_time = real("s", "time for which the torque has had the wrong sign")
    well_time = real("s", "time for which the wanted torque has been allowed")
    faults = integer("bits of Fault that hold the torque at zero")


@record
class SupervisorMemory:
    """Supervisor."""

    state = choice(SupervisorState, "where the car is between off and ready", default=SupervisorState.OFF)
    time = real("s", "time in this state")
    gear = choice(Gear, "gear that is engaged", default=Gear.PARK)
    armed = flag("the operator has armed the controller")
    armed_input = flag("the panel's arming flag in the last step")
    latched_faults = integer("faults that stay until the car is switched off, bits of Fault")


@record
class State:
    """All that the controller remembers."""

    raster = RasterState
    sources = SourceStates
    inputs = QualifiedInputs
    vehicle_speed = VehicleSpeedState
    yaw_control = YawControlState
    torque_split = TorqueSplitState
    wheel_slip = WheelSlipStates
    discharge_limiter = DischargeLimiterState
    power_budget = PowerBudgetState
    torque_path = TorquePathState
    torque_monitor = TorqueMonitorState
    supervisor = SupervisorMemory
