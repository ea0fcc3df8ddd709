"""Trouble codes: the one table of what the controller stores about which fault.

A code has three bytes: two that name the component (SAE J2012: letter and four digits) and the failure type (SAE J2012-DA).
Codes of the LEAF's published list are used where they mean what our fault means, with the failure type 00 that its units send.
All others are our own: U1Exx, P1Exx and C1Exx, in ranges that the standard leaves to makers, with the failure types of the
standard. A number that was given once is never given to anything else.

Most causes are faults of the controller (:class:`firmware_model.measurements.Fault`), which debounces and heals them itself, by
the table in :mod:`firmware_model.faults`; so a code has a debounce of its own only where it stands for more than its fault. A few
causes (:class:`Finding`) are what only diagnosis looks for. How severe a code is, and which one has to go when the memory is
full, follows from what its faults do to the car.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from firmware_model.faults import TABLE as REACTIONS
from firmware_model.measurements import FAULT_BITS, FIRST_INVALID_BIT, Fault, Pattern

FIRST_FINDING_BIT = 64  # above all of Fault
assert FIRST_FINDING_BIT >= FAULT_BITS


class FailureType(IntEnum):
    """Failure type bytes, SAE J2012-DA."""

    NONE = 0x00  # the LEAF's units give none
    CALCULATION_FAILURE = 0x61
    COMPARE_FAILURE = 0x62
    PLAUSIBILITY_FAILURE = 0x64
    EVENT = 0x68
    INVALID_DATA = 0x81
    COUNTER_INCORRECT = 0x82
    PROTECTION_INCORRECT = 0x83
    ABOVE_RANGE = 0x85
    SIGNAL_INVALID = 0x86
    MISSING_MESSAGE = 0x87
    INCORRECT_OPERATION = 0x92
    NO_OPERATION = 0x93
    UNEXPECTED_OPERATION = 0x94


class Severity(IntEnum):
    """What the driver should do: ISO 14229-1, D.3."""

    MAINTENANCE_ONLY = 0x20
    CHECK_AT_NEXT_HALT = 0x40
    CHECK_IMMEDIATELY = 0x80


class Finding(IntFlag):
    """What diagnosis itself looks for, in bits above those of Fault: :mod:`hil.diagnostics.fault_watch`."""

    # While the inverter is missing: frames of it come, with a wrong CRC, or with a counter that stands still.
    FRONT_INVERTER_CRC = 1 << 64
    REAR_INVERTER_CRC = 1 << 65
    FRONT_INVERTER_FROZEN = 1 << 66
    REAR_INVERTER_FROZEN = 1 << 67
    # While the front inverter reports an error: what it has broadcast as its reason.
    TOLD_OVER_TEMPERATURE = 1 << 80
    TOLD_RESOLVER = 1 << 81
    TOLD_OVERSPEED = 1 << 82
    TOLD_NO_CONTROLLER = 1 << 83
    TOLD_NO_MODE = 1 << 84
    TOLD_WRONG_CHECK = 1 << 85
    TOLD_FROZEN_COUNTER = 1 << 86


@dataclass(frozen=True)
class TroubleCode:
    """One row of the table."""

    number: int  # three bytes
    causes: int  # bits of Fault and Finding, any of which makes its test fail
    description: str
    severity: Severity
    priority: int  # 1 stays longest when the memory is full
    warning: bool  # the warning lamp is asked for while it is confirmed and has not healed
    trips: int = 1  # operation cycles in a row with a failure until it is confirmed; 0: it never is, for it is no defect
    debounce: float = 0.0  # [s] from a cause to a failed test, beyond the controller's own

    @property
    def name(self) -> str:
        """As people write it, for example P318E-00."""
        return full_name(self.number)


def code_name(code: int) -> str:
    """A trouble code of two bytes as people write it (SAE J2012)."""
    return f"{'PCBU'[code >> 14]}{code >> 12 & 3}{code & 0xFFF:03X}"


def full_name(number: int) -> str:
    """A trouble code of three bytes as people write it: the last one is the failure type."""
    return f"{code_name(number >> 8)}-{number & 0xFF:02X}"


def code_number(name: str) -> int:
    """The two bytes of a code as people write it. Raises ValueError."""
    return "PCBU".index(name[0]) << 14 | int(name[1], 4) << 12 | int(name[2:], 16)


def severity_of(causes: int) -> Severity:
    """From what faults do: all that stops the car is to be looked at at once, what limits it at the next halt."""
    patterns = _patterns(causes)
    if patterns & (Pattern.OUTPUT_CUT | Pattern.NORMAL_STOP | Pattern.SUDDEN_STOP | Pattern.RESTART_PROHIBITED):
        return Severity.CHECK_IMMEDIATELY
    return Severity.CHECK_AT_NEXT_HALT if patterns & Pattern.OUTPUT_LIMITED else Severity.MAINTENANCE_ONLY


def priority_of(causes: int) -> int:
    """1 opens the main relay at once or keeps the car off, 2 stops it, 3 costs torque, 4 does neither."""
    patterns = _patterns(causes)
    if patterns & (Pattern.SUDDEN_STOP | Pattern.RESTART_PROHIBITED):
        return 1
    if patterns & (Pattern.NORMAL_STOP | Pattern.OUTPUT_CUT):
        return 2
    return 3 if patterns & Pattern.OUTPUT_LIMITED else 4


def _patterns(causes: int) -> Pattern:
    patterns = Pattern(0)
    for fault, reaction in REACTIONS.items():
        if causes & fault:
            patterns |= reaction.patterns
    return patterns


def _code(
    name: str,
    failure: FailureType,
    causes: int,
    description: str,
    *,
    trips: int = 1,
    debounce: float = 0.0,
    acts_as: Fault | None = None,
) -> TroubleCode:
    """A row; ``acts_as`` is the fault that a finding comes with, and that says what it does to the car.

    What an operator does, or what is not there on a bench, is a cause, too, but no defect: nobody has to look for one.
    """
    acting = (acts_as or causes) if trips else 0
    severity = severity_of(acting)
    return TroubleCode(
        code_number(name) << 8 | failure, int(causes), description, severity, priority_of(acting),
        severity > Severity.MAINTENANCE_ONLY, trips, debounce,
    )  # fmt: skip


# Beyond a source's timeout of 0.1 s. U1000 stands for 2.0 s without frames; the controller may end the drive then, and nobody
# listens any more.
NO_CAN_TIME = 1.8  # [s]
ALL_SILENT = sum(fault for fault in Fault if fault < 1 << FIRST_INVALID_BIT) & ~Fault.PANEL_SILENT & ~Fault.REQUEST_SILENT

F, T, X = Fault, FailureType, Finding

# The codes of the LEAF's published list (shared facts: leaf_can.md 1.5). Those that an inverter broadcasts are taken over with
# their own meaning: what the front inverter, which is a LEAF's, says of itself or of what it hears from us.
PUBLISHED = [
    _code("U1000", T.NONE, ALL_SILENT, "a control unit has sent nothing on CAN for 2 s", debounce=NO_CAN_TIME),
    _code("P3191", T.NONE, F.FRONT_INVERTER_SILENT, "front inverter: no frames"),
    _code("P319C", T.NONE, X.FRONT_INVERTER_CRC, "front inverter: CRC error", acts_as=F.FRONT_INVERTER_SILENT),
    _code("P31A7", T.NONE, X.FRONT_INVERTER_FROZEN, "front inverter: its counter stands", acts_as=F.FRONT_INVERTER_SILENT),
    _code("P0A78", T.NONE, F.FRONT_INVERTER_ERROR, "front inverter: reports an error"),
    _code("P0A2F", T.NONE, X.TOLD_OVER_TEMPERATURE, "front inverter: motor too hot", acts_as=F.FRONT_INVERTER_ERROR),
    _code("P0A3F", T.NONE, X.TOLD_RESOLVER, "front inverter: resolver", acts_as=F.FRONT_INVERTER_ERROR),
    _code("P0A44", T.NONE, X.TOLD_OVERSPEED, "front inverter: motor too fast", acts_as=F.FRONT_INVERTER_ERROR),
    _code("P318E", T.NONE, X.TOLD_NO_CONTROLLER, "front inverter: hears nothing of us", acts_as=F.FRONT_INVERTER_ERROR),
    _code("P3197", T.NONE, X.TOLD_NO_MODE, "front inverter: hears no 0x11A of us", acts_as=F.FRONT_INVERTER_ERROR),
    _code("P3199", T.NONE, X.TOLD_WRONG_CHECK, "front inverter: CRC error of ours", acts_as=F.FRONT_INVERTER_ERROR),
    _code("P31A4", T.NONE, X.TOLD_FROZEN_COUNTER, "front inverter: our counter stands", acts_as=F.FRONT_INVERTER_ERROR),
]  # fmt: skip

OUR_OWN = [
    # U1E0n: source n.
    _code("U1E00", T.INVALID_DATA, F.FRONT_INVERTER_INVALID, "front inverter: invalid values"),
    _code("U1E01", T.MISSING_MESSAGE, F.REAR_INVERTER_SILENT, "rear inverter: no frames"),
    _code("U1E01", T.INVALID_DATA, F.REAR_INVERTER_INVALID, "rear inverter: invalid values"),
    _code("U1E01", T.PROTECTION_INCORRECT, X.REAR_INVERTER_CRC, "rear inverter: CRC error", acts_as=F.REAR_INVERTER_SILENT),
    _code("U1E01", T.COUNTER_INCORRECT, X.REAR_INVERTER_FROZEN, "rear inverter: counter stands", acts_as=F.REAR_INVERTER_SILENT),
    _code("U1E02", T.MISSING_MESSAGE, F.BATTERY_STATE_SILENT, "battery: no frames of voltage and current"),
    _code("U1E02", T.INVALID_DATA, F.BATTERY_STATE_INVALID, "battery: invalid voltage or current"),
    _code("U1E03", T.MISSING_MESSAGE, F.BATTERY_LIMIT_SILENT, "battery: no frames of power limits"),
    _code("U1E03", T.INVALID_DATA, F.BATTERY_LIMIT_INVALID, "battery: invalid power limits"),
    _code("U1E04", T.MISSING_MESSAGE, F.BATTERY_CHARGE_SILENT, "battery: no frames of the state of charge"),
    _code("U1E04", T.INVALID_DATA, F.BATTERY_CHARGE_INVALID, "battery: invalid state of charge"),
    _code("U1E05", T.MISSING_MESSAGE, F.PEDALS_SILENT, "pedals: no frames"),
    _code("U1E05", T.INVALID_DATA, F.PEDALS_INVALID, "pedals: invalid values"),
    _code("U1E06", T.MISSING_MESSAGE, F.STEERING_SILENT, "steering angle: no frames"),
    _code("U1E06", T.INVALID_DATA, F.STEERING_INVALID, "steering angle: invalid values"),
    _code("U1E07", T.MISSING_MESSAGE, F.MOTION_SILENT, "yaw rate and acceleration: no frames"),
    _code("U1E07", T.INVALID_DATA, F.MOTION_INVALID, "yaw rate and acceleration: invalid values"),
    _code("U1E08", T.MISSING_MESSAGE, F.FRONT_WHEELS_SILENT, "front wheel speeds: no frames"),
    _code("U1E08", T.INVALID_DATA, F.FRONT_WHEELS_INVALID, "front wheel speeds: invalid values"),
    _code("U1E09", T.MISSING_MESSAGE, F.REAR_WHEELS_SILENT, "rear wheel speeds: no frames"),
    _code("U1E09", T.INVALID_DATA, F.REAR_WHEELS_INVALID, "rear wheel speeds: invalid values"),
    _code("U1E0A", T.MISSING_MESSAGE, F.PANEL_SILENT, "operator's panel: no frames", trips=0),
    _code("U1E0B", T.MISSING_MESSAGE, F.REQUEST_SILENT, "recorded torque request: no frames", trips=0),
    _code("U1E0B", T.INVALID_DATA, F.REQUEST_INVALID, "recorded torque request: invalid values", trips=0),
    # P1E0n inverters, P1E1n battery and high voltage, P1E2n operator, P1E3n torque, P1E4n pedals.
    _code("P1E01", T.INCORRECT_OPERATION, F.REAR_INVERTER_ERROR, "rear inverter: reports an error"),
    _code("P1E02", T.COMPARE_FAILURE, F.FRONT_DC_LINK, "front inverter: voltage of its DC link is not that of the pack"),
    _code("P1E03", T.COMPARE_FAILURE, F.REAR_DC_LINK, "rear inverter: voltage of its DC link is not that of the pack"),
    _code("P1E10", T.INCORRECT_OPERATION, F.BATTERY_IMMOBILISES, "battery: forbids to drive"),
    _code("P1E11", T.UNEXPECTED_OPERATION, F.RELAY_CUT_REQUEST, "battery: wants its main relay opened"),
    _code("P1E12", T.NO_OPERATION, F.BATTERY_NOT_READY, "battery: no voltage, or interlock open, after waking"),
    _code("P1E13", T.NO_OPERATION, F.PRECHARGE_TIMEOUT, "precharge: the DC links do not reach the pack's voltage"),
    _code("P1E20", T.EVENT, F.EMERGENCY_STOP, "operator: emergency stop", trips=0),
    _code("P1E21", T.EVENT, F.NOT_ARMED, "operator: the controller is not armed", trips=0),
    _code("P1E30", T.ABOVE_RANGE, F.MONITOR_EXCESS, "torque monitor: more torque commanded than allowed"),
    _code("P1E30", T.PLAUSIBILITY_FAILURE, F.MONITOR_OPPOSITE, "torque monitor: torque commanded against the driver"),
    _code("P1E31", T.CALCULATION_FAILURE, F.TORQUE_NOT_FINITE, "torque command is not a number"),
    _code("P1E32", T.COMPARE_FAILURE, F.FRONT_TORQUE_DEVIATION, "front motor: delivers another torque than commanded"),
    _code("P1E33", T.COMPARE_FAILURE, F.REAR_TORQUE_DEVIATION, "rear motor: delivers another torque than commanded"),
    _code("P1E34", T.UNEXPECTED_OPERATION, F.UNCONTROLLED_TORQUE, "a motor drives although nothing is commanded"),
    _code("P1E40", T.SIGNAL_INVALID, F.ACCELERATOR_TRACK_1, "accelerator: track 1 is invalid"),
    _code("P1E41", T.SIGNAL_INVALID, F.ACCELERATOR_TRACK_2, "accelerator: track 2 is invalid"),
    _code("P1E42", T.COMPARE_FAILURE, F.ACCELERATOR_TRACKS_DIFFER, "accelerator: its tracks differ"),
    # C1E0n: sensors of the chassis that others contradict. One cycle with a contradiction may be the road: two confirm it.
    _code("C1E00", T.PLAUSIBILITY_FAILURE, F.FRONT_WHEELS_CONTRADICTED, "front wheel speeds: contradicted by the motor", trips=2),
    _code("C1E01", T.PLAUSIBILITY_FAILURE, F.REAR_WHEELS_CONTRADICTED, "rear wheel speeds: contradicted by the motor", trips=2),
    _code("C1E02", T.PLAUSIBILITY_FAILURE, F.YAW_RATE_CONTRADICTED, "yaw rate: contradicted by the wheels", trips=2),
    _code("C1E03", T.PLAUSIBILITY_FAILURE, F.ACCELERATION_CONTRADICTED, "acceleration: contradicted by the wheels", trips=2),
]  # fmt: skip

TABLE: tuple[TroubleCode, ...] = (*PUBLISHED, *OUR_OWN)

# What an inverter broadcasts (0x18CC078C, two bytes of the code), and what it is to us.
TOLD = {row.number >> 8: Finding(row.causes) for row in PUBLISHED if row.causes >= Finding.TOLD_OVER_TEMPERATURE}

# Groups that can be cleared as a whole, ISO 14229-1 annex D.1: number, and the letters of the codes in it.
ALL_GROUPS = 0xFFFFFF
GROUPS: dict[int, tuple[str, str]] = {
    0x100000: ("powertrain", "P"),
    0x400000: ("chassis", "C"),
    0xC00000: ("network", "U"),
    ALL_GROUPS: ("all", "PCBU"),
}

# Measurements of the controller in a snapshot, by their dotted paths; in this order.
SNAPSHOT = (
    "vehicle_speed.speed",
    "supervisor.state",
    "supervisor.faults",
    "supervisor.latched_faults",
    "supervisor.output_share",
    "driver_demand.force",
    "front.axle_torque",
    "rear.axle_torque",
    "power_budget.measured_power",
    "discharge_limiter.discharge_limit",
    "discharge_limiter.charge_limit",
    "discharge_limiter.state_of_charge",
)
