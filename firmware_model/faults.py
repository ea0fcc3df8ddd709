"""Faults: the one table of what each of them does, and the memory that debounces, heals and latches them.

A fault that is present for its debounce time becomes active; one that is absent for its healing time heals. A fault that becomes
active for the n-th time since the car was switched on, or stays active for its latching time, is latched: it stays until the car
is switched off. Its patterns are the published fail-safe patterns A to H; two of our own cut the torque of one axle alone.

    B, E, the axle cuts, C, D, H    act as long as the fault is active or latched
    A, F, G                         end the drive, and act when it is latched; a fault with G is latched at once

Sources of frames are debounced by their timeouts and healed in input qualification, and the torque monitor has times of its own;
what the table holds for them comes on top. Its times and counts are the defaults of the calibration.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_model.kernel import kernel
from firmware_model.measurements import FAULT_BITS, Fault, Pattern


@dataclass(frozen=True)
class Reaction:
    """One row of the table."""

    patterns: Pattern
    debounce_time: float = 0.0  # [s] from present to active
    healing_time: float = 0.0  # [s] from absent to healed
    latch_count: int = 0  # activations until it is latched; 0: it is not
    latch_time: float = 0.0  # [s] active until it is latched; 0: it is not


NONE = Pattern(0)
A, B, C, D = Pattern.RESTART_PROHIBITED, Pattern.OUTPUT_LIMITED, Pattern.QUICK_CHARGE_PROHIBITED, Pattern.NORMAL_CHARGE_PROHIBITED
E, F, G, H = Pattern.OUTPUT_CUT, Pattern.NORMAL_STOP, Pattern.SUDDEN_STOP, Pattern.AIR_CONDITIONING_STOP
FRONT, REAR = B | Pattern.FRONT_CUT, B | Pattern.REAR_CUT  # limp home on the other axle

# A LEAF inverter alone on a bench stores "no CAN" 2.0 s after its start: the timeout of 0.1 s, and 1.9 s more.
LASTING = 1.9

TABLE: dict[Fault, Reaction] = {
    #                                   patterns       debounce  healing  trips  latching
    Fault.FRONT_INVERTER_SILENT: Reaction(FRONT, 0.0, 0.0, 3, LASTING),
    Fault.REAR_INVERTER_SILENT: Reaction(REAR, 0.0, 0.0, 3, LASTING),
    Fault.BATTERY_STATE_SILENT: Reaction(C | D | E | F, 0.0, 0.0, 3, LASTING),
    Fault.BATTERY_LIMIT_SILENT: Reaction(C | D | E | F, 0.0, 0.0, 3, LASTING),
    Fault.BATTERY_CHARGE_SILENT: Reaction(C | D | E | F, 0.0, 0.0, 3, LASTING),
    Fault.PEDALS_SILENT: Reaction(E | F, 0.0, 0.0, 3, LASTING),
    Fault.STEERING_SILENT: Reaction(NONE),
    Fault.MOTION_SILENT: Reaction(NONE),
    Fault.FRONT_WHEELS_SILENT: Reaction(E | F, 0.0, 0.0, 3, LASTING),
    Fault.REAR_WHEELS_SILENT: Reaction(E | F, 0.0, 0.0, 3, LASTING),
    Fault.PANEL_SILENT: Reaction(E),
    Fault.REQUEST_SILENT: Reaction(E),
    Fault.FRONT_INVERTER_INVALID: Reaction(FRONT, 0.0, 0.0, 3, LASTING),
    Fault.REAR_INVERTER_INVALID: Reaction(REAR, 0.0, 0.0, 3, LASTING),
    Fault.BATTERY_STATE_INVALID: Reaction(C | D | E | F, 0.0, 0.0, 3, LASTING),
    Fault.BATTERY_LIMIT_INVALID: Reaction(C | D | E | F, 0.0, 0.0, 3, LASTING),
    Fault.BATTERY_CHARGE_INVALID: Reaction(C | D | E | F, 0.0, 0.0, 3, LASTING),
    Fault.PEDALS_INVALID: Reaction(E | F, 0.0, 0.0, 3, LASTING),
    Fault.STEERING_INVALID: Reaction(NONE),
    Fault.MOTION_INVALID: Reaction(NONE),
    Fault.FRONT_WHEELS_INVALID: Reaction(E | F, 0.0, 0.0, 3, LASTING),
    Fault.REAR_WHEELS_INVALID: Reaction(E | F, 0.0, 0.0, 3, LASTING),
    Fault.REQUEST_INVALID: Reaction(E),
    Fault.FRONT_INVERTER_ERROR: Reaction(FRONT, 0.0, 0.5, 3),
    Fault.REAR_INVERTER_ERROR: Reaction(REAR, 0.0, 0.5, 3),
    Fault.BATTERY_IMMOBILISES: Reaction(C | D | E | G | H),
    Fault.RELAY_CUT_REQUEST: Reaction(C | D | E | G | H),
    Fault.BATTERY_NOT_READY: Reaction(C | D | E | G | H),
    Fault.PRECHARGE_TIMEOUT: Reaction(C | D | E | G | H),
    Fault.EMERGENCY_STOP: Reaction(C | D | E | G | H),
    Fault.NOT_ARMED: Reaction(E),
    Fault.MONITOR_EXCESS: Reaction(A | E | F, 0.0, 0.0, 3),
    Fault.MONITOR_OPPOSITE: Reaction(A | E | F, 0.0, 0.0, 3),
    Fault.TORQUE_NOT_FINITE: Reaction(A | E | F, 0.0, 0.1, 3),
    Fault.FRONT_TORQUE_DEVIATION: Reaction(FRONT, 0.0, 0.0, 3),
    Fault.REAR_TORQUE_DEVIATION: Reaction(REAR, 0.0, 0.0, 3),
    # An inverter that goes on driving without being asked: nothing but the main relay can stop it.
    Fault.UNCONTROLLED_TORQUE: Reaction(A | E | G),
    Fault.ACCELERATOR_TRACK_1: Reaction(B, 0.1, 1.0, 3),
    Fault.ACCELERATOR_TRACK_2: Reaction(B, 0.1, 1.0, 3),
    Fault.ACCELERATOR_TRACKS_DIFFER: Reaction(B, 0.1, 1.0, 3),
    Fault.FRONT_DC_LINK: Reaction(FRONT, 0.5, 1.0, 3),
    Fault.REAR_DC_LINK: Reaction(REAR, 0.5, 1.0, 3),
    Fault.FRONT_WHEELS_CONTRADICTED: Reaction(B, 0.3, 1.0, 3),
    Fault.REAR_WHEELS_CONTRADICTED: Reaction(B, 0.3, 1.0, 3),
    Fault.YAW_RATE_CONTRADICTED: Reaction(NONE, 0.5, 2.0, 3),
    Fault.ACCELERATION_CONTRADICTED: Reaction(NONE, 1.0, 2.0, 3),
}  # fmt: skip

ENDS_THE_DRIVE = int(A | F | G)
PATTERNS = np.zeros(FAULT_BITS, dtype=np.int64)
for _fault, _reaction in TABLE.items():
    PATTERNS[_fault.value.bit_length() - 1] = _reaction.patterns
LATCHED_AT_ONCE = sum(fault.value for fault, reaction in TABLE.items() if G in reaction.patterns)
PROHIBITS_RESTART = sum(fault.value for fault, reaction in TABLE.items() if A in reaction.patterns)


@kernel
def patterns_of(faults: int) -> int:
    """All patterns (bits of Pattern) of ``faults`` (bits of Fault)."""
    patterns = 0
    for number in range(FAULT_BITS):
        if faults >> number & 1:
            patterns |= PATTERNS[number]
    return patterns


@kernel
def judge(dt: float, present: int, latching: int, memory: Any, c: Any) -> None:
    """One step of ``dt`` [s] for the faults that are ``present`` now; of them those of ``latching`` may be latched."""
    watched = (present ^ memory.active) | memory.pending | (memory.active & latching & ~memory.latched)
    if watched:
        for number in range(FAULT_BITS):
            if watched >> number & 1:
                _judge(dt, number, present >> number & 1, latching >> number & 1, memory, c)
    if memory.active != memory.acting_active or memory.latched != memory.acting_latched:
        memory.acting_active, memory.acting_latched = memory.active, memory.latched
        memory.patterns = patterns_of(memory.active) & ~ENDS_THE_DRIVE | patterns_of(memory.latched)


@kernel
def latch(faults: int, memory: Any) -> None:
    """Latch ``faults`` without further ado; their patterns follow with the next judgement."""
    memory.latched |= faults


@kernel
def switch_off(memory: Any) -> None:
    """The car is off: all is forgotten but what prohibits a restart, which stays until the controller loses its supply."""
    memory.active = 0
    memory.pending = 0
    memory.latched &= PROHIBITS_RESTART
    memory.time[:] = 0.0
    memory.trips[:] = 0


@kernel
def _judge(dt: float, number: int, present: int, latching: int, memory: Any, c: Any) -> None:
    """One fault; its time counts towards the change that is pending, or else towards latching."""
    bit = 1 << number
    active = memory.active >> number & 1
    margin = 0.5 * dt  # a sum of steps is not exact
    if present != active:
        if not memory.pending & bit:
            memory.pending |= bit
            memory.time[number] = 0.0
        memory.time[number] += dt
        if memory.time[number] < (c.healing_time[number] if active else c.debounce_time[number]) - margin:
            return
        memory.active ^= bit
        if not active and latching:
            memory.trips[number] += 1
    if memory.pending & bit:
        memory.pending &= ~bit
        memory.time[number] = 0.0
    elif active and latching:
        memory.time[number] += dt
    if memory.active & bit and latching:
        count, time = c.latch_count[number], c.latch_time[number]
        often = count > 0 and memory.trips[number] >= count
        long = time > 0.0 and memory.time[number] > time - margin
        if often or long or LATCHED_AT_ONCE & bit:
            memory.latched |= bit
