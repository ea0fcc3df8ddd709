"""The high-voltage circuit between the pack and the inverters: contactors, precharge, DC links, discharge, isolation.

                     main plus
    pack + ──┬─────────── ──────────────┬──────────┬─────────┬──
             └── precharge ──── R_p ────┘          R_d       C      of each inverter
    pack - ─────────── ────────────────────────────┴─────────┴──
                    main minus

The DC links of all inverters are one bus of voltage v. While the mains are closed it is the pack's voltage u. Else

    n C dv/dt = (u - v) / R_p  -  m v / R_d  -  k I_w

with n inverters, of which m have their discharge resistor switched in and k let current flow in the winding to discharge. The
equation is linear and is solved exactly over a step. The pack's own resistance is small against R_p and is left out, and so are
the diodes through which a fast magnet rotor would charge the link.
"""

from enum import IntEnum
from math import exp, sqrt
from typing import Any

from firmware_model.kernel import choice, flag, integer, kernel, real, record

EMPTY = 1e-3  # [V] voltage that counts as none; keeps the exponential away from denormal numbers


class ContactorFault(IntEnum):
    """What may be wrong with a contactor."""

    NONE = 0
    WELDED = 1  # closed for ever
    OPEN = 2  # does not close, whatever its coil wants


@record
class HighVoltageParameters:
    """Parts of the circuit. They are a LEAF's, in every car."""

    # Printed on the film capacitor of a 2013 inverter: 1088 uF, 600 V [S isopack.blogspot.com, teardown]. Those of the heater,
    # compressor and DC/DC converter, which are parallel to it, are not published.
    link_capacitance = real("F", "DC link of one inverter", default=1.088e-3, minimum=1e-5, maximum=0.1)
    # LEAF e+: 30 to 392 V in 0.21 s, a time constant of 40 ms [M]; over the capacitance above [D].
    precharge_resistance = real("Ohm", "precharge resistor", default=36.8, minimum=1.0, maximum=1e4)
    # 2011 LEAF, switched off: 390 to 48 V in 1.58 s. Least squares (0.7 V rms) part it into a time constant of 2.2 s and a
    # steady 126 V/s [D]. An inverter alone on a bench falls from 30 to 4 V with 2.35 s [M].
    discharge_resistance = real("Ohm", "discharge resistor of one inverter", default=2022.0, minimum=10.0, maximum=1e6)
    winding_current = real("A", "DC current while an inverter discharges through the winding", default=0.137, minimum=0.0)
    # LEAF e+: 0x1D4 says "precharging" at 0.890 s, and the link begins to rise at 0.910 s [D]. Opening: assumed to be the same.
    operate_time = real("s", "from the coil's command to the contact", default=0.02, minimum=0.0, maximum=1.0)
    # Assumption. The service manual wants 14 MOhm or more of the inverter alone [S Nissan TMS-101].
    isolation_resistance = real("Ohm", "from the high-voltage rails to the body", default=5e6, minimum=0.0)
    main_plus_fault = choice(ContactorFault, "fault of the main plus contactor", default=ContactorFault.NONE)
    main_minus_fault = choice(ContactorFault, "fault of the main minus contactor", default=ContactorFault.NONE)
    precharge_fault = choice(ContactorFault, "fault of the precharge relay", default=ContactorFault.NONE)


@record
class ContactorState:
    """What a contactor remembers."""

    armature = flag("its coil has pulled it to the closed end")
    time = real("s", "time for which the coil has wanted the other end")


@record
class HighVoltageState:
    """What the circuit remembers."""

    main_plus = ContactorState
    main_minus = ContactorState
    precharge = ContactorState
    link_voltage = real("V", "voltage of the DC links")


@record
class HighVoltageDemands:
    """What others do to the circuit."""

    main_plus = flag("the coil of the main plus contactor is energised")
    main_minus = flag("the coil of the main minus contactor is energised")
    precharge = flag("the coil of the precharge relay is energised")
    inverters = integer("inverters on the bus", default=1)
    resistors = integer("discharge resistors that are switched in")
    windings = integer("inverters that discharge through the winding")
    load_power = real("W", "power that the motors were drawing, negative when they regenerate")


@record
class HighVoltageMeasurements:
    """What can be known about the circuit."""

    link_voltage = real("V", "voltage of the DC links")
    connected = flag("both mains are closed")
    main_plus = flag("the main plus contactor is closed")
    main_minus = flag("the main minus contactor is closed")
    precharge = flag("the precharge relay is closed")
    made_voltage = real("V", "voltage across the mains just before they last connected the pack")
    power = real("W", "power that precharge and discharge resistors take from the pack")
    isolation_resistance = real("Ohm", "from the high-voltage rails to the body")


@kernel
def step(dt: float, demands: Any, pack_voltage: float, circuit: Any, state: Any, measured: Any) -> None:
    """Move contactors and DC links on by ``dt`` [s] behind a pack of that voltage [V]."""
    measured.main_plus = operate(dt, demands.main_plus, circuit.main_plus_fault, circuit, state.main_plus)
    measured.main_minus = operate(dt, demands.main_minus, circuit.main_minus_fault, circuit, state.main_minus)
    measured.precharge = operate(dt, demands.precharge, circuit.precharge_fault, circuit, state.precharge)
    connected = 1 if measured.main_plus and measured.main_minus else 0
    if connected:
        if not measured.connected:
            measured.made_voltage = pack_voltage - state.link_voltage
        state.link_voltage = pack_voltage
        current = pack_voltage * demands.resistors / circuit.discharge_resistance + demands.windings * circuit.winding_current
        measured.power = pack_voltage * current
    else:
        if measured.connected:
            break_off(dt, demands, circuit, state)
        precharge = 1.0 / circuit.precharge_resistance if measured.precharge and measured.main_minus else 0.0
        settle(dt, pack_voltage, precharge, demands, circuit, state)
        measured.power = pack_voltage * (pack_voltage - state.link_voltage) * precharge
    measured.connected = connected
    measured.link_voltage = state.link_voltage
    measured.isolation_resistance = circuit.isolation_resistance


@kernel
def operate(dt: float, energised: int, fault: int, circuit: Any, contactor: Any) -> int:
    """Let one contactor follow its coil with delay; returns whether its contact is closed."""
    contactor.time = contactor.time + dt if energised != contactor.armature else 0.0
    if contactor.time > circuit.operate_time:
        contactor.armature = energised
        contactor.time = 0.0
    if fault == ContactorFault.NONE:
        return contactor.armature
    return 1 if fault == ContactorFault.WELDED else 0


@kernel
def break_off(dt: float, demands: Any, circuit: Any, state: Any) -> None:
    """The pack is gone: what the motors had under way comes out of the DC links, or goes into them, in one step."""
    energy = demands.load_power * dt / (demands.inverters * circuit.link_capacitance)
    state.link_voltage = sqrt(max(state.link_voltage * state.link_voltage - 2.0 * energy, 0.0))


@kernel
def settle(dt: float, source: float, precharge: float, demands: Any, circuit: Any, state: Any) -> None:
    """Exact solution of the link's equation over ``dt`` [s], with ``source`` [V] behind a conductance ``precharge`` [S]."""
    if state.link_voltage == 0.0 and precharge == 0.0:
        return
    capacitance = demands.inverters * circuit.link_capacitance
    conductance = precharge + demands.resistors / circuit.discharge_resistance
    current = source * precharge - demands.windings * circuit.winding_current
    if conductance > 0.0:
        steady = current / conductance
        voltage = steady + (state.link_voltage - steady) * exp(-dt * conductance / capacitance)
    else:
        voltage = state.link_voltage + dt * current / capacitance
    state.link_voltage = voltage if voltage > EMPTY else 0.0
