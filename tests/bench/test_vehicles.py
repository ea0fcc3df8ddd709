"""Vehicle files: what comes with the bench, what users write, and what they are told when it is wrong."""

import numpy as np
import pytest

from bench.calibrating import calibration_of, loss_coefficients
from bench.plant import car
from bench.plant.motor import available_torque, losses
from bench.vehicles import files, list_chemistries, list_vehicles, load_vehicle, with_motor, with_pack
from firmware_model.calibration import Calibration
from firmware_model.kernel.records import locate
from hil.errors import UsageError

VEHICLES = [name for name, _ in list_vehicles()]


@pytest.fixture
def write(tmp_path):
    def write_vehicle(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_vehicle


def message_of(source):
    with pytest.raises(UsageError) as caught:
        load_vehicle(source)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_list_names_every_car_with_its_title():
    assert {"leaf_plus", "leaf_twin_motor"} <= set(VEHICLES)
    assert all(title for _, title in list_vehicles())
    assert {"nmc_leaf", "lfp", "nmc811"} <= set(list_chemistries())


# Published: motor torque [Nm] and power [kW] of each axle
PUBLISHED_MOTORS = {
    "leaf_ze0": ((280, 80), None),
    "leaf_40": ((320, 110), None),
    "leaf_plus": ((340, 160), None),
    "leaf_plus_s": ((340, 160), None),
    "leaf_twin_motor": ((340, 160), (340, 160)),
    "ariya_63_fwd": ((300, 160), None),
    "ariya_87_fwd": ((300, 178), None),
    "ariya_e4orce_205": ((280, 160), (280, 160)),
    "ariya_e4orce_225": ((300, 160), (300, 160)),
    "ariya_e4orce_250": ((280, 160), (280, 160)),
    "ariya_e4orce_290": ((300, 160), (300, 160)),
    "ariya_e4orce_us": ((300, 160), (300, 160)),
    "ariya_nismo": ((300, 160), (300, 160)),
    "x_trail_e4orce": ((330, 150), (195, 100)),
    "renault_5": ((245, 110), None),
    "renault_4": ((245, 110), None),
    "micra": ((245, 110), None),
    "a290_gt": ((285, 130), None),
    "a290_gts": ((300, 160), None),
    "twingo": ((175, 60), None),
    "nissan_a_segment": ((175, 60), None),
}


def test_every_car_has_its_published_figures_in_this_test():
    assert set(PUBLISHED_MOTORS) == set(VEHICLES)


@pytest.mark.parametrize(("name", "axles"), PUBLISHED_MOTORS.items())
def test_published_torque_and_power_come_out_of_the_envelopes_and_reach_the_calibration(name, axles):
    vehicle = load_vehicle(name)
    calibration = calibration_of(vehicle)[0]
    for axle, figures in zip(("front", "rear"), axles, strict=True):
        motor, controller = vehicle.parameters[axle].motor[0], calibration[axle]
        assert controller.motor_present == (figures is not None)
        if figures is None:
            continue
        torque, power = figures
        speeds = np.arange(0.0, 1500.0)
        available = np.array([available_torque(speed, motor.envelope_voltage, motor) for speed in speeds])
        assert available.max() == controller.motor_torque_max == torque
        # The LEAF e+ was measured with more than its published power.
        assert (available * speeds).max() == pytest.approx(1e3 * power, rel=0.05 if name.startswith("leaf") else 0.01)
        assert controller.motor_power_max == pytest.approx(1e3 * power, rel=0.05)
        assert calibration.torque_monitor.motor_torque_max >= torque


@pytest.mark.parametrize("name", VEHICLES)
def test_every_car_gets_a_calibration_within_the_limits_of_the_table(name):
    vehicle = load_vehicle(name)
    calibration = calibration_of(vehicle)
    for path, field in Calibration.fields():
        values = locate(calibration, path)
        assert ((values >= field.minimum) & (values <= field.maximum)).all(), path
    control = vehicle.parameters.control[0]
    assert calibration[0].driver_demand.speed_max == control.top_speed
    assert calibration[0].torque_path.rise_rate == control.torque_rise_rate
    motor = vehicle.parameters.front.motor[0]
    assert calibration[0].front.motor_temperature_end == motor.winding.temperature_end
    assert calibration[0].front.inverter_temperature_start == motor.inverter.temperature_start


def test_controller_gets_the_fitted_losses_of_magnets_exactly():
    assert loss_coefficients(load_vehicle("leaf_plus").parameters.front.motor[0]) == pytest.approx(
        [189.0, 4.919e-3, 5.126e-2, 2.210e-7]
    )


def weighted_squares(coefficients, motor):
    """What the fit is to make least, added up point by point."""
    constant, by_speed, by_torque, weakening = coefficients
    total = 0.0
    for i, most in enumerate(motor.envelope_torque):
        for torque in np.linspace(0.0, most, 11) if most > 0.0 else ():
            speed = i * motor.envelope_speed_step
            true = sum(losses(torque, speed, motor.envelope_voltage, 60.0, 60.0, motor))
            fitted = constant + by_speed * speed**2 + torque**2 * (by_torque + weakening * speed**2)
            total += (fitted - true) ** 2 / true
    return total


@pytest.mark.parametrize("name", ["ariya_e4orce_290", "renault_5"])
def test_controller_gets_those_losses_of_a_wound_rotor_that_fit_best_and_are_not_negative(name):
    motor = load_vehicle(name).parameters.front.motor[0]
    found = loss_coefficients(motor)
    assert (found >= 0.0).all()
    least = weighted_squares(found, motor)
    for i in range(4):
        for factor in (0.98, 1.02):
            other = found.copy()
            other[i] = factor * other[i] if other[i] > 0.0 else (factor - 0.98) * 1e-3
            assert weighted_squares(other, motor) >= least


@pytest.mark.parametrize("name", VEHICLES)
def test_every_parameter_of_every_car_is_stated_and_within_its_limits(name):
    vehicle = load_vehicle(name)
    assert vehicle.name == name
    assert vehicle.network == "leaf_ze1"
    for path, field in car.Parameters.fields():
        values = locate(vehicle.parameters, path)
        assert ((values >= field.minimum) & (values <= field.maximum)).all(), path


def test_front_wheel_drive_has_no_motor_behind_and_the_prototype_has_two_alike():
    assert load_vehicle("leaf_plus").parameters.rear.motor.envelope_torque.max() == 0.0
    twin = load_vehicle("leaf_twin_motor").parameters
    assert np.array_equal(twin.front.motor.envelope_torque, twin.rear.motor.envelope_torque)
    assert twin.battery.discharge_power_rated[0] == 243e3


def test_user_changes_a_few_values_of_a_base(write):
    path = write('base = "leaf_plus"\ntitle = "Mine"\n[body]\nmass = 1700\n[front.motor]\ntorque_lag_time = 0.03\n')
    vehicle, base = load_vehicle(path), load_vehicle("leaf_plus")
    assert (vehicle.name, vehicle.title) == ("mine", "Mine")
    assert (vehicle.parameters.body.mass[0], vehicle.parameters.front.motor.torque_lag_time[0]) == (1700.0, 0.03)
    assert vehicle.parameters.front.motor.envelope_torque[0, 0] == 340.0
    assert vehicle.parameters.body.wheelbase[0] == base.parameters.body.wheelbase[0]


def test_base_may_be_a_file_beside_the_own_one(write):
    write('base = "leaf_plus"\nnetwork = "other"\n[body]\nmass = 1700\n', "below.toml")
    vehicle = load_vehicle(write('base = "below.toml"\n[tyre]\nfriction = 0.9\n', "above.toml"))
    assert (vehicle.network, vehicle.parameters.body.mass[0], vehicle.parameters.tyre.friction[0]) == ("other", 1700.0, 0.9)


def test_component_may_be_a_file_of_the_user(write):
    write('base = "nmc_leaf"\ncapacity = 100e3\n', "cell.toml")
    vehicle = load_vehicle(write('base = "leaf_plus"\n[battery]\ncell = "cell.toml"\n'))
    assert vehicle.parameters.battery.cell.capacity[0] == 100e3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[body]\nmas = 1", ["body.mas", "unknown key", "did you mean mass?"]),
        ("[body]\nzzz = 1", ["body.zzz", "unknown key"]),
        ("[front.suspension]\nunsprung_mass = 600", ["front.suspension.unsprung_mass", "at most 50%", "1021 kg", "600"]),
        ("[rear.suspension]\nbrake_support = 0.01", ["rear.suspension.brake_support", "at least", "0.05", "0.01"]),
        ("[front]\nshaft_stiffness = 9e5", ["front.shaft_stiffness", "slower than 100 Hz", "141 Hz"]),
        ("[boddy]\nmass = 1", ["boddy", "unknown key", "did you mean body?"]),
        ('[body]\nmass = "heavy"', ["body.mass", "a number from 100 to 10000 [kg]", "'heavy'"]),
        ("[body]\nmass = true", ["body.mass", "a number", "True"]),
        ("[body]\nmass = 5.0", ["body.mass", "from 100 to 10000", "got 5.0"]),
        ("[body]\nmass = nan", ["body.mass", "a number", "nan"]),
        ("[body]\nmass = inf", ["body.mass", "a number", "inf"]),
        ("[battery]\nseries = 95.5", ["battery.series", "a whole number", "95.5"]),
        ("[battery]\ncharge_power = [1.0, 2.0]", ["battery.charge_power", "a list of 8 numbers", "a list of 2"]),
        ("[battery]\ncharge_power = [1, 2, 3, 4, -5, 6, 7, 8]", ["battery.charge_power[4]", "got -5"]),
        ("[battery]\ncharge_state = [0, 0.1, 0.2, 0.2, 0.5, 0.6, 0.7, 0.8]", ["battery.charge_state", "rising"]),
        ("[body]\nfront_axle_distance = 3.0", ["body.front_axle_distance", "2.7 m", "got 3.0"]),
        ("body = 3", ["body", "a table", "got 3"]),
        # Units that are wrong by 1000, and values that contradict each other
        ("[body]\nmass = 1.823", ["body.mass", "from 100 to 10000 [kg]", "got 1.823"]),
        ("[body]\nmass = 1823000.0", ["body.mass", "from 100 to 10000 [kg]", "got 1823000.0"]),
        ("[body]\nyaw_inertia = 40.0", ["body.yaw_inertia", "from 50 to 50000", "got 40.0"]),
        ("[body]\nyaw_inertia = 200.0", ["body.yaw_inertia", "from 299 to 8505 kg m2", "1823 kg", "got 200"]),
        ("[body]\npitch_inertia = 12e3", ["body.pitch_inertia", "got 1.2e+04"]),
        ("[body]\nroll_inertia = 25.0", ["body.roll_inertia", "got 25"]),
        (
            "[body]\nroad_load_0 = 0.135\nroad_load_1 = 0\nroad_load_2 = 0.0004",
            ["road_load_0", "at 30 m/s from 89.39 to 3576 N", "got 0.495"],
        ),
        ("[body]\naxle_masses = [1021, 702]", ["body.axle_masses", "1823 kg within 1%", "1021 + 702 = 1723"]),
        ("[body]\naxle_masses = [1823]", ["body.axle_masses", "front and rear", "[1823]"]),
        ("[body]\naxle_masses = [1923, -100]", ["body.axle_masses", "front and rear", "-100"]),
        ('[body]\nmass = "heavy"\naxle_masses = [1000, 823]', ["body.axle_masses", "mass and wheelbase"]),
        ("[tyre]\nnominal_load = 18.0e3", ["tyre.nominal_load", "from 2235 to 8939 N", "got 1.8e+04"]),
        ("[front.motor]\nenvelope_torque = [0.34, " + "0, " * 24 + "0]", ["envelope_torque", "from 893.9", "N, got 8.963"]),
        (
            "[front.motor]\nenvelope_torque = [" + "340, " * 25 + "340]",
            ["front.motor.envelope_torque[25]", "expected 0", "got 340"],
        ),
        ("[front.motor]\nenvelope_torque = [340, -1, " + "0, " * 23 + "0]", ["front.motor.envelope_torque[1]", "got -1"]),
        ("[front.motor]\nenvelope_torque = [340, 0]", ["front.motor.envelope_torque", "a list of 26", "a list of 2"]),
        (
            "[front.motor]\nenvelope_voltage = 960.0",
            ["front.motor.envelope_voltage", "from 162.3 to 608.7 V", "406 V", "got 960"],
        ),
        ("[front.motor]\nrotor_inertia = 0.0", ["front.motor.rotor_inertia", "more than 0"]),
        ("[front.motor]\nloss_constant = -1.0", ["front.motor.loss_constant", "from 0 to 5000 [W]", "got -1.0"]),
        ("[front.motor]\nloss_torque = 5.126", ["front.motor.loss_*", "167.8 kW", "to 0.5", "got"]),
        ("[front.motor]\nexcited = 1", ["front.motor.loss_excitation", "wound rotor", "got 0"]),
        ("[front.motor]\nexcited = 2", ["front.motor.excited", "from 0 to 1", "got 2"]),
        (
            "[front.motor.rotor]\ntemperature_end = 100.0",
            ["front.motor.rotor.temperature_end", "more than", "130 degC", "got 100"],
        ),
        ("[control]\ntop_speed = 157.0", ["control.top_speed", "from 5 to 120 [m/s]", "got 157.0"]),
        ("[control]\ntop_speed = 60.0", ["control.top_speed", "front motor", "1250 rad/s", "got 1582"]),
        (
            "[battery]\ndischarge_power_rated = 180.0",
            ["battery.discharge_power_rated", "60.3 kWh", "from 1.206e+04", "W, got 180"],
        ),
        ("[battery.cell]\ncapacity = 56.3", ["battery.discharge_power_rated", "with cells of 0.01675 kWh", "got 1.8e+05"]),
        ("[battery.cell]\nnominal_voltage = 2.5", ["battery.cell.nominal_voltage", "from 2.752 to 4.227 V", "got 2.5"]),
        ("[battery.cell]\nvoltage_max = 3.6", ["battery.cell.voltage_max", "from 3.719", "got 3.6"]),
        ("[battery.cell]\nvoltage_min = 3.9", ["battery.cell.voltage_min", "to 3.719", "got 3.9"]),
        (
            f"[battery.cell]\nopen_circuit_voltage = {[3.0 + 0.05 * i for i in range(10)] + [3.2] + [4.0] * 10}",
            ["battery.cell.open_circuit_voltage[10]", "never falls", "at least 3.45 V", "got 3.2"],
        ),
        ('[front]\nmotor = "em58"', ["unknown motor", "em57_160kw", "none"]),
        ("[front]\nmotor = 3", ["motor", "a table or one of", "em57_160kw"]),
        ("[front]\nmotor.base = 3", ["base", "a text", "got 3"]),
        ("title = 3", ["title", "a text", "got 3"]),
        ("[body", ["is not valid TOML"]),
    ],
)
def test_wrong_file_is_told_by_file_key_expectation_and_finding(write, text, words):
    lines = text if text.startswith("[") else ""
    path = write(f'{"" if lines else text}\nbase = "leaf_plus"\n{lines}\n')
    told = message_of(path)
    assert all(word in told for word in words), told
    assert "mine.toml" in told or "unknown motor" in told


def test_missing_map_is_told(write):
    whole = (files.VEHICLES / "motors" / "em57_160kw.toml").read_text(encoding="utf-8")
    start = whole.index("envelope_torque")
    write(whole[:start] + whole[whole.index("envelope_voltage") :], "motor.toml")
    told = message_of(write('base = "leaf_plus"\n[front]\nmotor = "motor.toml"\n'))
    assert "motor.toml: envelope_torque: expected a list of 26 numbers from 0 to 2000 [Nm], got nothing" in told


def test_axle_masses_place_the_centre_of_gravity(write):
    path = write('base = "leaf_plus"\n[body]\nmass = 1800.0\naxle_masses = [1000.0, 800.0]\n')
    assert load_vehicle(path).parameters.body.front_axle_distance[0] == pytest.approx(2.7 * 800.0 / 1800.0)


def test_missing_value_is_told(write):
    told = message_of(write("[body]\nmass = 1500.0\n"))
    assert "body.yaw_inertia: expected a number" in told
    assert "got nothing" in told


def test_missing_block_is_told(write):
    complete = (files.VEHICLES / "leaf_plus.toml").read_text(encoding="utf-8")
    without_tyre = complete[: complete.index("[tyre]")] + complete[complete.index("[front]") :]
    assert "tyre: expected a table, got nothing" in message_of(write(without_tyre))


def test_wrong_component_is_told_by_its_own_file(write):
    write('base = "nmc_leaf"\ncapacity = -1.0\n', "cell.toml")
    told = message_of(write('base = "leaf_plus"\n[battery]\ncell = "cell.toml"\n'))
    assert "cell.toml: capacity" in told


def test_files_that_rest_on_each_other_are_told(write):
    write('base = "two.toml"\n', "one.toml")
    assert "rests on" in message_of(write('base = "one.toml"\n', "two.toml"))


def test_unknown_vehicle_is_told_with_the_known_ones_and_the_closest():
    assert message_of("leaf_plu") == (
        f'unknown vehicle "leaf_plu", did you mean "leaf_plus"; there are: {", ".join(VEHICLES)}; or give the path of a file'
    )
    assert message_of("zeppelin").startswith('unknown vehicle "zeppelin"; there are: a290_gt')
    assert "no such file" in message_of("nowhere/mine.toml")


def test_file_that_is_not_text_is_told(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    assert "UTF-8" in message_of(path)


def test_file_that_cannot_be_read_is_told(write, monkeypatch):
    def refuse(self, **_):
        raise PermissionError(13, "Permission denied")

    path = write("")
    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    assert "cannot be read: Permission denied" in message_of(path)


def test_another_pack_changes_mass_heat_power_and_curve_but_not_the_original():
    vehicle = load_vehicle("leaf_twin_motor")
    other = with_pack(vehicle, parallel=4, chemistry="lfp")
    before, after = vehicle.parameters, other.parameters
    assert after.battery.parallel[0] == 4
    assert after.body.mass[0] == pytest.approx(before.body.mass[0] + 107.0)
    assert after.battery.heat_capacity[0] == pytest.approx(before.battery.heat_capacity[0] * 4 / 3)
    assert after.battery.discharge_power_rated[0] == pytest.approx(243e3 * 4 / 3)
    assert after.battery.cell.open_circuit_voltage[0, 10] == 3.266
    assert (before.battery.parallel[0], before.battery.cell.open_circuit_voltage[0, 10]) == (3, 3.671)


def test_rated_power_of_another_pack_may_be_given_and_nothing_else_changes_by_itself():
    vehicle = load_vehicle("leaf_twin_motor")
    assert with_pack(vehicle, parallel=2, discharge_power_rated=150e3).parameters.battery.discharge_power_rated[0] == 150e3
    assert np.array_equal(with_pack(vehicle).parameters, vehicle.parameters)
    with pytest.raises(UsageError, match='unknown chemistry "lfq", did you mean "lfp"'):
        with_pack(vehicle, chemistry="lfq")
    with pytest.raises(UsageError, match="parallel"):
        with_pack(vehicle, parallel=0)


def test_another_motor_changes_nothing_but_the_motor():
    twin = load_vehicle("leaf_twin_motor")
    front_drive = with_motor(twin, "rear", "none")
    assert front_drive.parameters.rear.motor.envelope_torque.max() == 0.0
    assert front_drive.parameters.rear.wheel_inertia[0] == twin.parameters.rear.wheel_inertia[0]
    assert front_drive.parameters.body.tobytes() == twin.parameters.body.tobytes()
    assert twin.parameters.rear.motor.envelope_torque.max() == 340.0
    with pytest.raises(UsageError, match="unknown motor"):
        with_motor(twin, "rear", "warp")


def test_a_controllers_calibration_file_comes_with_its_vehicle_and_with_those_that_rest_on_it(write):
    write("torque_path.rise_rate = 1234.0\n", "quick.toml")
    write('base = "leaf_plus"\ncalibration = "quick.toml"\n')
    car = load_vehicle(write('base = "mine.toml"\nbody.mass = 1700.0\n', "heavy.toml"))
    assert calibration_of(car).torque_path.rise_rate[0] == 1234.0
    assert calibration_of(car).vehicle.mass[0] == 1700.0
    untuned = load_vehicle(write('base = "mine.toml"\ncalibration = ""\n', "untuned.toml"))
    assert calibration_of(untuned).torque_path.rise_rate[0] != 1234.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("torque_path.rise_rat = 1.0\n", "torque_path.rise_rat: no such value"),
        ('version = "another"\ntorque_path.rise_rate = 1234.0\n', 'version = "another"'),
    ],
)
def test_a_calibration_file_with_mistakes_is_refused_with_its_vehicle(write, text, message):
    write(text, "wrong.toml")
    path = write('base = "leaf_plus"\ncalibration = "wrong.toml"\n')
    with pytest.raises(UsageError) as caught:
        load_vehicle(path)
    assert message in str(caught.value)
    assert 'unknown calibration "wrong"' in message_of(write('base = "leaf_plus"\ncalibration = "wrong"\n'))
