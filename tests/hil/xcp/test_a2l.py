"""The A2L, as a public parser reads it."""

import re

import pytest

from hil.calibration.table import AXES, FIELDS, RISING
from hil.xcp.a2l import POINTS, generate_a2l, text
from hil.xcp.identity import EPK, EPK_ADDRESS
from hil.xcp.memory import MEASURED, RECORDS, SEGMENTS, address

parser = pytest.importorskip("pya2l.parser", reason="pya2l is not installed")


@pytest.fixture(scope="module")
def parsed():
    with parser.A2lParser() as reading:
        tree = reading.tree_from_a2l(generate_a2l().encode())
        return tree.PROJECT.MODULE[0], list(reading.warnings)


@pytest.fixture(scope="module")
def module(parsed):
    return parsed[0]


def named(entries):
    found = {entry.Name.Value: entry for entry in entries}
    assert len(found) == len(entries)
    return found


def test_the_parser_has_nothing_to_say_but_of_interface_data(parsed):
    lines = generate_a2l().splitlines()
    inside = {}
    within = False
    for number, line in enumerate(lines, 1):
        within = (within or "/begin IF_DATA" in line) and "/end IF_DATA" not in line
        inside[number] = within
    assert all(inside[int(warning.split(":")[0])] for warning in parsed[1])  # it knows no grammar of these


def test_every_calibration_value_is_there_with_its_address_limits_and_kind(module):
    values, points = named(module.CHARACTERISTIC), named(module.AXIS_PTS)
    assert set(values) | set(points) == set(FIELDS)
    assert set(points) == POINTS
    for path, value in values.items():
        field = FIELDS[path]
        assert value.Address.Value == address("parameters", path)
        assert value.LongIdentifier.Value == field.description
        assert value.LowerLimit.Value == pytest.approx(field.minimum)
        assert value.UpperLimit.Value == pytest.approx(min(field.maximum, 2**31 - 1 if field.dtype == "i8" else field.maximum))
        assert value.Deposit.Value == ("REAL" if field.dtype == "f8" else "WHOLE")
    kinds = {path: values[path].Type for path in ("vehicle.mass", "driver_demand.force_eco", "pack.open_circuit_voltage")}
    assert list(kinds.values()) == ["VALUE", "MAP", "CURVE"]
    assert values["faults.latch_time"].Type == "VAL_BLK"


def test_curves_and_maps_have_axes_of_their_lengths_x_first(module):
    values, points = named(module.CHARACTERISTIC), named(module.AXIS_PTS)
    for path in AXES:
        value = values[path]
        lengths = [axis.MaxAxisPoints.Value for axis in value.AXIS_DESCR]
        assert value.Type == "VAL_BLK" or lengths == list(reversed(FIELDS[path].shape))
        for axis in value.AXIS_DESCR:
            if axis.Attribute == "COM_AXIS":
                assert points[axis.AXIS_PTS_REF.AxisPoints.Value].MaxAxisPoints.Value == axis.MaxAxisPoints.Value
    force = values["driver_demand.force_sport"]
    assert [axis.AXIS_PTS_REF.AxisPoints.Value for axis in force.AXIS_DESCR] == list(reversed(AXES["driver_demand.force_sport"]))
    assert set(points) <= set(RISING)


def test_every_measurement_is_there_with_its_address(module):
    measured = named(module.MEASUREMENT)
    for array in MEASURED:
        for path, field in RECORDS[array].fields():
            one = measured[f"{array}.{path}"]
            assert one.ECU_ADDRESS.Address.Value == address(array, path)
            assert one.DataType.Value in (("FLOAT32_IEEE",) if field.dtype == "f8" else ("SLONG", "ULONG"))
    low, high = measured["measurements.supervisor.faults"], measured["measurements.supervisor.faults_high"]
    assert high.ECU_ADDRESS.Address.Value == low.ECU_ADDRESS.Address.Value + 4


def test_what_is_referred_to_is_there(module):
    methods, layouts = named(module.COMPU_METHOD), named(module.RECORD_LAYOUT)
    values, measured, points = named(module.CHARACTERISTIC), named(module.MEASUREMENT), named(module.AXIS_PTS)
    for one in (*values.values(), *measured.values(), *points.values()):
        assert one.Conversion.Value in methods
    assert {one.Deposit.Value for one in values.values()} <= set(layouts)
    tables = {one.Name.Value for one in module.COMPU_VTAB}
    assert {one.COMPU_TAB_REF.ConversionTable.Value for one in methods.values() if one.ConversionType == "TAB_VERB"} == tables
    units = {one.Unit.Value for one in methods.values()}
    assert {field.unit for field in FIELDS.values()} - {"1"} <= units
    text_of_all = generate_a2l()
    groups = set(re.findall(r"/begin GROUP (\S+)", text_of_all))
    for listed in re.findall(r"/begin SUB_GROUP\n(.*?)/end SUB_GROUP", text_of_all, re.DOTALL):
        assert set(listed.split()) <= groups
    grouped = re.findall(r"/begin REF_(?:CHARACTERISTIC|MEASUREMENT)\n(.*?)/end REF", text_of_all, re.DOTALL)
    members = [name for listed in grouped for name in listed.split()]
    assert len(members) == len(set(members))
    assert set(members) | {f"measurements.{name}_high" for name in ("supervisor.faults", "supervisor.latched_faults")} == (
        set(values) | set(points) | set(measured)
    )


def test_build_and_memory_are_described(module):
    assert module.MOD_PAR.EPK.Identifier.Value == EPK.decode()
    assert module.MOD_PAR.ADDR_EPK[0].Address.Value == EPK_ADDRESS
    (segment,) = module.MOD_PAR.MEMORY_SEGMENT
    assert (segment.Address.Value, segment.Size.Value) == (SEGMENTS["parameters"].address, SEGMENTS["parameters"].size)


def test_quotes_in_descriptions_do_not_end_them():
    assert text('a "b" \\c') == '"a \\"b\\" \\\\c"'
