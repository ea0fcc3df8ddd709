"""Inverters and battery controller on their buses, against a captured inverter, and broken in every way."""

import csv
import sys
from itertools import groupby
from pathlib import Path

import pytest
from interpreter import needs_compiler
from power_bench import PACK, PowerBench

from bench.plant.high_voltage import ContactorFault
from firmware_model.signals import HighVoltage, InverterStatus
from hil.network.database import load_network

pytestmark = needs_compiler

FRONT, REAR = 0, 1


@pytest.fixture(scope="module")
def network():
    return load_network("leaf_ze1")


@pytest.fixture
def bench(network):
    return PowerBench(network)


# --- the captured inverter -------------------------------------------------------------------------------------------------


def read_capture(path: Path) -> list[tuple[float, int, bytes]]:
    """Frames as (time [s] after the first one, identifier, bytes)."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    start = int(rows[0]["Time Stamp"])
    return [
        (
            1e-6 * (int(row["Time Stamp"]) - start),
            int(row["ID"], 16),
            bytes(int(row[f"D{place + 1}"], 16) for place in range(int(row["LEN"]))),
        )
        for row in rows
    ]


@pytest.fixture(scope="module")
def captured(shared_data):
    return read_capture(shared_data / "captures" / "ze1_inverter_alone.savvycan.csv")


@pytest.fixture(scope="module")
def alone(network):
    """An inverter without motor, car and high voltage, whose supply is switched on; 5 s of it."""
    bench = PowerBench(network)
    inverter = bench.parameters.front_inverter
    inverter.supplied, inverter.motor_connected, inverter.boot_time = 1, 0, 0.0995
    bench.car.measurements[0].plant.front.motor.inverter_temperature = 11.7  # of the captured one
    bench.run(5.0)
    return bench


def since_first(frames: list[tuple[float, bytes]], origin: float) -> list[tuple[float, bytes]]:
    return [(time - origin, data) for time, data in frames]


def origin_of(bench: PowerBench) -> float:
    """Time of the frame with which the capture begins: its counter is 1, so that one frame went before."""
    return bench.frames_of(0x1DA)[1][0]


def changes(frames: list[tuple[float, bytes]], mask: bytes) -> list[tuple[float, bytes]]:
    """The first frame of each stretch of frames that are equal under ``mask``."""

    def key(item: tuple[float, bytes]) -> bytes:
        return bytes(byte & bits for byte, bits in zip(item[1], mask, strict=True))

    return [(next(group)[0], value) for value, group in groupby(frames, key)]


def test_the_state_of_an_inverter_alone_changes_when_the_captured_one_does(alone, captured) -> None:
    # Without heartbeat, counter and CRC; the captured DC link is at 4 V, an offset of its sensor.
    mask = bytes.fromhex("80BFFFFFFFFFFC00")
    ours = changes(since_first(alone.frames_of(0x1DA), origin_of(alone))[1:], mask)
    theirs = changes([(time, data) for time, identifier, data in captured if identifier == 0x1DA and time < 4.8], mask)
    assert [value for _, value in ours] == [value for _, value in theirs]
    assert len(theirs) == 5  # invalid voltage, valid, self-check, fault, off
    assert [time for time, _ in ours] == pytest.approx([time for time, _ in theirs], abs=0.0051)


def test_counter_heartbeat_and_crc_of_an_inverter_alone_are_the_captured_ones(alone, captured) -> None:
    ours = [data for _, data in alone.frames_of(0x120)][1:400]
    theirs = [data for _, identifier, data in captured if identifier == 0x120][:399]
    assert ours == theirs
    # A whole 0x1DA, too: the third of the capture. In its first two the heartbeat does not move yet.
    ours = [data for _, data in alone.frames_of(0x1DA)][3]
    assert ours == next(data for time, identifier, data in captured if identifier == 0x1DA and time > 0.015)


def test_an_inverter_alone_broadcasts_the_captured_trouble_codes_at_their_times(alone, captured) -> None:
    theirs = [(time, data[4:].hex().upper()) for time, identifier, data in captured if identifier == 0x18CC078C]
    ours = [(time - origin_of(alone), code) for time, code in alone.codes()]
    assert [code for _, code in ours] == [code for _, code in theirs]
    assert [time for time, _ in ours] == pytest.approx([time for time, _ in theirs], abs=0.0051)


def test_temperatures_and_readiness_for_sleep_follow_the_capture(alone, captured) -> None:
    # Bytes 1 and 2 (motor, power stage) and the two bits of readiness; the others are unknown.
    mask = bytes.fromhex("00FFFF0000000030")
    origin = origin_of(alone)
    ours = changes(since_first(alone.frames_of(0x55A), origin), mask)
    theirs = [(time, data) for time, identifier, data in captured if identifier == 0x55A and time < 4.8]
    first, *_, last = changes(theirs, mask)
    assert ours[0][1] == first[1]  # 0x28 twice, before anything is measured
    assert ours[-1][1] == last[1]
    assert ours[-1][0] == pytest.approx(next(time for time, data in theirs if data[7] & 0x30 == 0x30), abs=0.11)
    assert {data[1] for _, data in ours[1:]} == {data[1] for time, data in theirs if time > 0.05} == {0x19}


def test_the_controller_receives_the_codes_of_an_extended_identifier(alone) -> None:
    condition = alone.hears.front_condition
    assert (condition.trouble_code, condition.trouble_type) == (0x318E, 0)
    assert condition.link.received == 6
    assert alone.vcm.port[0].unknown == 0
    assert alone.hears.front.error_code == 14
    assert condition.status == InverterStatus.FAULT


def test_an_inverter_that_is_not_supplied_says_nothing(alone) -> None:
    assert alone.frames_of(0x1DA, bus=REAR) == []
    assert alone.codes(bus=REAR) == []


# --- start and end --------------------------------------------------------------------------------------------------------


def test_the_start_of_a_leaf_e_plus(bench) -> None:
    bench.start()
    state = bench.frames_of(0x1DA)
    # 0x1DA 0.2 s after the first 0x50B, its voltage invalid.
    woken = bench.frames_of(0x50B)[0][0]
    assert state[0][0] - woken == pytest.approx(0.203, abs=0.015)
    assert state[0][1][0] == 0xFF
    assert state[0][1][4:6] == bytes.fromhex("7FFE")
    battery = bench.frames_of(0x1DB)
    assert battery[0][0] - woken == pytest.approx(0.087, abs=0.015)
    voltage = [(time - woken, (data[2] << 2 | data[3] >> 6) / 2) for time, data in battery]
    assert next(time for time, value in voltage if value < 511.0) == pytest.approx(0.188, abs=0.015)
    assert voltage[0][1] == 511.5
    assert next(time - woken for time, data in battery if data[3] & 0x20) == pytest.approx(0.218, abs=0.015)
    assert next(time - woken for time, data in battery if data[3] & 0x08) == pytest.approx(0.348, abs=0.015)
    limits = bench.frames_of(0x1DC)
    assert (limits[0][1][0] << 2 | limits[0][1][1] >> 6) / 4 == 255.75
    # Running, and all of it in one 0x1DA.
    condition = bench.hears.front_condition
    assert (condition.status, condition.enabled, condition.sleep_readiness) == (InverterStatus.RUNNING, 1, 0)
    assert state[-1][1][1] & 0x3F == 0x32
    assert state[-1][1][6] & 0xFC == 0x08
    assert bench.codes() == []
    assert (bench.hears.front.error_code, bench.hears.rear.error_code) == (0, 0)


def test_the_precharge_of_one_inverter_takes_as_long_as_the_measured_one(bench) -> None:
    bench.parameters.rear_inverter.fitted = 0
    bench.start()
    asked = next(time for time, data in bench.frames_of(0x1D4) if data[4] & 0x3F == 3)
    samples = bench.samples
    voltage = samples["car_measurements"]["high_voltage"]["link_voltage"]
    reached = [float(samples["time"][voltage >= level][0]) for level in (30.0, 94.0, 156.0, 208.0, 248.0, 282.0, 306.0, 392.0)]
    assert reached[0] - asked == pytest.approx(0.023, abs=0.004)
    # 30 V to the others every 10 ms, to the last one in 0.21 s.
    times = [time - reached[0] for time in reached]
    assert times == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.21], abs=0.006)


def test_after_the_drive_the_link_falls_as_the_captured_one_does(network, shared_data) -> None:
    bench = PowerBench(network)
    for inverter in (bench.parameters.front_inverter, bench.parameters.rear_inverter):
        inverter.off_time = 2.0  # of the 2011 car
    bench.car.measurements[0].plant.battery.voltage = 391.0
    bench.start()
    bench.says.power.high_voltage = HighVoltage.STARTING_DISCHARGE
    bench.run(0.03)
    bench.says.power.high_voltage = HighVoltage.OFF
    end = bench.time
    bench.run(0.41)
    bench.says.power.relay_output = 0
    bench.run(1.8)
    ours = [(time - end, data) for time, data in bench.frames_of(0x1DA)]
    theirs = read_end_of_drive(shared_data / "captures" / "ze0_full_throttle.gvret.txt")
    for time, data in theirs:
        if 0.06 < time < 1.64:
            near = min(ours, key=lambda item: abs(item[0] - time))
            assert 2 * near[1][0] == pytest.approx(2 * data[0], abs=8.0), time
    # "Discharging" 40 ms after the end of high voltage, until 48 V; off 2 s after the last "on".
    for frames in (ours, theirs):
        assert next(time for time, data in frames if time > 0.0 and data[2] >> 3 == 4) == pytest.approx(0.045, abs=0.012)
        assert next(time for time, data in frames if time > 0.1 and data[2] >> 3 == 0) == pytest.approx(1.64, abs=0.03)
        assert next(time for time, data in frames if data[6] & 0x80) == pytest.approx(1.98, abs=0.02)


def read_end_of_drive(path: Path) -> list[tuple[float, bytes]]:
    """0x1DA of a 2011 car that is switched off; time 0 is its first 0x1D4 without high voltage."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    frames = [(float(row[0]), int(row[2], 16), bytes.fromhex("".join(row[3:]))) for row in rows if row[1].startswith("R")]
    end = next(time for time, identifier, data in frames if identifier == 0x1D4 and data[4] & 0x3F == 0)
    return [(time - end, data) for time, identifier, data in frames if identifier == 0x1DA and time > end - 0.1]


# --- frames that do not come, or must not be believed ------------------------------------------------------------------------


def test_a_running_inverter_gives_up_two_seconds_after_the_last_request_and_says_why(bench) -> None:
    bench.start()
    bench.ask(50.0)
    bench.run(1.5)
    assert bench.delivered == (50.0, 50.0)
    last = bench.frames_of(0x1D4)[-1][0]
    bench.says.front.link.silent = 1
    bench.run(1.95)
    assert bench.delivered[FRONT] == 50.0
    bench.run(0.5)
    assert bench.delivered == (0.0, 50.0)  # the rear one has its own bus
    codes = bench.codes()
    assert [code for _, code in codes] == ["D00001", "318E00"]
    assert codes[0][0] - last == pytest.approx(2.0, abs=0.02)
    assert bench.codes(bus=REAR) == []
    assert bench.hears.front.error_code == 6
    assert bench.hears.front_condition.enabled == 0
    bench.says.front.link.silent = 0
    bench.run(1.0)
    assert bench.delivered[FRONT] == 0.0  # latched


def test_a_latched_fault_lasts_until_the_inverter_has_slept(bench) -> None:
    bench.start()
    bench.says.rear.mode_link.silent = 1
    bench.run(4.1)
    assert [code for _, code in bench.codes(bus=REAR)] == ["D00001", "319700"]
    assert bench.hears.rear_condition.status == InverterStatus.FAULT
    bench.says.power.awake = 0
    bench.says.power.relay_output, bench.says.power.high_voltage = 0, HighVoltage.OFF
    bench.run(0.5)
    bench.says.rear.mode_link.silent = 0
    bench.start()
    bench.ask(20.0)
    bench.run(0.1)
    assert bench.delivered == (20.0, 20.0)
    assert bench.hears.rear.error_code == 0


def test_without_the_permission_to_store_absent_frames_torque_ends_but_comes_back(bench) -> None:
    bench.start()
    bench.says.power.absence_diagnosis = 0
    bench.ask(30.0)
    bench.run(1.0)
    bench.says.front.link.silent = 1
    bench.run(2.2)
    assert bench.delivered == (0.0, 30.0)
    assert bench.codes() == []
    bench.says.front.link.silent = 0
    bench.run(0.05)
    assert bench.delivered == (30.0, 30.0)


def test_a_dead_controller_stops_both_inverters_and_the_battery_asks_for_its_relay(bench) -> None:
    bench.start()
    bench.ask(50.0)
    bench.run(1.0)
    bench.silence(True)
    bench.run(2.2)
    assert bench.delivered == (0.0, 0.0)
    for bus in (FRONT, REAR):
        # 0x50B comes every 100 ms, so that its silence may be noticed before that of 0x11A.
        first, *others = [code for _, code in bench.codes(bus=bus)]
        assert (first, sorted(others)) == ("D00001", ["318E00", "319700"])
    battery = bench.hears.battery
    assert (battery.relay_cut_request, battery.relay_closed, battery.limit_reason) == (3, 0, 2)
    assert battery.failsafe_status == 1


def test_both_inverters_dead_leave_the_bus_silent_and_the_link_discharges(bench) -> None:
    bench.start()
    frames = len(bench.frames_of(0x1DA))
    for inverter in (bench.parameters.front_inverter, bench.parameters.rear_inverter):
        inverter.boot_time = 1e3
    bench.run(1.0)
    assert len(bench.frames_of(0x1DA)) <= frames + 1
    assert bench.car.measurements[0].high_voltage.link_voltage == PACK  # the contactors are the car's
    bench.says.power.relay_output, bench.says.power.high_voltage = 0, HighVoltage.OFF
    bench.run(2.2 + 0.03)
    assert bench.car.measurements[0].high_voltage.link_voltage == pytest.approx(PACK / 2.718, rel=0.02)


def feed(bench: PowerBench, duration: float, change) -> None:
    """Feed the front inverter requests that ``change`` has spoilt, every 10 ms; the controller itself is silent there."""
    receive = sys.modules[bench.bench._run.py_func.__module__].receive_car
    template = bench.frames[(bench.frames.identifier == 0x1D4) & (bench.frames.bus == FRONT)][-1].copy()
    for number in range(round(duration / 0.01)):
        frame = template.copy()
        frame.time = round(bench.time * 1e9)
        change(frame, number)
        receive(frame, bench.car.inputs[0], bench.car.outputs[0], bench.car.port[0])
        bench.run(0.01)


def count_to(payload: int, count: int) -> int:
    """The same request with another counter and its CRC."""
    data = bytearray(int(payload).to_bytes(8, "little"))
    data[4] = data[4] & 0x3F | count % 4 << 6
    crc = 0
    for byte in data[:7]:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x185 if crc & 0x80 else 0)
    data[7] = crc
    return int.from_bytes(data, "little")


def spoil_the_crc(frame, number):
    frame.payload = count_to(frame.payload, number) ^ 1 << 60


def freeze_the_counter(frame, number):
    """The same frame again and again."""


@pytest.mark.parametrize(("change", "code"), [(spoil_the_crc, "319900"), (freeze_the_counter, "31A400")])
def test_bad_frames_are_refused_and_after_two_seconds_the_inverter_gives_up(bench, change, code) -> None:
    bench.start()
    bench.ask(50.0)
    bench.run(1.0)
    bench.says.front.link.silent = 1
    bench.run(0.02)
    feed(bench, 1.9, change)
    assert bench.delivered[FRONT] == 50.0
    feed(bench, 0.2, change)
    assert bench.delivered[FRONT] == 0.0
    assert code in [found for _, found in bench.codes()]


def test_a_good_frame_now_and_then_keeps_a_noisy_bus_alive(bench) -> None:
    bench.start()
    bench.ask(50.0)
    bench.run(1.0)
    bench.says.front.link.silent = 1

    def noise(frame, number):
        good = count_to(frame.payload, number // 50 + 1)
        frame.payload = good if number % 50 == 49 else good ^ 1 << 61

    feed(bench, 4.0, noise)
    assert bench.delivered[FRONT] == 50.0
    assert bench.codes() == []


def test_frames_out_of_order_and_counter_jumps_are_lost_frames_and_no_fault(bench) -> None:
    bench.start()
    bench.ask(50.0)
    bench.run(1.0)
    bench.says.front.link.silent = 1
    bench.run(0.02)
    lost = int(bench.car.outputs[0].front.link.lost)

    def shuffle(frame, number):
        frame.payload = count_to(frame.payload, (0, 2, 1, 3)[number % 4])

    feed(bench, 3.0, shuffle)
    assert bench.delivered[FRONT] == 50.0
    assert bench.codes() == []
    assert bench.car.outputs[0].front.link.lost > lost + 100


# --- a broken circuit ---------------------------------------------------------------------------------------------------------


def test_a_main_plus_contactor_that_is_welded_connects_an_uncharged_link(bench) -> None:
    bench.parameters.high_voltage.main_plus_fault = ContactorFault.WELDED
    bench.wake()
    bench.run(0.52)
    bench.says.power.relay_output = 1
    bench.run(0.1)
    circuit = bench.car.measurements[0].high_voltage
    assert circuit.link_voltage == PACK
    assert circuit.made_voltage == PACK
    assert bench.delivered == (0.0, 0.0)


def test_both_mains_welded_keep_the_link_alive_after_the_drive(bench) -> None:
    bench.start()
    circuit = bench.parameters.high_voltage
    circuit.main_plus_fault = circuit.main_minus_fault = ContactorFault.WELDED
    bench.says.power.relay_output, bench.says.power.high_voltage = 0, HighVoltage.OFF
    bench.ask(100.0)
    bench.run(3.0)
    assert bench.hears.front.dc_voltage == PACK
    assert bench.hears.front_condition.status == InverterStatus.DISCHARGING  # in vain
    assert bench.delivered == (0.0, 0.0)
    assert bench.car.measurements[0].high_voltage.power == pytest.approx(2 * (PACK**2 / 2022.0 + PACK * 0.137))


@pytest.mark.parametrize("contactor", ["main_minus_fault", "precharge_fault"])
def test_without_precharge_the_link_stays_empty_and_the_inverter_latches_it_after_ten_seconds(bench, contactor) -> None:
    setattr(bench.parameters.high_voltage, contactor, ContactorFault.OPEN)
    bench.wake()
    bench.run(0.5)
    bench.says.power.relay_output = 1
    bench.says.power.high_voltage = HighVoltage.PRECHARGING
    bench.run(10.0)
    assert bench.hears.front.dc_voltage == 0.0
    assert bench.hears.front.error_code == 8
    bench.run(1.0)
    assert bench.hears.front.error_code == 14
    assert bench.codes() == []  # no code is known for it
    setattr(bench.parameters.high_voltage, contactor, ContactorFault.NONE)
    bench.run(0.5)
    bench.says.power.high_voltage = HighVoltage.ON
    bench.ask(10.0)
    bench.run(0.2)
    assert bench.delivered == (0.0, 0.0)
    assert bench.hears.front.error_code == 6


def test_a_main_contactor_that_opens_under_load_ends_the_torque_and_takes_the_link_down(bench) -> None:
    bench.start()
    bench.ask(100.0)
    bench.run(0.1)
    bench.car.measurements[0].plant.front.motor.electrical_power = 40e3
    bench.parameters.high_voltage.main_plus_fault = ContactorFault.OPEN
    bench.run(0.05)
    assert bench.delivered == (0.0, 0.0)
    # 40 J of the 168 J in both DC links.
    assert bench.hears.front.dc_voltage == pytest.approx((PACK**2 - 2.0 * 40.0 / (2 * 1.088e-3)) ** 0.5, abs=2.0)


def test_sleep_in_the_middle_of_precharge_opens_everything_and_the_next_start_is_a_whole_one(bench) -> None:
    bench.wake()
    bench.run(0.9)
    bench.says.power.relay_output = 1
    bench.says.power.high_voltage = HighVoltage.PRECHARGING
    bench.run(0.09)
    circuit = bench.car.measurements[0].high_voltage
    before = float(circuit.link_voltage)
    assert 100.0 < before < 350.0
    bench.says.power.relay_output, bench.says.power.high_voltage = 0, HighVoltage.OFF
    bench.says.power.awake = 0
    bench.run(0.2)  # until 0x50B has said so
    bench.silence(True)
    frames = len(bench.frames_of(0x1DA))
    bench.run(1.0)
    assert len(bench.frames_of(0x1DA)) == frames
    assert (circuit.main_plus, circuit.main_minus, circuit.precharge) == (0, 0, 0)
    assert circuit.link_voltage < before
    bench.start()
    bench.ask(40.0)
    bench.run(0.1)
    assert bench.delivered == (40.0, 40.0)
    assert (bench.codes(), bench.codes(bus=REAR)) == ([], [])


def test_low_isolation_warns_and_shows_in_the_level_of_its_measurement(bench) -> None:
    bench.start()
    bench.run(0.3)
    assert bench.hears.battery.isolation == pytest.approx(902.0, abs=1.0)
    assert bench.hears.battery.failsafe_status == 0
    bench.parameters.high_voltage.isolation_resistance = 150e3  # 500 Ohm a volt would be 197 kOhm
    bench.run(0.3)
    assert bench.hears.battery.isolation == pytest.approx(683.0, abs=1.0)
    assert bench.hears.battery.failsafe_status == 1
    assert bench.hears.battery.relay_cut_request == 0
