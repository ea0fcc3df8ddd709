"""One tyre: load-dependent magic formula, combined slip by similarity, and a carcass that deflects.

The carcass is a spring between rim and contact patch. Its deflection u grows with the sliding speed of the rim V_s and
relaxes as the tyre rolls on,

    du/dt = V_s - V_ref u / sigma,      F = k u,      V_ref = max(|V_x|, |omega r|),

with a relaxation length sigma = sigma_0 F_ss / F_linear that shrinks as the tyre saturates (Pacejka, Tire and Vehicle
Dynamics, 3rd ed., ch. 7: first-order models with slip-dependent relaxation length). At speed, u settles at the steady
force F_ss of the magic formula. At standstill V_ref is zero and the carcass is a plain spring, so that a car stands on a
slope. For a locked wheel the same equation is Dahl's friction model. Nothing is switched in between.

A wheel that is inclined to the road by gamma pulls to the side to which its top leans, by c_gamma F_z gamma at small slip: a
shift of the lateral slip (Pacejka 4.3.2, S_Hy = K_ygamma gamma / K_yalpha, without the vertical shift, so that the peak stays).
It comes from the rotation of the wheel, its spin slip: a locked wheel has none.

Slip is sliding speed over V_ref: practical slip in braking, the brush model's theoretical slip in driving. Either way the
force of a sliding wheel is opposed to its sliding speed.
"""

from math import sqrt
from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import kernel, record
from firmware_model.kernel.math import flush

SHAPE = 1.5  # C of the magic formula, between the usual 1.65 along and 1.3 across; the value that has a closed form
STILL = 1e-6  # [m/s] least reference speed: keeps the slip finite; a standing tyre creeps by less than 0.1 um/s
SLIP_LEAST_SPEED = 0.5  # [m/s] a measured slip is told over at least this speed: a car at rest has none
LEAST_LOAD = 1.0  # [N] a lifted wheel keeps finite stiffness and friction ...
LEAST_FRICTION = 1e-3  # [1] ... and so does one on a surface without any
STIFFNESS_RETENTION = 10.0  # leaves 53 % of the slip stiffness on a surface of friction 0.1


@record
class TyreParameters:
    """The tyre, the same on all four wheels."""

    radius = parameter("m", "dynamic rolling radius", 0.15, 0.6)
    nominal_load = parameter("N", "vertical load at which the other values hold", 500.0, 20e3)
    friction = parameter("1", "peak friction on a surface of friction 1", 0.1, 2.0)
    friction_load_sensitivity = parameter("1", "loss of friction at twice the nominal load", 0.0, 0.5)
    slip_stiffness = parameter("1", "longitudinal slip stiffness over vertical load", 2.0, 80.0)
    cornering_stiffness_peak = parameter("1/rad", "highest cornering stiffness over nominal load, p_Ky1", 2.0, 80.0)
    cornering_stiffness_peak_load = parameter("1", "load of the highest cornering stiffness over nominal load, p_Ky2", 0.5, 10.0)
    camber_stiffness = parameter("1/rad", "lateral force over inclination and vertical load, p_Ky6", 0.0, 5.0)
    relaxation_length_longitudinal = parameter("m", "rolled distance in which the longitudinal force builds up", 0.05, 2.0)
    relaxation_length_lateral = parameter("m", "rolled distance in which the lateral force builds up", 0.05, 2.0)
    damping_time = parameter("s", "carcass damping over carcass stiffness at standstill", 0.0, 0.1)
    damping_fade_speed = parameter("m/s", "speed at which the carcass damping has faded", 0.5, 10.0)


@kernel
def friction_limit(load: float, surface: float, tyre: Any) -> float:
    """Highest horizontal force [N] at ``load`` [N] on a ``surface`` of that friction [1].

    Friction falls linearly with load (Pacejka 4.E23: mu = p_D1 + p_D2 df_z).
    """
    mu = surface * tyre.friction * (1.0 - tyre.friction_load_sensitivity * (load / tyre.nominal_load - 1.0))
    return max(mu, LEAST_FRICTION) * load


@kernel
def cornering_stiffness(load: float, tyre: Any) -> float:
    """Cornering stiffness [N/rad] at ``load`` [N]: Pacejka 4.E25, p_Ky1 F_z0 sin(2 atan(x)), x = F_z / (p_Ky2 F_z0).

    sin(2 atan x) is the rational 2 x / (1 + x^2), exactly; here with its fraction cleared.
    """
    peak_load = tyre.cornering_stiffness_peak_load * tyre.nominal_load
    peak = tyre.cornering_stiffness_peak * tyre.nominal_load
    return peak * 2.0 * peak_load * load / (peak_load * peak_load + load * load)


@kernel
def camber_slip(inclination: float, load: float, tyre: Any) -> float:
    """Lateral slip [1] that an ``inclination`` [rad] at ``load`` [N] amounts to: c_gamma F_z gamma / C."""
    return tyre.camber_stiffness * load * inclination / cornering_stiffness(load, tyre)


@kernel
def retention(surface: float) -> float:
    """Share of the slip stiffness that is left on a ``surface`` of that friction [1]: it falls later than friction does.

    A digressive hyperbola like the one that Pacejka scales other small effects with (4.E8); its use here is an assumption.
    """
    return STIFFNESS_RETENTION * surface / (1.0 + (STIFFNESS_RETENTION - 1.0) * surface)


@kernel
def secant(rho: float) -> float:
    """Magic formula over its own tangent at the origin, sin(C atan(rho / C)) / rho, for C = 3/2 and E = 0; 1 at rho = 0.

    With c = cos(atan x), the half-angle formulas give sin(3/2 atan x) = x c (1 + 2 c) / sqrt(2 (1 + c)): exact, two roots
    instead of two transcendental functions. The peak, 1, is at rho = C tan(pi / 3) = 2.6; far beyond it 0.707 is left.
    """
    x = rho / SHAPE
    c = 1.0 / sqrt(1.0 + x * x)
    return c * (1.0 + 2.0 * c) / (SHAPE * sqrt(2.0 * (1.0 + c)))


@kernel
def combined_secants(rho_x: float, rho_y: float, ratio: float) -> tuple[float, float]:
    """Steady force over linear force, along and across [1], at normalised slips ``rho_x``, ``rho_y`` (1: linear force = limit).

    Similarity method (Pacejka 4.2): both slips, made comparable by their stiffness, share one friction circle. As the tyre
    slides, its stiffness along is blended into the one across, ``ratio`` times as large, so that the force ends up opposed
    to the sliding speed.
    """
    rho = sqrt(rho_x * rho_x + rho_y * rho_y)
    g = secant(rho)
    blend = ratio + (1.0 - ratio) * g
    rho_blend = sqrt(blend * rho_x * blend * rho_x + rho_y * rho_y)
    if rho_blend > 0.0:
        g *= rho / rho_blend
    return g * blend, g


@kernel
def deflect(dt: float, compliance: float, tyre: Any, wheel: Any, measured: Any) -> tuple[float, float, float, float]:
    """Start a step of ``dt`` [s]: relax the carcass, deflect it across, and say how it will deflect along.

    ``compliance`` [1] scales the cornering stiffness. The longitudinal force has to be solved together with the wheel's new
    speed omega, of which it is a linear function: returns f [N], f' [N s/rad], u [m], u' [m s/rad], with which the force will
    be f + f' omega and the deflection u + u' omega.
    """
    load, surface = max(measured.vertical_force, LEAST_LOAD), max(measured.surface, LEAST_FRICTION)
    limit = friction_limit(load, surface, tyre)
    retained = retention(surface)
    c_x = retained * tyre.slip_stiffness * load
    c_y = retained * compliance * cornering_stiffness(load, tyre)
    k_x = c_x / tyre.relaxation_length_longitudinal
    k_y = c_y / tyre.relaxation_length_lateral
    slip_back(limit, k_x, k_y, wheel)

    v_x, v_y = measured.hub_speed_along, measured.hub_speed_across
    v_roll = abs(wheel.speed * tyre.radius)
    v_ref = max(abs(v_x), v_roll, STILL)
    per_speed, per_force = 1.0 / v_ref, 1.0 / limit
    report_slip((wheel.speed * tyre.radius - v_x) * per_speed, -v_y * per_speed, v_ref, limit, measured)
    v_y -= v_roll * camber_slip(measured.inclination, load, tyre)
    s_x, s_y = (wheel.speed * tyre.radius - v_x) * per_speed, -v_y * per_speed
    g_x, g_y = combined_secants(c_x * s_x * per_force, c_y * s_y * per_force, c_y / c_x)
    # Implicit Euler: sigma / (sigma + dt V_ref) of a deflection is left, with sigma as the tyre saturates.
    sigma_x, sigma_y = tyre.relaxation_length_longitudinal * g_x, tyre.relaxation_length_lateral * g_y
    left_x, left_y = sigma_x / (sigma_x + dt * v_ref), sigma_y / (sigma_y + dt * v_ref)

    fade = max(1.0 - v_ref / tyre.damping_fade_speed, 0.0)
    damping = tyre.damping_time * fade * fade / dt
    v = flush((wheel.lateral_deflection - dt * v_y) * left_y)
    measured.lateral_force = k_y * (v + damping * (v - wheel.lateral_deflection))
    wheel.lateral_deflection = v
    u = (wheel.longitudinal_deflection - dt * v_x) * left_x
    u_omega = dt * tyre.radius * left_x
    k_damped = k_x * (1.0 + damping)
    return k_damped * u - k_x * damping * wheel.longitudinal_deflection, k_damped * u_omega, u, u_omega


@kernel
def report_slip(s_x: float, s_y: float, v_ref: float, limit: float, measured: Any) -> None:
    """Note the slips [1] over at least a walking speed, and the friction ``limit`` [N]."""
    share = v_ref / SLIP_LEAST_SPEED if v_ref < SLIP_LEAST_SPEED else 1.0
    measured.slip = s_x * share
    measured.slip_tangent = s_y * share
    measured.friction_limit = limit


@kernel
def slip_back(limit: float, k_x: float, k_y: float, wheel: Any) -> None:
    """Let a carcass of stiffness ``k_x``, ``k_y`` [N/m] that holds more than ``limit`` [N] slip back onto the friction circle.

    It does so after the surface or the load has changed.
    """
    f_x, f_y = k_x * wheel.longitudinal_deflection, k_y * wheel.lateral_deflection
    squared = f_x * f_x + f_y * f_y
    if squared > limit * limit:
        back = limit / sqrt(squared)
        wheel.longitudinal_deflection *= back
        wheel.lateral_deflection *= back


@kernel
def settle(force: float, deflection: float, tyre: Any, wheel: Any, measured: Any) -> None:
    """End a step with the longitudinal ``force`` [N] and ``deflection`` [m] at the wheel's new speed.

    Spring and damping together hold no more than friction does; the rare excess, which the wheel has already felt, is lost.
    """
    total = sqrt(force * force + measured.lateral_force * measured.lateral_force)
    if total > measured.friction_limit:
        back = measured.friction_limit / total
        force *= back
        measured.lateral_force *= back
        total = measured.friction_limit
    wheel.longitudinal_deflection = flush(deflection)
    measured.speed = wheel.speed
    measured.circumferential_speed = wheel.speed * tyre.radius
    measured.longitudinal_force = force
    measured.friction_used = total / measured.friction_limit
    v_sx = measured.circumferential_speed - measured.hub_speed_along
    measured.slip_loss = force * v_sx - measured.lateral_force * measured.hub_speed_across
