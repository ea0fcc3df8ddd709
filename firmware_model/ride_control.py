"""Ride control: less pitch by where the motors brake and by what they add; less jerk by how their torque comes.

**Pitch by the axle that brakes.** A motor on the body brakes through half shafts, so its force F enters the links at the wheel's
centre; with the slope s of the line from there to the links' instant centre (the support), the rear links pull the tail down by
s_r F_r, the front ones lift the nose by s_f F_f (Milliken, Race Car Vehicle Dynamics, ch. 17). With the front share x of the
braking force F, springs k, height h and wheelbase l, the steady pitch is

    theta = F / l ((h/l - s_f x) / k_f + (h/l - s_r (1 - x)) / k_r) = F (p_0 + p_1 x),

a straight line that would send all of it to the better axle. The tyres would rather have x at the load share n_f. Both are one
least-squares problem, in squares of pitch and of the tyres' use, which has a closed solution:

    x = argmin w ((p_0 + p_1 x) / (p_0 + p_1))^2 + x^2 / n_f + (1 - x)^2 / n_r
      = (1 / n_r - w q_0 q_1) / (1 / n_f + 1 / n_r + w q_1^2),      q = p / (p_0 + p_1).

The rear tyres get no more than a share of what cornering leaves them of their friction.

**Pitch by damping.** The pitch rate is estimated from the acceleration in its frame, through the nominal pitch oscillation

    theta'' + 2 zeta omega theta' + omega^2 (theta + g a_x) = 0,

and a force K theta' softens what excites it: K g omega / (2 m) is added to the damping ratio. The rate is the high-pass of the
pitch, so a steady acceleration is left alone. Sensor frame, command frame and motor lag are 45 ms, 23 degrees at 1.4 Hz: cos(23
degrees), 92 % of the force, damp.

**Jerk.** The rotor swings against wheels and body on the half shafts. Three things keep it quiet:

- the torque passes the backlash, where it changes sign, slowly: the rotor lands softly on the other flank;
- what is on its way goes through the inverse of the oscillation, with a well-damped one in its place,

      (s^2 + 2 zeta omega s + omega^2) / (s^2 + 2 Z omega s + omega^2),

  which delays the torque by 2 (Z - zeta) / omega, for the LEAF 31 ms, and what is asked for reaches the wheels without shudder;
- the motor's acceleration, without its slow part, which is the car's, is fed back. Its difference from frame to frame is 5 ms
  old, the wait for the next request and its hold are 15 ms, the motor lags 20 ms, less the washout: 103 degrees at 9 Hz, where
  the derivative leads by 90. An acceleration arrives as a damper, 13 degrees late; 97 % of it damps. With free wheels (14 Hz) it
  is 64 degrees late, and not half of it damps. From 17 Hz on it would excite; there the loop gain, K / I_rotor times the lags,
  is 0.14: a margin of seven.

The shaped torque may be cut by whatever follows: the shaping works on changes and starts from what was really commanded.
"""

from math import sqrt
from typing import Any

from firmware_model import motor
from firmware_model.kernel import kernel
from firmware_model.kernel.math import GRAVITY, clamp, flush, lag, ramp


@kernel
def braking_front_share(force: float, lateral_acceleration: float, friction: float, calibration: Any) -> float:
    """Front share [1] of a braking ``force`` [N, either sign] of the motors that pitches the car least for what the tyres pay.

    ``friction`` [1] is what the road gives at this ``lateral_acceleration`` [m/s2].
    """
    c, vehicle = calibration.ride_control, calibration.vehicle
    height = vehicle.cg_height / vehicle.wheelbase
    n_f = 1.0 - vehicle.front_axle_to_cg / vehicle.wheelbase + height * abs(force) / (vehicle.mass * GRAVITY)
    n_f = clamp(n_f, c.load_share_min, 1.0 - c.load_share_min)
    n_r = 1.0 - n_f
    all_rear = height / c.front_spring_rate + (height - c.rear_drive_support) / c.rear_spring_rate
    all_front = (height - c.front_drive_support) / c.front_spring_rate + height / c.rear_spring_rate
    q_0 = all_rear / all_front
    q_1 = 1.0 - q_0
    share = (1.0 / n_r - c.pitch_weight * q_0 * q_1) / (1.0 / n_f + 1.0 / n_r + c.pitch_weight * q_1 * q_1)

    grip_2 = friction * friction * GRAVITY * GRAVITY - lateral_acceleration * lateral_acceleration
    rear_most = c.rear_friction_share * n_r * vehicle.mass * sqrt(grip_2) if grip_2 > 0.0 else 0.0
    least = 1.0 - rear_most / abs(force) if abs(force) > rear_most else 0.0
    return clamp(share, least, 1.0)


@kernel
def damp_pitch(dt: float, inputs: Any, speed: float, state: Any, measurements: Any, c: Any) -> float:
    """Force [N] of both motors together that damps the pitch; zero at walking pace, where the brakes hold the car."""
    a_x = inputs.longitudinal_acceleration if inputs.motion_trusted else 0.0
    omega = c.pitch_frequency
    # Semi-implicit, the damping at the new rate: stable at every step of interest.
    drive = omega * omega * (state.pitch + c.pitch_gradient * a_x)
    state.pitch_rate = flush((state.pitch_rate - dt * drive) / (1.0 + 2.0 * dt * c.pitch_damping_ratio * omega))
    state.pitch = flush(state.pitch + dt * state.pitch_rate)
    moving = ramp(abs(speed), c.fade_in_start, c.fade_in_end)
    force = c.enabled * moving * clamp(c.pitch_gain * state.pitch_rate, -c.pitch_force_max, c.pitch_force_max)
    measurements.pitch, measurements.pitch_rate, measurements.pitch_force = state.pitch, state.pitch_rate, force
    return force


@kernel
def damp_driveline(dt: float, inputs: Any, state: Any, axle: Any, c: Any) -> None:
    """Torque [Nm] against the fast part of one motor's acceleration; ``dt`` [s] is the raster of the frames.

    ``inputs`` (QualifiedAxle), ``state`` and ``axle`` are those of one axle.
    """
    if state.started == 0:
        state.motor_speed = inputs.motor_speed
        state.started = 1
    acceleration = (inputs.motor_speed - state.motor_speed) / dt
    state.motor_speed = inputs.motor_speed
    state.motor_acceleration = lag(state.motor_acceleration, acceleration, c.feedback_washout, dt)
    state.damping_torque = -c.feedback_gain * axle.motor_present * (acceleration - state.motor_acceleration)


@kernel
def shape(
    dt: float,
    torque: float,
    last: float,
    permitted: bool,
    inputs: Any,
    state: Any,
    measurements: Any,
    axle: Any,
    calibration: Any,
) -> float:
    """Motor ``torque`` [Nm] as the driveline takes it without shudder, where it may flow (``permitted``).

    ``torque`` is one step on from ``last`` [Nm], the torque really commanded, plus what is held back (``state.held_back``).
    ``inputs`` (QualifiedAxle), ``state``, ``measurements`` and ``axle`` are those of one axle.
    """
    c = calibration.ride_control
    if not (c.enabled and permitted):
        state.held_back = state.held_back_rate = state.feedback = 0.0
        measurements.held_back = measurements.feedback = 0.0
        return torque
    before = last - state.feedback + state.held_back
    if abs(before) < c.backlash_torque:
        torque = clamp(torque, before - dt * c.backlash_rate, before + dt * c.backlash_rate)
    _hold_back(dt, torque - before, state, axle, c)
    shaped = torque - state.held_back
    most = c.feedback_share * abs(shaped)
    state.feedback = clamp(state.damping_torque, -most, most)
    measurements.held_back = state.held_back
    measurements.feedback = state.feedback
    lowest, highest = motor.torque_range(inputs, axle, calibration.torque_path)
    return clamp(shaped + state.feedback, lowest, highest)


@kernel
def _hold_back(dt: float, change: float, state: Any, axle: Any, c: Any) -> None:
    """Let a ``change`` [Nm] of the torque pass; what is held back [Nm] swings out.

    One minus the shaping filter, e'' + 2 Z omega e' + omega^2 e = 2 (Z - zeta) omega x', by the trapezoidal rule.
    """
    omega = axle.driveline_frequency
    half = 0.5 * dt * omega
    decay = 2.0 * c.shaping_damping * half + half * half
    pushed = 2.0 * (c.shaping_damping - c.driveline_damping) * omega * change
    rate = state.held_back_rate
    after = (rate * (1.0 - decay) + pushed - dt * omega * omega * state.held_back) / (1.0 + decay)
    state.held_back = flush(state.held_back + 0.5 * dt * (rate + after))
    state.held_back_rate = flush(after)
