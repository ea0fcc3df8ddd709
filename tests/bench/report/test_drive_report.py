"""The report of a drive: what its plots show, checked against samples that were filled by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.drive import DriveResult
from bench.report.drive_plots import drive_sections
from bench.report.drive_report import write_drive_report
from bench.report.html import Section
from firmware_model.measurements import Fault
from firmware_model.signals import Gear

BEGIN = 3.0  # [s] after power-on: see conftest


def section(result: DriveResult, title: str) -> Section:
    return next(section for section in drive_sections(result) if section.title == title)


def curve(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def strip(figure: Any, band: str, name: str = "yes") -> Any:
    return next(trace for trace in figure.data if (trace.meta or {}).get("band") == band and trace.name == name)


def value_at(trace: Any, time: float) -> float:
    return float(np.asarray(trace.y)[np.searchsorted(trace.x, time)])


def test_the_report_of_a_drive_is_written(tmp_path: Path, drive: DriveResult) -> None:
    write_drive_report(tmp_path / "report.html", drive)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for part in (drive.scenario.title, drive.vehicle.title, "leaf_ze1", "Power and its limits", "peak battery power"):
        assert part in text


def test_time_is_the_scenarios_own_and_negative_before(drive: DriveResult) -> None:
    speed = curve(section(drive, "Speed").figure, "speed")
    assert speed.x[0] == pytest.approx(0.01 - BEGIN)
    assert value_at(speed, 2.0) == pytest.approx(5.0 * 2.0 * 3.6, abs=0.2)


def test_all_plots_over_the_scenarios_time_begin_with_the_same_view(drive: DriveResult) -> None:
    figures = [s.figure for s in drive_sections(drive) if s.figure is not None and s.figure.layout.meta]
    ranges = {figure.layout.xaxis.range for figure in figures if figure.layout.meta["group"] == "time"}
    assert len(ranges) == 1
    assert ranges.pop() == pytest.approx((-1.0, 4.0))


def test_every_track_of_every_section_has_a_unit(drive: DriveResult) -> None:
    titles = [a.text for s in drive_sections(drive) if s.figure is not None for a in s.figure.layout.annotations]
    assert len(titles) > 15
    assert all(title.endswith("]</b>") and " [" in title for title in titles)


def test_wanted_axle_torque_is_motor_torque_times_gear_ratio(drive: DriveResult) -> None:
    figure = section(drive, "Torque").figure
    gear_ratio = drive.vehicle.parameters[0].front.gear_ratio
    assert value_at(curve(figure, "front, wanted"), 1.0) == pytest.approx(200.0 * gear_ratio)
    assert value_at(curve(figure, "front, delivered"), 1.0) == 1500.0
    assert value_at(curve(figure, "rear, delivered"), 1.0) == 1800.0


def test_the_allocated_yaw_moment_is_the_wanted_one_less_what_is_missing(drive: DriveResult) -> None:
    figure = section(drive, "Handling").figure
    assert value_at(curve(figure, "wanted"), 1.0) == 3000.0
    assert value_at(curve(figure, "allocated"), 1.0) == 2500.0


def test_the_front_share_is_in_percent(drive: DriveResult) -> None:
    assert value_at(curve(section(drive, "Torque").figure, "front share"), 1.0) == pytest.approx(40.0)


def test_power_beyond_a_limit_is_shaded_and_only_that(drive: DriveResult) -> None:
    figure = section(drive, "Power and its limits").figure
    shades = [trace for trace in figure.data if trace.fill == "tonexty"]
    above_discharge, _ = shades
    excess = np.asarray(above_discharge.y) - 150.0
    beyond = np.asarray(above_discharge.x) > 2.5  # 60 kW/s reach the 150 kW then
    assert np.all(excess[~beyond] < 0.1)
    assert np.all(excess[beyond] > 0.0)


def test_the_strip_says_what_sets_the_limit(drive: DriveResult) -> None:
    figure = section(drive, "Power and its limits").figure
    assert strip(figure, "discharge set by", "current").x[:2] == pytest.approx((2.01, 3.0), abs=0.011)
    assert len(strip(figure, "discharge set by", "voltage").x or ()) == 0


def test_slip_at_standstill_is_left_out(drive: DriveResult) -> None:
    slip = curve(section(drive, "Wheels").figure, "front left")
    assert np.isnan(value_at(slip, -1.0))
    assert value_at(slip, 1.0) == pytest.approx(5.0)


def test_a_fault_has_a_strip_only_if_it_was_active_since_ready(drive: DriveResult) -> None:
    faults = drive.samples["controller_measurements"]["supervisor"]["faults"]
    faults[:50] = Fault.PEDALS_SILENT  # before READY every source is silent for a while
    faults[-100:] = Fault.PANEL_SILENT | Fault.EMERGENCY_STOP
    bands = {trace.meta["band"] for trace in section(drive, "Supervisor and faults").figure.data if "band" in (trace.meta or {})}
    assert {"panel silent", "emergency stop"} < bands
    assert "pedals silent" not in bands


def test_the_path_is_drawn_with_equal_scales_beside_the_wanted_one(make_drive: Any) -> None:
    figure = section(make_drive(scenario="double_lane_change"), "Path").figure
    assert figure.layout.yaxis.scaleanchor == "x"
    assert max(curve(figure, "wanted").y) == pytest.approx(3.5)
    driven = curve(figure, "driven")
    assert driven.x[0] == pytest.approx(0.0, abs=0.01)
    assert driven.customdata[-1] == pytest.approx(4.0)


def test_a_scenario_without_a_path_has_none_in_the_plot(drive: DriveResult) -> None:
    assert [trace.name for trace in section(drive, "Path").figure.data] == ["driven"]


def test_the_bring_up_ends_shortly_after_ready_and_keeps_its_own_axis(drive: DriveResult) -> None:
    figure = section(drive, "Bring-up").figure
    assert figure.layout.meta["group"] == "bring-up"
    assert curve(figure, "DC link, front").x[-1] == pytest.approx(2.5)
    assert strip(figure, "gear", Gear.DRIVE.name).x[0] == pytest.approx(2.0)


def test_no_curve_has_many_more_points_than_a_screen_has_pixels(make_drive: Any) -> None:
    for part in drive_sections(make_drive(seconds=300.0)):
        for trace in part.figure.data if part.figure is not None else ():
            assert len(trace.x if trace.x is not None else ()) <= 5002


def test_a_drive_that_never_began_still_has_a_report(tmp_path: Path, make_drive: Any) -> None:
    result = make_drive(begins=False)
    write_drive_report(tmp_path / "report.html", result)
    figure = section(result, "Speed").figure
    assert figure.layout.xaxis.range is None
    assert json.loads(section(result, "Path").figure.to_json())["layout"]["height"] == 240


def test_bus_load_is_bits_over_bitrate(drive: DriveResult) -> None:
    front = next(bus for bus in drive.network.buses if bus.name == "front")
    # ISO 11898-1: 47 + 8n bits, and at most one stuff bit after every four of the 34 + 8n stuffed ones but the first.
    expected = 0.0
    for bus_message in front.messages:
        message = bus_message.message
        stuffed = (54 if message.extended else 34) + 8 * message.length
        expected += (stuffed + 13 + (stuffed - 1) // 4) / 500e3 / (message.period * 1e-9)
    load = curve(section(drive, "Bus load").figure, "front")
    assert np.mean(load.y) == pytest.approx(100.0 * expected, rel=0.05)
    assert load.x[0] == pytest.approx(0.05 - BEGIN)


def test_the_table_of_frames_has_every_message_with_its_period(drive: DriveResult) -> None:
    lines = section(drive, "Frames").table.lines
    assert len(lines) == sum(len(bus.messages) for bus in drive.network.buses)
    torque = next(line for line in lines if line[:2] == ("front", "0x1D4"))
    assert torque[4:6] == (700, 10.0)  # of 7 s
    assert torque[6:] == pytest.approx((10.0, 10.0, 10.0))
