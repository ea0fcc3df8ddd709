"""Calibrations as CDFX."""

import xml.etree.ElementTree as ElementTree

import pytest

from firmware_model.calibration import Calibration
from firmware_model.kernel import new
from hil.calibration.cdfx import read_cdfx, write_cdfx
from hil.calibration.changes import CalibrationError
from hil.calibration.table import FIELDS, VERSION
from hil.errors import UsageError

FOREIGN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE MSRSW PUBLIC "-//ASAM//DTD CALIBRATION DATA FORMAT:V2.0.0:LAI:IAI:XML:CDF200.XSD//EN" "cdf_v2.0.0.sl.dtd">
<MSRSW><SHORT-NAME>other</SHORT-NAME><CATEGORY>CDF20</CATEGORY><SW-SYSTEMS><SW-SYSTEM><SHORT-NAME>s</SHORT-NAME>
<SW-INSTANCE-SPEC><SW-INSTANCE-TREE><SHORT-NAME>t</SHORT-NAME><CATEGORY>VCD</CATEGORY>
<SW-INSTANCE><SHORT-NAME>vehicle.mass</SHORT-NAME><LONG-NAME>Gr\u00f6\u00dfe</LONG-NAME><CATEGORY>VALUE</CATEGORY>
<SW-VALUE-CONT><UNIT-DISPLAY-NAME>kg</UNIT-DISPLAY-NAME><SW-VALUES-PHYS><V> {mass} </V></SW-VALUES-PHYS></SW-VALUE-CONT>
</SW-INSTANCE>{more}</SW-INSTANCE-TREE></SW-INSTANCE-SPEC></SW-SYSTEM></SW-SYSTEMS></MSRSW>
"""


def foreign(tmp_path, mass="2000", more=""):
    path = tmp_path / "other.cdfx"
    path.write_bytes(FOREIGN.format(mass=mass, more=more).encode("iso-8859-1"))
    return path


def test_what_is_written_reads_back_to_the_bit(tmp_path):
    calibration = new(Calibration)
    calibration.vehicle.mass = 1900.1
    calibration.driver_demand.force_eco[0, 1, 2] = 123.456789012345
    write_cdfx(tmp_path / "c.cdfx", calibration)
    values = read_cdfx(tmp_path / "c.cdfx")
    assert (values.version, values.is_complete, len(values.values)) == (VERSION, True, len(FIELDS))
    assert values.on(new(Calibration)).tobytes() == calibration.tobytes()


def test_only_what_differs_is_written_on_demand(tmp_path):
    calibration = new(Calibration)
    calibration.vehicle.mass = 1900.1
    write_cdfx(tmp_path / "c.cdfx", calibration, base=new(Calibration))
    values = read_cdfx(tmp_path / "c.cdfx")
    assert (values.is_complete, values.values) == (False, {"vehicle.mass": 1900.1})


def test_a_file_in_which_nothing_differs_is_read_as_that(tmp_path):
    write_cdfx(tmp_path / "c.cdfx", new(Calibration), base=new(Calibration))
    assert read_cdfx(tmp_path / "c.cdfx").on(new(Calibration)).tobytes() == new(Calibration).tobytes()


def test_values_curves_and_maps_have_their_categories_units_sizes_and_axes(tmp_path):
    write_cdfx(tmp_path / "c.cdfx", new(Calibration))
    root = ElementTree.parse(tmp_path / "c.cdfx").getroot()
    instances = {one.findtext("SHORT-NAME"): one for one in root.iter("SW-INSTANCE")}
    told = {name: instances[name].findtext("CATEGORY") for name in instances}
    assert told["vehicle.mass"] == "VALUE"
    assert told["driver_demand.speed_points"] == "COM_AXIS"
    assert told["driver_demand.force_lift_off_brake"] == "CURVE"
    force = instances["driver_demand.force_sport"]
    assert force.findtext("CATEGORY") == "MAP"
    assert force.findtext("SW-VALUE-CONT/UNIT-DISPLAY-NAME") == "N"
    assert [size.text for size in force.iterfind("SW-VALUE-CONT/SW-ARRAYSIZE/V")] == ["8", "6"]
    groups = force.findall("SW-VALUE-CONT/SW-VALUES-PHYS/VG")
    assert [[float(v.text) for v in group] for group in groups] == new(Calibration).driver_demand.force_sport[0].tolist()
    axes = force.findall("SW-AXIS-CONTS/SW-AXIS-CONT")
    assert [axis.findtext("SW-INSTANCE-REF") for axis in axes] == ["driver_demand.speed_points", "driver_demand.pedal_points"]
    voltage = instances["pack.open_circuit_voltage"].find("SW-AXIS-CONTS/SW-AXIS-CONT")
    assert [float(v.text) for v in voltage.iterfind("SW-VALUES-PHYS/V")] == pytest.approx([k / 20 for k in range(21)])


def test_a_file_of_another_tool_is_read_in_its_encoding(tmp_path):
    assert read_cdfx(foreign(tmp_path)).on(new(Calibration)).vehicle.mass[0] == 2000.0


def test_its_values_are_checked_as_those_of_any_file(tmp_path):
    with pytest.raises(CalibrationError, match=r"vehicle\.mass = 9000: allowed is 500 to 5000 kg"):
        read_cdfx(foreign(tmp_path, "9e3")).on(new(Calibration))
    with pytest.raises(CalibrationError, match=r"vehicle\.mass = nan"):
        read_cdfx(foreign(tmp_path, "NaN")).on(new(Calibration))


TWICE = "<SW-INSTANCE><SHORT-NAME>vehicle.mass</SHORT-NAME><SW-VALUE-CONT><SW-VALUES-PHYS/></SW-VALUE-CONT></SW-INSTANCE>"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not valid XML: no element found"),
        (b"vehicle.mass = 1", "is not valid XML"),
        (b"<MSRSW>", "is not valid XML"),
        (b"<A2L/>", "is no CDFX"),
        (b"<MSRSW><CATEGORY>CDF20</CATEGORY></MSRSW>", "holds no calibration value"),
        (b'<!DOCTYPE MSRSW [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><MSRSW>&b;</MSRSW>', "declares entities of its own"),
        (FOREIGN.format(mass="heavy", more="").encode("iso-8859-1"), 'vehicle.mass: a number was expected, got "heavy"'),
        (FOREIGN.format(mass="1", more=TWICE).encode("iso-8859-1"), "vehicle.mass: is there twice"),
        (FOREIGN.format(mass="1", more="<SW-INSTANCE/>").encode("iso-8859-1"), "holds no values"),
        (b'<?xml version="1.0" encoding="klingon"?><MSRSW/>', "is not valid XML"),
    ],
)
def test_what_is_no_cdfx_is_told_in_one_line(tmp_path, content, told):
    path = tmp_path / "c.cdfx"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_cdfx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_of_several_variants_the_first_is_read(tmp_path):
    text = foreign(tmp_path).read_text(encoding="iso-8859-1")
    for end in ("", "/"):
        outer, inner = f"<{end}SW-INSTANCE-PROPS-VARIANTS>", f"<{end}SW-INSTANCE-PROPS-VARIANT>"
        value = f"<{end}SW-VALUE-CONT>"
        text = text.replace(value, value + inner + outer if end else outer + inner + value)
    (tmp_path / "variants.cdfx").write_text(text, encoding="iso-8859-1")
    assert read_cdfx(tmp_path / "variants.cdfx").values == {"vehicle.mass": 2000}


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_cdfx(tmp_path / "none.cdfx")
