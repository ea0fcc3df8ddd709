"""What the controller receives and what it sends: every signal once, with its unit.

These two records are the only meeting place of the controller and the rest of the car. The network description maps
CAN signals onto their dotted paths (``front.motor_torque``); the virtual car fills the same ``Inputs`` and obeys the same
``Outputs``, by way of the same frames. SI units, ISO 8855 axes (x forward, y left, z up; positive yaw to the left);
discharge current and power are positive. Wheels are in the order front left, front right, rear left, rear right.

A value that the sender marks as invalid arrives as NaN.
"""

from enum import IntEnum, IntFlag

from firmware_model.kernel import choice, flag, integer, real, record

FRONT_LEFT, FRONT_RIGHT, REAR_LEFT, REAR_RIGHT = range(4)

NEVER_RECEIVED = 1.0e6  # [s] age of a source that has not been heard yet
NO_SECOND_TRACK = -1.0  # second track of an accelerator that has only one; a track that fails reads NaN


class Gear(IntEnum):
    """Shifter position, in the LEAF's own numbers of 0x11A; B is D with stronger regeneration."""

    PARK = 0
    REVERSE = 2
    NEUTRAL = 3
    DRIVE = 4
    BRAKE = 5


class DriveMode(IntEnum):
    """What the driver wants the car to be like."""

    STANDARD = 0
    SPORT = 1
    ECO = 2
    SNOW = 3


class HighVoltage(IntEnum):
    """State of the high-voltage supply, as 0x1D4 reports it to the inverter."""

    OFF = 0
    PRECHARGE_NOT_STARTED = 2
    PRECHARGING = 3
    STARTING_DISCHARGE = 5
    ON = 7


class InverterStatus(IntEnum):
    """What an inverter is doing, as 0x1DA reports it."""

    OFF = 0
    RUNNING = 3
    DISCHARGING = 4
    STARTING = 8
    FAULT = 16


class Failsafe(IntFlag):
    """Bits of the battery's failsafe status, as 0x1DB reports it."""

    WARNING = 1
    STOP_CHARGING = 2
    IMMOBILISE = 4


@record
class Link:
    """How well the frames of one source arrive; filled by the node that decodes them (all but ``silent``).

    A link whose message the network does not have keeps the age :data:`NEVER_RECEIVED`; any other one is older than that
    until its first frame.
    """

    age = real("s", "time since the last good frame", default=NEVER_RECEIVED)
    received = integer("good frames")
    crc_errors = integer("frames thrown away for a wrong CRC or checksum")
    counter_errors = integer("frames thrown away because their counter stood still")
    lost = integer("frames missing, by the gaps in the counter")
    answer_errors = integer("wrong answers to a question")
    silent = flag("the sender keeps quiet: not booted, switched off, or told to; read by the sending node only")


@record
class AxleInputs:
    """What the inverter of one axle reports (0x1DA, 0x55A)."""

    motor_speed = real("rad/s", "speed of the motor shaft, positive forward")
    motor_torque = real("Nm", "delivered torque at the motor shaft, positive forward")
    dc_voltage = real("V", "voltage of the DC link at the inverter")
    inverter_temperature = real("degC", "temperature of the power stage", default=25.0)
    motor_temperature = real("degC", "temperature of the motor winding", default=25.0)
    error_code = integer("error bits of the inverter, 0 when well")
    link = Link
    temperature_link = Link


@record
class InverterCondition:
    """What the inverter of one axle says of itself beside that (0x1DA, 0x55A, and a broadcast for each new trouble code)."""

    status = choice(InverterStatus, "what it is doing", default=InverterStatus.OFF)
    enabled = flag("it can drive")
    sleep_readiness = integer("as the field of 0x55A has it: 0 its output is on, 2 off but awake, 3 it may sleep", maximum=3)
    trouble_code = integer("the last trouble code it has broadcast, in its own two bytes; 0: none", maximum=0xFFFF)
    trouble_type = integer("kind of that failure", maximum=0xFF)
    link = Link  # of the broadcast


@record
class BatteryInputs:
    """What the battery controller (LBC) reports (0x1DB, 0x1DC, 0x55B, 0x5BC, 0x5C0)."""

    current = real("A", "pack current, positive in discharge")
    voltage = real("V", "pack voltage")
    discharge_limit = real("W", "power the pack allows in discharge")
    charge_limit = real("W", "power the pack allows in charge, positive")
    state_of_charge = real("1", "state of charge", default=0.5, minimum=0.0, maximum=1.0)
    state_of_health = real("1", "state of health", default=1.0)
    remaining_energy = real("J", "energy left in the pack")
    full_energy = real("J", "energy of the full pack")
    temperature_highest = real("degC", "warmest part of the pack", default=25.0)
    temperature_average = real("degC", "average temperature of the pack", default=25.0)
    temperature_lowest = real("degC", "coldest part of the pack", default=25.0)
    cell_voltage_highest = real("V", "highest cell voltage")
    cell_voltage_average = real("V", "average cell voltage")
    cell_voltage_lowest = real("V", "lowest cell voltage")
    relay_closed = flag("the battery permits the main relay to be closed")
    interlock = flag("the high-voltage interlock is closed")
    relay_cut_request = integer("the battery asks for its relay to be opened (0: no)")
    failsafe_status = integer("failsafe status, bits of Failsafe")
    power_status = integer("discharge power status: 1 normal, 2 high rate, 3 immediate limit")
    limit_reason = integer("why the output power is limited: 0 it is not, 1 capacity, 2 fault, 3 hot, 4 cold")
    isolation = real("1", "level of the insulation measurement; its scale is not public")
    state_link = Link  # voltage and current
    limit_link = Link  # power limits
    charge_link = Link  # state of charge


@record
class WideBatteryInputs:
    """The battery's values where the LEAF fields end (beyond 512 A and 255.5 kW): our own frames beside them."""

    current = real("A", "pack current, positive in discharge")
    voltage = real("V", "pack voltage")
    discharge_limit = real("W", "power the pack allows in discharge")
    charge_limit = real("W", "power the pack allows in charge, positive")
    link = Link


@record
class PedalInputs:
    """Pedals and shifter."""

    accelerator = real("1", "accelerator pedal, 0 released to 1 floored", minimum=0.0, maximum=1.0)
    accelerator_track_2 = real(
        "1", "the same by the pedal's second track", default=NO_SECOND_TRACK, minimum=NO_SECOND_TRACK, maximum=1.0
    )
    brake = real("1", "brake pedal, 0 released to 1 fully pressed", minimum=0.0, maximum=1.0)
    gear = choice(Gear, "shifter position", default=Gear.PARK)
    drive_mode = choice(DriveMode, "drive mode", default=DriveMode.STANDARD)
    e_pedal = flag("the accelerator alone drives and brakes, to a stop and hold")
    power_switch = flag("the driver wants the car on")
    link = Link


@record
class MotionInputs:
    """Sensor cluster: yaw rate and accelerations at the centre of gravity."""

    yaw_rate = real("rad/s", "yaw rate, positive to the left")
    longitudinal_acceleration = real("m/s2", "acceleration forward")
    lateral_acceleration = real("m/s2", "acceleration to the left")
    link = Link


@record
class SteeringInputs:
    """Steering-wheel sensor."""

    wheel_angle = real("rad", "steering-wheel angle, positive to the left")
    wheel_rate = real("rad/s", "rate of the steering-wheel angle")
    link = Link


@record
class WheelInputs:
    """Wheel-speed sensors: circumferential speed of each wheel."""

    front_left = real("m/s", "circumferential speed, front left")
    front_right = real("m/s", "circumferential speed, front right")
    rear_left = real("m/s", "circumferential speed, rear left")
    rear_right = real("m/s", "circumferential speed, rear right")
    front_link = Link
    rear_link = Link


@record
class BrakeInputs:
    """Brake actuator: measured pressure at each wheel."""

    front_left = real("Pa", "brake pressure, front left")
    front_right = real("Pa", "brake pressure, front right")
    rear_left = real("Pa", "brake pressure, rear left")
    rear_right = real("Pa", "brake pressure, rear right")
    link = Link


@record
class PanelInputs:
    """Operator panel of the bench."""

    armed = flag("the operator has armed the controller")
    emergency_stop = flag("the emergency stop is pressed")
    front_torque = real("Nm", "torque by hand at the front motor's shaft, positive forward")
    rear_torque = real("Nm", "torque by hand at the rear motor's shaft, positive forward")
    link = Link


@record
class Inputs:
    """All that the controller receives."""

    pedals = PedalInputs
    steering = SteeringInputs
    motion = MotionInputs
    wheels = WheelInputs
    brakes = BrakeInputs
    front = AxleInputs
    rear = AxleInputs
    front_condition = InverterCondition
    rear_condition = InverterCondition
    battery = BatteryInputs
    battery_wide = WideBatteryInputs
    panel = PanelInputs


@record
class AxleOutputs:
    """What the inverter of one axle is asked for (0x1D4)."""

    motor_torque = real("Nm", "torque wanted at the motor shaft, positive forward")
    torque_limit_upper = real("Nm", "highest motor torque that may be wanted now")
    torque_limit_lower = real("Nm", "lowest motor torque that may be wanted now")
    link = Link  # of the receiving inverter: it, too, watches the age of what it obeys
    mode_link = Link  # the same of the car's mode (0x11A)


@record
class PowerOutputs:
    """High voltage and readiness (0x1D4, 0x50B, 0x11A, 0x1F2)."""

    high_voltage = choice(HighVoltage, "state of the high-voltage supply", default=HighVoltage.OFF)
    relay_output = flag("the main relay is wanted closed")
    ready = flag("the car is READY to drive")
    awake = flag("all control units are to stay awake")
    absence_diagnosis = flag("control units may store faults of absent frames")
    car_on = flag("the car is switched on")
    gear = choice(Gear, "gear that is engaged", default=Gear.PARK)
    brake_pressed = flag("the brake pedal is pressed")
    charger_power = real("W", "power the charger may put into the pack")
    link = Link  # of 0x50B at the battery, and at the inverter beside it
    rear_link = Link  # of 0x50B at the rear inverter, where it has a bus of its own
    charger_link = Link  # of 0x1F2 at the battery


@record
class BrakeOutputs:
    """Friction-brake torque wanted at each wheel."""

    front_left = real("Nm", "brake torque, front left", minimum=0.0)
    front_right = real("Nm", "brake torque, front right", minimum=0.0)
    rear_left = real("Nm", "brake torque, rear left", minimum=0.0)
    rear_right = real("Nm", "brake torque, rear right", minimum=0.0)
    link = Link


@record
class Outputs:
    """All that the controller sends."""

    front = AxleOutputs
    rear = AxleOutputs
    power = PowerOutputs
    brakes = BrakeOutputs
