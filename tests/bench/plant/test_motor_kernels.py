"""The motor against figures measured on CAN, and the wound rotor against a plain search for its field."""

import math

import numpy as np
import pytest
from plant_rig import Rig

from bench.plant import motor

RPM = math.pi / 30.0


@pytest.fixture
def em57():
    rig = Rig()
    return rig.parameters.front.motor[0], rig.state.front.motor[0], rig.measured.front.motor[0]


@pytest.fixture
def ariya():
    rig = Rig("ariya_63_fwd")
    return rig.parameters.front.motor[0], rig.state.front.motor[0], rig.measured.front.motor[0]


def loss(torque, speed, parameters, voltage=370.0, winding=60.0, rotor=60.0):
    return sum(motor.losses(torque, speed, voltage, winding, rotor, parameters))


# Motor speed [rpm], mechanical power [kW], and efficiency with auxiliaries, as measured
@pytest.mark.parametrize(
    ("speed", "power", "lowest", "highest"),
    [
        (2000, 41, 0.91, 0.935),
        (3000, 70, 0.93, 0.95),
        (4300, 100, 0.93, 0.95),
        (5300, 167, 0.925, 0.94),
        (6500, 150, 0.93, 0.94),
        (8400, 140, 0.925, 0.94),
    ],
)
def test_driving_efficiency_is_the_measured_one(em57, speed, power, lowest, highest):
    omega, mechanical, auxiliaries = speed * RPM, power * 1e3, 400.0
    electrical = mechanical + loss(mechanical / omega, omega, em57[0]) + auxiliaries
    assert lowest < mechanical / electrical < highest


@pytest.mark.parametrize(
    ("speed", "power", "lowest", "highest"), [(4250, 25, 0.90, 0.93), (6000, 20, 0.85, 0.91), (8000, 20, 0.77, 0.83)]
)
def test_regeneration_efficiency_is_the_measured_one(em57, speed, power, lowest, highest):
    omega, mechanical = speed * RPM, power * 1e3
    electrical = mechanical - loss(-mechanical / omega, omega, em57[0], winding=40.0) - 400.0
    assert lowest < electrical / mechanical < highest


@pytest.mark.parametrize(
    ("speed", "torque"), [(0, 340), (4290, 340), (5125, 310.5), (5625, 285), (6125, 257), (6625, 233.5), (8053, 168), (8390, 159)]
)
def test_envelope_goes_through_the_measured_points(em57, speed, torque):
    assert motor.available_torque(speed * RPM, 370.0, em57[0]) == pytest.approx(torque, rel=0.02)
    assert motor.available_torque(-speed * RPM, 370.0, em57[0]) == motor.available_torque(speed * RPM, 370.0, em57[0])


def test_peak_power_is_the_measured_one(em57):
    powers = [omega * motor.available_torque(omega, 370.0, em57[0]) for omega in range(0, 1200, 5)]
    assert max(powers) == pytest.approx(168e3, rel=0.01)


def test_lower_voltage_moves_field_weakening_to_lower_speed(em57):
    assert motor.available_torque(500.0, 310.0, em57[0]) == pytest.approx(
        motor.available_torque(500.0 * 370 / 310, 370.0, em57[0])
    )
    assert motor.available_torque(0.0, 0.0, em57[0]) == 340.0
    assert motor.available_torque(100.0, 0.0, em57[0]) == 0.0


def test_torque_reaches_63_percent_after_its_lag_and_stays_in_the_envelope(em57):
    parameters, state, measured = em57
    for _ in range(20):
        motor.deliver(1e-3, 500.0, 1, 0.0, parameters, state, measured)
    assert state.torque == pytest.approx(340.0 * (1 - math.exp(-1)), rel=0.03)
    for _ in range(1000):
        motor.deliver(1e-3, -500.0, 1, 0.0, parameters, state, measured)
    assert state.torque == pytest.approx(-340.0)


def test_disconnected_inverter_has_neither_torque_nor_losses_and_keeps_the_voltage_it_is_given(em57):
    parameters, state, measured = em57
    state.torque, state.dc_voltage = 200.0, 123.0
    motor.deliver(1e-3, 200.0, 0, 100.0, parameters, state, measured)
    motor.account(1e-3, 0, 100.0, 25.0, parameters, state, measured)
    motor.feed(380.0, 0, state, measured)
    assert (state.torque, measured.torque_available, measured.electrical_power, measured.dc_voltage) == (0.0, 0.0, 0.0, 123.0)
    motor.feed(380.0, 1, state, measured)
    assert (state.dc_voltage, measured.dc_voltage) == (380.0, 380.0)


def test_power_is_conserved_and_losses_warm_every_lump_to_its_balance(em57):
    parameters, state, measured = em57
    state.torque, state.dc_voltage = 250.0, 370.0
    for _ in range(8000):
        motor.account(1.0, 1, 400.0, 30.0, parameters, state, measured)
    assert measured.electrical_power == pytest.approx(250.0 * 400.0 + measured.loss_power)
    outside, in_rotor = motor.losses(
        250.0, 400.0, 370.0, state.winding_temperature, state.rotor_temperature, parameters
    )  # fmt: skip
    assert measured.loss_power == pytest.approx(outside + in_rotor)
    share = parameters.inverter_loss_share
    balances = (
        (measured.winding_temperature, (1 - share) * outside / parameters.winding.conductance),
        (measured.inverter_temperature, share * outside / parameters.inverter.conductance),
        (measured.rotor_temperature, in_rotor / parameters.rotor.conductance),
    )
    for temperature, rise in balances:
        assert rise > 1.0
        assert temperature == pytest.approx(30.0 + rise, rel=1e-3)


def test_magnets_lose_what_the_fit_says_and_lose_more_at_a_lower_voltage(em57):
    parameters, torque, omega = em57[0], 200.0, 600.0
    fitted = 189.0 + 4.919e-3 * omega**2 + torque**2 * (5.126e-2 + 2.210e-7 * omega**2)
    assert loss(torque, omega, parameters, voltage=370.0) == pytest.approx(fitted)
    weakening = torque**2 * 2.210e-7 * omega**2
    assert loss(torque, omega, parameters, voltage=300.0) - fitted == pytest.approx(weakening * ((370 / 300) ** 2 - 1))
    copper = 5.126e-2 * torque**2
    assert loss(torque, omega, parameters, winding=110.0) - fitted == pytest.approx(copper * 0.00393 * 50.0)


def plain_loss_of_wound_rotor(torque, omega, voltage, parameters):
    """The least loss that any field up to the voltage's limit gives, found by trying them all."""
    largest = min(1.0, parameters.weakening_speed * voltage / (parameters.envelope_voltage * omega)) if omega else 1.0
    field = np.linspace(1e-3, largest, 20001)
    tried = field**2 * (parameters.loss_excitation + parameters.loss_speed * omega**2)
    tried += parameters.loss_torque * (torque / field) ** 2
    return parameters.loss_constant + tried.min()


@pytest.mark.parametrize("torque", [5.0, 60.0, 150.0, -220.0, 300.0])
@pytest.mark.parametrize("omega", [0.0, 200.0, 500.0, 900.0, -1300.0])
@pytest.mark.parametrize("voltage", [290.0, 380.0])
def test_wound_rotor_has_the_field_of_least_loss_that_the_voltage_bears(ariya, torque, omega, voltage):
    plain = plain_loss_of_wound_rotor(torque, abs(omega), voltage, ariya[0])
    assert loss(torque, omega, ariya[0], voltage) == pytest.approx(plain, rel=1e-4)


def test_wound_rotor_without_torque_loses_neither_iron_nor_copper_and_magnets_do_lose_iron(ariya, em57):
    assert loss(0.0, 900.0, ariya[0]) == ariya[0].loss_constant
    assert loss(0.0, 900.0, em57[0]) > em57[0].loss_constant + 3e3


def test_excitation_heats_the_rotor_and_a_hot_rotor_loses_more(ariya):
    parameters = ariya[0]
    _, cold = motor.losses(300.0, 100.0, 350.0, 60.0, 60.0, parameters)
    _, hot = motor.losses(300.0, 100.0, 350.0, 60.0, 130.0, parameters)
    iron = parameters.rotor_iron_share * parameters.loss_speed * 100.0**2
    assert cold == pytest.approx(parameters.loss_excitation + iron)
    assert hot - cold == pytest.approx(parameters.loss_excitation * 0.00393 * 70.0)


@pytest.mark.parametrize("lump", ["winding", "rotor", "inverter"])
def test_hottest_lump_takes_the_torque_away_either_way(ariya, lump):
    parameters, state, measured = ariya
    state.dc_voltage = 350.0
    start, end = parameters[lump].temperature_start, parameters[lump].temperature_end
    for temperature, share in ((start - 1.0, 1.0), (start + 0.25 * (end - start), 0.75), (end + 5.0, 0.0)):
        setattr(state, f"{lump}_temperature", temperature)
        for direction in (1.0, -1.0):
            for _ in range(1000):
                motor.deliver(1e-3, direction * 500.0, 1, 0.0, parameters, state, measured)
            assert measured.thermal_share == pytest.approx(share)
            assert state.torque == pytest.approx(direction * share * 300.0, abs=1e-6)


@pytest.mark.parametrize("connected", [0, 1])
def test_drag_opposes_the_rotation_and_fades(connected):
    parameters = Rig("leaf_twin_motor").parameters.rear.motor[0]
    assert motor.drag(300.0, connected, parameters) == -motor.drag(-300.0, connected, parameters) > 0.0
    assert motor.drag(0.0, connected, parameters) == 0.0


def test_magnets_drag_while_no_inverter_makes_up_for_their_loss_and_a_wound_rotor_does_not():
    magnets, wound = (Rig(name).parameters.front.motor[0] for name in ("leaf_plus", "ariya_87_fwd"))
    assert motor.drag(300.0, 0, magnets) * 300.0 == pytest.approx(magnets.loss_speed * 300.0**2)
    assert motor.drag(300.0, 1, magnets) == motor.drag(300.0, 1, wound) == motor.drag(300.0, 0, wound) == 0.0
