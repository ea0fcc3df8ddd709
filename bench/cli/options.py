"""Options that several commands have, and how a command ends."""

from pathlib import Path
from typing import Annotated

import typer

OutOption = Annotated[
    Path | None, typer.Option("--out", help="Folder for the report, the measurement and the frames.", metavar="DIR")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with status 1 if a row misses its target.")]
VehicleOption = Annotated[
    str, typer.Option("--vehicle", "-v", help="Vehicle by name (see: e4hil vehicles) or the path of its TOML.", metavar="NAME")
]
ScenarioArgument = Annotated[str, typer.Argument(help="Scenario by name (see: e4hil scenarios), or the path of a TOML or CSV.")]
ScenarioDurationOption = Annotated[
    float | None, typer.Option("--duration", help="Length of the scenario in seconds.", min=0.1, metavar="S")
]
FrontOption = Annotated[
    str | None,
    typer.Option("--front", help="Bus of the front inverter (see: e4hil adapters).", metavar="INTERFACE:CHANNEL[@BITRATE]"),
]
RearOption = Annotated[str | None, typer.Option("--rear", help="Bus of the rear inverter.", metavar="BUS")]
ChassisOption = Annotated[str | None, typer.Option("--chassis", help="Bus of sensors, pedals, brakes, panel.", metavar="BUS")]
RateOption = Annotated[
    float, typer.Option("--rate", help="Rate of the loop in Hz, 1000 to 10000.", min=1e3, max=10e3, metavar="HZ")
]
SpinOption = Annotated[
    float,
    typer.Option("--spin", help="Microseconds before each deadline in which the loop watches the clock.", min=0.0, metavar="US"),
]
OverrunOption = Annotated[
    str, typer.Option("--overrun", help="What a loop does that comes late: skip, catch-up or stop.", metavar="POLICY")
]
RealtimeOption = Annotated[bool, typer.Option("--fifo/--no-fifo", help="Ask for SCHED_FIFO and locked memory.")]
ListenOption = Annotated[
    bool, typer.Option("--listen-only", help="Send nothing; the adapter does not even acknowledge, if it can.")
]
DiagnosticsOption = Annotated[
    bool, typer.Option("--diagnostics/--no-diagnostics", help="Answer diagnostic testers, where they can be connected.")
]
RecordOption = Annotated[
    Path | None, typer.Option("--record", help="Record every frame while it runs: .blf, .asc, .log or .mf4.", metavar="FILE")
]
RecordSizeOption = Annotated[
    str | None, typer.Option("--record-size", help="Begin a new file at this size, for example 100MB.", metavar="SIZE")
]
NetworkOption = Annotated[
    str | None,
    typer.Option("--network", help="Network by name (leaf_ze0, leaf_aze0, leaf_ze1) or the path of its TOML.", metavar="NAME"),
]

CalibrationOption = Annotated[
    Path | None,
    typer.Option("--calibration", help="Calibration of the controller: a TOML or CDFX, laid over the vehicle's.", metavar="FILE"),
]

HeardNetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network", help="Network by name or path; unless given, of the LEAF that is heard, else of the vehicle.", metavar="NAME"
    ),
]


def parts_of(text: str) -> list[str]:
    """The parts of a list that people type with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def finish(strict: bool, missed: int, ended_badly: bool = False) -> None:
    """Exit with status 1 if rows missed their target and that is to count, or if a run did not come to its end."""
    if ended_badly or (strict and missed):
        raise typer.Exit(1)
