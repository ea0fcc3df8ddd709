"""Whole drives through the frames: the skeleton must be right, whatever the laws inside it become.

Expected figures are published or measured ones, restated here with their source; none is taken from the code.
"""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from platforms import needs_absolute_sleep

from bench.drive import Drive, DriveResult
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from firmware_model.measurements import Fault, SupervisorState
from hil.network.database import load_network

KMH = 1 / 3.6


def drive(
    scenario: str, vehicle: str = "leaf_twin_motor", network: str | None = None, duration: float | None = None
) -> DriveResult:
    car = load_vehicle(vehicle)
    run = Drive(load_network(network or car.network), car, load_scenario(scenario), duration=duration)
    return run.result(list(run.chunks(run.lockstep())))


@pytest.fixture(scope="module")
def launch() -> DriveResult:
    return drive("launch", duration=12.0)


def value(result: DriveResult, name: str) -> float:
    return float(next(row.value for row in result.rows if row.name == name))


def plant(result: DriveResult) -> np.ndarray:
    return result.scenario_samples["car_measurements"]["plant"]


def test_every_row_of_a_launch_that_has_a_target_reaches_it(launch: DriveResult) -> None:
    assert [row.name for row in launch.rows if row.passed is False] == []
    assert launch.completed


def test_the_twin_motor_car_has_the_published_power_and_torque(launch: DriveResult) -> None:
    # 227 kW and 680 Nm: published for the 2019 prototype.
    assert value(launch, "peak shaft power, both motors") == pytest.approx(227.0, rel=0.02)
    asked = launch.scenario_samples["controller_outputs"]
    assert float(np.max(asked["front"]["motor_torque"] + asked["rear"]["motor_torque"])) <= 680.0
    # The motors can do 680 Nm; 680 Nm are 17.9 kN at the road, and its grip (1.05 at 1880 kg) holds back the last of them.
    wanted = launch.scenario_samples["controller_measurements"]
    both = wanted["front"]["motor_torque_wanted"] + wanted["rear"]["motor_torque_wanted"]
    assert float(np.max(both)) == pytest.approx(680.0, rel=0.005)
    assert value(launch, "peak motor torque, both motors") > 600.0


def test_the_battery_limit_is_ridden_and_not_crossed(launch: DriveResult) -> None:
    battery = plant(launch)["battery"]
    share = battery["power"] / battery["discharge_limit"]
    assert 0.97 < float(np.max(share)) <= 1.005
    assert value(launch, "limit violations") == 0


def test_ready_comes_when_a_real_leaf_is_ready(launch: DriveResult) -> None:
    # 1.87 s after the first frame in the recorded start of a LEAF e+.
    assert value(launch, "READY after") == pytest.approx(1.87, abs=0.1)
    states = launch.samples["controller_measurements"]["supervisor"]["state"]
    seen = list(dict.fromkeys(int(state) for state in states))
    assert seen == [
        SupervisorState.WAKE,
        SupervisorState.PRECHARGE,
        SupervisorState.HIGH_VOLTAGE_ON,
        SupervisorState.READY,
    ] or seen[1:] == [SupervisorState.WAKE, SupervisorState.PRECHARGE, SupervisorState.HIGH_VOLTAGE_ON, SupervisorState.READY]


def test_no_torque_flows_before_ready(launch: DriveResult) -> None:
    before = launch.samples["controller_outputs"]["power"]["ready"] == 0
    for axle in ("front", "rear"):
        assert not np.any(launch.samples["controller_outputs"][axle]["motor_torque"][before])
        assert not np.any(launch.samples["car_measurements"]["plant"][axle]["motor"]["torque"][before])


def test_what_reaches_the_inverter_is_what_the_controller_sent_in_the_resolution_of_the_frame(launch: DriveResult) -> None:
    """Decoded from the recorded bytes by hand: 0x1D4, byte 2 and the high nibble of byte 3, 0.25 Nm, rear motor turned round."""
    for bus, sign, axle in ((0, 1.0, "front"), (1, -1.0, "rear")):
        frames = launch.frames[(launch.frames.identifier == 0x1D4) & (launch.frames.bus == bus)]
        data = frames.payload
        raw = (((data >> np.uint64(16)) & np.uint64(0xFF)) << np.uint64(4)) | ((data >> np.uint64(28)) & np.uint64(0xF))
        signed = raw.astype(np.int64)
        signed[signed >= 2048] -= 4096
        torque = sign * 0.25 * signed
        peak = float(np.max(launch.samples["controller_outputs"][axle]["motor_torque"]))
        assert float(np.max(torque)) == pytest.approx(peak, abs=3.0)
        assert float(np.max(torque)) > 300.0


def test_two_drives_are_identical_to_the_bit(launch: DriveResult) -> None:
    again = drive("launch", duration=12.0)
    assert again.frames.tobytes() == launch.frames.tobytes()
    assert again.samples.tobytes() == launch.samples.tobytes()


def test_pulling_away_uphill_on_snow_succeeds() -> None:
    result = drive("snow_hill_start")
    assert value(result, "faults") == 0
    assert value(result, "speed at the end") > 20.0
    assert float(np.min(plant(result)["body"]["longitudinal_speed"])) > -0.3  # hardly rolls back


def test_a_stop_regenerates_within_the_charge_limit_and_stands_still_at_the_end() -> None:
    result = drive("regen_stop")
    assert value(result, "limit violations") == 0
    assert value(result, "peak power into the battery") > 10.0
    assert abs(value(result, "speed at the end")) < 0.1


def test_the_driver_stays_in_the_lanes_of_the_double_lane_change() -> None:
    result = drive("double_lane_change")
    body, shape = plant(result)["body"], result.vehicle.parameters[0].body
    front = float(shape.front_axle_distance + shape.front_overhang)
    rear = float(shape.front_axle_distance - shape.wheelbase - shape.rear_overhang)
    assert float(shape.width) == 1.79
    # Lanes of ISO 3888-2 for a car of 1.79 m: 2.22 m wide at the entry; then 2.79 m wide, 1 m to the left of it; then 3 m wide.
    # The scenario's entry lane ends at 22 m, so that the second lane is from 35.5 to 46.5 m and the third from 59 to 71 m.
    lanes = ((10.0, 22.0, -1.11, 1.11), (35.5, 46.5, 1.11 + 1.0, 1.11 + 1.0 + 2.79), (59.0, 71.0, -1.11, 3.0 - 1.11))
    cos_psi, sin_psi = np.cos(body["yaw"]), np.sin(body["yaw"])
    for forward, left in itertools.product((front, rear), (0.5 * 1.79, -0.5 * 1.79)):
        x = body["x"] + forward * cos_psi - left * sin_psi
        y = body["y"] + forward * sin_psi + left * cos_psi
        for begin, end, right_edge, left_edge in lanes:
            inside = (x >= begin) & (x <= end)
            assert inside.any()
            assert np.all((y[inside] > right_edge) & (y[inside] < left_edge))


def test_a_step_steer_settles_on_its_reference() -> None:
    result = drive("step_steer")
    late = result.scenario_samples[-100:]
    yaw_rate = late["car_measurements"]["plant"]["body"]["yaw_rate"]
    reference = late["controller_measurements"]["yaw_control"]["yaw_rate_reference"]
    assert float(np.mean(yaw_rate)) == pytest.approx(float(np.mean(reference)), rel=0.1)
    assert 3.0 < value(result, "peak lateral acceleration") < 6.0


def test_stop_and_go_follows_the_wanted_speed() -> None:
    result = drive("stop_and_go")
    samples = result.scenario_samples
    error = plant(result)["body"]["longitudinal_speed"] - samples["car_measurements"]["wanted_speed"]
    assert float(np.sqrt(np.nanmean(error**2))) < 2.0 * KMH
    assert value(result, "faults") == 0


@pytest.mark.parametrize("network", ["leaf_ze0", "leaf_aze0", "leaf_ze1"])
def test_every_generation_of_the_leaf_drives(network: str) -> None:
    result = drive("launch", network=network, duration=4.0)
    assert result.completed
    assert [row.name for row in result.rows if row.passed is False and row.name != "0 to 100 km/h"] == []
    assert value(result, "speed at the end") > 60.0


def test_a_users_own_network_drives_the_same_car() -> None:
    network = Path(__file__).resolve().parents[2] / "examples" / "own_network" / "network.toml"
    result = drive("launch", network=str(network), duration=4.0)
    assert result.completed
    assert [row.name for row in result.rows if row.passed is False and row.name != "0 to 100 km/h"] == []
    assert value(result, "speed at the end") > 60.0


def test_the_front_driven_leaf_has_the_power_measured_on_its_bus() -> None:
    result = drive("launch", vehicle="leaf_plus", duration=15.0)
    # 166 to 167 kW at the shaft, 177.7 kW of the 180 kW that the battery allows: recorded full-throttle drives.
    assert value(result, "peak shaft power, both motors") == pytest.approx(166.5, rel=0.03)
    assert value(result, "peak battery power") == pytest.approx(177.7, rel=0.02)
    assert value(result, "limit violations") == 0
    assert value(result, "peak rear axle torque") == 0.0


def test_a_silent_battery_takes_the_torque_away_within_its_timeout() -> None:
    car = load_vehicle("leaf_twin_motor")
    run = Drive(load_network(car.network), car, load_scenario("launch"))
    bench = run.lockstep()
    while run.scenario_time < 3.0:
        bench.advance(0.1)
    assert run.controller.outputs["front"]["motor_torque"][0] > 100.0
    # The battery controller's own clock is stopped: it sleeps, and is silent.
    run.car.parameters["battery_controller"]["valid_time"] = math.inf
    bench.advance(0.3)
    assert run.controller.outputs["front"]["motor_torque"][0] == 0.0
    assert run.controller.outputs["rear"]["motor_torque"][0] == 0.0


def test_a_silent_inverter_leaves_the_car_its_other_axle() -> None:
    car = load_vehicle("leaf_twin_motor")
    run = Drive(load_network(car.network), car, load_scenario("launch"))
    bench = run.lockstep()
    while run.scenario_time < 2.0:
        bench.advance(0.1)
    run.car.parameters["rear_inverter"]["mute"] = 1
    bench.advance(1.0)
    measured = run.controller.measurements["supervisor"]
    assert run.controller.outputs["rear"]["motor_torque"][0] == 0.0
    assert 0.0 < run.controller.outputs["front"]["motor_torque"][0] <= 0.5 * 340.0 + 0.5
    assert measured["faults"][0] == Fault.REAR_INVERTER_SILENT
    speed = run.car.measurements["plant"]["body"]["longitudinal_speed"][0]
    bench.advance(2.0)  # latched now
    assert measured["state"][0] == SupervisorState.READY
    assert run.car.measurements["plant"]["body"]["longitudinal_speed"][0] > speed + 1.0


def test_the_e_pedal_stops_the_car_and_holds_it_on_a_hill(tmp_path: Path) -> None:
    path = tmp_path / "hill.toml"
    path.write_text(
        'title = "hill"\nduration = 15.0\n[start]\nspeed_kmh = 40.0\ne_pedal = true\n'
        "[stimulus]\ntime = [0.0, 15.0]\naccelerator = [0.0, 0.0]\nsteering_deg = [0.0, 0.0]\ngrade_percent = [12.0, 12.0]\n"
    )
    result = drive(str(path))
    assert value(result, "faults") == 0
    body = plant(result)["body"]
    late = result.scenario_samples["car_measurements"]["scenario_time"] > 8.0
    assert np.abs(body["longitudinal_speed"][late]).max() < 0.02
    assert body["longitudinal_speed"].min() > -0.15
    x = body["x"][late]
    assert x.max() - x.min() < 0.02


@needs_absolute_sleep
def test_the_same_nodes_drive_in_real_time_on_virtual_buses() -> None:
    from hil.realtime import RealtimeBench

    car = load_vehicle("leaf_twin_motor")
    run = Drive(load_network(car.network), car, load_scenario("launch"), duration=1.5)
    addresses = [f"virtual:test_drive_{bus.name}" for bus in run.network.buses]
    bench = RealtimeBench(run.network, [run.controller, run.car], addresses)
    bench.compile()
    result = run.result(list(run.chunks(bench, 0.1)))
    assert bench.errors == []
    assert result.completed
    assert value(result, "CRC errors") == 0
    assert value(result, "frames on the buses") > 1000
    assert value(result, "speed at the end") > 5.0


def test_an_unknown_target_of_a_scenario_is_refused(tmp_path: Path) -> None:
    from hil.errors import UsageError

    path = tmp_path / "odd.toml"
    path.write_text(
        'title = "t"\n[stimulus]\ntime = [0.0, 1.0]\naccelerator = [0.0, 0.0]\n[targets]\ncolour = { minimum = 1.0 }\n'
    )
    car = load_vehicle("leaf_twin_motor")
    with pytest.raises(UsageError, match=r"targets\.colour: no such figure; there are: .*time_to_100_kmh"):
        Drive(load_network(car.network), car, load_scenario(str(path)))
