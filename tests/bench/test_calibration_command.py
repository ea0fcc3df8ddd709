"""``e4hil calibration``, and the calibrations that ``drive`` and ``ecu`` are given."""

import json

import pytest
from typer.testing import CliRunner

from bench.calibrating import calibration_of
from bench.cli import app
from bench.station import controller_station, wire
from bench.vehicles import load_vehicle
from hil.calibration.files import read_file
from hil.calibration.table import FIELDS, VERSION
from hil.errors import UsageError
from hil.network.database import load_network
from hil.xcp.identity import EPK


def e4hil(*arguments):
    """Output of a command; what it raises comes through."""
    return CliRunner(env={"COLUMNS": "150"}).invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def tuned(tmp_path):
    path = tmp_path / "tuned.toml"
    path.write_text(f'version = "{VERSION}"\n[vehicle]\nmass = 2000.0\n[torque_split]\nmode_shift = [0.0, 0.2, 0.0, 0.0]\n')
    return str(path)


def test_show_tells_values_units_limits_and_meaning(tuned):
    (value,) = json.loads(e4hil("calibration", "show", "vehicle.mass", "--calibration", tuned, "--json").stdout)["values"]
    assert value == {
        "path": "vehicle.mass", "value": 2000.0, "unit": "kg", "minimum": 500.0, "maximum": 5000.0,
        "description": "mass of the car with its driver",
    }  # fmt: skip
    table = e4hil("calibration", "show", "yaw_control").stdout
    for text in ("yaw_control.gain_rate", "Nm/(rad/s2)", "2000", "0 … 50000", "yaw moment per rate of the yaw-rate error"):
        assert text in table
    assert "vehicle.mass" not in table


def test_show_finds_values_by_a_part_or_a_pattern():
    def found(pattern):
        return [value["path"] for value in json.loads(e4hil("calibration", "show", pattern, "--json").stdout)["values"]]

    assert found("*.fade_in_start") == ["sideslip.fade_in_start", "yaw_control.fade_in_start", "ride_control.fade_in_start"]
    assert found("cg_height") == ["vehicle.cg_height"]
    assert len(found("")) == len(FIELDS)
    with pytest.raises(UsageError, match=r'no calibration value is called "vehicle\.mas+e", did you mean "vehicle\.mass"'):
        found("vehicle.masse")


def test_show_of_one_map_has_its_points_and_axes():
    table = e4hil("calibration", "show", "driver_demand.force_sport").stdout
    for text in ("17900", "-1620", "0.25", "26", "rows: driver_demand.pedal_points", "columns: driver_demand.speed_points [m/s]"):
        assert text in table
    assert "columns: temperature [degC]" in e4hil("calibration", "show", "pack.series_over_temperature").stdout
    assert "0.05" in e4hil("calibration", "show", "driver_demand.brake_points").stdout


def test_diff_names_each_number_that_differs(tuned):
    table = e4hil("calibration", "diff", "leaf_twin_motor", tuned).stdout
    lines = {cells[0]: cells[1:] for line in table.splitlines() if len(cells := line.split()) > 2 and "." in cells[0]}
    assert lines == {"vehicle.mass": ["1880", "2000", "kg"], "torque_split.mode_shift[1]": ["-0.1", "0.2"]}


def test_diff_of_the_same_says_so_and_strict_fails_only_on_differences(tuned):
    same = e4hil("calibration", "diff", tuned, tuned, "--strict")
    assert (same.exit_code, "are the same" in same.stdout) == (0, True)
    assert e4hil("calibration", "diff", "default", tuned, "--strict").exit_code == 1
    assert e4hil("calibration", "diff", "default", tuned).exit_code == 0
    told = json.loads(e4hil("calibration", "diff", "leaf_twin_motor", tuned, "--json").stdout)["differences"]
    assert [(one["path"], one["unit"]) for one in told] == [("vehicle.mass", "kg"), ("torque_split.mode_shift", "1")]


@pytest.mark.parametrize("suffix", [".toml", ".cdfx"])
@pytest.mark.parametrize("changes", [[], ["--changes"]])
def test_what_is_exported_is_the_same_calibration(tmp_path, tuned, suffix, changes):
    file = str(tmp_path / f"out{suffix}")
    e4hil("calibration", "export", file, "--calibration", tuned, *changes)
    assert len(read_file(tmp_path / f"out{suffix}").values) == (2 if changes else len(FIELDS))
    assert "are the same" in e4hil("calibration", "diff", tuned, file).stdout


def test_the_a2l_is_exported_and_holds_no_values(tmp_path, tuned):
    done = e4hil("calibration", "export", str(tmp_path / "controller.a2l"))
    assert EPK.decode() in done.output
    assert f'EPK "{EPK.decode()}"' in (tmp_path / "controller.a2l").read_text()
    with pytest.raises(UsageError, match="holds no values"):
        e4hil("calibration", "export", str(tmp_path / "other.a2l"), "--calibration", tuned)


def test_import_takes_over_what_fits_and_tells_the_rest(tmp_path):
    text = 'version = "01234567"\ncontents = "all"\nvehicle.mass = 2000\nvehicle.length = 4.5\nis_whole = true\n'
    (tmp_path / "old.toml").write_text(text)
    with pytest.raises(UsageError, match=r"vehicle\.length: gone.*vehicle\.wheelbase: new.*import takes over what fits"):
        e4hil("calibration", "show", "--calibration", str(tmp_path / "old.toml"))
    done = e4hil("calibration", "import", str(tmp_path / "old.toml"), "--out", str(tmp_path / "new.toml"))
    assert "vehicle.length: gone" in done.output
    assert "vehicle.wheelbase: new" in done.output
    table = json.loads(e4hil("calibration", "diff", "leaf_twin_motor", str(tmp_path / "new.toml"), "--json").stdout)
    assert [one["path"] for one in table["differences"]] == ["vehicle.mass"]


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"out\.xls: is no calibration file by its name; expected one that ends in \.toml or"):
        e4hil("calibration", "export", str(tmp_path / "out.xls"))
    assert list(tmp_path.iterdir()) == []


def test_the_controller_drives_on_the_calibration_it_is_given(tmp_path, tuned):
    scenario = tmp_path / "short.toml"
    stimulus = "time = [0.0, 0.1]\naccelerator = [0.0, 1.0]\nsteering_deg = [0.0, 0.0]\n"
    scenario.write_text(f'title = "short"\nduration = 0.5\n[stimulus]\n{stimulus}')
    weak = tmp_path / "weak.toml"
    weak.write_text("torque_path.motor_torque_clamp = 10.0\n")

    def speed(*options):
        rows = json.loads(e4hil("drive", str(scenario), "--json", *options).stdout)["rows"]
        return next(row["value"] for row in rows if "speed" in row["name"])

    assert speed("--calibration", str(weak)) < 0.5 * speed()


def test_the_wiring_and_the_hand_on_the_bench_stand_above_a_file(tmp_path):
    (tmp_path / "c.toml").write_text("supervisor.arming_required = 0\nrear.motor_present = 1\nvehicle.mass = 2000\n")
    vehicle = load_vehicle("leaf_twin_motor")
    wiring = wire(load_network(vehicle.network), {"front": "slcan:/dev/ttyACM0@500000"})
    rest = frozenset(role for bus in wiring.network.buses for role in bus.roles)
    nodes = controller_station(wiring, vehicle, rest=rest, calibration=read_file(tmp_path / "c.toml"))
    parameters = nodes[0].parameters
    assert parameters.vehicle.mass[0] == 2000.0
    assert parameters.supervisor.arming_required[0] == 1
    assert (parameters.front.motor_present[0], parameters.rear.motor_present[0]) == (1, 0)
    assert calibration_of(vehicle).rear.motor_present[0] == 1
