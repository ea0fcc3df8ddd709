"""The live view: what stands on a terminal of 80 columns, and the silence everywhere else."""

import io
import math
import re
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import event as numba_event
from rich.console import Console

from bench.live_view import BAR, CompileProgress, LiveView, Scale, fault_line, number, signed_bar
from bench.nodes.car import Phase
from firmware_model.kernel.jit import KERNELS
from firmware_model.measurements import Constraint, Fault, Measurements, SupervisorState
from firmware_model.signals import Gear, Inputs, Outputs

SAMPLE = np.dtype(
    [
        ("time", "f8"),
        ("controller_inputs", Inputs.dtype),
        ("controller_outputs", Outputs.dtype),
        ("controller_measurements", Measurements.dtype),
    ]
)


@pytest.fixture
def sample() -> Any:
    samples = np.zeros(1, dtype=SAMPLE).view(np.recarray)
    inputs, measurements = samples["controller_inputs"], samples["controller_measurements"]
    samples["controller_outputs"]["power"]["gear"] = Gear.DRIVE
    inputs["battery"]["voltage"] = 351.2
    inputs["battery"]["current"] = 512.0
    inputs["battery"]["state_of_charge"] = 0.784
    inputs["motion"]["yaw_rate"] = math.radians(12.0)
    inputs["brakes"]["front_left"] = 3e6
    measurements["yaw_control"]["yaw_rate_reference"] = math.radians(14.5)
    measurements["supervisor"]["state"] = SupervisorState.READY
    measurements["vehicle_speed"]["speed"] = 100.0 / 3.6
    measurements["front"]["axle_torque"] = 1234.0
    measurements["rear"]["axle_torque"] = -567.0
    measurements["power_budget"]["predicted_power"] = 180e3
    measurements["discharge_limiter"]["discharge_limit"] = 227e3
    measurements["discharge_limiter"]["charge_limit"] = 60e3
    measurements["discharge_limiter"]["discharge_constraint"] = Constraint.CURRENT
    measurements["discharge_limiter"]["charge_constraint"] = Constraint.VOLTAGE
    return samples[0]


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)


def plain() -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=False)


def written(console: Console) -> str:
    """What was written, without the control sequences of the terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", console.file.getvalue())


def look(sample: Any, phase: Phase = Phase.DRIVING, scenario_time: float = 12.3) -> str:
    console = terminal()
    with LiveView(console, "Full pedal", 30.0) as view:
        view.update(phase, scenario_time, sample)
    return written(console)


def row(text: str, name: str) -> str:
    """The last time that a row stands there."""
    return [line for line in text.splitlines() if line.startswith(name)][-1]


def test_nothing_is_printed_where_nobody_looks(sample: Any) -> None:
    console = plain()
    with LiveView(console, "Full pedal", 30.0) as view:
        view.update(Phase.DRIVING, 1.0, sample)
    assert written(console) == ""


def test_the_latest_sample_is_shown_in_the_fields_units(sample: Any) -> None:
    text = look(sample)
    assert "100.0 km/h" in row(text, "speed")
    assert "READY, drive" in row(text, "speed")
    assert "1234 Nm" in row(text, "front axle")
    assert "-567 Nm" in row(text, "rear axle")
    assert "180.0 kW" in row(text, "DC power")
    assert "12.0 °/s" in row(text, "yaw rate")
    assert "reference 14.5" in row(text, "yaw rate")
    assert "351.2 V" in row(text, "pack")
    assert "512 A, charge 78.4 %" in row(text, "pack")
    assert "30 bar" in row(text, "brakes")


def test_the_limit_of_the_present_direction_is_named(sample: Any) -> None:
    assert "227: current" in row(look(sample), "DC power")
    sample["controller_measurements"]["power_budget"]["predicted_power"] = -30e3
    assert "60: voltage" in row(look(sample), "DC power")


def test_the_view_fits_into_80_columns(sample: Any) -> None:
    sample["controller_measurements"]["discharge_limiter"]["discharge_constraint"] = Constraint.NO_VALID_LIMIT
    sample["controller_measurements"]["supervisor"]["faults"] = sum(Fault)
    text = look(sample)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "no valid limit" in row(text, "DC power")


def test_phase_and_scenario_time_are_in_the_progress_line(sample: Any) -> None:
    assert "12.3 / 30 s" in row(look(sample), "DRIVING")
    assert "0.0 / 30 s" in row(look(sample, Phase.RUN_UP, -1.0), "RUN-UP")


def test_the_view_shows_its_phase_before_the_first_sample() -> None:
    assert "0.0 / 30 s" in row(look(None, Phase.STARTING, -1.0), "STARTING")


def test_values_that_are_not_known_are_dashes(sample: Any) -> None:
    sample["controller_inputs"]["battery"]["voltage"] = math.nan
    sample["controller_inputs"]["motion"]["yaw_rate"] = math.nan
    sample["controller_inputs"]["brakes"]["rear_left"] = math.nan
    text = look(sample)
    assert "– V" in row(text, "pack")
    assert "– °/s" in row(text, "yaw rate")


def test_faults_before_ready_are_what_is_waited_for(sample: Any) -> None:
    supervisor = sample["controller_measurements"]["supervisor"]
    supervisor["faults"] = Fault.PEDALS_SILENT | Fault.STEERING_SILENT | Fault.MOTION_SILENT
    supervisor["state"] = SupervisorState.WAKE
    assert fault_line(supervisor).plain == "waiting: pedals silent, steering silent and 1 more"
    supervisor["state"] = SupervisorState.FAULT
    assert fault_line(supervisor).plain == "faults: pedals silent, steering silent and 1 more"
    supervisor["faults"] = 0
    assert fault_line(supervisor).plain == "no faults"


def test_a_bar_goes_right_for_positive_and_left_for_negative() -> None:
    half = BAR // 2
    assert signed_bar(1.0, "red").plain == "─" * half + "┼" + "━" * half
    assert signed_bar(-0.5, "red").plain == "─" * (half // 2) + "━" * (half // 2) + "┼" + "─" * half
    assert signed_bar(math.nan, "red").plain == "─" * half + "┼" + "─" * half


def test_a_bar_stays_in_its_place_whatever_it_shows() -> None:
    for share in (-7.0, -1.0, 0.0, 0.3, 9.0, math.inf, math.nan):
        assert len(signed_bar(share, "red", share, 0.5).plain) == BAR + 1


def test_a_mark_stands_at_its_share() -> None:
    assert signed_bar(0.2, "red", -1.0, 1.0).plain[::BAR] == "┃┃"
    assert "┃" not in signed_bar(0.2, "red", math.nan).plain


def test_a_scale_grows_in_steps_and_never_shrinks() -> None:
    scale = Scale(500.0)
    assert scale.share(250.0) == 0.5
    assert scale.share(-1100.0) == pytest.approx(-1100.0 / 1500.0)
    assert scale.share(150.0) == pytest.approx(0.1)
    assert math.isnan(scale.share(math.nan))
    assert scale.end == 1500.0


def test_a_tiny_negative_number_has_no_sign() -> None:
    assert number(-1e-9, 1.0, 1) == "0.0"


# --- compilation --------------------------------------------------------------------------------------------------------------


def compile_something() -> None:
    """A function that no cache has."""
    numba.njit(lambda x: x + 1)(1)


def test_loaded_code_is_not_announced() -> None:
    console = plain()
    with CompileProgress(console):
        pass
    assert written(console) == ""


def test_compilation_is_announced_in_one_plain_line_on_a_pipe() -> None:
    console = plain()
    with CompileProgress(console):
        compile_something()
        compile_something()
    text = written(console)
    assert text.count("Compiling control and vehicle models for this machine (first run, about ") == 1
    assert len(text.splitlines()) == 1


def test_a_terminal_counts_the_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.live_view.KERNELS", ["<lambda>", *(["kernel"] * 3)])
    console = terminal()
    with CompileProgress(console):
        compile_something()
    text = written(console)
    assert "first run" in text
    assert "of 4 functions" in text


def test_the_listener_is_gone_afterwards_even_after_an_error() -> None:
    before = list(numba_event._registered["numba:compile"])
    with pytest.raises(KeyError), CompileProgress(plain()):
        raise KeyError
    assert numba_event._registered["numba:compile"] == before


def test_the_list_of_kernels_is_what_progress_counts_against() -> None:
    assert len(KERNELS) > 50
