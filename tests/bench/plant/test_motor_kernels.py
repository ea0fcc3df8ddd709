"""The motor against figures measured on CAN."""

import math

import pytest
from plant_rig import Rig

from bench.plant import motor

RPM = math.pi / 30.0


@pytest.fixture
def em57():
    rig = Rig()
    return rig.parameters.front.motor[0], rig.state.front.motor[0], rig.measured.front.motor[0]


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
    electrical = mechanical + motor.loss(mechanical / omega, omega, 60.0, em57[0]) + auxiliaries
    assert lowest < mechanical / electrical < highest


@pytest.mark.parametrize(
    ("speed", "power", "lowest", "highest"), [(4250, 25, 0.90, 0.93), (6000, 20, 0.85, 0.91), (8000, 20, 0.77, 0.83)]
)
def test_regeneration_efficiency_is_the_measured_one(em57, speed, power, lowest, highest):
    omega, mechanical = speed * RPM, power * 1e3
    electrical = mechanical - motor.loss(-mechanical / omega, omega, 40.0, em57[0]) - 400.0
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


def test_power_is_conserved_and_losses_warm_the_winding_to_their_balance(em57):
    parameters, state, measured = em57
    state.torque = 250.0
    for _ in range(4000):
        motor.account(1.0, 1, 400.0, 30.0, parameters, state, measured)
    assert measured.electrical_power == pytest.approx(250.0 * 400.0 + measured.loss_power)
    rise = (1 - parameters.inverter_loss_share) * measured.loss_power / parameters.winding_conductance
    assert measured.winding_temperature == pytest.approx(30.0 + rise, rel=1e-3)
    rise = parameters.inverter_loss_share * measured.loss_power / parameters.inverter_conductance
    assert measured.inverter_temperature == pytest.approx(30.0 + rise, rel=1e-3)


def test_drag_opposes_the_rotation_and_fades():
    parameters = Rig("leaf_twin_motor").parameters.rear.motor[0]
    assert motor.drag(300.0, parameters) == -motor.drag(-300.0, parameters) == parameters.drag_torque > 0.0
    assert motor.drag(0.0, parameters) == 0.0
