"""What the controller tells the world about itself: every measurement once, with its unit."""

from enum import IntEnum, IntFlag

from firmware_model.kernel import choice, flag, integer, real, record


class SupervisorState(IntEnum):
    """Where the car is between off and ready to drive."""

    OFF = 0
    WAKE = 1
    PRECHARGE = 2
    HIGH_VOLTAGE_ON = 3
    READY = 4
    SHUTDOWN = 5  # torque goes to zero, the car comes to rest
    DISCHARGE = 6  # the main relay opens, then the bus falls asleep
    FAULT = 7  # a latched fault: the relay is open until the driver switches off


class Constraint(IntEnum):
    """What sets a power limit of the pack."""

    BATTERY_LIMIT = 0  # the limit that the battery controller sends
    VOLTAGE = 1
    CURRENT = 2
    STATE_OF_CHARGE = 3
    TEMPERATURE = 4
    NO_VALID_LIMIT = 5  # silent, invalid, or the battery forbids it
    RISE_RATE = 6  # all candidates allow more, the limit is on its way up
    HEAT = 7  # of the current's path: busbars, fuse, contactors
    TURTLE = 8  # nearly empty: what is left is for creeping home


class Source(IntEnum):
    """Who is listened to; the number gives its bits in :class:`Fault`."""

    FRONT_INVERTER = 0
    REAR_INVERTER = 1
    BATTERY_STATE = 2
    BATTERY_LIMIT = 3
    BATTERY_CHARGE = 4
    PEDALS = 5
    STEERING = 6
    MOTION = 7
    FRONT_WHEELS = 8
    REAR_WHEELS = 9
    PANEL = 10
    REQUEST = 11


FIRST_INVALID_BIT = 16


class Fault(IntFlag):
    """Why torque, or a part of the control, is withheld."""

    # Bit Source: silent.
    FRONT_INVERTER_SILENT = 1 << 0
    REAR_INVERTER_SILENT = 1 << 1
    BATTERY_STATE_SILENT = 1 << 2
    BATTERY_LIMIT_SILENT = 1 << 3
    BATTERY_CHARGE_SILENT = 1 << 4
    PEDALS_SILENT = 1 << 5
    STEERING_SILENT = 1 << 6
    MOTION_SILENT = 1 << 7
    FRONT_WHEELS_SILENT = 1 << 8
    REAR_WHEELS_SILENT = 1 << 9
    PANEL_SILENT = 1 << 10
    REQUEST_SILENT = 1 << 11
    # Bit FIRST_INVALID_BIT + Source: it speaks, but marks a value as invalid or sends an implausible one.
    FRONT_INVERTER_INVALID = 1 << 16
    REAR_INVERTER_INVALID = 1 << 17
    BATTERY_STATE_INVALID = 1 << 18
    BATTERY_LIMIT_INVALID = 1 << 19
    BATTERY_CHARGE_INVALID = 1 << 20
    PEDALS_INVALID = 1 << 21
    STEERING_INVALID = 1 << 22
    MOTION_INVALID = 1 << 23
    FRONT_WHEELS_INVALID = 1 << 24
    REAR_WHEELS_INVALID = 1 << 25
    REQUEST_INVALID = 1 << 27
    FRONT_INVERTER_ERROR = 1 << 32
    REAR_INVERTER_ERROR = 1 << 33
    BATTERY_IMMOBILISES = 1 << 34
    RELAY_CUT_REQUEST = 1 << 35
    BATTERY_NOT_READY = 1 << 36  # no pack voltage, or interlock open, for too long after waking
    PRECHARGE_TIMEOUT = 1 << 37
    EMERGENCY_STOP = 1 << 38
    NOT_ARMED = 1 << 39
    MONITOR_EXCESS = 1 << 40
    MONITOR_OPPOSITE = 1 << 41
    TORQUE_NOT_FINITE = 1 << 42
    # Delivered torque beyond the commanded one, by the torque monitor.
    FRONT_TORQUE_DEVIATION = 1 << 43
    REAR_TORQUE_DEVIATION = 1 << 44
    UNCONTROLLED_TORQUE = 1 << 45  # it goes on although nothing is commanded any more
    # Values that are plausible one by one and contradict each other.
    ACCELERATOR_TRACK_1 = 1 << 46  # invalid, the second track is used
    ACCELERATOR_TRACK_2 = 1 << 47  # invalid, the first track is used
    ACCELERATOR_TRACKS_DIFFER = 1 << 48  # the lower one is used
    FRONT_DC_LINK = 1 << 49  # its voltage is not that of the pack
    REAR_DC_LINK = 1 << 50
    FRONT_WHEELS_CONTRADICTED = 1 << 51  # by the motor of the axle, which is believed
    REAR_WHEELS_CONTRADICTED = 1 << 52
    YAW_RATE_CONTRADICTED = 1 << 53  # by the wheels of both axles
    ACCELERATION_CONTRADICTED = 1 << 54  # by the wheels


FAULT_BITS = 56  # more than the highest bit of Fault


def fault_names(faults: int) -> list[str]:
    """Names of ``faults``, bits of Fault, as people read them."""
    return [str(fault.name).lower().replace("_", " ") for fault in Fault if fault & faults]


class Pattern(IntFlag):
    """Fail-safe patterns: what faults do. A to H are those that the maker publishes for its service."""

    RESTART_PROHIBITED = 1 << 0  # A
    OUTPUT_LIMITED = 1 << 1  # B: limp home
    QUICK_CHARGE_PROHIBITED = 1 << 2  # C
    NORMAL_CHARGE_PROHIBITED = 1 << 3  # D
    OUTPUT_CUT = 1 << 4  # E: no torque
    NORMAL_STOP = 1 << 5  # F: no torque, and the main relay opens when the car stands
    SUDDEN_STOP = 1 << 6  # G: the main relay opens at once
    AIR_CONDITIONING_STOP = 1 << 7  # H
    FRONT_CUT = 1 << 8  # no torque of the front motor: E for one axle, our own
    REAR_CUT = 1 << 9


@record
class AxleMeasurements:
    """One driven axle."""

    axle_torque = real("Nm", "torque commanded at the axle, positive forward")
    motor_torque_wanted = real("Nm", "motor torque wanted by driver, split and yaw control")
    motor_torque_available = real("Nm", "highest driving torque of the motor at its speed")
    dc_power = real("W", "predicted DC power of the inverter, positive in discharge")
    slip_speed = real("m/s", "circumferential speed of the wheels minus speed over ground")
    slip_torque = real("Nm", "axle torque that slip control withholds, positive forward")
    slip_active = flag("slip control holds this axle")
    thermal_share = real("1", "share of its torque that heat leaves the motor", default=1.0)


@record
class VehicleSpeedMeasurements:
    """Motion over ground."""

    speed = real("m/s", "estimated speed over ground, positive forward")
    acceleration = real("m/s2", "acceleration over ground, without grade and sensor offset")
    acceleration_offset = real("m/s2", "learnt offset of the acceleration sensor, grade included")
    trust = real("1", "how far the wheels are believed", minimum=0.0, maximum=1.0)


@record
class DriverDemandMeasurements:
    """What the driver wants."""

    force = real("N", "acceleration force wanted, positive forward; regeneration by lift-off included")
    braking_force = real("N", "braking force wanted by brake pedal and e-Pedal, never negative")
    hold_force = real("N", "part of it that holds the car at standstill for the e-Pedal")


@record
class VehicleStateMeasurements:
    """What is estimated of the car's motion and of its road."""

    sideslip = real("rad", "estimated sideslip angle")
    friction_left = real("1", "estimated friction coefficient under the left wheels")
    friction_right = real("1", "estimated friction coefficient under the right wheels")
    front_lateral_force = real("N", "estimated lateral force of the front axle")
    rear_lateral_force = real("N", "estimated lateral force of the rear axle")


@record
class YawControlMeasurements:
    """Yaw control."""

    active = flag("yaw control is on")
    yaw_rate_reference = real("rad/s", "reference yaw rate")
    yaw_moment = real("Nm", "yaw moment wanted, positive to the left")


@record
class AllocationMeasurements:
    """What motors and brakes are allocated."""

    front_share = real("1", "front motor's share of what both motors do", default=0.5)
    force_missing = real("N", "force wanted that is not attained")
    moment_missing = real("Nm", "yaw moment wanted that is not attained")
    brake_force = real("N", "force of all brakes")
    iterations = integer("constraints taken up and let go")
    solved = flag("all constraints are kept")


@record
class RideControlAxleMeasurements:
    """Anti-jerk control of one axle."""

    held_back = real("Nm", "motor torque that shaping holds back now")
    feedback = real("Nm", "motor torque that damps the driveline")


@record
class RideControlMeasurements:
    """Pitch and driveline."""

    pitch = real("rad", "estimated pitch angle, positive nose down")
    pitch_rate = real("rad/s", "estimated pitch rate")
    pitch_force = real("N", "force of both motors that damps the pitch, positive forward")
    braking_front_share = real("1", "front share of the motors' braking that is wanted for the pitch")
    front = RideControlAxleMeasurements
    rear = RideControlAxleMeasurements


@record
class BrakeBlendingMeasurements:
    """Regenerative and friction braking."""

    regenerative_force = real("N", "braking force of the motors, never negative")
    friction_force = real("N", "braking force of the friction brakes, never negative")


@record
class DischargeLimiterMeasurements:
    """What the pack can give and take, now and over the next seconds."""

    discharge_limit = real("W", "discharge power used as the limit")
    charge_limit = real("W", "charge power used as the limit, positive")
    discharge_constraint = choice(Constraint, "what sets the discharge limit", default=Constraint.NO_VALID_LIMIT)
    charge_constraint = choice(Constraint, "what sets the charge limit", default=Constraint.NO_VALID_LIMIT)
    discharge_voltage_limit = real("W", "discharge power down to the voltage floor")
    charge_voltage_limit = real("W", "charge power up to the voltage ceiling")
    discharge_power_2s = real("W", "power that the pack can give for 2 s")
    discharge_power_10s = real("W", "power that the pack can give for 10 s")
    discharge_power_30s = real("W", "power that the pack can give for 30 s")
    charge_power_2s = real("W", "power that the pack can take for 2 s, positive")
    charge_power_10s = real("W", "power that the pack can take for 10 s, positive")
    charge_power_30s = real("W", "power that the pack can take for 30 s, positive")
    state_of_charge = real("1", "estimated state of charge")
    open_circuit_voltage = real("V", "estimated open-circuit voltage")
    polarisation_voltage = real("V", "estimated voltage of the RC elements, positive after discharge")
    resistance = real("Ohm", "estimated series resistance of the pack")
    turtle = flag("the car creeps home on the last of its charge")


@record
class PowerBudgetMeasurements:
    """Electrical power of the torque path."""

    predicted_power = real("W", "DC power predicted for the commanded torque, positive in discharge")
    measured_power = real("W", "power of the pack, positive in discharge")
    share_of_limit = real("1", "predicted power as share of the limit in its direction")
    torque_factor = real("1", "common factor on both motor torques, 1 when the battery allows all", default=1.0)
    lead_share = real("1", "share of the torque that goes out while too much power is under way", default=1.0)
    loss_factor = real("1", "learnt factor on the modelled losses", default=1.0)


@record
class SupervisorMeasurements:
    """State and faults."""

    state = choice(SupervisorState, "where the car is between off and ready", default=SupervisorState.OFF)
    faults = integer("faults that are active now, bits of Fault")
    latched_faults = integer("faults that stay until the car is switched off, bits of Fault")
    patterns = integer("what the faults do, bits of Pattern")
    torque_permitted = flag("torque may be commanded, on one axle at least")
    front_permitted = flag("torque may be commanded on the front axle")
    rear_permitted = flag("torque may be commanded on the rear axle")
    output_share = real("1", "share of the driving torque that is left, 1 when nothing limits it")


@record
class MonitoredAxleMeasurements:
    """One axle as the torque monitor sees it."""

    allowed_upper = real("Nm", "highest motor torque that is allowed")
    allowed_lower = real("Nm", "lowest motor torque that is allowed")
    expected = real("Nm", "torque that the inverter should deliver now")
    spinning = flag("the axle spins, and may be braked by its motor for a short time")


@record
class TorqueMonitorMeasurements:
    """The independent second opinion."""

    allowed_upper = real("Nm", "highest sum of motor torques that is allowed")
    allowed_lower = real("Nm", "lowest sum of motor torques that is allowed")
    commanded = real("Nm", "sum of motor torques that the torque path commands")
    front = MonitoredAxleMeasurements
    rear = MonitoredAxleMeasurements
    tripped = flag("the monitor holds torque at zero")
    trips = integer("how often it has done so")


@record
class ActuatorTestMeasurements:
    """Actuator tests."""

    running = flag("a tester's torques are obeyed")
    broken_off = flag("a test has been ended, and its request not been taken back yet")


@record
class Measurements:
    """All that the controller tells about itself."""

    front = AxleMeasurements
    rear = AxleMeasurements
    vehicle_speed = VehicleSpeedMeasurements
    driver_demand = DriverDemandMeasurements
    vehicle_state = VehicleStateMeasurements
    yaw_control = YawControlMeasurements
    allocation = AllocationMeasurements
    ride_control = RideControlMeasurements
    brake_blending = BrakeBlendingMeasurements
    discharge_limiter = DischargeLimiterMeasurements
    power_budget = PowerBudgetMeasurements
    supervisor = SupervisorMeasurements
    torque_monitor = TorqueMonitorMeasurements
    actuator_test = ActuatorTestMeasurements
