"""Torque monitor: the independent second opinion on the torque path (level 2 of the EGAS monitoring concept).

It reads the raw inputs, forms a coarse band of allowed torque by means of its own, for each motor and for their sum, and compares
the commands with it. The band is an envelope over all drive modes, B and e-Pedal. A torque beyond the band by more than a
threshold, or of a sign that the band excludes, is after some time a fault, which holds both torques at zero until the commands
have been inside again for some time. State and calibration are its own.

One torque against the driver's wish is right: that of slip control, which slows an axle down that has begun to spin. The
monitor accepts it where its own look at the raw speeds agrees: the motor turns in the direction of the gear, and faster than
the car moves by more than a threshold. The car's speed is that of its slower axle, and cannot rise faster than any road allows,
so that two spinning axles do not vouch for each other; an axle's speed is the higher one of wheels and motor, so that one dead
sensor makes no car slow. Such a torque is bounded in height and in time: an axle that does not come back is none that braking
helps.

What the inverter says that it delivers is compared with the command through the lag of the real one. Only more torque than the
command, or the other sign, is a fault: an inverter that gives less protects itself (0x1DA carries no limit that would tell), and
friction makes up for the braking that is missing. The torque of that axle is cut; if it goes on all the same, only the main relay
can end it.

The reaction cannot be calibrated away: the constants below bound every value that could widen a threshold, and a value beyond its
bound, or one that is not a number, counts as the bound.
"""

from math import inf, isfinite, nan
from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import clamp, lag, slew
from firmware_model.measurements import Fault
from firmware_model.signals import Gear

# Twice the thresholds of a production car, and what no sensible calibration of a LEAF or an Ariya exceeds.
EXCESS_TORQUE_MAX = 20.0  # [Nm]
OPPOSITE_TORQUE_MAX = 16.0  # [Nm]
FAULT_TIME_MAX = 0.02  # [s]
HEAL_TIME_MIN = 0.02  # [s]
MOTOR_TORQUE_MAX = 1000.0  # [Nm]
TORQUE_SUM_MAX = 2000.0  # [Nm]
PEDAL_GAIN_MAX = 2.5  # [1]
PEDAL_OFFSET_MAX = 0.05  # [1]
CREEP_TORQUE_MAX = 60.0  # [Nm]
CREEP_SPEED_MAX = 150.0  # [rad/s]
REGENERATION_SHARE_MAX = 0.6  # [1]
REGENERATION_PEDAL_MAX = 0.6  # [1]
POWER_TOLERANCE_MAX = 0.1  # [1]
POWER_FLOOR_MAX = 10e3  # [W]
HOLD_TIME_MAX = 0.2  # [s]
RELEASE_DELAY_MAX = 0.1  # [s]
RELEASE_RATE_MIN = 500.0  # [Nm/s]
SLIP_SPEED_MIN = 0.5  # [m/s]
SLIP_TORQUE_MAX = 250.0  # [Nm]
SLIP_TIME_MAX = 1.0  # [s]
ACCELERATION_MAX = 15.0  # [m/s2]
DELIVERY_LAG_MAX = 0.08  # [s]
DEVIATION_TORQUE_MAX = 20.0  # [Nm]
DEVIATION_TIME_MAX = 0.14  # [s]
UNCONTROLLED_TIME_MAX = 1.0  # [s]
REPORT_AGE_MAX = 0.1  # [s]
HAND_SILENCE_MAX = 1.0  # [s]
HAND_TORQUE_MAX = 400.0  # [Nm]
HAND_SPEED_MAX = 1500.0  # [rad/s]
TEST_TORQUE_MAX = 20.0  # [Nm]
TEST_SPEED_MAX = 100.0  # [rad/s]
TEST_SILENCE_MAX = 0.5  # [s]
# What is no pedal position and no power limit any more.
PEDAL_TOLERANCE = 0.1  # [1] beyond both ends
POWER_MAX = 1e6  # [W]

COMMAND_FAULTS = int(Fault.MONITOR_EXCESS | Fault.MONITOR_OPPOSITE)


@kernel
def check_driver(dt: float, inputs: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Compare the commands in ``outputs`` with what driver and battery (raw ``inputs``) allow; ``dt`` [s] since the last time."""
    gear = inputs.pedals.gear
    d = -1.0 if gear == Gear.REVERSE else 1.0
    _hold_inputs(dt, d, inputs, state, calibration)
    driving, braking = _allowed_torques(gear, state, calibration.torque_monitor)
    slip_front, slip_rear = _slip_torques(dt, d, inputs, state, outputs, measurements, calibration)
    if not (gear == Gear.REVERSE or gear == Gear.DRIVE or gear == Gear.BRAKE):
        driving = braking = slip_front = slip_rear = 0.0
    highest = _at_most(calibration.torque_monitor.motor_torque_max, MOTOR_TORQUE_MAX)
    one_driving, one_braking = _at_most(driving, highest), _at_most(braking, highest)
    front, rear = (one_driving, _larger(one_braking, slip_front)), (one_driving, _larger(one_braking, slip_rear))
    _set_bands(dt, d, front, rear, (driving, _larger(braking, slip_front + slip_rear)), state, calibration)
    _judge_commands(dt, outputs, state, measurements, calibration)
    enforce(state, outputs)
    _judge_deliveries(dt, inputs, outputs, True, True, state, measurements, calibration)
    _conclude(outputs, state, measurements)


@kernel
def check_request(dt: float, inputs: Any, request: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Compare the commands in ``outputs`` with a recorded ``request`` (Outputs), which they may not exceed.

    The recorded inverter obeyed the request and not the commands: what it delivered is compared with that.
    """
    _allow(dt, request.front.motor_torque, request.rear.motor_torque, state, calibration)
    _judge_commands(dt, outputs, state, measurements, calibration)
    age_max = _at_most(calibration.torque_monitor.report_age_max, REPORT_AGE_MAX)
    front_known, rear_known = request.front.link.age <= age_max, request.rear.link.age <= age_max
    _judge_deliveries(dt, inputs, request, front_known, rear_known, state, measurements, calibration)
    _conclude(outputs, state, measurements)


@kernel
def check_hand(dt: float, inputs: Any, test: Any, state: Any, outputs: Any, measurements: Any, calibration: Any) -> None:
    """Compare the commands in ``outputs`` with what the operator's panel wants (raw ``inputs``), within the clamps.

    Of a bench without a car: nothing slips, and nobody presses a pedal. While a tester asks for torques (``test``,
    ActuatorTestRequest), these count, as long as he is heard; the operator arms and stops all the same.
    """
    c, panel = calibration.hand_torque, inputs.panel
    present = panel.link.age <= _at_most(calibration.input_qualification.panel_timeout, HAND_SILENCE_MAX)
    most = _at_most(c.torque_max, HAND_TORQUE_MAX) if present and panel.armed and not panel.emergency_stop else 0.0
    fastest = _at_most(c.speed_max, HAND_SPEED_MAX)
    front_wanted, rear_wanted = panel.front_torque, panel.rear_torque
    state.test_silence = 0.0 if test.heartbeat != state.test_heartbeat else state.test_silence + dt
    state.test_heartbeat = test.heartbeat
    if test.active:
        heard = state.test_silence <= TEST_SILENCE_MAX
        most = _at_most(most, _at_most(calibration.actuator_test.motor_torque_max, TEST_TORQUE_MAX)) if heard else 0.0
        fastest = _at_most(fastest, TEST_SPEED_MAX)
        front_wanted, rear_wanted = test.front_motor_torque, test.rear_motor_torque
    front = _wanted_by_hand(front_wanted, inputs.front.motor_speed, most, fastest)
    rear = _wanted_by_hand(rear_wanted, inputs.rear.motor_speed, most, fastest)
    _allow(dt, front, rear, state, calibration)
    _judge_commands(dt, outputs, state, measurements, calibration)
    enforce(state, outputs)
    _judge_deliveries(dt, inputs, outputs, True, True, state, measurements, calibration)
    _conclude(outputs, state, measurements)


@kernel
def _wanted_by_hand(torque: float, speed: float, most: float, fastest: float) -> float:
    """The operator's ``torque`` [Nm] within both clamps, at a motor ``speed`` [rad/s]; 0 for one that is not a number."""
    if not isfinite(torque) or (torque * speed > 0.0 and abs(speed) > fastest):
        return 0.0
    return clamp(torque, -most, most)


@kernel
def _allow(dt: float, front: float, rear: float, state: Any, calibration: Any) -> None:
    """Let the bands be what is wanted of each motor [Nm], and both together; what is not a number is nothing."""
    front_driving, front_braking = _larger(front, 0.0), _larger(-front, 0.0)
    rear_driving, rear_braking = _larger(rear, 0.0), _larger(-rear, 0.0)
    both = front_driving + rear_driving, front_braking + rear_braking
    _set_bands(dt, 1.0, (front_driving, front_braking), (rear_driving, rear_braking), both, state, calibration)


@kernel
def enforce(state: Any, outputs: Any) -> None:
    """Hold at zero what the monitor does not allow; in every step, also between two looks of the monitor."""
    if state.faults & (COMMAND_FAULTS | Fault.FRONT_TORQUE_DEVIATION.value):
        outputs.front.motor_torque = 0.0
    if state.faults & (COMMAND_FAULTS | Fault.REAR_TORQUE_DEVIATION.value):
        outputs.rear.motor_torque = 0.0


@kernel
def _conclude(outputs: Any, state: Any, measurements: Any) -> None:
    """Hold back what has to be, and tell."""
    enforce(state, outputs)
    tripped = state.faults != 0
    if tripped and not measurements.tripped:
        measurements.trips += 1
    measurements.tripped = tripped
    state.looks += 1


@kernel
def _at_most(value: float, bound: float) -> float:
    """A calibration ``value``, or the ``bound`` if it is beyond it or not a number."""
    return value if value <= bound else bound


@kernel
def _at_least(value: float, bound: float) -> float:
    """A calibration ``value``, or the ``bound`` if it is below it or not a number."""
    return value if value >= bound else bound


# What is allowed ------------------------------------------------------------------------------------------------------------


@kernel
def _hold_inputs(dt: float, d: float, inputs: Any, state: Any, calibration: Any) -> None:
    """Keep the last valid pedals, battery limit and motor speed for a short time, then reckon with none; ``d`` as of the gear."""
    hold_time = _at_most(calibration.torque_monitor.hold_time, HOLD_TIME_MAX)
    accelerator, brake = _accelerator(inputs.pedals), inputs.pedals.brake
    limit = inputs.battery.discharge_limit
    if inputs.battery_wide.link.age <= hold_time:
        limit = inputs.battery_wide.discharge_limit
    omega = _slower_motor(d, inputs, calibration)
    # Every comparison is false for NaN.
    turns = omega >= 0.0 and omega < inf
    if _is_position(accelerator) and _is_position(brake) and limit >= 0.0 and limit <= POWER_MAX and turns:
        state.invalid_time = 0.0
        state.accelerator = accelerator
        state.brake = brake
        state.discharge_limit = limit
        state.motor_speed = omega
    else:
        state.invalid_time += dt
    if state.invalid_time > hold_time + 0.5 * dt:
        state.accelerator = 0.0
        state.brake = 0.0
        state.discharge_limit = 0.0


@kernel
def _is_position(pedal: float) -> bool:
    """Whether ``pedal`` [1] is a position."""
    return pedal >= -PEDAL_TOLERANCE and pedal <= 1.0 + PEDAL_TOLERANCE


@kernel
def _accelerator(pedals: Any) -> float:
    """The lower one of the accelerator's tracks [1], or the only valid one; the first without a second."""
    first, second = pedals.accelerator, pedals.accelerator_track_2
    if not _is_position(second):
        return first
    return second if not _is_position(first) or second < first else first


@kernel
def _motor_speed(inputs: Any, axle: Any, c: Any) -> float:
    """Speed of a motor [rad/s]; NaN where there is none, or none that reports."""
    reports = axle.motor_present and inputs.link.age <= _at_most(c.report_age_max, REPORT_AGE_MAX)
    return inputs.motor_speed if reports else nan


@kernel
def _slower_motor(d: float, inputs: Any, calibration: Any) -> float:
    """Speed of the slower motor [rad/s] of those that report in the gear's direction ``d``; NaN if none does.

    It is 0 for a car that rolls against its gear: the driver's torque then takes no power from the battery.
    """
    c = calibration.torque_monitor
    front = d * _motor_speed(inputs.front, calibration.front, c)
    rear = d * _motor_speed(inputs.rear, calibration.rear, c)
    slower = rear if not front <= rear and rear == rear else front
    return 0.0 if slower < 0.0 else slower


@kernel
def _allowed_torques(gear: int, state: Any, c: Any) -> tuple[float, float]:
    """Sum of motor torques [Nm] allowed for driving and for braking, both positive."""
    omega = state.motor_speed
    torque_max = _at_most(c.torque_sum_max, TORQUE_SUM_MAX)
    gain, offset = _at_most(c.pedal_gain, PEDAL_GAIN_MAX), _at_most(c.pedal_offset, PEDAL_OFFSET_MAX)
    driving = torque_max * clamp(gain * state.accelerator + offset, 0.0, 1.0)
    if gear == Gear.REVERSE:
        driving *= _at_most(c.reverse_share, 1.0)
    if omega < _at_most(c.creep_speed, CREEP_SPEED_MAX):
        driving += _at_most(c.creep_torque, CREEP_TORQUE_MAX)
    power = (1.0 + _at_most(c.power_tolerance, POWER_TOLERANCE_MAX)) * state.discharge_limit
    power += _at_most(c.power_floor, POWER_FLOOR_MAX)
    if driving * omega > power:
        driving = power / omega
    driving = _larger(driving, 0.0)
    if state.brake > 0.0:
        return driving, torque_max
    if state.accelerator < _at_most(c.regeneration_pedal, REGENERATION_PEDAL_MAX):
        return driving, _at_most(c.regeneration_share, REGENERATION_SHARE_MAX) * torque_max
    return driving, 0.0


# A spinning axle ------------------------------------------------------------------------------------------------------------


@kernel
def _slip_torques(
    dt: float, d: float, inputs: Any, state: Any, outputs: Any, measurements: Any, calibration: Any
) -> tuple[float, float]:
    """Torque [Nm, positive] with which slip control may brake the front and the rear motor against the gear's direction ``d``."""
    c, wheels = calibration.torque_monitor, inputs.wheels
    omega_f = _motor_speed(inputs.front, calibration.front, c)
    omega_r = _motor_speed(inputs.rear, calibration.rear, c)
    v_f = _axle_speed(wheels.front_left, wheels.front_right, omega_f, calibration.front)
    v_r = _axle_speed(wheels.rear_left, wheels.rear_right, omega_r, calibration.rear)
    slower = v_r if not v_f <= v_r and v_r == v_r else v_f
    if slower >= 0.0:  # without a new speed the last one counts
        rate = _at_most(c.acceleration_max, ACCELERATION_MAX)
        state.speed = slower if slower < state.speed else slew(state.speed, slower, rate, rate, dt)
    front = _slip_torque(dt, d, omega_f, outputs.front.motor_torque, state.speed, state.front, calibration.front, c)
    rear = _slip_torque(dt, d, omega_r, outputs.rear.motor_torque, state.speed, state.rear, calibration.rear, c)
    measurements.front.spinning = front > 0.0
    measurements.rear.spinning = rear > 0.0
    return front, rear


@kernel
def _axle_speed(left: float, right: float, omega: float, axle: Any) -> float:
    """Speed of an axle [m/s, without sign]: the higher one of its wheels' mean and of its motor; of one that is NaN the other."""
    wheels = 0.5 * (abs(left) + abs(right))
    motor = abs(omega) * axle.wheel_radius / axle.gear_ratio
    return motor if not wheels >= motor and motor == motor else wheels


@kernel
def _slip_torque(dt: float, d: float, omega: float, torque: float, speed: float, state: Any, axle: Any, c: Any) -> float:
    """The same for one axle; the time counts while the command ``torque`` [Nm] makes use of it, until the axle rolls again."""
    overspeed = d * omega * axle.wheel_radius / axle.gear_ratio - speed
    if not overspeed > _at_least(c.slip_speed, SLIP_SPEED_MIN) + _at_least(c.slip_ratio, 0.0) * speed:
        state.slip_time = 0.0
        return 0.0
    if d * torque < 0.0:
        state.slip_time += dt
    if state.slip_time > _at_most(c.slip_time, SLIP_TIME_MAX) + 0.5 * dt:
        return 0.0
    return _at_most(c.slip_torque, SLIP_TORQUE_MAX)


# The judgement of commands --------------------------------------------------------------------------------------------------


@kernel
def _set_bands(dt: float, d: float, front: Any, rear: Any, both: Any, state: Any, calibration: Any) -> None:
    """Move the bands of each motor and of both: driving and braking [Nm, both positive], as seen in the direction ``d``."""
    c = calibration.torque_monitor
    motors = calibration.front.motor_present + calibration.rear.motor_present
    delay, rate = _at_most(c.release_delay, RELEASE_DELAY_MAX), _at_least(c.release_rate, RELEASE_RATE_MIN)
    _set_band(dt, d, front[0], front[1], delay, rate, state.front.band)
    _set_band(dt, d, rear[0], rear[1], delay, rate, state.rear.band)
    _set_band(dt, d, both[0], both[1], delay, motors * rate, state.both)


@kernel
def _judge_commands(dt: float, outputs: Any, state: Any, measurements: Any, calibration: Any) -> None:
    """Compare each command and their sum with its band."""
    c = calibration.torque_monitor
    front, rear = outputs.front.motor_torque, outputs.rear.motor_torque
    excess, opposite = _at_most(c.excess_torque, EXCESS_TORQUE_MAX), _at_most(c.opposite_torque, OPPOSITE_TORQUE_MAX)
    due = _at_most(c.fault_time, FAULT_TIME_MAX) - 0.5 * dt  # a sum of steps is not exact
    faults = _judge_band(dt, front, excess, opposite, due, state.front.band)
    faults |= _judge_band(dt, rear, excess, opposite, due, state.rear.band)
    faults |= _judge_band(dt, front + rear, excess, opposite, due, state.both)
    well = _is_well(state.front.band) and _is_well(state.rear.band) and _is_well(state.both)
    state.well_time = state.well_time + dt if well else 0.0
    state.faults |= faults
    if state.well_time > _at_least(c.heal_time, HEAL_TIME_MIN) - 0.5 * dt:
        state.faults &= ~COMMAND_FAULTS
    measurements.commanded = front + rear
    measurements.allowed_upper, measurements.allowed_lower = state.both.upper, state.both.lower
    measurements.front.allowed_upper, measurements.front.allowed_lower = state.front.band.upper, state.front.band.lower
    measurements.rear.allowed_upper, measurements.rear.allowed_lower = state.rear.band.upper, state.rear.band.lower


@kernel
def _larger(first: float, second: float) -> float:
    """The larger one of both; the ``second`` if the ``first`` is not a number."""
    return first if first >= second else second


@kernel
def _set_band(dt: float, d: float, driving: float, braking: float, delay: float, rate: float, band: Any) -> None:
    """Move the band to ``driving`` and ``braking`` [Nm]; it narrows after a ``delay`` [s], at a ``rate`` [Nm/s].

    Neither is longer than the torque path takes to let a torque go without shudder.
    """
    upper, lower = (driving, -braking) if d > 0.0 else (braking, -driving)
    band.upper_time = band.upper_time + dt if upper < band.upper else 0.0
    band.lower_time = band.lower_time + dt if lower > band.lower else 0.0
    if upper > band.upper:
        band.upper = upper
    elif band.upper_time > delay:
        band.upper = slew(band.upper, upper, rate, rate, dt)
    if lower < band.lower:
        band.lower = lower
    elif band.lower_time > delay:
        band.lower = slew(band.lower, lower, rate, rate, dt)


@kernel
def _judge_band(dt: float, torque: float, excess: float, opposite: float, due: float, band: Any) -> int:
    """Count the time of a ``torque`` that is wrong by ``excess`` or ``opposite`` [Nm]; the faults (bits) after ``due`` [s]."""
    within = torque <= band.upper + excess and torque >= band.lower - excess  # false for NaN
    against = (band.upper == 0.0 and torque > opposite) or (band.lower == 0.0 and torque < -opposite)
    band.excess_time = 0.0 if within else band.excess_time + dt
    band.opposite_time = band.opposite_time + dt if against else 0.0
    faults = 0
    if not within and band.excess_time > due:
        faults |= Fault.MONITOR_EXCESS.value
    if against and band.opposite_time > due:
        faults |= Fault.MONITOR_OPPOSITE.value
    return faults


@kernel
def _is_well(band: Any) -> bool:
    """Whether the last torque was allowed."""
    return band.excess_time == 0.0 and band.opposite_time == 0.0


# The judgement of what is delivered -----------------------------------------------------------------------------------------


@kernel
def _judge_deliveries(
    dt: float, inputs: Any, obeyed: Any, front_known: bool, rear_known: bool, state: Any, measurements: Any, calibration: Any
) -> None:
    """Compare what both inverters deliver with what they obey (``obeyed``, Outputs), where that is known."""
    c, front, rear = calibration.torque_monitor, state.front, state.rear
    age_max = _at_most(c.report_age_max, REPORT_AGE_MAX)  # of a silent inverter nothing is known
    front_known = front_known and inputs.front.link.age <= age_max
    rear_known = rear_known and inputs.rear.link.age <= age_max
    front_fault, rear_fault = Fault.FRONT_TORQUE_DEVIATION.value, Fault.REAR_TORQUE_DEVIATION.value
    _judge_delivery(dt, inputs.front.motor_torque, obeyed.front.motor_torque, front_known, front_fault, front, state, c)
    _judge_delivery(dt, inputs.rear.motor_torque, obeyed.rear.motor_torque, rear_known, rear_fault, rear, state, c)
    limit = _at_most(c.uncontrolled_time, UNCONTROLLED_TIME_MAX) - 0.5 * dt
    if front.deviation_time > limit or rear.deviation_time > limit:
        state.faults |= Fault.UNCONTROLLED_TORQUE.value
    measurements.front.expected, measurements.rear.expected = front.expected, rear.expected


@kernel
def _judge_delivery(dt: float, delivered: float, command: float, known: bool, fault: int, axle: Any, state: Any, c: Any) -> None:
    """One axle: more torque than the lagged ``command`` [Nm], or the other sign, for longer than the real one ever shows it.

    The reported torque comes in steps of 0.5 Nm: 10.0 Nm beyond is still well, 10.5 Nm is not.
    """
    told = command if isfinite(command) else 0.0
    if not axle.followed:
        axle.expected = told  # a recording may begin in the middle of a drive
    axle.followed = known
    tolerance = _at_most(c.deviation_torque, DEVIATION_TORQUE_MAX)
    # An inverter that is faster than the lag is well, too.
    highest = tolerance + _larger(_larger(axle.expected, told), 0.0)
    lowest = -tolerance - _larger(_larger(-axle.expected, -told), 0.0)
    deviates = known and (delivered > highest or delivered < lowest)
    axle.deviation_time = axle.deviation_time + dt if deviates else 0.0
    axle.faithful_time = 0.0 if deviates else axle.faithful_time + dt
    if deviates and axle.deviation_time > _at_most(c.deviation_time, DEVIATION_TIME_MAX) - 0.5 * dt:
        state.faults |= fault
    if axle.faithful_time > _at_least(c.heal_time, HEAL_TIME_MIN) - 0.5 * dt:
        state.faults &= ~fault
    axle.expected = lag(axle.expected, told, _at_most(c.delivery_lag, DELIVERY_LAG_MAX), dt)
