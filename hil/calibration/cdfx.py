"""Calibrations as CDFX: ASAM Calibration Data Format 2.0, the XML that calibration tools exchange.

The elements and their order are those of the public DTD ``cdf_v2.0.0.sl.dtd``. Values are physical, in the units of the table. A
map's groups are its rows, so that its first axis, x, is that of its columns. The version of the table is an instance of its own,
of category ASCII. Files of others are read as far as they are instances with values; what else they tell (history, features,
axes) is theirs.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from hil.calibration.changes import differences, plain
from hil.calibration.file_values import ALL, CHANGES, FileValues
from hil.calibration.table import AXES, FIELDS, POINTS, VERSION, Axis, FixedAxis
from hil.errors import UsageError
from hil.files import write_text

DOCTYPE = '<!DOCTYPE MSRSW PUBLIC "-//ASAM//DTD CALIBRATION DATA FORMAT:V2.0.0:LAI:IAI:XML:CDF200.XSD//EN" "cdf_v2.0.0.sl.dtd">'
VERSION_NAME = "calibration_table_version"
CONTENTS_NAME = "calibration_contents"  # "all" or "changes", as in TOML


def write_cdfx(path: Path, calibration: Any, *, base: Any = None) -> None:
    """Write a calibration (recarray (1,)) to ``path``: all of it, or what differs from ``base``. Raises UsageError."""
    names = list(FIELDS) if base is None else [change.path for change in differences(base, calibration)]
    root = ElementTree.Element("MSRSW")
    _text(root, "SHORT-NAME", "e4orce_hil")
    _text(root, "CATEGORY", "CDF20")
    system = _nested(root, "SW-SYSTEMS", "SW-SYSTEM")
    _text(system, "SHORT-NAME", "controller")
    tree = _nested(system, "SW-INSTANCE-SPEC", "SW-INSTANCE-TREE")
    _text(tree, "SHORT-NAME", "calibration")
    _text(tree, "CATEGORY", "NO_VCD")
    _string(tree, VERSION_NAME, "version of the table of calibration values", VERSION)
    _string(tree, CONTENTS_NAME, "all values of the table, or changes", ALL if base is None else CHANGES)
    for name in names:
        _instance(tree, name, calibration)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{DOCTYPE}\n{body}\n')


def category(path: str) -> str:
    """What CDF calls such a value."""
    if path in POINTS:
        return "COM_AXIS"
    return ("VALUE", "CURVE", "MAP")[len(FIELDS[path].shape)]


def _instance(tree: ElementTree.Element, path: str, calibration: Any) -> None:
    field = FIELDS[path]
    instance = ElementTree.SubElement(tree, "SW-INSTANCE")
    _text(instance, "SHORT-NAME", path)
    _text(instance, "LONG-NAME", field.description)
    _text(instance, "CATEGORY", category(path))
    container = ElementTree.SubElement(instance, "SW-VALUE-CONT")
    _text(container, "UNIT-DISPLAY-NAME", field.unit)
    if field.shape:
        _array_size(container, field.shape)
    _values(ElementTree.SubElement(container, "SW-VALUES-PHYS"), plain(calibration, path))
    if path in AXES:
        axes = ElementTree.SubElement(instance, "SW-AXIS-CONTS")
        for axis, length in zip(reversed(AXES[path]), reversed(field.shape), strict=True):
            _axis(axes, axis, length)


def _axis(axes: ElementTree.Element, axis: Axis, length: int) -> None:
    container = ElementTree.SubElement(axes, "SW-AXIS-CONT")
    if not isinstance(axis, FixedAxis):
        _text(container, "CATEGORY", "COM_AXIS")
        _text(container, "UNIT-DISPLAY-NAME", FIELDS[axis].unit)
        _text(container, "SW-INSTANCE-REF", axis)
        return
    _text(container, "CATEGORY", "FIX_AXIS")
    _text(container, "UNIT-DISPLAY-NAME", axis.unit)
    _values(ElementTree.SubElement(container, "SW-VALUES-PHYS"), axis.points(length))


def _array_size(container: ElementTree.Element, shape: tuple[int, ...]) -> None:
    size = ElementTree.SubElement(container, "SW-ARRAYSIZE")
    for length in reversed(shape):
        _text(size, "V", str(length))


def _values(parent: ElementTree.Element, value: Any) -> None:
    if not isinstance(value, list):
        _text(parent, "V", repr(value))
        return
    for one in value:
        _values(ElementTree.SubElement(parent, "VG") if isinstance(one, list) else parent, one)


def _string(tree: ElementTree.Element, name: str, description: str, text: str) -> None:
    instance = ElementTree.SubElement(tree, "SW-INSTANCE")
    _text(instance, "SHORT-NAME", name)
    _text(instance, "LONG-NAME", description)
    _text(instance, "CATEGORY", "ASCII")
    _text(_nested(instance, "SW-VALUE-CONT", "SW-VALUES-PHYS"), "VT", text)


def _nested(parent: ElementTree.Element, *tags: str) -> ElementTree.Element:
    for tag in tags:
        parent = ElementTree.SubElement(parent, tag)
    return parent


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def read_cdfx(path: Path) -> FileValues:
    """What the file holds, not checked yet. Raises UsageError if it is no CDF 2.0."""
    root = _parsed(path)
    if root.tag != "MSRSW" or (root.findtext("CATEGORY") or "").strip() not in ("CDF20", "CDF21"):
        raise UsageError(f"{path}: is no CDFX: an element MSRSW of category CDF20 was expected")
    values = dict(_instances(path, root))
    version, contents = values.pop(VERSION_NAME, None), values.pop(CONTENTS_NAME, CHANGES)
    if not values and version is None:  # of ours there may be nothing that differs
        raise UsageError(f"{path}: holds no calibration value")
    return FileValues(str(path), values, version, contents == ALL)


def _parsed(path: Path) -> ElementTree.Element:
    """The root of the document. One that declares entities is refused: they can grow without end."""
    guard = expat.ParserCreate()
    guard.EntityDeclHandler = _refuse_entities
    try:
        content = path.read_bytes()
        guard.Parse(content, True)
        return ElementTree.fromstring(content)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ElementTree.ParseError, expat.ExpatError, ValueError, LookupError) as error:
        raise UsageError(f"{path}: is not valid XML: {error}") from error


def _refuse_entities(*_: Any) -> None:
    raise ValueError("it declares entities of its own")


def _instances(path: Path, root: ElementTree.Element) -> Iterator[tuple[str, Any]]:
    seen = set()
    for instance in root.iter("SW-INSTANCE"):
        name = (instance.findtext("SHORT-NAME") or "").strip()
        if name in seen:
            raise UsageError(f"{path}: {name}: is there twice")
        seen.add(name)
        values = instance.find(".//SW-VALUE-CONT/SW-VALUES-PHYS")  # of the first variant, if there are some
        if values is None:
            raise UsageError(f"{path}: {name or 'an instance without a name'}: holds no values")
        found = _read_values(path, name, values)
        yield name, found[0] if len(found) == 1 and not isinstance(found[0], list) else found


def _read_values(path: Path, name: str, parent: ElementTree.Element) -> list[Any]:
    found: list[Any] = []
    for element in parent:
        if element.tag == "VG":
            found.append(_read_values(path, name, element))
        elif element.tag == "VT":
            found.append((element.text or "").strip())
        elif element.tag == "V":
            found.append(_number(path, name, (element.text or "").strip()))
    return found


def _number(path: Path, name: str, text: str) -> float | int:
    try:
        return float(text) if any(mark in text.lower() for mark in ".enia") else int(text)
    except ValueError:
        raise UsageError(f'{path}: {name}: a number was expected, got "{text}"') from None
