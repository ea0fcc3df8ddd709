"""The report of a drive."""

from pathlib import Path

from bench.drive import DriveResult
from bench.report.drive_plots import drive_sections
from bench.report.html import write_report


def write_drive_report(target: Path, result: DriveResult) -> None:
    """Write the report of a drive to ``target`` (HTML). Raises UsageError if plotly is missing or the file cannot be written."""
    details = {
        "vehicle": result.vehicle.name,
        "scenario": result.scenario.name,
        "network": result.network.name,
        "state of charge": f"{100.0 * result.scenario.state_of_charge:g} %",
        "temperature": f"{result.scenario.temperature:g} °C",
    }
    write_report(target, result.scenario.title, result.vehicle.title, result.rows, drive_sections(result), details=details)
