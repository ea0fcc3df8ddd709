"""What a pack can really keep up: found by trying it on the pack itself, from the state that it is in.

Nothing on the bench knows this but the one who judges a controller's prediction.
"""

from typing import Any

from bench.plant import battery
from firmware_model.kernel import kernel

DISCHARGE = 1.0
CHARGE = -1.0
HALVINGS = 20  # of a megawatt: to the watt
MOST_POWER = 1e6  # [W]


@kernel
def sustainable_power(d: float, horizon: float, dt: float, pack: Any, state: Any, trial: Any, measured: Any) -> float:
    """Highest power [W] that the pack can give (``d`` = 1) or take (-1) for ``horizon`` [s], in steps of ``dt`` [s].

    Within voltage, current and charge of its outermost cells. ``state`` is kept; ``trial`` (BatteryState) and ``measured``
    (BatteryMeasurements) are overwritten.
    """
    possible, impossible = 0.0, MOST_POWER
    for _ in range(HALVINGS):
        power = 0.5 * (possible + impossible)
        copy_state(state, trial)
        if keeps_up(d, power, horizon, dt, pack, trial, measured):
            possible = power
        else:
            impossible = power
    return possible


@kernel
def keeps_up(d: float, power: float, horizon: float, dt: float, pack: Any, state: Any, measured: Any) -> bool:
    """Whether the pack keeps ``power`` [W] up in direction ``d`` for ``horizon`` [s] without any cell beyond its limits."""
    cell = pack.cell
    current_max = pack.parallel * (cell.discharge_current_max if d > 0.0 else cell.charge_current_max)
    for _ in range(int(horizon / dt + 1.5)):
        battery.step(dt, d * power, state.temperature, pack, state, measured)
        battery.spread_cells(pack, state, measured)
        if measured.collapsed or d * measured.current > current_max:
            return False
        if d > 0.0 and measured.cell_voltage_lowest < cell.voltage_min:
            return False
        if d < 0.0 and measured.cell_voltage_highest > cell.voltage_max:
            return False
    outermost = state.state_of_charge - d * pack.charge_spread
    return 0.0 <= outermost <= 1.0


@kernel
def copy_state(source: Any, target: Any) -> None:
    """Copy a pack's state (BatteryState)."""
    target.state_of_charge = source.state_of_charge
    target.fast_voltage = source.fast_voltage
    target.slow_voltage = source.slow_voltage
    target.temperature = source.temperature
    target.discharged_energy = source.discharged_energy
    target.charged_energy = source.charged_energy


@kernel
def endless_power(charge: float, temperature: float, pack: Any) -> float:
    """Discharge power [W] at ``charge`` [1] and ``temperature`` [degC] that is safe whatever went before: the polarisation is
    as high as that current can make it.
    """
    cell = pack.cell
    series = battery.series_factor(charge, temperature, pack) * cell.resistance_0
    polarisation = battery.polarisation_factor(charge, temperature, pack) * (cell.resistance_1 + cell.resistance_2)
    resistance = (series + polarisation) / pack.parallel
    room = battery.open_circuit_voltage(charge - pack.charge_spread, cell) - cell.voltage_min
    current = max(room, 0.0) / ((1.0 + pack.resistance_spread) * resistance)
    current = min(current, pack.parallel * cell.discharge_current_max)
    return pack.series * current * (battery.open_circuit_voltage(charge, cell) - resistance * current)
