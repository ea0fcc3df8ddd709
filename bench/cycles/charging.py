"""The way back into the pack: wall energy of what a drive took, with the losses of charger, car and cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.plant.battery import current_for_power, direction_factor, open_circuit_voltage, polarisation_factor, series_factor


@dataclass(frozen=True)
class Charger:
    """An on-board charger at work, and what the car draws while it charges.

    ``efficiency`` is of the conversion alone, DC at its terminals over AC at the plug, at each of ``power``.
    """

    power: tuple[float, ...]  # [W] AC
    efficiency: tuple[float, ...]  # [1]
    ac_power: float  # [W] AC at which it charges
    car_power: float  # [W] DC: pumps, fans, computers and the 12 V battery's maintenance while charging

    @property
    def pack_power(self) -> float:
        """Power into the pack's terminals [W]."""
        return self.ac_power * float(np.interp(self.ac_power, self.power, self.efficiency)) - self.car_power


# The LEAF's charger of 6.6 kW. Assumptions, the same for every car: conversion of 88 % at 1.4 kW (120 V) and 92 % at 6.6 kW,
# and 250 W of the car. Together with the cells that makes 86 to 87 %. Owners measured 84 % at 240 V with the earlier charger
# of 3.3 kW (73 % at 120 V) and a steady 300 W beside the pack while charging (mynissanleaf.com, "charging efficiency");
# FASTSim takes 86 % for every electric car. Measurements of this very charger were looked for and not found.
LEAF_CHARGER = Charger(power=(1400.0, 3300.0, 6600.0), efficiency=(0.88, 0.91, 0.92), ac_power=6600.0, car_power=250.0)


def wall_energy(charge: float, state_of_charge: float, temperature: float, pack: Any, charger: Charger = LEAF_CHARGER) -> float:
    """Energy from the wall [J] that puts ``charge`` [A s] back into a ``pack`` (BatteryParameters).

    At ``state_of_charge`` [1] and ``temperature`` [degC] the cells take the charger's power at their rest voltage and all their
    resistance: charging takes hours, the RC elements have settled.
    """
    cell = pack.cell
    resistance = series_factor(state_of_charge, temperature, pack) * cell.resistance_0
    resistance += polarisation_factor(state_of_charge, temperature, pack) * (cell.resistance_1 + cell.resistance_2)
    resistance *= direction_factor(-1.0, cell) * pack.series / pack.parallel
    rest = pack.series * open_circuit_voltage(state_of_charge, cell)
    current, _ = current_for_power(-charger.pack_power, rest, resistance)
    return float(charger.ac_power * charge / -current)
