"""The identifiers that a LEAF's own VCM answers, with numbers and scales as owners found them on cars.

They are those of a LEAF of 2018, published with their formulas (answers of a car: 22 11 03 A3 is 13.04 V, 22 11 5D 81 is
24 degC, 22 13 04 80 FE is on). What the controller knows is live. It knows nothing of the 12 V system, of heating and of
charging: those values are constants of a car that stands unplugged, which their descriptions say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite, pi
from typing import Any

from firmware_model.signals import DriveMode, Gear
from hil.diagnostics.identifiers import DataIdentifier
from hil.node import Node

GEARS = {Gear.PARK: 1, Gear.REVERSE: 2, Gear.NEUTRAL: 3, Gear.DRIVE: 4, Gear.BRAKE: 4}
ECO_GEAR = 7
CONSTANT = "; constant: the controller does not know it"


@dataclass(frozen=True)
class PublishedIdentifier:
    """One identifier: a number of ``size`` bytes, big-endian, in steps of ``step`` from ``offset`` on, and what follows it."""

    number: int
    name: str
    description: str
    unit: str
    value: Callable[[Node], float]  # in the unit
    size: int = 1  # [bytes]
    step: float = 1.0
    offset: float = 0.0
    signed: bool = False
    tail: bytes = b""  # unknown

    def encode(self, value: float) -> bytes:
        """A value as it goes out; 0 for none, and the nearest that there is for one beyond the range."""
        raw = round((value - self.offset) / self.step) if isfinite(value) else 0
        bits = 8 * self.size - int(self.signed)
        low = -(1 << bits) if self.signed else 0
        return min(max(raw, low), (1 << bits) - 1).to_bytes(self.size, signed=self.signed) + self.tail

    def decode(self, data: bytes) -> float:
        """The value in ``data``."""
        return int.from_bytes(data[: self.size], signed=self.signed) * self.step + self.offset


def _constant(value: float) -> Callable[[Node], float]:
    return lambda node: value


def _gear(node: Node) -> float:
    gear = Gear(int(node.outputs[0].power.gear))
    eco = node.inputs[0].pedals.drive_mode == DriveMode.ECO
    return ECO_GEAR if eco and gear == Gear.DRIVE else GEARS[gear]


def _motor_speed(node: Node) -> float:
    """Of the front motor, where there is one, else of the rear one [rpm]."""
    axle: Any = node.inputs[0].front if node.parameters[0].front.motor_present else node.inputs[0].rear
    return float(axle.motor_speed) * 30.0 / pi


def _motor_power(node: Node) -> float:
    return float(node.measurements[0].front.dc_power + node.measurements[0].rear.dc_power)


def _speed(node: Node) -> float:
    return 3.6 * abs(float(node.measurements[0].vehicle_speed.speed))


def _power_switch(node: Node) -> float:
    return 0x80 if node.inputs[0].pedals.power_switch else 0x00


def _eco(node: Node) -> float:
    return 0x10 if node.inputs[0].pedals.drive_mode == DriveMode.ECO else 0x00


def _e_pedal(node: Node) -> float:
    return 0x04 if node.inputs[0].pedals.e_pedal else 0x00


TABLE = {
    row.number: row
    for row in (
        PublishedIdentifier(0x1103, "supplyVoltage", "12 V battery" + CONSTANT, "V", _constant(13.04), step=0.08),
        PublishedIdentifier(0x1106, "airConditioning", "1 switched on" + CONSTANT, "1", _constant(0.0), tail=b"\x7f"),
        PublishedIdentifier(0x110F, "rearHeater", "0xA2 switched on" + CONSTANT, "1", _constant(0.0)),
        # A recuperating car's answer is not published; two's complement is an assumption.
        PublishedIdentifier(0x1146, "motorPower", "power of the motors", "W", _motor_power, 2, 40.0, signed=True),
        PublishedIdentifier(0x114E, "chargeMode", "0 not charging, 1 to 3 level" + CONSTANT, "1", _constant(0.0)),
        PublishedIdentifier(0x1151, "climatePower", "air conditioning and heater" + CONSTANT, "W", _constant(0.0), step=250.0),
        PublishedIdentifier(0x1152, "auxiliaryPower", "lights, radio and the like" + CONSTANT, "W", _constant(0.0), step=100.0),
        PublishedIdentifier(0x1156, "gear", "1 P, 2 R, 3 N, 4 D, 7 Eco", "1", _gear),
        PublishedIdentifier(
            0x115D, "ambientTemperature", "air outside" + CONSTANT, "degC", _constant(24.0), step=0.5, offset=-40.5
        ),
        PublishedIdentifier(
            0x1183, "supplyCurrent", "of the 12 V battery, positive in charge" + CONSTANT, "A", _constant(0.0), 2, 1 / 256,
            signed=True,
        ),
        PublishedIdentifier(0x1203, "quickCharges", "how often it was charged with DC" + CONSTANT, "1", _constant(0.0), 2),
        PublishedIdentifier(0x1205, "normalCharges", "how often it was charged with AC" + CONSTANT, "1", _constant(0.0), 2),
        PublishedIdentifier(0x121A, "vehicleSpeed", "speed over ground", "km/h", _speed, 2, 0.1),
        PublishedIdentifier(0x1234, "plug", "0 not plugged, 1 partly, 2 plugged" + CONSTANT, "1", _constant(0.0)),
        PublishedIdentifier(0x1236, "chargerPower", "from the charger on board" + CONSTANT, "W", _constant(0.0), 2, 100.0),
        PublishedIdentifier(0x1255, "motorSpeed", "speed of the motor's shaft", "rpm", _motor_speed, 2, signed=True),
        PublishedIdentifier(0x1261, "compressorPower", "estimated, of cooling" + CONSTANT, "W", _constant(0.0), step=50.0),
        PublishedIdentifier(0x1262, "heaterPower", "estimated, of heating" + CONSTANT, "W", _constant(0.0), step=250.0),
        PublishedIdentifier(0x1304, "powerSwitch", "0x80 the driver wants the car on", "1", _power_switch, tail=b"\xfe"),
        PublishedIdentifier(0x1318, "ecoMode", "0x10 on", "1", _eco, tail=b"\x39"),
        PublishedIdentifier(0x131A, "ePedal", "0x04 on", "1", _e_pedal, tail=b"\x14"),
    )
}  # fmt: skip


def leaf_identifiers(node: Node) -> dict[int, DataIdentifier]:
    """The table, answered from the controller ``node``."""
    return {row.number: _identifier(row, node) for row in TABLE.values()}


def _identifier(row: PublishedIdentifier, node: Node) -> DataIdentifier:
    size = row.size + len(row.tail)
    return DataIdentifier(row.number, f"leaf.{row.name}", row.description, row.unit, size, "bytes", partial(_read, row, node))


def _read(row: PublishedIdentifier, node: Node) -> bytes:
    return row.encode(row.value(node))
