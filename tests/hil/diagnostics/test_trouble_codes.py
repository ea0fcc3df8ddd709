"""The table of trouble codes."""

import re
from collections import Counter

import pytest

from firmware_model.measurements import Fault, fault_names
from hil.diagnostics.trouble_codes import (
    ALL_GROUPS,
    GROUPS,
    OUR_OWN,
    PUBLISHED,
    TABLE,
    TOLD,
    Finding,
    Severity,
    TroubleCode,
    code_name,
    code_number,
)

U1000 = 0xD00000
# Numbers are for ever: a line is added for a new code, none is changed.
PINNED = """
U1000-00 P3191-00 P319C-00 P31A7-00 P0A78-00 P0A2F-00 P0A3F-00 P0A44-00 P318E-00 P3197-00 P3199-00 P31A4-00
U1E00-81 U1E01-87 U1E01-81 U1E01-83 U1E01-82 U1E02-87 U1E02-81 U1E03-87 U1E03-81 U1E04-87 U1E04-81 U1E05-87 U1E05-81
U1E06-87 U1E06-81 U1E07-87 U1E07-81 U1E08-87 U1E08-81 U1E09-87 U1E09-81 U1E0A-87 U1E0B-87 U1E0B-81
P1E01-92 P1E02-62 P1E03-62 P1E10-92 P1E11-94 P1E12-93 P1E13-93 P1E20-68 P1E21-68 P1E30-85 P1E30-64 P1E31-61 P1E32-62
P1E33-62 P1E34-94 P1E40-86 P1E41-86 P1E42-62 C1E00-64 C1E01-64 C1E02-64 C1E03-64
"""


def row(name: str) -> TroubleCode:
    return next(code for code in TABLE if code.name == name)


def test_codes_are_pinned() -> None:
    assert [code.name for code in TABLE] == PINNED.split()


def test_numbers_and_descriptions_are_unique() -> None:
    assert len({code.number for code in TABLE}) == len({code.description for code in TABLE}) == len(TABLE)


def test_every_fault_and_every_finding_has_one_code_of_its_own() -> None:
    for cause in (*Fault, *Finding):
        assert len([code for code in TABLE if code.causes == cause]) == 1, cause
    assert [code.number for code in TABLE if code.causes.bit_count() > 1] == [U1000]


def test_findings_lie_above_all_faults() -> None:
    assert min(Finding) > max(Fault)


def test_no_can_stands_for_any_source_of_the_car_that_is_silent_for_two_seconds() -> None:
    assert all(name.endswith("silent") for name in fault_names(row("U1000-00").causes))
    assert row("U1000-00").causes.bit_count() == 10  # all but the panel and a recorded request
    assert row("U1000-00").debounce == pytest.approx(1.9, abs=0.15)


def test_our_own_codes_are_in_ranges_of_the_maker_and_say_what_kind_of_failure_they_are() -> None:
    for code in OUR_OWN:
        assert re.fullmatch(r"[UPC]1E[0-4][0-9AB]-[0-9A-F]{2}", code.name)
        assert code.number & 0xFF
    assert all(code.number & 0xFF == 0 for code in PUBLISHED)


def test_a_code_is_written_as_people_write_it() -> None:
    for number, name in ((0xD000, "U1000"), (0x318E, "P318E"), (0x0A3F, "P0A3F"), (0x5E01, "C1E01"), (0x9234, "B1234")):
        assert (code_name(number), code_number(name)) == (name, number)


def test_what_an_inverter_broadcasts_is_known_by_its_two_bytes() -> None:
    assert [code_name(code) for code in TOLD] == ["P0A2F", "P0A3F", "P0A44", "P318E", "P3197", "P3199", "P31A4"]


@pytest.mark.parametrize(
    ("name", "severity", "priority", "warning"),
    [
        ("P1E34-94", Severity.CHECK_IMMEDIATELY, 1, True),  # nothing but the relay stops it
        ("U1E02-87", Severity.CHECK_IMMEDIATELY, 2, True),  # no battery, no torque
        ("P3191-00", Severity.CHECK_AT_NEXT_HALT, 3, True),  # one axle drives on
        ("U1E06-87", Severity.MAINTENANCE_ONLY, 4, False),  # less comfort
        ("P1E20-68", Severity.MAINTENANCE_ONLY, 4, False),  # the operator has pressed a button
    ],
)
def test_severity_priority_and_warning_follow_from_what_the_fault_does(
    name: str, severity: Severity, priority: int, warning: bool
) -> None:
    code = row(name)
    assert (code.severity, code.priority, code.warning) == (severity, priority, warning)


def test_what_an_operator_does_is_never_confirmed() -> None:
    never = [code.name for code in TABLE if code.trips == 0]
    assert never == ["U1E0A-87", "U1E0B-87", "U1E0B-81", "P1E20-68", "P1E21-68"]


def test_groups_share_out_the_codes_and_are_no_codes_themselves() -> None:
    letters = Counter(letter for number, (_, letters) in GROUPS.items() if number != ALL_GROUPS for letter in letters)
    assert all(letters[code.name[0]] == 1 for code in TABLE)
    assert not GROUPS.keys() & {code.number for code in TABLE}
