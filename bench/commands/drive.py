"""``e4hil drive``: run, look on, judge, write."""

from pathlib import Path
from typing import Any

from bench.calibrating import with_calibration
from bench.commands.console import output, progress
from bench.drive import Drive, DriveResult
from bench.live_view import CompileProgress, LiveView
from bench.rows import as_json, failed, print_table
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from hil.lockstep import Chunk
from hil.network.database import load_network


def run(
    scenario: str,
    vehicle: str,
    network: str | None,
    duration: float | None,
    realtime: bool,
    out: Path | None,
    json: bool,
    calibration: Path | None = None,
) -> int:
    """Drive and report; returns the number of rows that miss their target."""
    car = with_calibration(load_vehicle(vehicle), calibration)
    drive = Drive(load_network(network or car.network), car, load_scenario(scenario), duration=duration)
    if out:
        from bench.commands.files import prepare_output

        prepare_output(out)
    bench: Any = _realtime_bench(drive) if realtime else drive.lockstep()
    with CompileProgress(progress()):
        bench.compile()
    result = drive.result(_watch(drive, bench))
    if realtime:
        from bench.commands.realtime_rows import bus_rows, loop_rows

        result.rows += [*loop_rows(bench), *bus_rows(bench)]
    if json:
        print(as_json(f"{car.title}: {drive.scenario.title}", result.rows, vehicle=car.name, scenario=drive.scenario.name))
    else:
        print_table(output(), f"{car.title}: {drive.scenario.title}", result.rows)
    if out:
        _write(out, result)
        progress().print(f"[dim]report: {out / 'report.html'}[/]")
    return len(failed(result.rows))


def _realtime_bench(drive: Drive) -> Any:
    from hil.realtime import RealtimeBench
    from hil.scheduling import refused

    addresses = [f"virtual:{bus.name}" for bus in drive.network.buses]
    bench = RealtimeBench(drive.network, [drive.controller, drive.car], addresses)
    for finding in refused(bench.examine()):
        progress().print(f"[yellow]{finding}[/]")
    return bench


def _watch(drive: Drive, bench: Any) -> list[Chunk]:
    """Run to the end under the live view."""
    chunks = []
    with LiveView(progress(), f"{drive.vehicle.title}: {drive.scenario.title}", drive.duration) as view:
        for chunk in drive.chunks(bench):
            chunks.append(chunk)
            if len(chunk.samples):
                view.update(drive.phase, drive.scenario_time, chunk.samples[-1])
    return chunks


def _write(out: Path, result: DriveResult) -> None:
    """Report, measurement and frames."""
    from bench.report.drive_report import write_drive_report
    from bench.report.measurement import write_mf4
    from hil.captures import write_blf, write_candump

    names = [bus.name for bus in result.network.buses]
    write_mf4(out / "measurement.mf4", result.samples)
    write_blf(out / "frames.blf", result.frames, names)
    write_candump(out / "frames.log", result.frames, names)
    write_drive_report(out / "report.html", result)
