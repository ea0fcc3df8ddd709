"""A speed trace with its tolerance, and how a person at a driver's aid follows it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.scenarios import Scenario, road_table, stimulus_table
from hil.errors import UsageError

MILE = 1609.344  # [m]
MPH = MILE / 3600.0  # [m/s]
KMH = 1.0 / 3.6  # [m/s]

AIM_STEP = 0.1  # [s] between two points of what the driver aims at
AIM_WINDOW = 1.0  # [s] over which the driver rounds the corners of a trace given second by second
AIM_LEAD = 0.2  # [s] by which the driver acts ahead of the trace, as pedals, frames and motor take their time
MOST_JOIN_STEP = 0.3  # [m/s] between the end of a cycle and its repetition


@dataclass(frozen=True)
class Tolerance:
    """What a regulation allows: so much above the highest and below the lowest speed of the trace within ``time`` of a moment."""

    name: str
    speed: float  # [m/s]
    time: float = 1.0  # [s]


# 40 CFR 600.109-08 (2), the same as 40 CFR 1066.425: 2 mph, within 1 s; what is shorter than 2 s is forgiven there, not here.
EPA = Tolerance("EPA, 40 CFR 1066.425", 2.0 * MPH)
# UN R154, annex B6, 2.6.8.3 (from memory): 2 km/h, within 1 s; ten times at most 1 s are forgiven there, not here.
WLTP = Tolerance("WLTP, UN R154", 2.0 * KMH)


@dataclass(frozen=True)
class Cycle:
    """Speed over time, linear in between."""

    name: str
    title: str
    time: Any  # [s] float64 (n,), rising from zero
    speed: Any  # [m/s] float64 (n,)
    grade: Any  # slope, float64 (n,), positive uphill
    tolerance: Tolerance = EPA

    @property
    def duration(self) -> float:
        """Length in time [s]."""
        return float(self.time[-1])

    @property
    def distance(self) -> float:
        """Length of the way [m]."""
        return float(np.trapezoid(self.speed, self.time))

    def part(self, name: str, title: str, end: float) -> "Cycle":
        """The same cycle up to ``end`` [s]."""
        kept = self.time <= end
        return replace(self, name=name, title=title, time=self.time[kept], speed=self.speed[kept], grade=self.grade[kept])

    def repeated(self, times: int) -> "Cycle":
        """The cycle so many times in a row. Raises UsageError if its end does not meet its beginning."""
        if times == 1:
            return self
        if abs(self.speed[-1] - self.speed[0]) > MOST_JOIN_STEP:
            raise UsageError(
                f"cycle {self.name}: it ends at {self.speed[-1] / KMH:.1f} km/h and begins at {self.speed[0] / KMH:.1f} km/h; "
                "only a cycle that ends at its first speed can be repeated"
            )
        step = float(self.time[-1] - self.time[-2])
        offsets = np.repeat(np.arange(times) * (self.duration + step), len(self.time))
        return replace(
            self,
            title=f"{self.title}, {times} times",
            time=np.tile(self.time, times) + offsets,
            speed=np.tile(self.speed, times),
            grade=np.tile(self.grade, times),
        )

    def band(self, times: Any) -> tuple[Any, Any]:
        """Lowest and highest speed [m/s] that the tolerance allows at each of ``times`` [s]."""
        reach = self.tolerance.time
        early, late = np.asarray(times) - reach, np.asarray(times) + reach
        # The extremes of a polyline are at its corners or at the ends of the window.
        lowest = np.minimum(np.interp(early, self.time, self.speed), np.interp(late, self.time, self.speed))
        highest = np.maximum(np.interp(early, self.time, self.speed), np.interp(late, self.time, self.speed))
        first, last = np.searchsorted(self.time, early), np.searchsorted(self.time, late, side="right")
        for offset in range(int(np.max(last - first, initial=0))):
            inside = first + offset < last
            corner = self.speed[np.minimum(first + offset, len(self.time) - 1)]
            lowest = np.where(inside, np.minimum(lowest, corner), lowest)
            highest = np.where(inside, np.maximum(highest, corner), highest)
        return lowest - self.tolerance.speed, highest + self.tolerance.speed

    def aim(self) -> tuple[Any, Any]:
        """Times [s] and speeds [m/s] that a driver aims at who sees the trace to come.

        The trace, ``AIM_LEAD`` ahead and averaged over ``AIM_WINDOW``: its acceleration has no jumps, so the foot needs none.
        """
        times = np.arange(0.0, self.duration + AIM_STEP, AIM_STEP)
        # Exact average of the polyline: differences of its integral, which grows on beyond its ends as the speed there.
        ends = np.concatenate([[-AIM_WINDOW - AIM_LEAD], self.time, [self.duration + 2.0 * (AIM_WINDOW + AIM_LEAD)]])
        fine = np.unique(np.concatenate([ends, times + AIM_LEAD - 0.5 * AIM_WINDOW, times + AIM_LEAD + 0.5 * AIM_WINDOW]))
        speed = np.interp(fine, self.time, self.speed)
        way = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]) * np.diff(fine))])
        ahead = np.interp(times + AIM_LEAD + 0.5 * AIM_WINDOW, fine, way)
        behind = np.interp(times + AIM_LEAD - 0.5 * AIM_WINDOW, fine, way)
        return times, (ahead - behind) / AIM_WINDOW


def excursions(outside: Any) -> int:
    """How many times a run of flags begins."""
    flags = np.concatenate([[False], np.asarray(outside, dtype=bool)])
    return int(np.count_nonzero(flags[1:] & ~flags[:-1]))


def scenario_of(cycle: Cycle, *, state_of_charge: float, temperature: float, **start: Any) -> Scenario:
    """The cycle as a scenario: the driver keeps its speed, straight ahead.

    ``state_of_charge`` [1] and ``temperature`` [degC] are the pack's at power-on; ``start`` may name drive mode and e-Pedal.
    """
    times, speeds = cycle.aim()
    columns = {
        "time": times,
        "speed_kmh": speeds / KMH,
        "steering_deg": np.zeros(len(times)),
        "grade_percent": 100.0 * np.interp(times, cycle.time, cycle.grade),
    }
    return Scenario(
        name=cycle.name,
        title=cycle.title,
        duration=cycle.duration,
        start_speed=float(speeds[0]) if cycle.speed[0] > MOST_JOIN_STEP else 0.0,
        state_of_charge=state_of_charge,
        temperature=temperature,
        stimulus=stimulus_table(columns, f"cycle {cycle.name}"),
        path=np.zeros((1, 2)),
        road=road_table([]),
        targets={},
        **start,
    )
