"""Calibrations: files, searches, maps."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.app import app
from bench.cli.options import (
    CalibrationOption,
    JsonOption,
    StrictOption,
    VehicleOption,
    finish,
)
from hil.errors import UsageError

PANEL = "Calibrate"  # of the help
calibration_app = typer.Typer(no_args_is_help=True, help="Look at calibrations of the controller, compare and convert them.")
app.add_typer(calibration_app, name="calibration", rich_help_panel=PANEL)

CalibrationArgument = Annotated[
    str, typer.Argument(help="A TOML or CDFX, a vehicle by name, or default: the table's own.", metavar="FILE|VEHICLE")
]


@app.command(rich_help_panel=PANEL)
def tune(
    study: Annotated[str, typer.Argument(help="Study by name (see --list), or the path of its TOML.", metavar="STUDY")] = "",
    workers: Annotated[
        int | None, typer.Option("--workers", help="Drives at the same time; one a core if not given.", min=1, metavar="N")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="Drive on the workers of this Dask scheduler instead.", metavar="tcp://HOST:PORT"),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="So many trials instead of the study's.", min=1, metavar="N")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the studies.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for journal, calibration and report; out/NAME if not given.", metavar="DIR"),
    ] = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Search calibration values: drive many calibrations in many cars, and keep the one that is best for the study's objective.

    Every drive goes through frames and lags. The result is the same for any number of workers; a study that was stopped or
    killed goes on from its journal when the same command is given again.

    For example:

    e4hil tune handling --out out/handling

    e4hil tune my_study.toml --trials 50 --cluster tcp://scheduler:8786

    e4hil drive step_steer --calibration out/handling/calibration.toml
    """
    from bench.commands import tune as command

    if list_them:
        command.list_studies(json)
        return
    if not study:
        raise UsageError("tune: a study was expected, by name or path; e4hil tune --list names those that come with the bench")
    finish(strict, command.run(study, out, workers, cluster, trials, json))


@app.command(rich_help_panel=PANEL)
def sweep(
    sweep: Annotated[str, typer.Argument(help="Sweep by name (see --list), or the path of its TOML.", metavar="SWEEP")] = "",
    workers: Annotated[
        int | None, typer.Option("--workers", help="Drives at the same time; one a core if not given.", min=1, metavar="N")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the sweeps.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for drives (Parquet) and report.", metavar="DIR")] = None,
    json: JsonOption = False,
) -> None:
    """Map figures of drives over one or two quantities: calibration, car, pack, road; in one car or in many by chance.

    For example:

    e4hil sweep pack_by_temperature --out out/pack

    e4hil sweep noise --out out/noise
    """
    from bench.commands import sweep as command

    if list_them:
        command.list_sweeps(json)
        return
    if not sweep:
        raise UsageError("sweep: a sweep was expected, by name or path; e4hil sweep --list names those that come with the bench")
    command.run(sweep, out, workers, json)


@calibration_app.command("show")
def calibration_show(
    pattern: Annotated[
        str, typer.Argument(help="Values by a part of their path, or with * and ?; one map is shown whole.", metavar="PATTERN")
    ] = "",
    calibration: CalibrationOption = None,
    vehicle: VehicleOption = "leaf_twin_motor",
    json: JsonOption = False,
) -> None:
    """Show calibration values with their units, limits and meaning.

    For example:

    e4hil calibration show yaw_control

    e4hil calibration show driver_demand.force_sport
    """
    from bench.commands.calibration import show

    show(pattern, calibration, vehicle, json)


@calibration_app.command("diff")
def calibration_diff(
    a: CalibrationArgument,
    b: CalibrationArgument,
    vehicle: VehicleOption = "leaf_twin_motor",
    json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with status 1 if they differ.")] = False,
) -> None:
    """Show in which values two calibrations differ. What a file does not hold is as the vehicle has it.

    For example:

    e4hil calibration diff leaf_twin_motor tuned.toml
    """
    from bench.commands.calibration import diff

    finish(strict, diff(a, b, vehicle, json))


@calibration_app.command("export")
def calibration_export(
    file: Annotated[Path, typer.Argument(help="What to write: .toml, .cdfx or .a2l.", metavar="FILE")],
    calibration: CalibrationOption = None,
    vehicle: VehicleOption = "leaf_twin_motor",
    changes: Annotated[bool, typer.Option("--changes", help="Only what differs from the vehicle's calibration.")] = False,
) -> None:
    """Write a calibration to a file: TOML for people, CDFX for calibration tools; or the A2L, with which these find the values.

    For example:

    e4hil calibration export all.toml

    e4hil calibration export tuned.cdfx --calibration tuned.toml

    e4hil calibration export controller.a2l
    """
    from bench.commands.calibration import export

    export(file, calibration, vehicle, changes)


@calibration_app.command("import")
def calibration_import(
    file: Annotated[Path, typer.Argument(help="What to read: .toml or .cdfx, also of another version of the controller.")],
    out: Annotated[Path, typer.Option("--out", help="What to write: .toml or .cdfx of this version.", metavar="FILE")],
    vehicle: VehicleOption = "leaf_twin_motor",
) -> None:
    """Take over what fits of a calibration of another version or tool, and tell value by value what does not.

    For example:

    e4hil calibration import last_year.cdfx --out this_year.toml
    """
    from bench.commands.calibration import import_

    import_(file, out, vehicle)
