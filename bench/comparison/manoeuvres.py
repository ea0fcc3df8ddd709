"""All manoeuvres of the comparison, in the order in which they are told."""

from bench.comparison import battery, grip, lane_change, longitudinal, sine_with_dwell, steering
from bench.comparison.result import Manoeuvre
from hil.errors import UsageError
from hil.toml_files import closest

MANOEUVRES: tuple[Manoeuvre, ...] = (
    steering.GENTLE_STEP,
    steering.LIMIT,
    lane_change.MANOEUVRE,
    sine_with_dwell.MANOEUVRE,
    grip.HILL,
    grip.JUMP,
    longitudinal.STOP,
    longitudinal.THROTTLE,
    battery.MANOEUVRE,
)


def choose(names: list[str]) -> list[Manoeuvre]:
    """The manoeuvres of those names in their own order, all of them for none. Raises UsageError for an unknown one."""
    known = {manoeuvre.name: manoeuvre for manoeuvre in MANOEUVRES}
    for name in names:
        if name not in known:
            raise UsageError(f'unknown manoeuvre "{name}"{closest(name, known)}; there are: {", ".join(known)}')
    return [manoeuvre for manoeuvre in MANOEUVRES if not names or manoeuvre.name in names]
