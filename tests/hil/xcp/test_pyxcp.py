"""A public master on the bus of a running loop: it reads by the A2L, writes, switches pages, measures."""

import struct
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from waiting import nothing_left_behind, wait_until
from xcp_rig import CONTROLLER, FRONT, MASS, REAR, SPEED

from hil.calibration.pages import CalibrationPages
from hil.node import Node
from hil.realtime import RealtimeBench
from hil.timing import LoopSettings
from hil.xcp.a2l import generate_a2l
from hil.xcp.controller import controller_xcp
from hil.xcp.events import RASTERS
from hil.xcp.identity import EPK
from hil.xcp.memory import SEGMENTS, address

public = pytest.importorskip("pyxcp_rig", reason="pyxcp is not installed")

LONG_ENOUGH = 60.0  # [s]


@pytest.fixture(scope="module", autouse=True)
def library_has_begun():
    """What the library opens once is open before anything is counted."""
    with public.own_bus() as bus:
        master = public.master_on(bus)
        master.transport.connect()
        master.close()


@pytest.fixture
def running(network):
    """The loop, its pages and the node, while it runs on a bus."""
    node = Node(CONTROLLER, network)
    bench = RealtimeBench(network, [node], [public.ADDRESS], LoopSettings(priority=0, lock_memory=False))
    station = bench.stations[0]
    pages = CalibrationPages(node.parameters, station.put_parameters)
    station.answer(0, controller_xcp(node, pages, station.event_ring))
    bench.compile()
    with nothing_left_behind():
        run = bench.chunks(LONG_ENOUGH, 0.01)
        for _ in run:
            if node.state.time[0] > 0.0:
                break
        yield SimpleNamespace(bench=bench, node=node, pages=pages, look=lambda: next(run))
        run.close()
    assert bench.errors == []


@pytest.fixture
def connected(running):
    """Makes a master that is connected."""
    masters = []

    def connect(policy=None):
        bus = public.own_bus()
        master = public.master_on(bus, policy)
        masters.append((master, bus))
        master.transport.connect()
        master.connect()
        master.getCommModeInfo()
        return master

    yield connect
    for master, bus in masters:
        master.close()
        bus.shutdown()


def test_it_connects_and_learns_what_there_is(connected):
    master = connected()
    assert master.slaveProperties.byteOrder == "INTEL"
    assert (master.slaveProperties.maxCto, master.slaveProperties.maxDto) == (8, 8)
    told = master.getDaqInfo()
    assert [channel["name"] for channel in told["channels"]] == ["1 ms", "10 ms", "100 ms"]
    (segment,) = master.getPagInfo()["segments"]
    assert (segment["address"], segment["length"]) == (SEGMENTS["parameters"].address, SEGMENTS["parameters"].size)
    assert [page["properties"]["xcpWriteAccessWithEcu"] for page in segment["pages"]] == [True, False]
    assert master.identifier(5) == EPK.decode()


@pytest.fixture(scope="module")
def module():
    """The A2L as a public parser reads it; what this leaves open is there before anything runs."""
    parser = pytest.importorskip("pya2l.parser", reason="pya2l is not installed")
    with parser.A2lParser() as reading:
        return reading.tree_from_a2l(generate_a2l().encode()).PROJECT.MODULE[0]


def test_it_reads_by_the_a2l_of_the_same_build(module, connected):
    master = connected()
    epk = module.MOD_PAR.EPK.Identifier.Value.encode()
    master.setMta(module.MOD_PAR.ADDR_EPK[0].Address.Value)
    assert master.fetch(len(epk)) == epk
    found = {one.Name.Value: one for one in module.CHARACTERISTIC}
    assert struct.unpack("<f", master.shortUpload(4, found["vehicle.mass"].Address.Value)) == (1875.0,)
    force = found["driver_demand.force_sport"]
    columns, rows = (axis.MaxAxisPoints.Value for axis in force.AXIS_DESCR)
    master.setMta(force.Address.Value)
    table = np.frombuffer(master.fetch(4 * rows * columns), dtype="<f4").reshape(rows, columns)
    assert table[1].tolist() == [2150.0, 2150.0, 1160.0, 720.0, 710.0, 160.0, 0.0, -80.0]


def test_it_writes_what_the_loop_runs_on_from_then_and_switches_pages(connected, running):
    master = connected()
    master.setMta(MASS)
    master.download(struct.pack("<f", 1900.1))
    assert running.node.parameters.vehicle.mass[0] == 1900.1
    torque = running.node.outputs.rear.motor_torque
    wait_until(lambda: torque[0] == 1900.1)
    master.setCalPage(0x83, 0, 1)
    wait_until(lambda: torque[0] == 1875.0)
    master.setCalPage(0x83, 0, 0)
    wait_until(lambda: torque[0] == 1900.1)
    master.setMta(MASS)
    with pytest.raises(public.XcpResponseError):
        master.download(struct.pack("<f", float("nan")))
    assert running.node.parameters.vehicle.mass[0] == 1900.1
    master.copyCalPage(0, 1, 0, 0)
    wait_until(lambda: torque[0] == 1875.0)


def test_it_compares_the_whole_memory_by_its_checksum(connected):
    master = connected()
    segment = SEGMENTS["parameters"]
    master.setMta(segment.address)
    told = master.buildChecksum(segment.size)
    master.setMta(segment.address)
    assert told.checksum == zlib.crc32(master.fetch(segment.size))


def test_a_block_of_it_is_one_change(connected, running):
    master = connected()
    points = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    taken = running.node.parameters.driver_demand.pedal_points
    master.push(address("parameters", "driver_demand.pedal_points"), 0, struct.pack("<6f", *points))
    wait_until(lambda: tuple(taken[0]) == points)


@pytest.mark.parametrize(("event", "raster", "values"), [(0, 1_000_000, ["time"]), (1, 10_000_000, ["time", "front", "rear"])])
def test_a_run_of_data_acquisition_has_every_raster_and_all_of_a_sample_from_one_period(
    connected, running, event, raster, values
):
    addresses = {"time": SPEED, "front": FRONT, "rear": REAR}
    measured = [(name, addresses[name], 0, "F32") for name in values]
    policy = public.Recording([public.DaqList("list", event, False, True, measured, 0, 1)])
    policy.initialize()
    master = connected(policy)
    policy.setup()
    policy.start()
    wait_until(lambda: (running.look(), len(policy.rows) > 100)[1], 30.0)
    policy.stop()
    assert master.getStatus().sessionStatus.daqRunning is False
    times = np.array([row[0] for row in policy.rows[1:]])
    told = dict(zip((name for name, *_ in policy.daq_lists[0].headers), np.array(policy.rows[1:]).T[1:], strict=True))
    if "front" in told:
        np.testing.assert_allclose(told["front"], 2.0 * told["time"], rtol=1e-6)
        assert set(told["rear"]) == {1875.0}
    assert (np.diff(times) > 0).all()
    missing = round((times[-1] - times[0]) / RASTERS[event]) - (len(times) - 1)
    slips = int(running.bench.statistics["controller"].cycle_slips)
    responder = running.bench.stations[0]._responders[0]
    assert missing <= slips + responder.left_out


def test_lists_that_ask_for_more_than_their_share_lose_whole_samples_and_the_master_is_told(connected, running):
    measured = [(f"value {k}", FRONT + 4 * k, 0, "F32") for k in range(0, 40, 2)]
    policy = public.Recording([public.DaqList("greedy", 0, False, True, measured, 0, 1)])
    policy.initialize()
    master = connected(policy)
    policy.setup()
    policy.start()
    responder = running.bench.stations[0]._responders[0]
    wait_until(lambda: (running.look(), responder.left_out > 100)[1], 30.0)
    assert len(master.shortUpload(4, MASS)) == 4  # answers do not wait behind data
    policy.stop()
    assert len(policy.rows) > 10
