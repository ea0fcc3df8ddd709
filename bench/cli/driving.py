"""Drives of the virtual car, of a recording, of a cycle, and what they are compared with."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.app import app
from bench.cli.options import (
    CalibrationOption,
    JsonOption,
    NetworkOption,
    OutOption,
    ScenarioArgument,
    ScenarioDurationOption,
    StrictOption,
    VehicleOption,
    finish,
)
from hil.errors import UsageError

PANEL = "Drive"  # of the help
study = typer.Typer(no_args_is_help=True, help="Answer a question by many drives.")
app.add_typer(study, name="study", rich_help_panel=PANEL)


@app.command(rich_help_panel=PANEL)
def drive(
    scenario: ScenarioArgument = "launch",
    vehicle: VehicleOption = "leaf_twin_motor",
    network: NetworkOption = None,
    duration: ScenarioDurationOption = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="At wall-clock speed on python-can virtual buses (Linux).")
    ] = False,
    calibration: CalibrationOption = None,
    out: OutOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Drive the virtual car over CAN: the controller and the car exchange every value as a frame on three buses.

    Without options the twin-motor LEAF of 2019 accelerates to its top speed. By default both nodes run in lockstep, hundreds of
    times faster than real time, with the same result to the bit at every run.

    For example:

    e4hil drive step_steer --out out/steer

    e4hil drive my_pedal.csv --vehicle leaf_plus

    e4hil drive --realtime --duration 5
    """
    from bench.commands.drive import run

    finish(strict, run(scenario, vehicle, network, duration, realtime, out, json, calibration))


@app.command(rich_help_panel=PANEL)
def cycle(
    cycle: Annotated[
        str | None,
        typer.Argument(help="Cycle by name (see --list), or the path of a CSV with time and speed.", metavar="NAME|FILE.csv"),
    ] = None,
    vehicle: VehicleOption = "leaf_plus",
    network: NetworkOption = None,
    repeat: Annotated[int, typer.Option("--repeat", help="Times in a row.", min=1, max=100, metavar="N")] = 1,
    charge: Annotated[
        float, typer.Option("--soc", help="State of charge at power-on, percent.", min=1.0, max=100.0, metavar="%")
    ] = 60.0,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Of pack, motors and air, in °C.", min=-30.0, max=50.0, metavar="°C")
    ] = 25.0,
    auxiliaries: Annotated[
        float,
        typer.Option("--auxiliaries", help="Power of computers, pumps, heating, in W.", min=0.0, max=10e3, metavar="W"),
    ] = 400.0,
    mass: Annotated[
        float | None,
        typer.Option("--mass", help="Test mass instead of the vehicle's own.", min=300.0, max=10e3, metavar="KG"),
    ] = None,
    e_pedal: Annotated[bool, typer.Option("--e-pedal", help="Drive with the e-Pedal.")] = False,
    list_them: Annotated[bool, typer.Option("--list", help="List the cycles.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the report.", metavar="DIR")] = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Drive a drive cycle (UDDS, HWFET, WLTC, or your own) over CAN and account for its energy, from the wall to the road.

    The driver keeps the trace within the tolerance of its regulation; the table says what each loss took.

    For example:

    e4hil cycle udds --vehicle leaf_40 --out out/udds

    e4hil cycle my_commute.csv --soc 90 --auxiliaries 1500
    """
    from bench.commands import cycle as command

    if list_them:
        command.list_cycles(json)
        return
    if cycle is None:
        raise UsageError("cycle: a name or the path of a CSV was expected; e4hil cycle --list names the cycles")
    conditions = {
        "state_of_charge": 0.01 * charge, "temperature": temperature, "auxiliary_power": auxiliaries, "test_mass": mass,
        "e_pedal": e_pedal,
    }  # fmt: skip
    finish(strict, command.run(cycle, vehicle, network, repeat, conditions, out, json))


@app.command(rich_help_panel=PANEL)
def replay(
    capture: Annotated[Path, typer.Argument(help="Recording of a real car: GVRET, SavvyCAN, candump, BLF, ASC, TRC, MF4 …")],
    bus_config: Annotated[
        list[str] | None,
        typer.Option(
            "--bus-config",
            help="Which bus of the network a channel of the recording is, for example can0=front.",
            metavar="CHANNEL=BUS",
        ),
    ] = None,
    vehicle: VehicleOption = "leaf_plus",
    network: NetworkOption = None,
    out: OutOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Read a recording of a real car and show what the controller and its battery limiter make of it.

    The recorded torque request is the driver's demand; limiter, torque path and monitor run on it. What has no input reads
    "no input".
    """
    from bench.commands.replay import run

    finish(strict, run(capture, bus_config or [], vehicle, network, out, json))


@app.command(rich_help_panel=PANEL)
def compare(
    manoeuvre: Annotated[
        list[str] | None,
        typer.Option("--manoeuvre", "-m", help="Only this manoeuvre (see --list); may be given several times.", metavar="NAME"),
    ] = None,
    vehicle: VehicleOption = "leaf_twin_motor",
    workers: Annotated[
        int | None, typer.Option("--workers", help="Drives at the same time; one a core if not given.", min=1, metavar="N")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the manoeuvres.")] = False,
    cell_tests: Annotated[
        Path | None,
        typer.Option("--cell-tests", help="Folder with HPPC tests of measured cells, for the power prediction.", metavar="DIR"),
    ] = None,
    calibration: CalibrationOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the report.", metavar="DIR")] = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Compare this controller with a fixed 50:50 split and with front drive: one table, from the manoeuvres of the standards.

    The same car, manoeuvre and driver, through the same frames and lags; beside each figure what physics allows at all, where it
    can be computed.

    For example:

    e4hil compare --manoeuvre sine-with-dwell --out out/compare
    """
    from bench.commands import compare as command

    if list_them:
        command.list_manoeuvres(json)
        return
    finish(strict, command.run(manoeuvre or [], vehicle, workers, out, json, cell_tests, calibration))


@app.command(rich_help_panel=PANEL)
def validate(
    row: Annotated[
        list[int] | None,
        typer.Option("--row", "-r", help="Only this row of the list; may be given several times.", metavar="N"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Folder with measured data (leaf_ze1, cell_hppc); what needs it is not run without.",
            metavar="DIR",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Checks at the same time; one a core if not given.", min=1, metavar="N")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the report.", metavar="DIR")] = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Hold the virtual cars against what instruments, regulators, makers and road testers found on the real ones.

    Every published figure beside the simulated one, with its tolerance and level of evidence. None is left out because it fails.

    For example:

    e4hil validate --out out/validate

    e4hil validate --row 7 --row 17
    """
    from bench.commands.validate import run

    finish(strict, run(row or [], data, workers, out, json))


@study.command("battery")
def study_battery(
    out: OutOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Why the twin-motor LEAF made 227 kW with motors good for 320: sweep the pack, and name what binds."""
    from bench.commands.study_battery import run

    finish(strict, run(out, json))


@app.command(rich_help_panel=PANEL)
def vehicles(json: JsonOption = False) -> None:
    """List the vehicles."""
    from bench.commands.lists import vehicles as run

    run(json)


@app.command(rich_help_panel=PANEL)
def scenarios(json: JsonOption = False) -> None:
    """List the scenarios."""
    from bench.commands.lists import scenarios as run

    run(json)


@app.command(rich_help_panel=PANEL)
def networks(json: JsonOption = False) -> None:
    """List the networks."""
    from bench.commands.lists import networks as run

    run(json)
