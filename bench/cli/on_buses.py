"""The controller or the car on real and virtual buses, and who looks at them there."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.app import app
from bench.cli.options import (
    CalibrationOption,
    ChassisOption,
    DiagnosticsOption,
    FrontOption,
    HeardNetworkOption,
    JsonOption,
    ListenOption,
    OverrunOption,
    RateOption,
    RealtimeOption,
    RearOption,
    RecordOption,
    RecordSizeOption,
    ScenarioArgument,
    ScenarioDurationOption,
    SpinOption,
    StrictOption,
    VehicleOption,
    finish,
    parts_of,
)
from hil.errors import UsageError

PANEL = "On buses"  # of the help
diagnostics = typer.Typer(no_args_is_help=True, help="What a diagnostic tester finds in the emulated controller.")
app.add_typer(diagnostics, name="diagnostics", rich_help_panel=PANEL)


@app.command(rich_help_panel=PANEL)
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
    finish(strict, *run)


@app.command("bench", rich_help_panel=PANEL)
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
    finish(strict, *command.run_bench(options, scenario, vehicle, parts_of(roles)))


@app.command(rich_help_panel=PANEL)
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


@app.command("tester", rich_help_panel=PANEL, context_settings={"ignore_unknown_options": True})  # negative values are no options
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

    finish(strict, run(out, json))
