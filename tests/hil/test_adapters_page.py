"""The page about adapters: what it says of addresses, bitrates and options is what the table of interfaces says."""

import re
from pathlib import Path

import pytest

from hil.bus import parse_bus_address
from hil.bus_interfaces import INTERFACES, arguments

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| (`\w+:.*)\|$", PAGE, re.MULTILINE)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_an_address_of_the_page_is_one(row: list[str]) -> None:
    for text in re.findall(r"`([^`]+)`", row[0]):
        address = parse_bus_address(text)
        arguments(address.interface, address.channel, address.bitrate, dict(address.options))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_options_and_bitrates_of_the_page_are_those_of_the_table(row: list[str]) -> None:
    interface = INTERFACES[row[0].strip("`").partition(":")[0]]
    assert set(re.findall(r"`(\w+)`", row[2])) == set(interface.options)
    numbers = re.findall(r"[\d.]+", row[1].partition(" kbit/s")[0]) if "," in row[1] else []
    if numbers:
        rates = [float(number) * 1000 for number in numbers] + [1_000_000]
        assert sorted(rates) == sorted(interface.bitrates or ())


def test_every_interface_is_on_the_page() -> None:
    named = {row[0].strip("`").partition(":")[0] for row in ROWS} | set(re.findall(r"`(\w+)`", PAGE))
    assert set(INTERFACES) <= named
    assert len(ROWS) >= 10
