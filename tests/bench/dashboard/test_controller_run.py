"""The controller alone on a bus behind the page, with an inverter of the virtual car on the other side."""

import threading
import time

import pytest
from browser import wait_for
from interpreter import needs_compiler
from platforms import needs_absolute_sleep

from bench.commands.ecu import HELD
from bench.dashboard.recording import Recording
from bench.dashboard.run import ControllerRun, Standing
from bench.drive import Drive
from bench.operator import Operator
from bench.scenarios import load_scenario
from bench.station import car_of_roles, controller_station, rest_bus_roles, wire
from bench.vehicles import load_vehicle
from firmware_model.measurements import SupervisorState
from hil.calibration.changes import CalibrationError
from hil.network.database import load_network
from hil.realtime import RealtimeBench
from hil.timing import LoopSettings

pytestmark = [needs_absolute_sleep, needs_compiler]

SETTINGS = LoopSettings(priority=0, lock_memory=False)
LONGEST = 120.0  # [s]


@pytest.fixture
def told():
    return []


@pytest.fixture
def wiring():
    return wire(load_network("leaf_ze1"), {"front": "virtual:dashboard table"})


@pytest.fixture
def inverter(wiring):
    """An inverter that is there, in a thread of its own."""
    car = Drive(wiring.network, load_vehicle("leaf_plus"), load_scenario("launch")).car
    node = car_of_roles(car, wiring.network, ["front_inverter"])
    bench = RealtimeBench(wiring.network, [node], wiring.in_order, SETTINGS)
    bench.compile()
    thread = threading.Thread(target=lambda: list(bench.chunks(LONGEST, 0.05)))
    thread.start()
    yield node
    bench.request_stop()
    thread.join()


@pytest.fixture
def run(wiring, told, tmp_path):
    vehicle, operator = load_vehicle("leaf_plus"), Operator(torque_max=20.0)

    def station():
        rest = rest_bus_roles(["battery", "chassis"])
        return controller_station(wiring, vehicle, rest=rest, operator=operator, by_hand=True, voltage=395.0)

    recording = Recording(tmp_path, [bus.name for bus in wiring.network.buses], told.append)
    run = ControllerRun(
        wiring.network, vehicle, SETTINGS, recording, told.append, station=station, addresses=wiring.in_order, held=HELD,
        operator=operator,
    )  # fmt: skip
    yield run
    run.close()


def state(run):
    last = run.history.last
    return None if last is None else int(last["controller_measurements"]["supervisor"]["state"])


def asked(run):
    return float(run.history.last["controller_outputs"]["front"]["motor_torque"])


def test_a_motor_gets_torque_from_the_page_and_none_when_no_page_is_left(run, inverter, told):
    run.compile()
    run.seen_at = time.monotonic()
    run.start()
    recorded = run.recording.start()
    wait_for(lambda: state(run) == SupervisorState.READY, "READY", LONGEST)
    assert asked(run) == 0.0
    run.seen_at = time.monotonic() + LONGEST
    run.press("a")
    run.press("up")
    wait_for(lambda: asked(run) > 0.5, "torque by hand")
    run.pages.change({"yaw_control.gain": 1000.0}, "test")
    assert asked(run) > 0.5
    run.seen_at = 0.0
    wait_for(lambda: asked(run) == 0.0, "no torque any more")
    assert any("no page answers" in line for line in told)
    run.stop()
    wait_for(lambda: run.standing is Standing.OFF, "the end")
    run.recording.stop()
    assert recorded.stat().st_size > 10_000


def test_what_hangs_on_the_bench_is_changed_by_no_page(run):
    with pytest.raises(CalibrationError, match="held"):
        run.pages.change({"supervisor.arming_required": 0}, "test")
    assert run.calibration.supervisor.arming_required[0] == 1


def test_a_bus_that_is_not_there_is_told_as_why_the_run_failed(run, told):
    run.addresses = ["socketcan:nothing_there", *run.addresses[1:]]
    run.start()
    wait_for(lambda: run.standing is Standing.FAILED, "the failure", LONGEST)
    assert "nothing_there" in run.error
    assert run.error in told[-1]
