"""The command ``e4hil``. Everything heavy is imported by the command that needs it, so that ``--help`` answers at once."""

import errno
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from hil.errors import UsageError

app = typer.Typer(
    name="e4hil",
    help="Hardware-in-the-loop bench for a twin-motor electric drive:\n"
    "Nissan's e-4ORCE controller and its battery discharge limiter, over CAN.",
    epilog="Start with:  e4hil drive launch --out out/launch",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
study = typer.Typer(no_args_is_help=True, help="Answer a question by many drives.")
app.add_typer(study, name="study")
diagnostics = typer.Typer(no_args_is_help=True, help="What a diagnostic tester finds in the emulated controller.")
app.add_typer(diagnostics, name="diagnostics")
calibration_app = typer.Typer(no_args_is_help=True, help="Look at calibrations of the controller, compare and convert them.")
app.add_typer(calibration_app, name="calibration")

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


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"e4hil {version('e4orce-hil')}")
        raise typer.Exit


@app.callback()
def common(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options that come before the command."""


@app.command()
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

    _finish(strict, run(scenario, vehicle, network, duration, realtime, out, json, calibration))


@app.command()
def ecu(
    front: FrontOption = None,
    rear: RearOption = None,
    chassis: ChassisOption = None,
    rest_bus: Annotated[
        str,
        typer.Option("--rest-bus", help="What is not there and is to be supplied: battery, chassis, or both.", metavar="PARTS"),
    ] = "",
    arm: Annotated[bool, typer.Option("--arm", help="Arm at the start; without it no torque goes to real parts.")] = False,
    torque: Annotated[
        str | None,
        typer.Option("--torque", help="Motor torque by hand in Nm, for both motors or front,rear.", metavar="NM[,NM]"),
    ] = None,
    torque_csv: Annotated[
        Path | None,
        typer.Option("--torque-csv", help="The same over time: columns time,front[,rear].", metavar="FILE"),
    ] = None,
    torque_max: Annotated[
        float | None,
        typer.Option("--torque-max", help="Clamp on torque by hand; 20 Nm unless raised.", min=0.0, max=400.0, metavar="NM"),
    ] = None,
    speed_max: Annotated[
        float | None,
        typer.Option(
            "--speed-max", help="Clamp on motor speed by hand; 1500 rpm unless raised.", min=0.0, max=14e3, metavar="RPM"
        ),
    ] = None,
    supply: Annotated[
        float | None,
        typer.Option(
            "--supply", help="Voltage that the rest-bus battery tells; 350 V unless given.", min=12.0, max=500.0, metavar="V"
        ),
    ] = None,
    by_hand: Annotated[
        bool | None,
        typer.Option("--by-hand/--drive", help="Torque by hand, or pedals and vectoring. By hand on real buses."),
    ] = None,
    vehicle: VehicleOption = "leaf_twin_motor",
    calibration: CalibrationOption = None,
    network: HeardNetworkOption = None,
    rate: RateOption = 1000.0,
    spin: SpinOption = 0.0,
    overrun: OverrunOption = "skip",
    fifo: RealtimeOption = True,
    duration: Annotated[float | None, typer.Option("--duration", help="End after so many seconds.", min=0.1, metavar="S")] = None,
    listen_only: ListenOption = False,
    diagnostics: DiagnosticsOption = True,
    xcp: Annotated[
        bool, typer.Option("--xcp", help="Answer an XCP master on the chassis bus, behind the lock of the diagnostics.")
    ] = False,
    record: RecordOption = None,
    record_size: RecordSizeOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Run the emulated controller alone on real or virtual buses, until Ctrl-C.

    On a bus that is not virtual it is disarmed until you arm it, and the motors get torque by hand: --torque, --torque-csv, the
    arrow keys, or the panel frame, at most 20 Nm and up to 1500 rpm. Space is the emergency stop. A bus that is lost takes the
    torque away, is opened again by itself, and has to be armed anew.

    For example, one LEAF inverter on the table, and nothing else:

    e4hil ecu --front slcan:/dev/ttyACM0@500000 --rest-bus battery,chassis --supply 300 --arm --torque 5

    All of it without a car, in two terminals, on buses between processes (or on a hub, see: e4hil hub):

    e4hil ecu --front udp_multicast:239.74.163.1 --rear udp_multicast:239.74.163.2 --chassis udp_multicast:239.74.163.3

    e4hil bench --front udp_multicast:239.74.163.1 --rear udp_multicast:239.74.163.2 --chassis udp_multicast:239.74.163.3
    """
    from bench.commands import ecu as command
    from bench.operator import parse_torque, read_torque

    if torque and torque_csv:
        raise UsageError("--torque and --torque-csv: one of them was expected")
    profile = parse_torque(torque) if torque else read_torque(torque_csv) if torque_csv else None
    settings = command.loop_settings(rate, spin, overrun, fifo)
    buses = {"front": front, "rear": rear, "chassis": chassis}
    options = command.RunOptions(
        buses=buses, network=network, settings=settings, duration=duration, listen_only=listen_only, record=record,
        record_size=record_size, json=json, diagnostics=diagnostics,
    )  # fmt: skip
    hand = command.Hand(by_hand, profile, torque_max, speed_max)
    run = command.run_ecu(
        options,
        vehicle,
        rest_bus=parts_of(rest_bus),
        hand=hand,
        arm=arm,
        voltage=supply,
        calibration=calibration,
        xcp=xcp,
    )
    _finish(strict, *run)


@app.command()
def dashboard(
    scenario: ScenarioArgument = "step_steer",
    front: FrontOption = None,
    rear: RearOption = None,
    chassis: ChassisOption = None,
    rest_bus: Annotated[
        str, typer.Option("--rest-bus", help="On buses: what is not there and is to be supplied, as e4hil ecu.", metavar="PARTS")
    ] = "",
    by_hand: Annotated[
        bool | None, typer.Option("--by-hand/--drive", help="On buses: torque by hand, or pedals and vectoring, as e4hil ecu.")
    ] = None,
    vehicle: VehicleOption = "leaf_twin_motor",
    network: HeardNetworkOption = None,
    calibration: CalibrationOption = None,
    rate: RateOption = 1000.0,
    spin: SpinOption = 0.0,
    overrun: OverrunOption = "skip",
    fifo: RealtimeOption = True,
    host: Annotated[
        str,
        typer.Option("--host", help="Address of the page; any but loopback opens it to other machines.", metavar="ADDRESS"),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port of the page; 0 is any free one.", min=0, max=65535)] = 0,
    record: RecordOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for recordings that the page asks for.", metavar="DIR")] = Path(),
) -> None:
    """Open a page in the browser: the car from above, live plots, sliders for the calibration, A and B on the same manoeuvre.

    The controller and the virtual car run in real time beside the page, which cannot delay them. The address that is printed
    opens the page once; to change something, unlock it with the code that is printed, too.

    For example:

    e4hil dashboard

    e4hil dashboard double_lane_change --vehicle ariya_e4orce_290

    With a bus, the controller alone is on it, as by e4hil ecu, and is watched, armed and tuned through the page:

    e4hil dashboard --front socketcan:vcan0 --rear socketcan:vcan1 --chassis socketcan:vcan2
    """
    from bench.commands import dashboard as command
    from bench.commands.ecu import RunOptions, loop_settings

    buses = RunOptions(
        buses={"front": front, "rear": rear, "chassis": chassis}, network=network,
        settings=loop_settings(rate, spin, overrun, fifo), duration=None, listen_only=False, record=record, record_size=None,
        json=False,
    )  # fmt: skip
    command.run(command.PageOptions(host, port, scenario, vehicle, calibration, out, parts_of(rest_bus), by_hand), buses)


@app.command("bench")
def car_bench(
    scenario: ScenarioArgument = "launch",
    front: FrontOption = None,
    rear: RearOption = None,
    chassis: ChassisOption = None,
    vehicle: VehicleOption = "leaf_twin_motor",
    network: HeardNetworkOption = None,
    rate: RateOption = 1000.0,
    spin: SpinOption = 0.0,
    overrun: OverrunOption = "skip",
    fifo: RealtimeOption = True,
    roles: Annotated[
        str, typer.Option("--roles", help="Only these control units of the car, for example front_inverter.", metavar="ROLES")
    ] = "",
    duration: ScenarioDurationOption = None,
    listen_only: ListenOption = False,
    diagnostics: DiagnosticsOption = True,
    record: RecordOption = None,
    record_size: RecordSizeOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Run the virtual car alone on real or virtual buses, to test a controller: a real one, or e4hil ecu in another terminal.

    It waits until the controller has made it READY, drives the scenario, and ends.

    For example:

    e4hil bench step_steer --front socketcan:can0 --rear socketcan:can1 --chassis socketcan:can2
    """
    from bench.commands import ecu as command

    settings = command.loop_settings(rate, spin, overrun, fifo)
    buses = {"front": front, "rear": rear, "chassis": chassis}
    options = command.RunOptions(
        buses=buses, network=network, settings=settings, duration=duration, listen_only=listen_only, record=record,
        record_size=record_size, json=json, diagnostics=diagnostics,
    )  # fmt: skip
    _finish(strict, *command.run_bench(options, scenario, vehicle, parts_of(roles)))


@app.command()
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
    _finish(strict, command.run(cycle, vehicle, network, repeat, conditions, out, json))


@app.command()
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

    _finish(strict, run(capture, bus_config or [], vehicle, network, out, json))


@app.command()
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
    _finish(strict, command.run(manoeuvre or [], vehicle, workers, out, json, cell_tests, calibration))


@app.command()
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
    _finish(strict, command.run(study, out, workers, cluster, trials, json))


@app.command()
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


@app.command()
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

    _finish(strict, run(row or [], data, workers, out, json))


@study.command("battery")
def study_battery(
    out: OutOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Why the twin-motor LEAF made 227 kW with motors good for 320: sweep the pack, and name what binds."""
    from bench.commands.study_battery import run

    _finish(strict, run(out, json))


@diagnostics.command("list")
def diagnostics_list(
    part: Annotated[
        str | None,
        typer.Argument(help="Only this: services, identifiers, trouble-codes or routines.", metavar="PART"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """List services, data identifiers, trouble codes and routines, as a tester finds them.

    For example:

    e4hil diagnostics list trouble-codes
    """
    from bench.commands.diagnostics import print_tables

    print_tables(part, json)


@diagnostics.command("export")
def diagnostics_export(
    file: Annotated[Path, typer.Argument(help="Where the description is written.", metavar="FILE.pdx")],
) -> None:
    """Write the same for a tester: ODX 2.2 (ISO 22901-1) in a PDX file.

    For example:

    e4hil diagnostics export controller.pdx
    """
    from bench.commands.diagnostics import export

    export(file)


@diagnostics.command("conformance")
def diagnostics_conformance(
    out: Annotated[Path | None, typer.Option("--out", help="Folder for a CSV of every cell.", metavar="DIR")] = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Ask the controller's server everything that its tables tell apart, and compare with a second reading of ISO 14229-1.

    Service by sub-function by session by access by length by addressing by suppression, standing and driving; in this process.

    For example:

    e4hil diagnostics conformance --out out/conformance
    """
    from bench.commands.diagnostics_conformance import run

    _finish(strict, run(out, json))


CalibrationArgument = Annotated[
    str, typer.Argument(help="A TOML or CDFX, a vehicle by name, or default: the table's own.", metavar="FILE|VEHICLE")
]


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

    _finish(strict, diff(a, b, vehicle, json))


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


@app.command()
def performance(
    realtime: Annotated[
        bool, typer.Option("--realtime", help="How well the real-time loops keep their time, beside cyclictest and python-can.")
    ] = False,
    tuning: Annotated[
        bool, typer.Option("--tuning", help="How many drives a minute a search makes, on one core, on two, and on a cluster.")
    ] = False,
    seconds: Annotated[
        float,
        typer.Option("--seconds", help="With --realtime or --tuning: length of the longest measurement.", min=1.0, metavar="S"),
    ] = 60.0,
    out: OutOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Measure the speed of loop and codecs beside cantools, plain Python and Python stepping, as ratios of one run.

    For example:

    e4hil performance --realtime --seconds 20
    """
    from bench.commands import performance as command

    if realtime and tuning:
        raise UsageError("--realtime and --tuning: one of them was expected")
    if realtime:
        missed = command.run_realtime(seconds, out, json)
    else:
        missed = command.run_tuning(seconds, out, json) if tuning else command.run(out, json)
    _finish(strict, missed)


@app.command()
def hub(
    buses: Annotated[
        list[str] | None,
        typer.Argument(help="Names of the buses; front, rear and chassis if none is given.", metavar="BUS[@BITRATE]"),
    ] = None,
    ports: Annotated[int, typer.Option("--ports", help="USB-CAN ports on each bus.", min=1, max=64, metavar="N")] = 2,
    bitrate: Annotated[int, typer.Option("--bitrate", help="Of every bus that names none.", metavar="BIT/S")] = 500_000,
    links: Annotated[
        list[str] | None,
        typer.Option("--port", help="Where the next port of a bus is to be; may be given several times.", metavar="BUS=PATH"),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder for the other ports and the control socket; one hub a folder.", metavar="DIR"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the chances of disturbances.", metavar="N")] = 0,
    tell: Annotated[
        str | None,
        typer.Option("--tell", help="Give a command to the hub that runs, print its answer, and end.", metavar="COMMAND"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the ports once they are there.")] = False,
) -> None:
    """A virtual CAN network with USB-CAN ports, for machines without CAN. Anything that speaks slcan can plug in.

    Buses have bitrate, arbitration, acknowledgement, error counters and bus-off; frames take their time. It runs until Ctrl-C.

    For example, a bus that one terminal serves, and two others use, one to look on, one to send:

    e4hil hub front --port front=/tmp/can0 --port front=/tmp/can1

    python -m can.viewer -i slcan -c /tmp/can0 -b 500000

    python -m can.player -i slcan -c /tmp/can1 -b 500000 drive.log

    Pull a cable, lose every tenth frame, destroy ten, and see what came of it:

    e4hil hub --tell "unplug front0"

    e4hil hub --tell "lose front1 probability=0.1"

    e4hil hub --tell "corrupt front identifier=0x1D4 count=10"

    e4hil hub --tell statistics
    """
    from bench.commands import hub as command

    if tell is not None:
        command.tell(tell, folder)
        return
    command.run(buses or ["front", "rear", "chassis"], ports, bitrate, links or [], folder, seed, json)


@app.command("tester", context_settings={"ignore_unknown_options": True})  # negative values are no options
def ask_control_unit(
    bus: Annotated[str, typer.Argument(help="Bus of the control unit (see: e4hil adapters).", metavar="BUS")],
    words: Annotated[list[str], typer.Argument(help="What to do; several actions are joined by: then", metavar="ACTION...")],
    target: Annotated[
        str, typer.Option("--target", "-t", help="Control unit: vcm (the controller), battery or inverter.", metavar="UNIT")
    ] = "vcm",
    unlock: Annotated[
        str | None,
        typer.Option("--unlock", "-u", help="Open the lock first: read, calibrate, actuate or flash.", metavar="LEVEL"),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="Secret of the controller; unless given, of the one on this machine.", metavar="FILE"),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="How long to wait for an answer.", min=0.05, max=60.0, metavar="S")
    ] = 1.0,
    period: Annotated[
        float, typer.Option("--period", help="With watch: time between two looks.", min=0.01, max=3600.0, metavar="S")
    ] = 0.5,
    count: Annotated[int | None, typer.Option("--count", help="With watch: end after so many looks.", min=1, metavar="N")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line instead of tables.")] = False,
) -> None:
    """A diagnostic tester (UDS over ISO-TP), for the emulated controller, the virtual battery and inverters, or a LEAF's own.

    Actions:

    - **read** IDENTIFIER... — values, by number or name (see: e4hil diagnostics list)
    - **watch** IDENTIFIER... — the same again and again, until Ctrl-C
    - **write** IDENTIFIER VALUE... — a value of the calibration, in SI units; needs --unlock calibrate
    - **dtcs** [clear] — stored trouble codes
    - **routine** start|stop|results ROUTINE — needs --unlock actuate
    - **unlock** LEVEL — whether the key opens the lock
    - **battery** — all that a LEAF's battery tells, with its 96 cells; needs --target battery
    - **identify** — who answers
    - **wait** SECONDS — keeps the session meanwhile

    For example, with e4hil ecu and e4hil bench in two other terminals on the same three buses:

    e4hil tester udp_multicast:239.74.163.3 read vehicle_speed.speed leaf.gear F190

    e4hil tester udp_multicast:239.74.163.3 dtcs clear

    e4hil tester udp_multicast:239.74.163.3 --unlock calibrate write vehicle.mass 1800

    e4hil tester udp_multicast:239.74.163.3 --unlock actuate routine start selfTest then wait 1 then routine results selfTest

    e4hil tester udp_multicast:239.74.163.1 --target battery battery
    """
    from bench.commands.tester import run

    run(bus, words, target, unlock, key_file, timeout, period, count, json)


@app.command()
def vehicles(json: JsonOption = False) -> None:
    """List the vehicles."""
    from bench.commands.lists import vehicles as run

    run(json)


@app.command()
def scenarios(json: JsonOption = False) -> None:
    """List the scenarios."""
    from bench.commands.lists import scenarios as run

    run(json)


@app.command()
def networks(json: JsonOption = False) -> None:
    """List the networks."""
    from bench.commands.lists import networks as run

    run(json)


@app.command()
def adapters(
    everything: Annotated[
        bool, typer.Option("--all", help="Also serial ports that are not on USB, and drivers that are missing.")
    ] = False,
    listen: Annotated[
        float,
        typer.Option(
            "--listen", help="How long to listen for beacons of socketcand; they come every 3 s.", min=0.0, max=60.0, metavar="S"
        ),
    ] = 1.5,
    json: JsonOption = False,
) -> None:
    """List the CAN adapters that are plugged in, with the address to give as --front, --rear or --chassis.

    Nothing is opened: a bus in use is not disturbed.
    """
    from bench.commands.adapters import run

    run(everything, listen, json)


@app.command()
def doctor(
    seconds: Annotated[
        float, typer.Option("--seconds", help="How long to measure the jitter; 0: not at all.", min=0.0, max=3600.0, metavar="S")
    ] = 10.0,
    json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with status 1 if there is a problem.")] = False,
) -> None:
    """Examine this machine: is it fit for the real-time loop and for CAN, and how is what is not to be mended?

    Nothing is changed. At the end a compiled loop is woken at 1 kHz and at 10 kHz, with the verdict for each.
    """
    from bench.commands.doctor import run

    _finish(strict, run(seconds, json))


def _finish(strict: bool, missed: int, ended_badly: bool = False) -> None:
    """Exit with status 1 if rows missed their target and that is to count, or if a run did not come to its end."""
    if ended_badly or (strict and missed):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: wrong input ends with one clear line and status 2."""
    try:
        try:
            app()
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is the end itself
    except UsageError as error:
        print(f"e4hil: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has gone; that is no error of ours.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # Met while numba stores what it compiled; our own files say so themselves.
        print("e4hil: no space left on the disk; free some, or set E4HIL_CACHE_DIR to a folder on another disk", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
