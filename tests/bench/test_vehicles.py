"""Vehicle files: what comes with the bench, what users write, and what they are told when it is wrong."""

import numpy as np
import pytest

from bench.plant import car
from bench.vehicles import files, list_chemistries, list_vehicles, load_vehicle, with_motor, with_pack
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
    assert message_of("zeppelin").startswith('unknown vehicle "zeppelin"; there are: leaf_')
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
