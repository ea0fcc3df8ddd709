"""The one table of calibration values: name, unit, limits, default, and what each one does.

One record a control law, one line a value. Defaults are those of the twin-motor LEAF of 2019 (two EM57 motors, 62 kWh pack);
``bench/vehicles`` overrides them for other cars. Where a default was measured, published or assumed, its comment says so.
No kernel holds a limit, a gain or a time of its own.
"""

from firmware_model.kernel import Field, flag, integer, real, record


def value(unit: str, default: float, minimum: float, maximum: float, description: str) -> Field:
    """One line of the table."""
    return real(unit, description, default=default, minimum=minimum, maximum=maximum)


def curve(unit: str, default: tuple[float, ...], minimum: float, maximum: float, description: str) -> Field:
    """One characteristic of the table: its values at the points of another one."""
    return real(unit, description, default=default, minimum=minimum, maximum=maximum, shape=(len(default),))


@record
class Vehicle:
    """Geometry and mass of the car, as far as the control laws need them."""

    mass = value("kg", 1875.0, 500.0, 5000.0, "mass of the car with its driver")
    wheelbase = value("m", 2.7, 1.5, 4.0, "distance between the axles")
    # 56 % of the weight is on the front axle of a one-motor LEAF; the rear motor shifts it to about 52 %.
    front_axle_to_cg = value("m", 1.29, 0.5, 3.0, "distance from front axle to centre of gravity")
    cg_height = value("m", 0.54, 0.2, 1.2, "height of the centre of gravity")
    front_track = value("m", 1.54, 1.0, 2.2, "distance between the front wheels")
    rear_track = value("m", 1.555, 1.0, 2.2, "distance between the rear wheels")
    steering_ratio = value("1", 17.0, 5.0, 30.0, "steering-wheel angle per road-wheel angle")
    # EPA coast-down of the LEAF e+ SV/SL.
    road_load_constant = value("N", 135.1, 0.0, 2000.0, "road load at standstill")
    road_load_linear = value("N/(m/s)", 3.185, 0.0, 100.0, "road load that grows with speed")
    road_load_quadratic = value("N/(m/s)2", 0.4354, 0.0, 5.0, "road load that grows with speed squared")


@record
class Axle:
    """One driven axle: wheels, reduction gear, motor and inverter."""

    motor_present = flag("a motor drives this axle", default=1)
    gear_ratio = value("1", 8.1938, 1.0, 20.0, "motor revolutions per wheel revolution")
    # EPA N/V of the LEAF e+ on 17-inch wheels with this reduction.
    wheel_radius = value("m", 0.3108, 0.2, 0.6, "dynamic rolling radius")
    inertia = value("kgm2", 5.0, 0.5, 50.0, "moment of inertia of motor, gears and wheels, seen at the axle")
    motor_torque_max = value("Nm", 340.0, 0.0, 1000.0, "highest motor torque, either sign")
    motor_power_max = value("W", 160e3, 0.0, 1e6, "highest mechanical motor power, either sign")
    motor_speed_max = value("rad/s", 1190.0, 10.0, 3000.0, "motor speed at which driving torque has ended")
    # Least squares over a drive of a LEAF e+ recorded on its CAN bus: 0.6 kW rms over -25 to 176 kW.
    loss_idle = value("W", 60.0, 0.0, 5000.0, "loss of the switching inverter")
    loss_speed = value("W/(rad/s)2", 0.0051, 0.0, 0.1, "iron and windage loss over speed squared")
    loss_torque = value("W/Nm2", 0.0575, 1e-3, 2.0, "copper loss over torque squared")
    loss_weakening = value("W/(Nm rad/s)2", 2.05e-7, 0.0, 1e-4, "field-weakening loss over torque and speed squared")
    # Bits 7, 5 and 4 of byte 6 of 0x1DA: those that a widely used open controller obeys.
    error_mask = integer("bits of the inverter's error code that stop the torque", default=0xB)


@record
class InputQualification:
    """What a sensor can plausibly say, and how long a source may be silent or invalid."""

    motor_speed_max = value("rad/s", 2500.0, 0.0, 10e3, "highest plausible motor speed, either sign")
    motor_torque_max = value("Nm", 1200.0, 0.0, 10e3, "highest plausible motor torque, either sign")
    voltage_max = value("V", 1000.0, 0.0, 2000.0, "highest plausible voltage of pack and DC link")
    current_max = value("A", 2500.0, 0.0, 10e3, "highest plausible pack current, either sign")
    power_max = value("W", 1e6, 0.0, 10e6, "highest plausible power limit")
    charge_max = value("1", 1.05, 1.0, 2.0, "highest plausible state of charge")
    temperature_min = value("degC", -60.0, -273.0, 0.0, "lowest plausible temperature")
    temperature_max = value("degC", 250.0, 0.0, 1000.0, "highest plausible temperature")
    wheel_speed_max = value("m/s", 150.0, 0.0, 300.0, "highest plausible wheel speed, either sign")
    wheel_angle_max = value("rad", 20.0, 0.0, 100.0, "highest plausible steering-wheel angle, either sign")
    yaw_rate_max = value("rad/s", 5.0, 0.0, 50.0, "highest plausible yaw rate, either sign")
    acceleration_max = value("m/s2", 40.0, 0.0, 500.0, "highest plausible acceleration, either sign")
    pedal_tolerance = value("1", 0.05, 0.0, 0.5, "how far a pedal may read beyond its ends")

    # Ten lost frames each; the 10 ms frames of the LEAF keep a jitter below 2 ms.
    front_inverter_timeout = value("s", 0.1, 0.02, 2.0, "silence of the front inverter until torque is zero")
    rear_inverter_timeout = value("s", 0.1, 0.02, 2.0, "silence of the rear inverter until torque is zero")
    battery_state_timeout = value("s", 0.1, 0.02, 2.0, "silence of pack voltage and current until torque is zero")
    battery_limit_timeout = value("s", 0.1, 0.02, 2.0, "silence of the pack's power limits until they count as zero")
    battery_charge_timeout = value("s", 1.0, 0.2, 5.0, "silence of the state of charge until torque is zero")
    pedals_timeout = value("s", 0.1, 0.02, 2.0, "silence of pedals and shifter until torque is zero")
    steering_timeout = value("s", 0.1, 0.02, 2.0, "silence of the steering sensor until yaw control is off")
    motion_timeout = value("s", 0.1, 0.02, 2.0, "silence of the yaw-rate sensor until yaw control is off")
    front_wheels_timeout = value("s", 0.2, 0.04, 2.0, "silence of the front wheel speeds until torque is zero")
    rear_wheels_timeout = value("s", 0.2, 0.04, 2.0, "silence of the rear wheel speeds until torque is zero")
    request_timeout = value("s", 0.1, 0.02, 2.0, "silence of a recorded request until torque is zero")
    panel_timeout = value("s", 0.5, 0.1, 5.0, "silence of the operator's heartbeat until torque is zero")
    # A LEAF inverter alone on a bench stores "no CAN" 2.0 s after its start.
    latch_time = value("s", 2.0, 0.1, 60.0, "silence after which a fault stays until the car is switched off")
    heal_time = value("s", 0.2, 0.0, 10.0, "time a source must be well until it is trusted again")


@record
class VehicleSpeed:
    """Estimate of the speed over ground, also while an axle spins."""

    standstill_speed = value("m/s", 0.1, 0.0, 1.0, "wheel speed below which the car stands")
    standstill_time_constant = value("s", 0.3, 0.01, 10.0, "time in which the sensor's offset is learnt at standstill")
    gain_trusted = value("1/s", 4.0, 0.0, 50.0, "correction towards the wheels while they roll")
    gain_distrusted = value("1/s", 0.05, 0.0, 10.0, "correction towards the wheels while they slip")
    gain_offset = value("1/s2", 1.0, 0.0, 20.0, "learning of the acceleration offset (grade, sensor) while the wheels roll")
    offset_max = value("m/s2", 3.5, 0.0, 10.0, "highest acceleration offset, either sign")
    trust_speed = value("m/s", 0.3, 0.0, 5.0, "difference of wheels and estimate that still counts as rolling")
    trust_share = value("1", 0.02, 0.0, 0.5, "the same, as a share of the speed, in addition")
    quiet_force = value("N", 500.0, 0.0, 5000.0, "motor force below which the wheels roll on any road")
    wheels_only_time_constant = value("s", 0.05, 0.0, 5.0, "lag behind the wheels without an acceleration sensor")


@record
class DriverDemand:
    """Pedals and shifter to wanted longitudinal force."""

    pedal_points = curve("1", (0.0, 0.1, 0.25, 0.5, 0.75, 1.0), 0.0, 1.0, "pedal positions of the pedal curve")
    pedal_share = curve("1", (0.0, 0.09, 0.21, 0.45, 0.72, 1.0), 0.0, 1.0, "share of the way from lift-off to full force")
    speed_points = curve("m/s", (0.0, 2.0, 5.0, 10.0, 18.0, 26.0, 35.0, 45.0), 0.0, 100.0, "speeds of the force curves")
    # 680 Nm of two motors at the wheels, then 320 kW.
    force_full = curve(
        "N", (17.9e3, 17.9e3, 17.9e3, 17.9e3, 17.8e3, 12.3e3, 9140.0, 7110.0), 0.0, 50e3, "force wanted with the pedal floored"
    )
    force_lift_off_drive = curve(
        "N", (0.0, 0.0, 900.0, 1300.0, 1300.0, 1200.0, 1000.0, 850.0), 0.0, 20e3, "regeneration with the pedal released, D"
    )
    force_lift_off_brake = curve(
        "N", (0.0, 0.0, 2200.0, 3200.0, 3000.0, 2300.0, 1700.0, 1300.0), 0.0, 20e3, "regeneration with the pedal released, B"
    )
    creep_force = value("N", 500.0, 0.0, 3000.0, "force at standstill with both pedals released")
    creep_speed = value("m/s", 1.8, 0.1, 5.0, "speed at which creeping ends")
    creep_release_force = value("N", 1000.0, 1.0, 20e3, "braking force at which creeping has ended")
    reverse_share = value("1", 0.4, 0.0, 1.0, "full force in reverse as share of the forward one")
    speed_max = value("m/s", 43.6, 1.0, 100.0, "top speed forward (157 km/h)")
    speed_max_reverse = value("m/s", 8.0, 1.0, 30.0, "top speed in reverse")
    speed_limiter_gain = value("N/(m/s)", 3000.0, 100.0, 50e3, "how steeply force ends at the top speed")
    brake_points = curve("1", (0.0, 0.05, 0.3, 0.6, 0.8, 1.0), 0.0, 1.0, "positions of the brake pedal")
    brake_deceleration = curve("m/s2", (0.0, 0.0, 2.0, 5.5, 8.5, 11.0), 0.0, 15.0, "deceleration wanted at these positions")


@record
class YawControl:
    """Reference yaw rate and the yaw moment that makes the car follow it."""

    enabled = flag("yaw control may act", default=1)
    understeer_gradient = value("rad/(m/s2)", 0.0033, -0.02, 0.05, "road-wheel angle wanted per lateral acceleration")
    friction = value("1", 0.95, 0.05, 1.5, "friction coefficient that the reference reckons with")
    friction_share = value("1", 0.85, 0.1, 1.0, "share of the friction that the reference may use")
    reference_time_constant = value("s", 0.1, 0.0, 2.0, "lag of the reference yaw rate")
    deadband = value("rad/s", 0.02, 0.0, 0.5, "yaw-rate error that is left alone")
    gain = value("Nm/(rad/s)", 15e3, 0.0, 200e3, "yaw moment per yaw-rate error")
    gain_integral = value("Nm/rad", 10e3, 0.0, 500e3, "yaw moment per integrated yaw-rate error")
    moment_max = value("Nm", 5000.0, 0.0, 30e3, "highest yaw moment, either sign")
    fade_in_start = value("m/s", 4.0, 0.5, 30.0, "speed at which yaw control begins")
    fade_in_end = value("m/s", 8.0, 1.0, 40.0, "speed from which yaw control is full")
    sideslip_friction_share = value("s2/m", 0.02, 0.001, 0.1, "sideslip bound per friction: atan(this x mu x g)")
    sideslip_gain = value("Nm/rad", 30e3, 0.0, 500e3, "yaw moment per sideslip beyond its bound")
    sideslip_time_constant = value("s", 1.0, 0.05, 20.0, "washout of the integrated sideslip")
    split_moment = value("Nm", 600.0, 0.0, 10e3, "yaw moment that a full shift of the torque split stands for")
    split_force = value("N", 5000.0, 1.0, 50e3, "motor force from which that authority is full")
    split_shift_max = value("1", 0.3, 0.0, 0.5, "highest shift of the front share for yaw control")
    brake_moment_min = value("Nm", 300.0, 0.0, 10e3, "yaw moment below which the brakes stay out of it")
    wheel_torque_max = value("Nm", 1500.0, 0.0, 10e3, "highest friction torque that yaw control wants of one wheel")


@record
class TorqueSplit:
    """Distribution of the wanted force over front and rear axle."""

    front_share = value("1", 0.5, 0.0, 1.0, "front share of the force at rest")
    load_gain = value("1", 0.5, 0.0, 2.0, "how far the split follows the axle loads (0: not, 1: fully)")
    front_share_min = value("1", 0.0, 0.0, 1.0, "lowest front share")
    front_share_max = value("1", 1.0, 0.0, 1.0, "highest front share")
    acceleration_time_constant = value("s", 0.1, 0.0, 2.0, "lag of the acceleration that shifts the load")


@record
class WheelSlip:
    """Slip limitation of one axle through its motor."""

    enabled = flag("slip control may act", default=1)
    slip_speed = value("m/s", 0.4, 0.1, 5.0, "slip speed that is held at low speed")
    slip_ratio = value("1", 0.07, 0.01, 0.5, "slip that is held at higher speed")
    gain = value("Nm/(m/s)", 250.0, 0.0, 5000.0, "axle torque per slip-speed error")
    gain_integral = value("Nm/m", 1000.0, 0.0, 20e3, "axle torque per integrated slip-speed error")
    adhesion_share = value("1", 0.95, 0.0, 1.5, "share of the observed adhesion torque that slip control starts with")
    gain_release = value("Nm/m", 1500.0, 0.0, 50e3, "the same once slip is below half of its target")
    acceleration_time_constant = value("s", 0.03, 0.0, 1.0, "lag of the observed axle acceleration")


@record
class BrakeBlending:
    """Braking by the motors first; the friction brakes fill in."""

    regeneration_deceleration_max = value("m/s2", 3.0, 0.0, 10.0, "deceleration that the motors may do alone")
    fade_out_start = value("m/s", 3.5, 0.5, 20.0, "speed below which regeneration gives way to friction")
    fade_out_end = value("m/s", 1.0, 0.0, 10.0, "speed at which regeneration has ended")
    wheel_torque_max = value("Nm", 3500.0, 0.0, 20e3, "highest friction torque of one wheel")


@record
class DischargeLimiter:
    """What the pack can give and take now: several candidates, of which the lowest binds."""

    cell_count = integer("cells in series", default=96, minimum=1, maximum=400)
    cell_voltage_min = value("V", 3.0, 1.5, 4.0, "cell voltage that discharge must not go below")
    cell_voltage_max = value("V", 4.2, 2.5, 4.5, "cell voltage that charge must not exceed")
    cell_voltage_plausible = value("V", 1.5, 0.5, 4.0, "cell voltage below which nothing is learnt from the pack")
    discharge_current_max = value("A", 800.0, 0.0, 3000.0, "highest discharge current")
    charge_current_max = value("A", 400.0, 0.0, 3000.0, "highest charge current")
    power_full = value("W", 300e3, 0.0, 1e6, "power from which the derating by charge and temperature starts")
    discharge_charge_full = value("1", 0.1, 0.0, 1.0, "state of charge below which discharge is derated")
    discharge_charge_zero = value("1", 0.0, 0.0, 1.0, "state of charge at which discharge ends")
    charge_charge_full = value("1", 0.9, 0.0, 1.0, "state of charge above which charging is derated")
    charge_charge_zero = value("1", 1.0, 0.0, 1.0, "state of charge at which charging ends")
    # A LEAF pack was seen in stepwise derating from 56 degC.
    hot_full = value("degC", 50.0, 0.0, 100.0, "temperature above which power is derated")
    hot_zero = value("degC", 60.0, 0.0, 100.0, "temperature at which power has ended")
    cold_full = value("degC", -10.0, -60.0, 40.0, "temperature below which power is derated")
    cold_zero = value("degC", -30.0, -60.0, 40.0, "temperature at which power has ended")
    rise_rate = value("W/s", 200e3, 1e3, 10e6, "how fast a limit may rise")
    # 62.9 mOhm: 10 s resistance of a 62 kWh pack, fitted to a recorded drive.
    resistance = value("Ohm", 0.0629, 0.001, 2.0, "pack resistance before anything is learnt")
    resistance_min = value("Ohm", 0.03, 0.001, 2.0, "lowest believable pack resistance")
    resistance_max = value("Ohm", 0.25, 0.001, 5.0, "highest believable pack resistance")
    averaging_time = value("s", 10.0, 0.5, 120.0, "time over which the mean voltage and current are formed")
    learning_time = value("s", 2.0, 0.05, 600.0, "time in which the resistance is learnt")
    learning_current = value("A", 50.0, 1.0, 500.0, "departure from the mean current at which learning is half as fast")
    open_circuit_time = value("s", 0.5, 0.01, 60.0, "lag of the estimated open-circuit voltage")


@record
class PowerBudget:
    """Motor torques that keep the DC power of both axles and the auxiliaries inside the battery's limits."""

    # LEAF: the VCM uses 98.7 % of the discharge limit and 97 to 98 % of the charge limit.
    margin = value("1", 0.005, 0.0, 0.2, "share of the limit that is left free")
    # The LEAF's limits come in steps of 250 W.
    margin_power = value("W", 250.0, 0.0, 5000.0, "power that is left free in addition: the resolution of the limit in its frame")
    auxiliary_power = value("W", 400.0, 0.0, 20e3, "power of heater, air conditioning and DC/DC converter")
    response_lag = value("s", 0.045, 0.0, 0.2, "time from a torque command until the pack shows its power")
    # 30 ms from request to torque on the real car, and the age of the motor speed in its frame.
    look_ahead = value("s", 0.032, 0.0, 0.2, "how far ahead the motor speed is predicted")
    acceleration_time_constant = value("s", 0.03, 0.005, 1.0, "lag of the motor acceleration used to look ahead")
    acceleration_max = value("rad/s2", 500.0, 0.0, 5000.0, "highest motor acceleration reckoned with, either sign")
    learning_gain = value("1/s", 5.0, 0.0, 20.0, "learning of the factor on the modelled losses")
    learning_power = value("W", 15e3, 1e3, 1e6, "power below which nothing is learnt")
    learning_change = value("W", 10e3, 0.0, 200e3, "change of power during the response lag above which nothing is learnt")
    learning_wait = value("s", 0.05, 0.0, 2.0, "time after such a change until learning goes on")
    loss_factor_min = value("1", 0.5, 0.1, 1.0, "lowest factor on the modelled losses")
    loss_factor_max = value("1", 2.0, 1.0, 5.0, "highest factor on the modelled losses")


@record
class TorquePath:
    """The last hands on the torque."""

    # LEAF e+: +1430 and -1620 Nm/s over 100 ms in normal drive; steps of 10 ms up to -4200 Nm/s.
    rise_rate = value("Nm/s", 1500.0, 1.0, 50e3, "rate of motor torque away from zero")
    fall_rate = value("Nm/s", 1600.0, 1.0, 50e3, "rate of motor torque towards zero")
    safe_rate = value("Nm/s", 6000.0, 100.0, 100e3, "rate towards zero when safety wants it")
    motor_torque_clamp = value("Nm", 1000.0, 0.0, 1000.0, "highest motor torque on this bench, either sign")
    motor_speed_clamp = value("rad/s", 3000.0, 0.0, 3000.0, "highest motor speed on this bench, either sign")
    speed_fade = value("rad/s", 30.0, 1.0, 500.0, "range below the highest motor speed over which torque fades")
    limit_headroom = value("Nm", 2.5, 0.0, 50.0, "room between torque and torque limit, against the frame's rounding")


@record
class TorqueMonitor:
    """The independent second opinion. Its values are stated again on purpose: they are not derived from those above."""

    # Thresholds and times of a production dual-motor car's torque monitor.
    excess_torque = value("Nm", 10.0, 0.0, 200.0, "motor torque beyond the allowed one that is a fault")
    opposite_torque = value("Nm", 8.0, 0.0, 200.0, "torque of the wrong sign that is a fault")
    fault_time = value("s", 0.01, 0.0, 1.0, "time until a wrong torque is a fault")
    heal_time = value("s", 0.02, 0.0, 10.0, "time until a fault is healed")
    motor_torque_max = value("Nm", 340.0, 0.0, 1000.0, "allowed torque of one motor, either sign")
    torque_sum_max = value("Nm", 680.0, 0.0, 2000.0, "allowed sum of motor torques with the pedal floored")
    pedal_gain = value("1", 1.3, 0.0, 5.0, "allowed share of the driving torque per accelerator position")
    pedal_offset = value("1", 0.02, 0.0, 1.0, "allowed share of the driving torque with the pedal released")
    creep_torque = value("Nm", 30.0, 0.0, 200.0, "allowed sum of motor torques for creeping")
    creep_speed = value("rad/s", 70.0, 0.0, 500.0, "motor speed above which nothing may creep")
    regeneration_share = value("1", 0.4, 0.0, 1.0, "allowed share of the torque for braking without the brake pedal")
    regeneration_pedal = value("1", 0.4, 0.0, 1.0, "accelerator position above which nothing brakes without the brake pedal")
    power_tolerance = value("1", 0.05, 0.0, 1.0, "mechanical power beyond the battery's limit that is a fault")
    power_floor = value("W", 5e3, 0.0, 100e3, "mechanical power that is always allowed")
    hold_time = value("s", 0.1, 0.0, 2.0, "time for which an invalid input is replaced by its last value")
    # Slower than the torque path in normal drive.
    release_rate = value("Nm/s", 1400.0, 10.0, 50e3, "rate at which the allowed torque of each motor falls")


@record
class Supervisor:
    """Start-up, shut-down, arming. The times of the start-up are those of a LEAF e+, from its recorded start."""

    wake_time = value("s", 0.52, 0.0, 10.0, "time from waking to the request for the main relay")
    relay_time = value("s", 0.37, 0.0, 10.0, "time from that request to the start of precharge")
    precharge_time = value("s", 0.45, 0.0, 10.0, "shortest precharge")
    precharge_timeout = value("s", 5.0, 0.1, 30.0, "longest precharge")
    precharge_share = value("1", 0.95, 0.5, 1.0, "share of the pack voltage that every DC link must reach")
    precharge_voltage_min = value("V", 140.0, 0.0, 1000.0, "pack voltage below which nothing is precharged")
    battery_timeout = value("s", 10.0, 0.5, 120.0, "longest wait for a well battery")
    ready_time = value("s", 0.53, 0.0, 10.0, "time from high voltage to READY")
    absence_diagnosis_time = value("s", 2.1, 0.0, 60.0, "time from READY until absent frames may be stored as faults")
    interlock_required = flag("the main relay waits for the high-voltage interlock", default=1)
    shutdown_torque = value("Nm", 5.0, 0.0, 100.0, "motor torque below which the main relay may open")
    shutdown_speed = value("m/s", 3.0, 0.0, 50.0, "vehicle speed below which the main relay may open")
    shutdown_timeout = value("s", 60.0, 0.0, 600.0, "longest wait for both")
    stop_timeout = value("s", 0.2, 0.0, 10.0, "longest wait for that torque when a fault forbids high voltage")
    discharge_time = value("s", 0.03, 0.0, 1.0, "time for which the start of discharge is announced")
    sleep_time = value("s", 1.0, 0.0, 60.0, "time from the relay's opening until silence")
    engage_speed = value("m/s", 2.0, 0.0, 10.0, "speed above which no gear of the other direction engages")
    brake_pressed = value("1", 0.03, 0.0, 1.0, "brake-pedal position that counts as pressed")
    arming_required = flag("torque stays zero until the operator has armed the controller")


@record
class Calibration:
    """All calibration values of the controller."""

    vehicle = Vehicle
    front = Axle
    rear = Axle
    input_qualification = InputQualification
    vehicle_speed = VehicleSpeed
    driver_demand = DriverDemand
    yaw_control = YawControl
    torque_split = TorqueSplit
    wheel_slip = WheelSlip
    brake_blending = BrakeBlending
    discharge_limiter = DischargeLimiter
    power_budget = PowerBudget
    torque_path = TorquePath
    torque_monitor = TorqueMonitor
    supervisor = Supervisor
