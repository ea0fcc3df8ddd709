"""What the controller remembers from one step to the next.

A fresh record (``State.new()``) is the controller at power-on. Nothing in here is for the outside: that is in
``measurements``. One record is from there: what a tester asks for, which no start may remember.
"""

from firmware_model.kernel import choice, flag, integer, real, record
from firmware_model.measurements import FAULT_BITS, SupervisorState
from firmware_model.quadratic_program import VARIABLES, QuadraticProgram
from firmware_model.signals import NEVER_RECEIVED, DriveMode, Gear


@record
class RasterState:
    """When the slower tasks are due."""

    elapsed_1ms = real("s", "time since the 1 ms tasks ran", default=1e-3)
    elapsed_10ms = real("s", "time since the 10 ms tasks ran", default=10e-3)
    ticks_10ms = integer("runs of the 10 ms tasks since the 100 ms tasks ran", default=9)


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
    contradictions = integer("sources that contradict each other now, bits of Fault")
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
class CrossCheckState:
    """What sources say of each other."""

    front_wheels = flag("the front wheels contradict their motor; their last speeds without contradiction count")
    rear_wheels = flag("the same of the rear ones")
    rolling = flag("the wheels could be believed in the last step")
    speed = real("m/s", "lagged wheel speed")
    acceleration = real("m/s2", "lagged acceleration of the sensor")


@record
class QualifiedAxle:
    """Last plausible values of one inverter."""

    motor_speed = real("rad/s", "speed of the motor shaft")
    motor_torque = real("Nm", "delivered torque at the motor shaft")
    dc_voltage = real("V", "voltage of the DC link")
    motor_temperature = real("degC", "temperature of the motor winding", default=25.0)
    inverter_temperature = real("degC", "temperature of the power stage", default=25.0)
    torque_share = real("1", "share of its torque that heat leaves the motor", default=1.0)


@record
class QualifiedBattery:
    """Last plausible values of the battery."""

    current = real("A", "pack current, positive in discharge")
    voltage = real("V", "pack voltage")
    discharge_limit = real("W", "power the pack allows in discharge")
    charge_limit = real("W", "power the pack allows in charge, positive")
    state_of_charge = real("1", "state of charge", default=0.5)
    state_of_health = real("1", "state of health", default=1.0)
    remaining_energy = real("J", "energy left in the pack; 0 before the battery has told it")
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
    drive_mode = choice(DriveMode, "drive mode", default=DriveMode.STANDARD)
    e_pedal = flag("the accelerator alone drives and brakes, to a stop and hold")
    power_switch = flag("the driver wants the car on")
    wheel_angle = real("rad", "steering-wheel angle")
    yaw_rate = real("rad/s", "yaw rate")
    longitudinal_acceleration = real("m/s2", "acceleration forward")
    lateral_acceleration = real("m/s2", "acceleration to the left")
    front_wheel_speed = real("m/s", "mean circumferential speed of the front wheels, without sign")
    rear_wheel_speed = real("m/s", "mean circumferential speed of the rear wheels, without sign")
    wheel_speed = real("m/s", "circumferential speed of each wheel, without sign", shape=(4,))
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
class DriverDemandState:
    """Which maps of the driver demand count, and the e-Pedal's hold."""

    mode_share = real("1", "share of each drive mode's map", default=(1.0, 0.0, 0.0, 0.0), shape=(len(DriveMode),))
    brake_range_share = real("1", "share of the lift-off of B")
    e_pedal_share = real("1", "share of the lift-off of the e-Pedal")
    holding = flag("the e-Pedal has stopped the car and holds it")
    hold_force = real("N", "braking force with which it does so")


@record
class TyreLoadState:
    """Tyre loads. Arrays in the order of the wheels."""

    longitudinal_acceleration = real("m/s2", "lagged acceleration forward")
    lateral_acceleration = real("m/s2", "lagged acceleration to the left")
    yaw_rate = real("rad/s", "lagged yaw rate")
    front_lateral_force = real("N", "lateral force of the front axle")
    rear_lateral_force = real("N", "lateral force of the rear axle")
    vertical_force = real("N", "load of each wheel", default=4500.0, shape=(4,))
    lateral_force = real("N", "lateral force of each wheel", shape=(4,))


@record
class SideslipState:
    """Sideslip observer."""

    lateral_speed = real("m/s", "speed to the left at the centre of gravity")
    front_angle = real("rad", "slip angle of the front axle, positive for a force to the left")
    rear_angle = real("rad", "slip angle of the rear axle, positive for a force to the left")


@record
class FrictionState:
    """Friction estimate."""

    left = real("1", "estimated friction coefficient under the left wheels", default=1.2)
    right = real("1", "estimated friction coefficient under the right wheels", default=1.2)


@record
class YawControlState:
    """Yaw control."""

    active = flag("yaw control is on")
    yaw_rate_reference = real("rad/s", "lagged reference yaw rate")
    error = real("rad/s", "yaw-rate error")
    error_rate = real("rad/s2", "its lagged rate")
    error_integral = real("rad", "integrated yaw-rate error")
    moment_missing = real("Nm", "what the allocation could not do of the last moment")


@record
class AllocationState:
    """Control allocation. Forces are those of front motor, rear motor, and the brakes in the order of the wheels."""

    problem = QuadraticProgram
    force_arm = real("1", "longitudinal force on the car per force", shape=(VARIABLES,))
    moment_arm = real("m", "yaw moment per force", shape=(VARIABLES,))
    preferred = real("N", "forces while nothing is in conflict", shape=(VARIABLES,))
    force_missing = real("N", "force wanted that the last solution does not attain")
    force = real("N", "allocated forces", shape=(VARIABLES,))


@record
class ShaftState:
    """What is known of a shaft, an axle's or a wheel's, from the last frame that told of it."""

    received = integer("count of the frames that tell its speed")
    age = real("s", "time since the last of them")
    speed = real("rad/s", "speed in that frame")
    torque = real("Nm", "torque on it then")
    acceleration = real("rad/s2", "rate of change of the speed")
    road_torque = real("Nm", "torque that the road takes")


@record
class DrivelineStates:
    """Observers of both axles."""

    front = ShaftState
    rear = ShaftState


@record
class RideControlAxleState:
    """Anti-jerk control of one axle."""

    held_back = real("Nm", "motor torque that shaping holds back now")
    held_back_rate = real("Nm/s", "its rate")
    feedback = real("Nm", "motor torque that damps the driveline")
    damping_torque = real("Nm", "motor torque that would damp the driveline")
    motor_speed = real("rad/s", "motor speed of the last frame, from which the acceleration follows")
    motor_acceleration = real("rad/s2", "slow part of the motor's acceleration: the car's")
    started = flag("the motor's speed is known")


@record
class RideControlState:
    """Ride control."""

    pitch = real("rad", "estimated pitch angle, positive nose down")
    pitch_rate = real("rad/s", "its rate")
    front = RideControlAxleState
    rear = RideControlAxleState


@record
class WheelSlipState:
    """Slip control of one wheel by motor and brake together."""

    shaft = ShaftState
    speed = real("m/s", "circumferential speed, in the direction of travel like all of these")
    hub_speed = real("m/s", "speed of its hub over ground")
    slip = real("m/s", "circumferential speed minus speed over ground")
    torque = real("Nm", "torque that the brake is reckoned to have reached")
    spins = flag("slip control keeps the wheel from spinning")
    locks = flag("slip control keeps the wheel from locking")
    lowest = real("Nm", "lowest torque of motor and brake together", default=-10e3)
    highest = real("Nm", "highest torque of motor and brake together", default=10e3)


@record
class AxleSlipState:
    """Slip control of one axle through its motor, and of its wheels."""

    left = WheelSlipState
    right = WheelSlipState
    active = flag("slip control holds the axle")
    alert = real("s", "time for which it acts again without having to be certain")
    slip = real("m/s", "mean circumferential speed of the wheels minus speed over ground")
    friction = real("1", "friction that the slip target goes with: of the weaker side", default=1.0)
    target_share = real("1", "share of the slip target that cornering leaves", default=1.0)
    target = real("m/s", "slip speed that is held")
    torque_lowest = real("Nm", "lowest motor torque that slip allows", default=-1000.0)
    torque_highest = real("Nm", "highest motor torque that slip allows", default=1000.0)
    regeneration_share = real("1", "share of its braking torque that the motor may use", default=1.0)


@record
class WheelSlipStates:
    """Slip control of both axles and their wheels."""

    front = AxleSlipState
    rear = AxleSlipState


@record
class BrakeBlendingState:
    """What the motors are expected to deliver."""

    front_torque_expected = real("Nm", "command to the front motor after the lag of the path")
    rear_torque_expected = real("Nm", "command to the rear motor after the lag of the path")


@record
class PackEstimateState:
    """Kalman filter of the mean cell, at pack current."""

    initialised = flag("the filter runs")
    state_of_charge = real("1", "estimated state of charge", default=0.5)
    fast_voltage = real("V", "voltage of the fast RC element, positive after discharge")
    slow_voltage = real("V", "voltage of the slow RC element, positive after discharge")
    series_growth = real("1", "series resistance over that of the data sheet", default=1.0)
    polarisation_growth = real("1", "resistances of the RC elements over those of the data sheet", default=1.0)
    covariance = real("mixed", "covariance of these five", shape=(5, 5))
    information = real("mixed", "covariance of the five with the innovation", shape=(5,))
    current = real("A", "pack current of the last step")
    voltage = real("V", "pack voltage of the last step")
    capacity = real("A s", "charge of the full pack at its age", default=608040.0)
    series_over_temperature = real("1", "factor of temperature on the series resistance", default=1.0)
    series_over_temperature_slope = real("1/K", "its rise with temperature")
    polarisation_over_temperature = real("1", "factor of temperature on the resistances of the RC elements", default=1.0)
    polarisation_over_temperature_slope = real("1/K", "its rise with temperature")


@record
class DischargeLimiterState:
    """Limits, and what binds them slowly."""

    discharge_by_charge = real("W", "discharge power that the state of charge allows")
    charge_by_charge = real("W", "charge power that the state of charge allows")
    power_by_temperature = real("W", "power that the temperature allows")
    turtle = flag("the car creeps home")
    heat = real("A2", "mean square of the current, as far as its path remembers it")
    prediction = integer("which of the predictions is due next")
    sustained = real("W", "what the cells could keep up, by the last of each prediction", shape=(6,))
    discharge_limit = real("W", "discharge limit, limited in its rise")
    charge_limit = real("W", "charge limit, limited in its rise")


@record
class MotorPredictionState:
    """Where one motor's speed is going."""

    motor_speed = real("rad/s", "lagged motor speed, from which the acceleration follows")
    speed_lead = real("rad/s", "speed by which the motor is taken to be ahead of the car")
    speed_ahead = real("rad/s", "motor speed when a torque commanded now acts")


@record
class PowerBudgetState:
    """Power under way, and the learnt losses."""

    front = MotorPredictionState
    rear = MotorPredictionState
    power_underway = real("W", "power that the inverters will have reached when the last command gets to them")
    lead_share = real("1", "share of the torque that goes out while that is beyond a limit", default=1.0)
    power_delivered = real("W", "power that the pack should show now")
    power_predicted = real("W", "power predicted for the last command")
    loss_predicted = real("W", "loss within that power")
    loss_factor = real("1", "learnt factor on the modelled losses", default=1.0)


@record
class TorquePathState:
    """Last commanded torques, and the range that motors and battery leave them."""

    front_torque = real("Nm", "last command to the front motor")
    rear_torque = real("Nm", "last command to the rear motor")
    front_lowest = real("Nm", "lowest torque of the front motor")
    front_highest = real("Nm", "highest torque of the front motor")
    rear_lowest = real("Nm", "lowest torque of the rear motor")
    rear_highest = real("Nm", "highest torque of the rear motor")
    not_finite = flag("the last command was not a number and went out as zero")


@record
class BandState:
    """Allowed torque of one axle, or of both together."""

    upper = real("Nm", "highest allowed torque, falling no faster than the torque path can")
    lower = real("Nm", "the same for braking")
    upper_time = real("s", "time for which less driving torque has been allowed than before")
    lower_time = real("s", "the same for braking")
    excess_time = real("s", "time for which the torque has been beyond the allowed one")
    opposite_time = real("s", "time for which the torque has had the wrong sign")


@record
class MonitoredAxleState:
    """What the torque monitor remembers of one axle."""

    band = BandState
    slip_time = real("s", "time for which a command has braked the spinning axle")
    followed = flag("command and report were known in the last step")
    expected = real("Nm", "torque that the inverter should deliver now: the lagged command")
    deviation_time = real("s", "time for which it has delivered more than that")
    faithful_time = real("s", "time for which it has not")


@record
class TorqueMonitorState:
    """The second opinion's own memory; shared with nobody."""

    accelerator = real("1", "last valid accelerator position")
    brake = real("1", "last valid brake position")
    discharge_limit = real("W", "last valid discharge limit")
    motor_speed = real("rad/s", "last valid speed of the slower motor in the gear's direction, 0 against it")
    invalid_time = real("s", "time since the inputs were last valid")
    # Before the first look at the axles nothing counts as spinning.
    speed = real("m/s", "speed of the car by its slower axle, which cannot rise faster than a road allows", default=1.0e3)
    front = MonitoredAxleState
    rear = MonitoredAxleState
    both = BandState
    well_time = real("s", "time for which the commanded torques have been allowed")
    faults = integer("bits of Fault that hold torque at zero")
    test_heartbeat = integer("heartbeat of an actuator test at the last look")
    test_silence = real("s", "time for which it has stood still")
    looks = integer("how often it has looked: it lives")


@record
class FaultMemory:
    """Debouncing, healing and latching; one value a fault, by the number of its bit."""

    active = integer("active faults, bits of Fault")
    latched = integer("faults that stay until the car is switched off, bits of Fault")
    pending = integer("faults about to become active or to heal, bits of Fault")
    time = real("s", "time towards the pending change, or else time for which the fault has been active", shape=(FAULT_BITS,))
    trips = integer("how often it has become active since the car was switched on", shape=(FAULT_BITS,))
    acting_active = integer("active faults of which the patterns are those below")
    acting_latched = integer("latched faults of which the patterns are those below")
    patterns = integer("what active and latched faults do, bits of Pattern")


@record
class SupervisorMemory:
    """Supervisor."""

    state = choice(SupervisorState, "where the car is between off and ready", default=SupervisorState.OFF)
    time = real("s", "time in this state")
    gear = choice(Gear, "gear that is engaged", default=Gear.PARK)
    armed = flag("the operator has armed the controller")
    armed_input = flag("the panel's arming flag in the last step")
    front_permitted = flag("torque may be commanded on the front axle")
    rear_permitted = flag("torque may be commanded on the rear axle")
    output_share = real("1", "share of the driving torque that is left", default=1.0)


@record
class ActuatorTestRequest:
    """What a tester asks for; written by the diagnostic server, word by word, and only read by the controller."""

    active = flag("a test is asked for")
    heartbeat = integer("moves as long as the server and its tester are there")
    front_left = real("Nm", "brake torque, front left")
    front_right = real("Nm", "brake torque, front right")
    rear_left = real("Nm", "brake torque, rear left")
    rear_right = real("Nm", "brake torque, rear right")
    front_motor_torque = real("Nm", "torque at the front motor's shaft, positive forward")
    rear_motor_torque = real("Nm", "torque at the rear motor's shaft, positive forward")


@record
class ActuatorTestState:
    """Actuator tests."""

    request = ActuatorTestRequest
    heartbeat = integer("heartbeat of the last step")
    silence = real("s", "time for which it has stood still")
    time = real("s", "time for which the test has been asked for")
    ended = flag("the test has been ended, whatever is asked for")
    front_left = real("Nm", "brake torque under test, front left")
    front_right = real("Nm", "brake torque under test, front right")
    rear_left = real("Nm", "brake torque under test, rear left")
    rear_right = real("Nm", "brake torque under test, rear right")
    front_motor_torque = real("Nm", "torque under test, front motor")
    rear_motor_torque = real("Nm", "torque under test, rear motor")


@record
class State:
    """All that the controller remembers."""

    raster = RasterState
    sources = SourceStates
    cross_check = CrossCheckState
    inputs = QualifiedInputs
    vehicle_speed = VehicleSpeedState
    driver_demand = DriverDemandState
    tyre_load = TyreLoadState
    sideslip = SideslipState
    friction = FrictionState
    yaw_control = YawControlState
    allocation = AllocationState
    driveline = DrivelineStates
    ride_control = RideControlState
    wheel_slip = WheelSlipStates
    brake_blending = BrakeBlendingState
    pack_estimate = PackEstimateState
    discharge_limiter = DischargeLimiterState
    power_budget = PowerBudgetState
    torque_path = TorquePathState
    torque_monitor = TorqueMonitorState
    faults = FaultMemory
    supervisor = SupervisorMemory
    actuator_test = ActuatorTestState
