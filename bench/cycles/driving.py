"""A cycle driven through controller and frames, and what it took."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.cycles.charging import LEAF_CHARGER, Charger, wall_energy
from bench.cycles.energy import MOST_POINTS, Meter, driving_samples
from bench.cycles.trace import KMH, MILE, Cycle, excursions, scenario_of
from bench.drive import Drive, fault_row
from bench.rows import Row, bounded
from bench.vehicles import Vehicle
from hil.errors import UsageError
from hil.network.database import load_network

SAMPLE_EVERY = 10  # ticks: 10 ms
CHUNK = 10.0  # [s] of a drive whose samples are in memory at a time
WATT_HOUR = 3600.0  # [J]
# Computers, pumps and lights, without climate control: what the drives of a LEAF e+ leave for them beside the inverter.
# Its motor's file takes this much of the 589 W that depend on neither speed nor torque.
AUXILIARY_POWER = 400.0  # [W]
MOST_OPEN = 0.5  # [%] of the DC energy that the balance may leave unexplained


@dataclass(frozen=True)
class Conditions:
    """How a cycle is driven."""

    state_of_charge: float = 0.6  # of the pack, at power-on
    temperature: float = 25.0  # [degC] of pack, motors and air: EPA tests at 20 to 30 degC
    auxiliary_power: float = AUXILIARY_POWER
    e_pedal: bool = False
    test_mass: float | None = None  # [kg] instead of the vehicle's own


STANDARD = Conditions()


@dataclass
class CycleResult:
    """What a drive through a cycle left behind."""

    vehicle: Vehicle
    cycle: Cycle
    conditions: Conditions
    meter: Meter
    wall: float  # [J] from the wall, to charge again what was used
    deviation: float  # [m/s] largest, from the trace itself
    beyond: float  # [m/s] farthest beyond the tolerance; negative: what was left to its edge
    violations: int  # times the speed left the tolerance
    bus_rows: list[Row]
    completed: bool

    @property
    def rows(self) -> list[Row]:
        """The figures of the drive."""
        return [*self._trace_rows(), *self._consumption_rows(), *self._loss_rows(), *self._limit_rows(), *self.bus_rows]

    def per_km(self, joules: float) -> float:
        """Energy over distance [Wh/km]."""
        return joules / WATT_HOUR / (self.meter.distance * 1e-3)

    def per_mile(self, joules: float) -> float:
        """Energy over distance [Wh/mi]."""
        return joules / WATT_HOUR / (self.meter.distance / MILE)

    def _trace_rows(self) -> list[Row]:
        tolerance = self.cycle.tolerance
        allowed = f"±{tolerance.speed / KMH:.1f} km/h within ±{tolerance.time:g} s: {tolerance.name}"
        return [
            Row("duration", self.cycle.duration, "s", "cycle completed", self.completed),
            Row("distance", self.meter.distance * 1e-3, "km", note=f"the trace has {self.cycle.distance * 1e-3:.3f} km"),
            bounded("times out of the tolerance", self.violations, "1", maximum=0, note=allowed),
            Row("worst deviation, beyond the tolerance", self.beyond / KMH, "km/h", note="negative: inside it"),
            Row("worst deviation from the trace", self.deviation / KMH, "km/h"),
        ]

    def _consumption_rows(self) -> list[Row]:
        joules = self.meter.joules
        pairs = (
            ("wall energy", self.wall, "with what charging loses"),
            ("DC energy, net", self.meter.dc, "at the pack's terminals"),
            ("wheel energy, net", joules["wheels"], "what the tyres do on the car"),
        )
        rows = [Row(name, self.per_km(energy), "Wh/km", note=note) for name, energy, note in pairs]
        rows += [Row(f"{name}, per mile", self.per_mile(energy), "Wh/mi") for name, energy, _ in pairs]
        used = 100.0 * (self._charge(self.meter.first) - self._charge(self.meter.last))
        return [
            *rows,
            Row("charging efficiency", 100.0 * self.meter.dc / self.wall, "%", note="DC energy over wall energy"),
            Row("charge used", used, "%", note=f"from {100.0 * self._charge(self.meter.first):.1f} %"),
            Row("regenerated", self.per_km(joules["charged"]), "Wh/km", note="into the pack's terminals"),
            Row("share of the braking done by the motors", 100.0 * self.meter.braking_share, "%"),
        ]

    def _loss_rows(self) -> list[Row]:
        joules, dc = self.meter.joules, self.meter.dc
        names = {
            "auxiliaries": "auxiliaries",
            "pack_loss": "loss: pack (beside the DC energy)",
            "motor_loss": "loss: motors and inverters",
            "driveline_loss": "loss: driveline",
            "slip_loss": "loss: tyre slip",
            "brake_loss": "loss: friction brakes",
            "road_load": "road load",
        }
        rows = [
            Row(label, self.per_km(joules[name]), "Wh/km", note=f"{joules[name] / dc:.1%} of the DC energy")
            for name, label in names.items()
        ]
        if joules["climb"]:
            rows.append(Row("climbing", self.per_km(joules["climb"]), "Wh/km"))
        left = 100.0 * self.meter.open_balance / dc
        return [*rows, bounded("left open by the energy balance", left, "%", minimum=-MOST_OPEN, maximum=MOST_OPEN)]

    def _limit_rows(self) -> list[Row]:
        return [
            Row("share of the battery limit used", 100.0 * self.meter.limit_share, "%"),
            bounded("limit violations", self.meter.limit_violations, "1", maximum=0, note="samples of 10 ms"),
        ]

    @staticmethod
    def _charge(sample: Any) -> float:
        return float(sample["car_measurements"]["plant"]["battery"]["state_of_charge"])


def drive_cycle(
    vehicle: Vehicle,
    cycle: Cycle,
    conditions: Conditions = STANDARD,
    *,
    charger: Charger = LEAF_CHARGER,
    network: str | None = None,
    look_on: Callable[[float], None] = lambda time: None,
) -> CycleResult:
    """Drive ``vehicle`` through ``cycle`` in lockstep; ``look_on`` is told the cycle's time [s] now and then.

    Raises UsageError if the car does not become READY.
    """
    if conditions.test_mass is not None:
        vehicle = with_mass(vehicle, conditions.test_mass)
    drive = new_drive(vehicle, cycle, conditions, network)
    bench = drive.lockstep(sample_every=SAMPLE_EVERY)
    period = SAMPLE_EVERY * bench.step * 1e-9
    meter = Meter(vehicle.parameters, period, thin=int(cycle.duration / period / MOST_POINTS) + 1)
    deviation, beyond, violations, outside = 0.0, -np.inf, 0, False
    frames = faults = 0
    for chunk in drive.chunks(bench, CHUNK):
        frames += len(chunk.frames)
        samples = driving_samples(chunk.samples, cycle.duration)
        if len(samples):
            meter.add(samples)
            times = samples["car_measurements"]["scenario_time"]
            speed = samples["car_measurements"]["plant"]["body"]["longitudinal_speed"]
            lowest, highest = cycle.band(times)
            over = np.maximum(lowest - speed, speed - highest)
            flags = over > 0.0
            violations += excursions(flags) - int(outside and bool(flags[0]))
            outside = bool(flags[-1])
            beyond = max(beyond, float(np.max(over)))
            deviation = max(deviation, float(np.max(np.abs(speed - np.interp(times, cycle.time, cycle.speed)))))
            faults |= int(np.bitwise_or.reduce(samples["controller_measurements"]["supervisor"]["faults"]))
        look_on(max(drive.scenario_time, 0.0))
    if meter.last is None:
        raise UsageError(f"{vehicle.name}: the car did not become READY, so that cycle {cycle.name} never began")
    return CycleResult(
        vehicle=vehicle,
        cycle=cycle,
        conditions=conditions,
        meter=meter,
        wall=wall_energy(meter.charge, mean_charge(meter), conditions.temperature, vehicle.parameters[0].battery, charger),
        deviation=deviation,
        beyond=beyond,
        violations=violations,
        bus_rows=[fault_row(faults), *drive.bus_rows(frames)],
        completed=drive.scenario_time >= cycle.duration,
    )


def new_drive(vehicle: Vehicle, cycle: Cycle, conditions: Conditions, network: str | None = None) -> Drive:
    """The drive of a cycle, before it begins."""
    scenario = scenario_of(
        cycle,
        state_of_charge=conditions.state_of_charge,
        temperature=conditions.temperature,
        e_pedal=conditions.e_pedal,
    )
    drive = Drive(load_network(network or vehicle.network), vehicle, scenario)
    drive.car.parameters.auxiliary_power = conditions.auxiliary_power
    drive.car.state[0].road.air_temperature = conditions.temperature
    return drive


def mean_charge(meter: Meter) -> float:
    """State of charge [1] halfway between beginning and end of a drive."""
    ends = [float(sample["car_measurements"]["plant"]["battery"]["state_of_charge"]) for sample in (meter.first, meter.last)]
    return 0.5 * (ends[0] + ends[1])


def with_mass(vehicle: Vehicle, mass: float) -> Vehicle:
    """The same car with that ``mass`` [kg], as a dynamometer imposes it: all else stays."""
    parameters = vehicle.parameters.copy()
    parameters[0].body.mass = mass
    return replace(vehicle, parameters=parameters)
