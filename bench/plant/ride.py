"""The ride: the body heaves, pitches and rolls on its springs, and so the wheels get their loads.

Small angles, a flat road under each axle, rigid tyres in the vertical. With c_i the compression of an axle's springs, z the
heave and theta the pitch (nose down) of the body, whose centre of gravity is a behind the front axle and b before the rear,

    c_f = a theta - z,    c_r = -b theta - z,
    m_s z''       = sum of (S_i + G_i),                                  S_i = k_i c_i + d_i c_i',
    I_y theta''   = -M a_x - a (S_f + G_f) + b (S_r + G_r),              M = m h - m_u r,
    I_x phi''     = M a_y - K phi - C phi'.

G_i is what the side-view geometry of the links puts on an axle beside its springs (Milliken, Race Car Vehicle Dynamics, ch. 17):
a longitudinal force F times the slope of the line from where it enters the links to their instant centre. A brake at the
wheel holds against the links, so its force enters at the contact patch. A motor on the body turns the wheel through half
shafts, which hold nothing against the links: its force enters at the wheel's centre. The front links push the nose up and the
rear links pull the tail down in braking, and the other way round in driving:

    G_f = -(s_d F_d + s_b F_b),    G_r = s_d F_d + s_b F_b,

s_d the support of driving, s_b that of braking, the tangents of both slopes. At rest in any acceleration, the sum of all is
the load transfer m h a_x / l, whatever the springs. The unsprung mass m_u shifts its part of it without them, at the height r
of the wheels' centres. Wind acts at the height of the centre of gravity: it rolls the body as much as the tyres' forces against
it do, so that a_y in these equations is the lateral force of the tyres over the mass.

A wheel leans with the body as far as its suspension lets it, gamma = gamma_0 + eps phi (Gillespie, Fundamentals of Vehicle
Dynamics, ch. 6: roll camber).

Nothing of the ride acts back on the motion over ground but the loads: what the accelerations and the links put into springs and
dampers, some hundred joules in a manoeuvre, is taken from nobody.
"""

from math import cos, pi, sqrt
from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import kernel, real, record
from firmware_model.kernel.math import GRAVITY, clamp, flush


@record
class SuspensionParameters:
    """Springs, dampers and side-view geometry of one axle."""

    unsprung_mass = parameter("kg", "wheels, brakes and their part of links and half shafts, both sides", 10.0, 1e3)
    ride_frequency = parameter("Hz", "natural frequency of the body's mass over this axle on its springs", 0.5, 5.0)
    damping_ratio = parameter("1", "damping of that motion over the critical one", 0.01, 2.0)
    drive_support = parameter("1", "slope of the line from the wheel's centre to the links' side-view instant centre", -0.5, 0.5)
    static_camber = parameter("rad", "camber at rest, negative when the tops lean inwards", -0.1, 0.1)
    roll_camber = parameter("1", "inclination of the wheels to the road over the roll of the body", -0.5, 1.5)
    brake_support = parameter("1", "slope of the line from the contact patch to the same instant centre", -0.5, 0.6)


@record
class RideState:
    """What the springs remember. ISO 8855: pitch lowers the nose, roll lowers the right side."""

    heave = real("m", "height of the body's centre of gravity above its height at rest")
    heave_rate = real("m/s", "its rate")
    pitch = real("rad", "pitch angle, positive nose down")
    pitch_rate = real("rad/s", "its rate")
    roll = real("rad", "roll angle, positive to the right")
    roll_rate = real("rad/s", "its rate")
    front_link_force = real("N", "load that the links of the front axle take on beside its springs")
    rear_link_force = real("N", "the same of the rear axle")
    unsprung_pitch_moment = real("Nm", "moment of the unsprung mass that is accelerated forward")
    unsprung_roll_moment = real("Nm", "moment of the unsprung mass that is accelerated to the left")


@record
class RideMeasurements:
    """What can be known about the ride."""

    heave = real("m", "height of the body's centre of gravity above its height at rest")
    pitch = real("rad", "pitch angle, positive nose down")
    pitch_rate = real("rad/s", "its rate")
    roll = real("rad", "roll angle, positive to the right")
    roll_rate = real("rad/s", "its rate")
    front_compression = real("m", "compression of the front springs from rest")
    rear_compression = real("m", "compression of the rear springs from rest")
    front_link_force = real("N", "load that the links of the front axle take on beside its springs")
    rear_link_force = real("N", "the same of the rear axle")


@kernel
def sprung_masses(parameters: Any) -> tuple[float, float]:
    """Mass [kg] of the body over the front and over the rear axle."""
    base = parameters.body
    rear = base.mass * base.front_axle_distance / base.wheelbase
    return base.mass - rear - parameters.front.suspension.unsprung_mass, rear - parameters.rear.suspension.unsprung_mass


@kernel
def body_moment(parameters: Any) -> float:
    """Mass of the body times its height [kg m]: what an acceleration pitches and rolls, M = m h - m_u r."""
    unsprung = parameters.front.suspension.unsprung_mass + parameters.rear.suspension.unsprung_mass
    return parameters.body.mass * parameters.body.centre_height - unsprung * parameters.tyre.radius


@kernel
def spring_force(mass: float, compression: float, rate: float, suspension: Any) -> float:
    """Force [N] of an axle's springs and dampers under its ``mass`` [kg], beyond rest, at ``compression`` [m] and its rate."""
    omega = 2.0 * pi * suspension.ride_frequency
    return mass * omega * (omega * compression + 2.0 * suspension.damping_ratio * rate)


@kernel
def load_axle(load: float, transfer: float, axle: Any) -> None:
    """Share the ``load`` [N] of an axle, of which ``transfer`` [N] wants to go from left to right; a wheel can lift."""
    transfer = clamp(transfer, -0.5 * load, 0.5 * load)
    axle.left.vertical_force = 0.5 * load - transfer
    axle.right.vertical_force = 0.5 * load + transfer


@kernel
def incline_axle(roll: float, suspension: Any, axle: Any) -> None:
    """Incline the wheels of an axle under a body that rolls to the right by ``roll`` [rad]."""
    to_the_right = suspension.roll_camber * roll
    axle.left.inclination = suspension.static_camber - to_the_right
    axle.right.inclination = -suspension.static_camber - to_the_right


@kernel
def load_wheels(grade: float, parameters: Any, state: Any, measured: Any) -> None:
    """Vertical force of all wheels: the weight on the slope ``grade`` [rad], springs, links, and the unsprung mass.

    And how they lean. ``measured`` is the whole car's. No axle can pull at the road.
    """
    base, front, rear = parameters.body, parameters.front, parameters.rear
    weight = base.mass * GRAVITY * cos(grade)
    static_rear = weight * base.front_axle_distance / base.wheelbase
    m_f, m_r = sprung_masses(parameters)
    a = m_r / (m_f + m_r) * base.wheelbase
    b = base.wheelbase - a
    ride = measured.ride
    ride.front_compression = a * state.pitch - state.heave
    ride.rear_compression = -b * state.pitch - state.heave
    front_change = state.front_link_force + spring_force(
        m_f, ride.front_compression, a * state.pitch_rate - state.heave_rate, front.suspension
    )
    rear_change = state.rear_link_force + spring_force(
        m_r, ride.rear_compression, -b * state.pitch_rate - state.heave_rate, rear.suspension
    )
    total = max(weight + front_change + rear_change, 0.0)
    on_rear = clamp(static_rear + rear_change + state.unsprung_pitch_moment / base.wheelbase, 0.0, total)

    # The stiffness that gives the roll gradient; the damping that gives its share of the critical one.
    stiffness = body_moment(parameters) / base.roll_gradient
    damping = 2.0 * base.roll_damping * sqrt(stiffness * base.roll_inertia)
    roll = stiffness * state.roll + damping * state.roll_rate + state.unsprung_roll_moment
    incline_axle(state.roll, front.suspension, measured.front)
    incline_axle(state.roll, rear.suspension, measured.rear)
    load_axle(total - on_rear, base.roll_stiffness_front * roll / front.track, measured.front)
    load_axle(on_rear, (1.0 - base.roll_stiffness_front) * roll / rear.track, measured.rear)


@kernel
def link_force(radius: float, suspension: Any, axle: Any) -> float:
    """Vertical force [N] that the links of an ``axle`` (AxleMeasurements) make of its longitudinal forces: s_d F_d + s_b F_b.

    What the half shafts turn at the wheels of that ``radius`` [m] drives; all the rest brakes, or holds.
    """
    drive = axle.half_shaft_torque / radius
    brake = axle.left.longitudinal_force + axle.right.longitudinal_force - drive
    return suspension.drive_support * drive + suspension.brake_support * brake


@kernel
def move(dt: float, grade: float, parameters: Any, state: Any, measured: Any) -> None:
    """Let the loads that the wheels have just borne, and the accelerations, move the body for ``dt`` [s].

    Semi-implicit: rates first, then angles with the new rates. ``measured`` is the whole car's.
    """
    base, front, rear, radius = parameters.body, parameters.front, parameters.rear, parameters.tyre.radius
    a_x = measured.body.longitudinal_specific_force
    a_y = measured.body.lateral_acceleration - measured.body.wind_side_force / base.mass
    weight = base.mass * GRAVITY * cos(grade)
    static_rear = weight * base.front_axle_distance / base.wheelbase
    m_f, m_r = sprung_masses(parameters)
    a = m_r / (m_f + m_r) * base.wheelbase
    b = base.wheelbase - a
    moment = body_moment(parameters)

    front_load = measured.front.left.vertical_force + measured.front.right.vertical_force
    rear_load = measured.rear.left.vertical_force + measured.rear.right.vertical_force
    unsprung_transfer = state.unsprung_pitch_moment / base.wheelbase
    from_front = front_load - (weight - static_rear) + unsprung_transfer
    from_rear = rear_load - static_rear - unsprung_transfer
    from_tracks = 0.5 * front.track * (measured.front.right.vertical_force - measured.front.left.vertical_force)
    from_tracks += 0.5 * rear.track * (measured.rear.right.vertical_force - measured.rear.left.vertical_force)

    state.heave_rate = flush(state.heave_rate + dt * (from_front + from_rear) / (m_f + m_r))
    state.pitch_rate = flush(state.pitch_rate + dt * (b * from_rear - a * from_front - moment * a_x) / base.pitch_inertia)
    state.roll_rate = flush(state.roll_rate + dt * (moment * a_y - from_tracks + state.unsprung_roll_moment) / base.roll_inertia)
    state.heave = flush(state.heave + dt * state.heave_rate)
    state.pitch = flush(state.pitch + dt * state.pitch_rate)
    state.roll = flush(state.roll + dt * state.roll_rate)

    unsprung = front.suspension.unsprung_mass + rear.suspension.unsprung_mass
    state.unsprung_pitch_moment = unsprung * radius * a_x
    state.unsprung_roll_moment = unsprung * radius * a_y
    state.front_link_force = -link_force(radius, front.suspension, measured.front)
    state.rear_link_force = link_force(radius, rear.suspension, measured.rear)
    report(state, measured.ride)


@kernel
def report(state: Any, ride: Any) -> None:
    """Note how the body sits and moves."""
    ride.heave = state.heave
    ride.pitch, ride.pitch_rate = state.pitch, state.pitch_rate
    ride.roll, ride.roll_rate = state.roll, state.roll_rate
    ride.front_link_force, ride.rear_link_force = state.front_link_force, state.rear_link_force
