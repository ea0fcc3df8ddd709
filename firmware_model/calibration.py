"""The one table of calibration values: name, unit, limits, default, and what each one does.

One record a control law, one line a value. Defaults are those of the twin-motor LEAF of 2019 (two EM57 motors, 62 kWh pack);
``bench/vehicles`` overrides them for other cars. Where a default was measured, published or assumed, its comment says so.
No kernel holds a limit, a gain or a time of its own.
"""

from firmware_model import faults
from firmware_model.kernel import Field, flag, integer, real, record
from firmware_model.measurements import FAULT_BITS


def value(unit: str, default: float, minimum: float, maximum: float, description: str) -> Field:
    """One line of the table."""
    return real(unit, description, default=default, minimum=minimum, maximum=maximum)


def curve(unit: str, default: tuple[float, ...], minimum: float, maximum: float, description: str) -> Field:
    """One characteristic of the table: its values at the points of another one."""
    return real(unit, description, default=default, minimum=minimum, maximum=maximum, shape=(len(default),))


def surface(unit: str, default: tuple[tuple[float, ...], ...], minimum: float, maximum: float, description: str) -> Field:
    """One map of the table: its values at the points of two others, one row a point of the first."""
    return real(unit, description, default=default, minimum=minimum, maximum=maximum, shape=(len(default), len(default[0])))


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
    yaw_inertia = value("kgm2", 3150.0, 500.0, 10e3, "moment of inertia about the vertical axis")
    roll_stiffness_front = value("1", 0.57, 0.0, 1.0, "front share of the roll stiffness")
    front_cornering_stiffness = value("N/rad", 115e3, 10e3, 500e3, "cornering stiffness of the front axle, both tyres")
    rear_cornering_stiffness = value("N/rad", 155e3, 10e3, 500e3, "cornering stiffness of the rear axle, both tyres")
    slip_stiffness = value("1", 22.0, 2.0, 100.0, "longitudinal slip stiffness of the tyres over their load")
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
    wheel_inertia = value("kgm2", 1.0, 0.1, 20.0, "moment of inertia of one wheel")
    rotor_inertia = value("kgm2", 2.69, 1e-3, 50.0, "the part of it that the half shafts drive: motor and gears, at the axle")
    # 9 Hz: rotor against road on half shafts and tyres, from the car's data sheet (an assumption there).
    driveline_frequency = value("rad/s", 57.0, 10.0, 400.0, "angular frequency at which the motor swings on the half shafts")
    motor_torque_max = value("Nm", 340.0, 0.0, 1000.0, "highest motor torque, either sign")
    motor_power_max = value("W", 160e3, 0.0, 1e6, "highest mechanical motor power, either sign")
    motor_speed_max = value("rad/s", 1190.0, 10.0, 3000.0, "motor speed at which driving torque has ended")
    # Least squares over a drive of a LEAF e+ recorded on its CAN bus: 0.6 kW rms over -25 to 176 kW.
    loss_idle = value("W", 60.0, 0.0, 5000.0, "loss of the switching inverter")
    loss_speed = value("W/(rad/s)2", 0.0051, 0.0, 0.1, "iron and windage loss over speed squared")
    loss_torque = value("W/Nm2", 0.0575, 1e-3, 2.0, "copper loss over torque squared")
    loss_weakening = value("W/(Nm rad/s)2", 2.05e-7, 0.0, 1e-4, "field-weakening loss over torque and speed squared")
    # Assumptions. The LEAF's temperature frame ends at 123 degC, so all of it has to happen below.
    motor_temperature_start = value("degC", 100.0, 0.0, 250.0, "winding temperature above which torque is derated")
    motor_temperature_end = value("degC", 120.0, 0.0, 250.0, "winding temperature at which torque has ended")
    inverter_temperature_start = value("degC", 80.0, 0.0, 250.0, "power-stage temperature above which torque is derated")
    inverter_temperature_end = value("degC", 100.0, 0.0, 250.0, "power-stage temperature at which torque has ended")
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
    heal_time = value("s", 0.2, 0.0, 10.0, "time a source must be well until it is trusted again")

    # Contradictions; how long they must last is in the table of faults.
    accelerator_tolerance = value("1", 0.05, 0.005, 0.5, "difference of the accelerator's tracks that is still well")
    dc_link_tolerance = value("V", 25.0, 1.0, 500.0, "difference of DC link and pack voltage that is still well")
    # Wheel speeds come every 20 ms; the mean of both wheels follows the motor through an open differential.
    wheel_tolerance = value("m/s", 1.5, 0.1, 20.0, "difference of wheel and motor speed that is still well")
    wheel_tolerance_share = value("1", 0.1, 0.0, 1.0, "the same, as a share of the speed, in addition")
    yaw_speed_min = value("m/s", 3.0, 0.5, 50.0, "speed below which wheels tell no yaw rate")
    yaw_agreement = value("rad/s", 0.15, 0.01, 2.0, "difference of the yaw rates of both axles' wheels that count as rolling")
    yaw_tolerance = value("rad/s", 0.3, 0.05, 5.0, "difference of yaw rate and wheels that is still well")
    # 25 Nm drive a LEAF at 80 km/h on the level, and spin no wheel but on wet ice.
    motor_torque_free = value("Nm", 25.0, 0.0, 1000.0, "sum of motor torques below which the wheels roll freely")
    brake_pressure_free = value("Pa", 2e5, 0.0, 5e6, "brake pressure below which a wheel rolls freely")
    # A grade of 35 % is 3.4 m/s2.
    acceleration_tolerance = value("m/s2", 6.0, 1.0, 50.0, "difference of acceleration and wheels that is still well")
    acceleration_lag = value("s", 0.5, 0.05, 5.0, "time over which both are compared")


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
    friction_used_start = value("1", 0.15, 0.0, 1.0, "share of the friction from which driven wheels are believed less")
    friction_used_end = value("1", 0.6, 0.0, 1.5, "share of the friction from which they are not believed at all")
    quiet_force = value(
        "N",
        500.0,
        0.0,
        5000.0,
        "motor force below which the wheels roll on any road; brake force beyond the motors' that brakes the car",
    )
    wheels_only_time_constant = value("s", 0.05, 0.0, 5.0, "lag behind the wheels without an acceleration sensor")


@record
class DriverDemand:
    """Pedals, shifter, drive mode and e-Pedal to wanted longitudinal force."""

    mode_time_constant = value("s", 0.25, 0.0, 5.0, "time in which a change of drive mode, D and B, or e-Pedal takes effect")
    pedal_points = curve("1", (0.0, 0.1, 0.25, 0.5, 0.75, 1.0), 0.0, 1.0, "pedal positions of the force maps")
    speed_points = curve("m/s", (0.0, 2.0, 5.0, 10.0, 18.0, 26.0, 35.0, 45.0), 0.0, 100.0, "speeds of force maps and curves")
    # Pedal floored: 680 Nm of two motors at the wheels, then 320 kW. Eco ends 10 % below: a LEAF e+ in ECO drew 158.9 kW at full
    # pedal, 177.7 kW otherwise. The other shapes are assumed.
    force_standard = surface(
        "N",
        (
            (0.0, 0.0, -900.0, -1300.0, -1300.0, -1200.0, -1000.0, -850.0),
            (1611.0, 1611.0, 792.0, 428.0, 419.0, 15.0, -87.0, -134.0),
            (3759.0, 3759.0, 3048.0, 2732.0, 2711.0, 1635.0, 1129.0, 822.0),
            (8055.0, 8055.0, 7560.0, 7340.0, 7295.0, 4875.0, 3563.0, 2732.0),
            (12888.0, 12888.0, 12636.0, 12524.0, 12452.0, 8520.0, 6301.0, 4881.0),
            (17900.0, 17900.0, 17900.0, 17900.0, 17800.0, 12300.0, 9140.0, 7110.0),
        ),
        -20e3,
        50e3,
        "force over pedal positions (rows) and speeds, Standard; with the pedal released that of D",
    )
    force_sport = surface(
        "N",
        (
            (0.0, 0.0, -1120.0, -1620.0, -1620.0, -1500.0, -1250.0, -1060.0),
            (2150.0, 2150.0, 1160.0, 720.0, 710.0, 160.0, 0.0, -80.0),
            (5190.0, 5190.0, 4390.0, 4040.0, 4010.0, 2500.0, 1760.0, 1310.0),
            (10380.0, 10380.0, 9910.0, 9700.0, 9640.0, 6500.0, 4780.0, 3680.0),
            (14860.0, 14860.0, 14670.0, 14580.0, 14500.0, 9950.0, 7370.0, 5720.0),
            (17900.0, 17900.0, 17900.0, 17900.0, 17800.0, 12300.0, 9140.0, 7110.0),
        ),
        -20e3,
        50e3,
        "force over pedal positions (rows) and speeds, Sport; with the pedal released that of D",
    )
    force_eco = surface(
        "N",
        (
            (0.0, 0.0, -1260.0, -1820.0, -1820.0, -1680.0, -1400.0, -1190.0),
            (720.0, 770.0, -320.0, -740.0, -750.0, -920.0, -820.0, -730.0),
            (1810.0, 1930.0, 1080.0, 870.0, 860.0, 230.0, 40.0, -50.0),
            (4110.0, 4380.0, 4060.0, 4280.0, 4250.0, 2660.0, 1870.0, 1390.0),
            (7010.0, 7480.0, 7810.0, 8580.0, 8530.0, 5710.0, 4180.0, 3210.0),
            (16110.0, 16110.0, 16110.0, 16110.0, 16020.0, 11070.0, 8230.0, 6400.0),
        ),
        -20e3,
        50e3,
        "force over pedal positions (rows) and speeds, Eco; with the pedal released that of D",
    )
    force_snow = surface(
        "N",
        (
            (0.0, 0.0, -540.0, -780.0, -780.0, -720.0, -600.0, -510.0),
            (470.0, 500.0, 50.0, -110.0, -120.0, -250.0, -250.0, -240.0),
            (1130.0, 1200.0, 870.0, 820.0, 810.0, 400.0, 240.0, 150.0),
            (2540.0, 2710.0, 2640.0, 2810.0, 2790.0, 1800.0, 1290.0, 970.0),
            (4320.0, 4610.0, 4870.0, 5340.0, 5310.0, 3570.0, 2620.0, 2010.0),
            (12530.0, 12530.0, 12530.0, 12530.0, 12460.0, 8610.0, 6400.0, 4980.0),
        ),
        -20e3,
        50e3,
        "force over pedal positions (rows) and speeds, Snow; with the pedal released that of D",
    )
    # Up to 0.2 g for the e-Pedal, and some deceleration left for the last metre: assumed.
    force_lift_off_brake = curve(
        "N", (0.0, 0.0, 2200.0, 3200.0, 3000.0, 2300.0, 1700.0, 1300.0), 0.0, 20e3, "regeneration with the pedal released, B"
    )
    force_lift_off_e_pedal = curve(
        "N",
        (1200.0, 2000.0, 3300.0, 3700.0, 3500.0, 3000.0, 2500.0, 2000.0),
        0.0,
        20e3,
        "braking force with the pedal released, e-Pedal",
    )
    lift_off_gain = curve("1", (1.0, 1.0, 1.0, 0.6), 0.0, 2.0, "share of both curves in Standard, Sport, Eco, Snow")
    hold_speed = value("m/s", 0.15, 0.0, 2.0, "speed below which the e-Pedal holds the car")
    # Holds 1875 kg on a slope of 33 %.
    hold_force = value("N", 6000.0, 0.0, 20e3, "braking force with which it does so")
    hold_release_force = value("N", 3500.0, 10.0, 20e3, "force of the accelerator at which the hold has let go")
    hold_rate = value("N/s", 20e3, 100.0, 200e3, "rate of the holding force")
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
class TyreLoad:
    """Loads and lateral forces of the tyres."""

    longitudinal_time_constant = value("s", 0.1, 0.0, 1.0, "lag of the acceleration that shifts load between the axles")
    lateral_time_constant = value("s", 0.03, 0.0, 1.0, "lag of the acceleration that tells the lateral forces")
    yaw_time_constant = value("s", 0.04, 0.005, 1.0, "lag of the yaw rate of which the yaw acceleration is formed")
    capacity_least = value("1", 0.1, 0.0, 1.0, "share of a tyre's friction that is left for braking and driving in any curve")


@record
class Sideslip:
    """Observer of the sideslip angle."""

    gain = value("1", 0.6, 0.0, 5.0, "share of the tyre model's lateral acceleration in the observer (0: sensors alone)")
    relaxation_length = value("m", 0.5, 0.0, 3.0, "distance in which a tyre's lateral force follows its slip angle")
    washout_time_constant = value("s", 8.0, 0.1, 100.0, "time in which the estimate fades: drift of the sensors")
    angle_max = value("rad", 0.7, 0.05, 1.5, "highest sideslip angle, either sign")
    fade_in_start = value("m/s", 3.0, 0.5, 30.0, "speed at which the observer begins")
    fade_in_end = value("m/s", 6.0, 1.0, 40.0, "speed from which it is full")


@record
class Friction:
    """Estimate of the friction coefficient."""

    minimum = value("1", 0.08, 0.01, 1.0, "lowest friction that is reckoned with")
    maximum = value("1", 1.2, 0.1, 2.0, "highest friction that is reckoned with; the estimate starts there")
    cornering_time_constant = value("s", 0.1, 0.0, 5.0, "lag of the estimate towards a lower friction that cornering shows")
    slip_time_constant = value("s", 0.03, 0.0, 5.0, "the same that a slipping wheel shows")
    recovery_rate = value("1/s", 0.1, 0.0, 10.0, "relative growth of the estimate while nothing confirms it")
    tested_rate = value("1/s", 0.3, 0.0, 10.0, "relative growth while tyres use it without slipping")
    tested_share = value("1", 0.9, 0.1, 1.0, "share of the estimate that tyres have to use for that")
    # Assumption: where one side is slippery, the other is no dry road until it has shown so.
    side_difference = value("1", 0.3, 0.0, 1.0, "friction that one side is believed to have beyond the slippery one")
    slip_share = value("1", 1.0, 0.1, 2.0, "slip of a wheel, relative to what is held, from which it tells about friction")
    cornering_speed_min = value("m/s", 8.0, 1.0, 50.0, "speed above which cornering tells about friction")
    cornering_force_share = value("1", 0.6, 0.05, 2.0, "lateral force over load that the tyres must promise to be judged")
    linear_share = value("1", 0.8, 0.1, 0.99, "share of the promised force above which tyres are not at their limit")


@record
class YawControl:
    """Reference yaw rate and the yaw moment that makes the car follow it."""

    enabled = flag("yaw control may act", default=1)
    understeer_gradient = value("rad/(m/s2)", 0.0033, -0.02, 0.05, "road-wheel angle per lateral acceleration, of the car itself")
    # Assumption: Sport turns in more willingly than the car itself, Snow less.
    understeer_share = curve("1", (1.0, 0.8, 1.0, 1.3), -2.0, 5.0, "share of it that is wanted in Standard, Sport, Eco and Snow")
    friction_share = value("1", 0.8, 0.1, 1.0, "share of the friction that the reference may use")
    reference_lag_gradient = value("s3/m2", 1.3e-4, 0.0, 0.01, "lag of the reference yaw rate into a curve, over speed squared")
    exit_lag_share = value("1", 0.6, 0.0, 1.0, "share of that lag out of the curve")
    feed_forward = value("1", 0.3, 0.0, 2.0, "share of the reference's yaw acceleration that is fed forward as moment")
    deadband = value("rad/s", 0.003, 0.0, 0.5, "yaw-rate error that is left alone")
    gain = value("Nm/(rad/s)", 60e3, 0.0, 200e3, "yaw moment per yaw-rate error")
    gain_rate = value("Nm/(rad/s2)", 2e3, 0.0, 50e3, "yaw moment per rate of the yaw-rate error")
    gain_integral = value("Nm/rad", 30e3, 0.0, 500e3, "yaw moment per integrated yaw-rate error")
    error_rate_time_constant = value("s", 0.03, 0.0, 1.0, "lag of the rate of the yaw-rate error")
    integral_time_constant = value("s", 1.0, 0.05, 100.0, "time in which the integral fades")
    moment_max = value("Nm", 12e3, 0.0, 50e3, "highest yaw moment, either sign")
    moment_tolerance = value("Nm", 200.0, 0.0, 10e3, "moment that the allocation may miss before the integral stands still")
    fade_in_start = value("m/s", 5.6, 0.5, 30.0, "speed at which yaw control begins: 20 km/h, FMVSS 126")
    fade_in_end = value("m/s", 9.0, 1.0, 40.0, "speed from which yaw control is full")
    sideslip_friction_share = value("s2/m", 0.01, 0.001, 0.1, "sideslip bound per friction: atan(this x mu x g)")
    sideslip_gain = value("Nm/rad", 60e3, 0.0, 500e3, "yaw moment per sideslip beyond its bound")


@record
class TorqueSplit:
    """Preferred distribution of the wanted force over front and rear axle."""

    front_share = value("1", 0.5, 0.0, 1.0, "front share of the force at rest")
    # Assumption: Sport drives its rear wheels more; in Snow both axles stay even.
    mode_shift = curve("1", (0.0, -0.1, 0.0, 0.0), -0.5, 0.5, "what Standard, Sport, Eco and Snow add to the front share")
    load_gain = value("1", 0.5, 0.0, 2.0, "how far the split follows the axle loads (0: not, 1: fully)")
    efficiency_weight = value("1", 1.0, 0.0, 1.0, "weight of the losses at small force")
    efficiency_force_start = value("N", 1500.0, 0.0, 50e3, "force up to which the losses decide")
    efficiency_force_end = value("N", 5000.0, 1.0, 50e3, "force from which the tyres decide")
    front_share_min = value("1", 0.0, 0.0, 1.0, "lowest front share")
    front_share_max = value("1", 1.0, 0.0, 1.0, "highest front share")


@record
class Allocation:
    """Least-squares allocation of force and yaw moment to motors and brakes."""

    enabled = flag("wheels are kept within their friction; off: only motors, brakes and battery bound the allocation", default=1)
    # Weights are relative to that of a motor's departure from the preferred split. Powers of a hundred rank; more loses digits.
    weight_moment = value("1", 1e6, 0.0, 1e9, "weight of the yaw moment")
    weight_force = value("1", 1e4, 1.0, 1e9, "weight of the wanted force")
    weight_brake = value("1", 100.0, 1.0, 1e6, "weight of using a brake with a mean load on its wheel")
    load_ratio_max = value("1", 4.0, 1.0, 100.0, "highest weight of an unloaded wheel's brake, relative to the mean")
    capacity_share = value("1", 0.95, 0.1, 1.5, "share of a tyre's longitudinal capacity that may be used")
    give_up_share = value("1", 0.3, 0.0, 1.0, "share of its friction with which a front wheel may brake against any turn")
    brake_reach = value("1", 0.4, 0.05, 1.0, "how far a brake gets towards a new force while a motor's torque builds up")
    compensation_share = value("1", 0.15, 0.0, 1.0, "force beyond the driver's wish with which motors make up for brakes")
    lateral_loss_max = value("1", 0.5, 0.0, 2.0, "highest lateral force lost per longitudinal force")


@record
class Driveline:
    """What the road takes from axles and wheels."""

    axle_time_constant = value("s", 0.03, 0.0, 1.0, "lag of acceleration and road torque observed of an axle")
    wheel_time_constant = value("s", 0.01, 0.0, 1.0, "the same of a wheel, whose frames are twice as far apart")
    frame_age_max = value("s", 0.1, 0.02, 1.0, "time between two frames after which acceleration is not formed of them")


@record
class RideControl:
    """Pitch by the motors' braking and damping; driveline without shudder."""

    enabled = flag("ride control may act", default=1)
    # Springs and side-view geometry: the car's data sheet, assumptions there.
    front_spring_rate = value("N/m", 53e3, 5e3, 500e3, "spring rate of the front axle, both wheels")
    rear_spring_rate = value("N/m", 62e3, 5e3, 500e3, "spring rate of the rear axle, both wheels")
    front_drive_support = value("1", 0.0, -0.5, 0.5, "vertical force that the front links make of the motor's longitudinal one")
    rear_drive_support = value("1", 0.12, -0.5, 0.5, "the same behind")
    pitch_frequency = value("rad/s", 8.6, 3.0, 30.0, "angular frequency of the pitch")
    pitch_damping_ratio = value("1", 0.3, 0.05, 1.0, "damping of the pitch over the critical one")
    pitch_gradient = value("rad/(m/s2)", 0.0037, 0.0, 0.02, "steady pitch angle per acceleration, both axles driving")
    pitch_weight = value("1", 4.0, 0.0, 50.0, "worth of a square of pitch against one of tyre use, in the motors' braking")
    rear_friction_share = value("1", 0.6, 0.0, 1.0, "share of the rear tyres' friction that braking for the pitch may use")
    load_share_min = value("1", 0.1, 0.01, 0.4, "load share that no axle is taken to fall below")
    pitch_gain = value("N/(rad/s)", 20e3, 0.0, 200e3, "force per pitch rate")
    # Assumption: a driver feels a missing acceleration from about 0.3 m/s2 on.
    pitch_force_max = value("N", 600.0, 0.0, 5000.0, "highest force that damps the pitch, either sign")
    fade_in_start = value("m/s", 1.0, 0.0, 20.0, "speed at which damping the pitch begins")
    fade_in_end = value("m/s", 3.0, 0.1, 30.0, "speed from which damping the pitch is full")
    # A LEAF's rotor crosses 6 deg of backlash in 50 ms, and lands with a quarter of the energy that 1500 Nm/s give it.
    backlash_torque = value("Nm", 6.0, 0.0, 50.0, "motor torque below which the driveline may be in its backlash")
    backlash_rate = value("Nm/s", 200.0, 10.0, 50e3, "rate of motor torque there")
    driveline_damping = value("1", 0.06, 0.0, 1.0, "damping of the driveline's oscillation over the critical one")
    shaping_damping = value("1", 0.95, 0.1, 2.0, "the same of what the shaping puts in its place")
    feedback_gain = value("Nm/(rad/s2)", 0.0125, 0.0, 0.2, "motor torque per fast acceleration of the motor")
    feedback_share = value("1", 0.15, 0.0, 1.0, "highest such torque as share of the motor's own")
    feedback_washout = value("s", 0.08, 0.01, 1.0, "time constant of what counts as the car's own acceleration")


@record
class WheelSlip:
    """Windows of motor and brake torque in which the wheels neither spin nor lock."""

    enabled = flag("slip control may act", default=1)
    slip_speed = value("m/s", 0.4, 0.1, 5.0, "slip speed that is held at low speed")
    certain_share = value(
        "1", 2.0, 0.0, 10.0, "slip behind the half shafts, relative to what is held, that needs no confirmation"
    )
    sensed_share = value("1", 0.7, 0.0, 2.0, "slip by the wheels' sensors, relative to what is held, that confirms less")
    alert_time = value("s", 0.3, 0.0, 5.0, "time after slip in which it needs no confirmation and is held evenly")
    slip_ratio = value("1", 0.07, 0.01, 0.5, "slip per friction that is held at higher speed")
    curve_share = value("1", 0.5, 0.1, 1.0, "share of that slip which is left when cornering takes all friction")
    # Request to delivered torque on the real car 30 ms, and the age of the speed in its frame
    motor_lag = value("s", 0.035, 0.0, 0.2, "lag of the motor torque that is reckoned with")
    motor_time_constant = value("s", 0.06, 0.005, 1.0, "time in which a motor takes slip back to its target")
    brake_lag = value("s", 0.12, 0.0, 0.5, "lag of the brakes that is reckoned with")
    brake_time_constant = value("s", 0.06, 0.01, 1.0, "time in which a brake takes slip back to its target")
    brake_response = value("s", 0.06, 0.0, 0.5, "time constant of the brakes' hydraulics")
    brake_release_time = value("s", 0.1, 0.0, 5.0, "time constant with which a wheel's window opens again")
    spin_share = value("1", 1.3, 1.0, 5.0, "slip that brakes leave to a wheel that spins, relative to what motors hold")
    lock_share = value("1", 2.0, 1.0, 5.0, "slip that brakes leave to a wheel that they brake, relative to the same")
    held_share = value("1", 0.9, 0.1, 1.0, "share of its window's bound beyond which a wheel that spun or locked is still held")
    regeneration_recovery = value("1/s", 1.0, 0.0, 100.0, "how fast a motor brakes again after its wheels were kept from locking")
    brake_torque_max = value("Nm", 3500.0, 0.0, 20e3, "highest friction torque of one wheel")
    # Below what the torque monitor tolerates for a spinning axle
    opposite_torque_max = value("Nm", 0.0, 0.0, 1000.0, "motor torque that may brake a spinning axle against the driver's wish")


@record
class BrakeBlending:
    """Braking by the motors first; the friction brakes fill in."""

    regeneration_deceleration_max = value("m/s2", 3.0, 0.0, 10.0, "deceleration that the motors may do alone")
    fade_out_start = value("m/s", 3.5, 0.5, 20.0, "speed below which regeneration gives way to friction")
    fade_out_end = value("m/s", 1.0, 0.0, 10.0, "speed at which regeneration has ended")
    # Request to delivered torque on the real car
    delivery_lag = value("s", 0.03, 0.0, 0.5, "lag of the delivered motor torque")
    delivery_tolerance = value("Nm", 15.0, 0.0, 200.0, "deviation of the delivered motor torque that is not made up for")


@record
class Pack:
    """The pack as its data sheet has it. A row is all cells in parallel, at pack current; the pack is rows in series."""

    cell_count = integer("cells in series", default=96, minimum=1, maximum=400)
    capacity = value("A s", 608040.0, 1e3, 1e8, "charge of the new pack")
    heat_capacity = value("J/K", 370e3, 1e3, 1e8, "heat capacity of the pack")
    # AESC Gen-4 NMC: rest points of a LEAF e+ on CAN, between them the shape of a public NMC curve (Mohtat 2020).
    open_circuit_voltage = curve(
        "V",
        (
            2.752, 3.414, 3.463, 3.491, 3.537, 3.573, 3.592, 3.607, 3.625, 3.646, 3.671,
            3.701, 3.751, 3.805, 3.855, 3.909, 3.967, 4.029, 4.094, 4.162, 4.227,
        ),
        1.0, 5.0, "rest voltage of a cell at state of charge 0, 0.05 ... 1",
    )  # fmt: skip
    # Least squares over full-throttle drives of a LEAF e+: 43.1, 7.0 and 34.8 mOhm of 96 rows.
    resistance_0 = value("Ohm", 4.49e-4, 1e-6, 0.1, "series resistance of a row, at 25 degC and mid charge")
    resistance_1 = value("Ohm", 7.3e-5, 0.0, 0.1, "resistance of a row's fast RC element")
    resistance_2 = value("Ohm", 3.627e-4, 0.0, 0.1, "resistance of a row's slow RC element")
    time_constant_1 = value("s", 1.5, 0.05, 60.0, "time constant of the fast RC element")
    time_constant_2 = value("s", 21.8, 1.0, 1e4, "time constant of the slow RC element")
    # HPPC pulses of a 2013 LEAF cell: flat from 16 to 90 % charge; empty is an assumption.
    series_over_charge = curve(
        "1", (2.5, 1.25, 1.1, 1.02, *[1.0] * 16, 1.1), 0.1, 20.0, "factor on resistance_0 at state of charge 0, 0.05 ... 1"
    )
    polarisation_over_charge = curve(
        "1", (2.5, 1.25, 1.1, 1.02, *[1.0] * 16, 1.1), 0.1, 20.0, "factor on resistance_1 and _2 at state of charge 0, 0.05 ... 1"
    )
    # exp(1567 K (1/T - 1/298.15 K)), from the same cell's pulses at 10 and 40 degC; outside an extrapolation.
    series_over_temperature = curve(
        "1",
        (
            3.283, 2.883, 2.545, 2.258, 2.012, 1.800, 1.618, 1.459, 1.321, 1.200,
            1.094, 1.000, 0.917, 0.843, 0.777, 0.719, 0.666, 0.618, 0.576,
        ),
        0.05, 100.0, "factor on resistance_0 at -30, -25 ... 60 degC",
    )  # fmt: skip
    # Likewise, 1336 K.
    polarisation_over_temperature = curve(
        "1",
        (
            2.755, 2.467, 2.218, 2.002, 1.815, 1.651, 1.507, 1.380, 1.268, 1.168,
            1.079, 1.000, 0.929, 0.865, 0.807, 0.755, 0.707, 0.664, 0.625,
        ),
        0.05, 100.0, "factor on resistance_1 and _2 at -30, -25 ... 60 degC",
    )  # fmt: skip
    resistance_in_charge = value("1", 1.0, 0.2, 5.0, "factor on all resistances while the pack is charged")
    charge_spread = value("1", 0.01, 0.0, 0.2, "state of charge by which the weakest cell is below the mean, the strongest above")
    resistance_spread = value("1", 0.05, 0.0, 1.0, "share by which the worst cell's resistance is above the mean")


@record
class PackEstimate:
    """On-line estimate of charge, polarisation and resistance: what the Kalman filter reckons with."""

    cell_voltage_plausible = value("V", 1.5, 0.5, 4.0, "cell voltage below which nothing is learnt from the pack")
    health_min = value("1", 0.3, 0.05, 1.0, "lowest believable state of health")
    # The LEAF's field has steps of 5.2 mV a cell; while the voltage hardly moves, its rounding does not average out.
    voltage_deviation = value("V", 3.5e-3, 1e-4, 0.1, "standard deviation of the measured mean cell voltage")
    innovation_max = value("V", 0.1, 1e-3, 1.0, "surprise of the cell voltage beyond which no more is believed")
    charge_deviation = value("1", 0.005, 1e-4, 1.0, "standard deviation of the reported state of charge, with which it starts")
    # A car has stood for minutes at least before its battery wakes.
    polarisation_deviation = value("V", 0.002, 1e-4, 0.5, "standard deviation of the polarisation voltages at the start")
    growth_deviation = value("1", 0.5, 0.01, 5.0, "standard deviation of the resistance factors before anything is learnt")
    # Age, cold and charge act on all resistances of a cell much alike.
    growth_correlation = value("1", 0.9, 0.0, 0.999, "correlation of the two resistance factors before anything is learnt")
    growth_time = value("s", 1000.0, 1.0, 1e6, "time in which the knowledge of the resistance factors would be lost")
    growth_min = value("1", 0.3, 0.01, 1.0, "lowest believable resistance factor")
    growth_max = value("1", 8.0, 1.0, 100.0, "highest believable resistance factor")
    charge_noise = value("1/sqrt(s)", 1e-5, 0.0, 1e-2, "random walk of the state of charge: error of current and capacity")
    polarisation_noise = value("V/sqrt(s)", 2e-5, 0.0, 0.1, "random walk of the polarisation voltages: error of the model")


@record
class DischargeLimiter:
    """What the pack can give and take now: several candidates, of which the lowest binds."""

    cell_voltage_min = value("V", 3.0, 1.5, 4.0, "cell voltage that discharge must not go below")
    cell_voltage_max = value("V", 4.2, 2.5, 4.5, "cell voltage that charge must not exceed")
    discharge_current_max = value("A", 800.0, 0.0, 3000.0, "highest discharge current")
    charge_current_max = value("A", 400.0, 0.0, 3000.0, "highest charge current")
    # The limit must hold until a lower one has gone through two frames and the inverter's lag.
    limit_horizon = value("s", 0.2, 0.0, 10.0, "time for which the limit holds if it is used fully")
    voltage_margin = value(
        "V", 5e-3, 0.0, 0.2, "room to the cell voltage limits: the resolution of the pack voltage in its frame"
    )
    charge_deviations = value("1", 2.0, 0.0, 6.0, "standard deviations of the estimated charge that the limit leaves free")
    # Busbars, fuse and contactors. Assumption: 480 A, the current of a LEAF e+ at its rated 180 kW, may flow for ever.
    heat_current = value("A", 480.0, 1.0, 3000.0, "current that may flow for ever")
    heat_time = value("s", 120.0, 1.0, 3600.0, "time constant in which a current warms its path")
    heat_horizon = value("s", 5.0, 0.1, 120.0, "time for which the limit leaves the current path cool enough")
    charge_horizon = value("s", 5.0, 0.1, 120.0, "time for which the limit leaves charge, or room for it, in the outermost cell")
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
    # Turtle of a 62 kWh LEAF comes at about 1.0 kWh.
    turtle_energy = value("J", 3.6e6, 0.0, 1e9, "remaining energy below which the car creeps home")
    turtle_release = value("J", 7.2e6, 0.0, 1e9, "remaining energy above which it no longer does")
    turtle_power = value("W", 20e3, 0.0, 1e6, "discharge power that is left for creeping home")
    rise_rate = value("W/s", 200e3, 1e3, 10e6, "how fast a limit may rise")


@record
class PowerBudget:
    """Motor torques that keep the DC power of both axles and the auxiliaries inside the battery's limits."""

    # LEAF: the VCM uses 98.7 % of the discharge limit and 97 to 98 % of the charge limit.
    margin = value("1", 0.007, 0.0, 0.2, "share of the discharge limit that is left free")
    charge_margin = value("1", 0.02, 0.0, 0.2, "share of the charge limit that is left free")
    # The LEAF's limits come in steps of 250 W.
    margin_power = value("W", 250.0, 0.0, 5000.0, "power that is left free in addition: the resolution of the limit in its frame")
    auxiliary_power = value("W", 400.0, 0.0, 20e3, "power of heater, air conditioning and DC/DC converter")
    # LEAF e+: 30 ms from request to reported torque, 10 ms of them for the frame.
    torque_lag = value("s", 0.02, 0.0, 0.2, "lag of first order of an inverter behind its request")
    lead_gain = value("1", 2.0, 0.0, 10.0, "power held back per power under way that is too much")
    report_lag = value("s", 0.025, 0.0, 0.2, "time until the pack shows the power that the inverters have reached")
    obedience_power = value("W", 1e3, 0.0, 50e3, "difference of mechanical power that is still the torque that was asked for")
    obedience_share = value("1", 0.01, 0.0, 0.5, "the same, as share of the power, in addition")
    learning_change = value("1", 4.0, 0.0, 10.0, "how much a changing power hinders learning")
    # 30 ms from request to torque on the real car, and the age of the motor speed in its frame.
    look_ahead = value("s", 0.032, 0.0, 0.2, "how far ahead the motor speed is predicted")
    acceleration_time_constant = value("s", 0.03, 0.005, 1.0, "lag of the motor acceleration used to look ahead")
    # About one period of the half shafts' swing
    lead_hold = value("s", 0.1, 0.0, 2.0, "time constant with which a motor's lead on the car is taken to fall back")
    acceleration_max = value("rad/s2", 500.0, 0.0, 5000.0, "highest motor acceleration reckoned with, either sign")
    # 0x1D4 asks in steps of 0.25 Nm.
    torque_rounding = value("Nm", 0.125, 0.0, 5.0, "motor torque by which a request may be off: half a step of its frame")
    learning_gain = value("1/s", 5.0, 0.0, 20.0, "learning of the factor on the modelled losses")
    learning_loss = value("W", 5e3, 0.0, 100e3, "loss at which learning is half as fast")
    loss_factor_min = value("1", 0.5, 0.1, 1.0, "lowest factor on the modelled losses")
    loss_factor_max = value("1", 2.0, 1.0, 5.0, "highest factor on the modelled losses")


@record
class ThermalDerating:
    """What heat leaves a motor of its torque."""

    # Ten lost frames of 100 ms.
    timeout = value("s", 1.0, 0.2, 60.0, "silence of an axle's temperatures until they count as unknown")
    # Half of the peak torque and power is what such a motor gives for half an hour (UN R85): assumption.
    share_unknown = value("1", 0.5, 0.0, 1.0, "share of the torque while a temperature is unknown")
    rate = value("1/s", 0.1, 0.001, 10.0, "how fast the share of the torque may change")


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
    """The independent second opinion. Its values are stated again on purpose: they are not derived from those above.

    Beyond the bounds that the monitor holds as constants of its own they have no effect.
    """

    # Thresholds and times of a production dual-motor car's torque monitor.
    excess_torque = value("Nm", 10.0, 0.0, 200.0, "motor torque beyond the allowed one that is a fault")
    opposite_torque = value("Nm", 8.0, 0.0, 200.0, "torque of the wrong sign that is a fault")
    fault_time = value("s", 0.01, 0.0, 1.0, "time until a wrong torque is a fault")
    heal_time = value("s", 0.02, 0.0, 10.0, "time until a fault is healed")
    motor_torque_max = value("Nm", 340.0, 0.0, 1000.0, "allowed torque of one motor, either sign")
    torque_sum_max = value("Nm", 680.0, 0.0, 2000.0, "allowed sum of motor torques with the pedal floored")
    # The envelope of the pedal maps of all drive modes, of which Sport is the highest.
    pedal_gain = value("1", 1.3, 0.0, 5.0, "allowed share of the driving torque per accelerator position")
    pedal_offset = value("1", 0.02, 0.0, 1.0, "allowed share of the driving torque with the pedal released")
    reverse_share = value("1", 0.5, 0.0, 1.0, "share of that torque which is allowed in reverse")
    creep_torque = value("Nm", 30.0, 0.0, 200.0, "allowed sum of motor torques for creeping")
    creep_speed = value("rad/s", 70.0, 0.0, 500.0, "motor speed above which nothing may creep")
    # The e-Pedal and B in every mode.
    regeneration_share = value("1", 0.4, 0.0, 1.0, "allowed share of the torque for braking without the brake pedal")
    regeneration_pedal = value("1", 0.4, 0.0, 1.0, "accelerator position above which nothing brakes without the brake pedal")
    power_tolerance = value("1", 0.05, 0.0, 1.0, "mechanical power beyond the battery's limit that is a fault")
    power_floor = value("W", 5e3, 0.0, 100e3, "mechanical power that is always allowed")
    hold_time = value("s", 0.1, 0.0, 2.0, "time for which an invalid input is replaced by its last value")
    # What the torque path may take to let a ramp through the driveline without shudder.
    release_delay = value("s", 0.1, 0.0, 1.0, "time from a smaller allowed torque until it begins to fall")
    # Slower than the torque path in normal drive.
    release_rate = value("Nm/s", 1400.0, 10.0, 50e3, "rate at which the allowed torque of each motor falls")
    slip_speed = value("m/s", 1.0, 0.1, 10.0, "speed above that of the car from which an axle counts as spinning")
    slip_ratio = value("1", 0.05, 0.0, 1.0, "the same, as a share of the speed, in addition")
    slip_torque = value("Nm", 170.0, 0.0, 1000.0, "motor torque that may brake a spinning axle against the driver's wish")
    slip_time = value("s", 0.5, 0.0, 10.0, "time for which it may")
    acceleration_max = value("m/s2", 12.0, 1.0, 100.0, "highest acceleration of the car that any road allows")
    # LEAF e+: request to reported torque 30 ms, beyond a request without lag by over 10 Nm for 70 ms at most. Until the frame
    # with the request leaves, and since the one with the report came, 10 ms more pass on average.
    delivery_lag = value("s", 0.04, 0.0, 0.2, "lag of the delivered torque behind the commanded one")
    deviation_torque = value("Nm", 10.0, 0.0, 200.0, "delivered torque beyond the commanded one that is a fault")
    deviation_time = value("s", 0.07, 0.0, 2.0, "time until it is a fault")
    uncontrolled_time = value("s", 0.5, 0.0, 10.0, "time until it is one that only the main relay can end")
    report_age_max = value("s", 0.05, 0.0, 2.0, "age of the reported torque up to which it is compared")


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
    # A LEAF inverter alone on a bench stores "no CAN" 2.0 s after its start.
    switch_timeout = value("s", 2.0, 0.1, 60.0, "silence of the pedals' node after which the driver's switch counts as off")
    limp_ready_time = value("s", 3.0, 0.0, 60.0, "time from high voltage to READY with one axle")
    limp_share = value("1", 0.5, 0.0, 1.0, "share of the driving torque that a limited output leaves")
    limp_fall_rate = value("1/s", 2.0, 0.1, 100.0, "rate at which that share falls")
    limp_rise_rate = value("1/s", 0.5, 0.01, 100.0, "rate at which that share rises")


@record
class HandTorque:
    """Clamp on torque by hand. Assumption: what a motor on a table does not tear itself loose with."""

    torque_max = value("Nm", 20.0, 0.0, 400.0, "highest motor torque by hand, either sign")
    speed_max = value("rad/s", 157.1, 0.0, 1500.0, "motor speed that torque by hand does not go beyond, either sign: 1500 rpm")
    speed_fade = value("rad/s", 20.0, 1.0, 500.0, "speed below it in which the torque fades out")


@record
class ActuatorTest:
    """Clamps of what a tester may ask of brakes and motors while the car stands. Assumptions."""

    speed_max = value("m/s", 0.5, 0.0, 2.0, "speed of the car, or of the faster motor by hand, from which no actuator is tested")
    # Holds the car on a grade of 35 %, and does not overload a brake line.
    brake_torque_max = value("Nm", 1500.0, 0.0, 4000.0, "highest brake torque of a test, each wheel")
    brake_torque_rate = value("Nm/s", 3000.0, 10.0, 20e3, "how fast a tested brake torque rises")
    motor_torque_max = value("Nm", 5.0, 0.0, 20.0, "highest motor torque of a test, either sign")
    motor_torque_rate = value("Nm/s", 20.0, 1.0, 200.0, "how fast a tested motor torque rises")
    time_max = value("s", 60.0, 1.0, 600.0, "longest test")
    heartbeat_timeout = value("s", 0.2, 0.05, 0.25, "standstill of the server's heartbeat until a test ends")


def per_fault(unit: str, key: str, maximum: float, description: str) -> Field:
    """One value a fault, by the number of its bit; the defaults are those of the table of faults."""
    default = [0.0] * FAULT_BITS
    for fault, reaction in faults.TABLE.items():
        default[fault.value.bit_length() - 1] = getattr(reaction, key)
    return curve(unit, tuple(default), 0.0, maximum, description)


@record
class FaultTimes:
    """Debouncing, healing and latching of each fault, by the number of its bit."""

    debounce_time = per_fault("s", "debounce_time", 10.0, "time from a fault's presence until it is active")
    healing_time = per_fault("s", "healing_time", 60.0, "time from a fault's absence until it is healed")
    latch_count = per_fault("1", "latch_count", 100.0, "activations until it is latched, 0 for never")
    latch_time = per_fault("s", "latch_time", 60.0, "active time until it is latched, 0 for never")


@record
class Calibration:
    """All calibration values of the controller."""

    vehicle = Vehicle
    front = Axle
    rear = Axle
    input_qualification = InputQualification
    vehicle_speed = VehicleSpeed
    driver_demand = DriverDemand
    tyre_load = TyreLoad
    sideslip = Sideslip
    friction = Friction
    yaw_control = YawControl
    torque_split = TorqueSplit
    allocation = Allocation
    driveline = Driveline
    ride_control = RideControl
    wheel_slip = WheelSlip
    brake_blending = BrakeBlending
    pack = Pack
    pack_estimate = PackEstimate
    discharge_limiter = DischargeLimiter
    power_budget = PowerBudget
    thermal_derating = ThermalDerating
    torque_path = TorquePath
    torque_monitor = TorqueMonitor
    supervisor = Supervisor
    hand_torque = HandTorque
    actuator_test = ActuatorTest
    faults = FaultTimes
