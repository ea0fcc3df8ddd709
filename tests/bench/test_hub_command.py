"""``e4hil hub`` as people and scripts start, command and end it."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import can
import pytest

from hil.bus import parse_bus_address

COMMAND = [sys.executable, "-m", "bench.cli", "hub"]


@contextmanager
def hub(*arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A running hub; killed if the test has not ended it."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def e4hil_hub(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_scripts_get_one_object_plug_in_and_command_the_hub(tmp_path: Path) -> None:
    place = tmp_path / "can0"
    arguments = ["front", "chassis@250000", "--ports", "1", "--port", f"front={place}", "--json"]
    with hub(*arguments, XDG_RUNTIME_DIR=str(tmp_path)) as process:
        description = json.loads(first_line(process))
        assert description["process"] == process.pid
        assert [bus["name"] for bus in description["buses"]] == ["front", "chassis"]
        assert all(parse_bus_address(port["address"]).is_virtual for bus in description["buses"] for port in bus["ports"])
        addresses = [port["address"] for bus in description["buses"] for port in bus["ports"]]
        assert addresses == [f"slcan:{place}@500000", f"slcan:{tmp_path}/e4hil/chassis0@250000"]
        with can.Bus(interface="slcan", channel=str(place), bitrate=500_000, sleep_after_open=0) as bus:
            assert bus.get_version(5.0) == (10, 13)
            asked = e4hil_hub("--tell", "statistics", "--folder", str(tmp_path / "e4hil"))
            assert json.loads(asked.stdout)["buses"][0]["ports"][0]["condition"] == "open"
        refused = e4hil_hub("--tell", "unplug rear0", "--folder", str(tmp_path / "e4hil"))
        assert (refused.returncode, refused.stderr) == (
            2,
            'e4hil: unplug rear0: no port "rear0"; there are front0, chassis0\n',
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_hub_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with hub("front", "--folder", str(tmp_path)) as process:
        assert first_line(process) == f"front0  slcan:{tmp_path}/front0@500000\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    assert not list(tmp_path.iterdir())


def test_without_names_there_are_the_three_buses_of_the_bench(tmp_path: Path) -> None:
    with hub("--json", "--folder", str(tmp_path)) as process:
        assert [bus["name"] for bus in json.loads(first_line(process))["buses"]] == ["front", "rear", "chassis"]


def test_a_terminal_shows_addresses_and_a_table_that_lives(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    command = [*COMMAND, "front", "--folder", str(tmp_path)]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    try:
        while shown.count(b"received") < 2:
            assert select.select([master], [], [], 60)[0], shown
            shown += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # its end
            while select.select([master], [], [], 60)[0]:
                shown += os.read(master, 65536)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert f"front1  slcan:{tmp_path}/front1@500000".encode() in shown
    assert b"Traceback" not in shown


def test_its_help_teaches_how_to_plug_in() -> None:
    shown = e4hil_hub("--help").stdout
    assert "python -m can.viewer -i slcan" in shown
    assert "--tell" in shown


MISTAKES = {
    "a bitrate that no adapter has": (["front", "--bitrate", "123"], "bus front: bitrate 123 is none that USB-CAN adapters have"),
    "a bitrate that is no number": (["front@fast"], 'bus "front@fast": expected NAME or NAME@BITRATE'),
    "a place without a bus": (["front", "--port", "/tmp/x"], '--port "/tmp/x": expected BUS=PATH'),
    "a place for a bus that is not there": (["front", "--port", "rear=/tmp/x"], 'no bus "rear"; there are front'),
    "a command without a hub": (["--tell", "statistics", "--folder", "/tmp/nowhere"], "no hub at /tmp/nowhere/control"),
    "a folder that cannot be": (["front", "--folder", "/dev/null/x"], "/dev/null/x: cannot be made a folder"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_wrong_input_is_one_line_and_status_two(mistake: str) -> None:
    arguments, expected = MISTAKES[mistake]
    done = e4hil_hub(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
