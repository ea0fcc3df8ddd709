"""`e4hil diagnostics conformance`: every cell of the controller's table."""

import csv
import json
from pathlib import Path

from typer.testing import CliRunner

from bench.cli import app


def test_every_cell_of_the_controller_is_as_the_standard_says(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["diagnostics", "conformance", "--json", "--strict", "--out", str(tmp_path)])
    rows = {row["name"]: row for row in json.loads(result.stdout)["rows"]}
    assert rows["answers that the standard does not have there"]["value"] == 0, result.stderr
    assert rows["all cells"]["value"] > 250_000
    assert result.exit_code == 0
    with (tmp_path / "conformance.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["right"] for line in lines} == {"yes"}
    assert {line["session"] for line in lines} == {"default", "programming", "extended"}
