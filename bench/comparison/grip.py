"""Where the road gives less than the pedal asks: an ice hill with split friction, and a sudden loss of friction at full pedal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.comparison.bounds import Reaction, first_reaction, least_overspeed, least_time_to
from bench.comparison.contenders import CONTENDERS, FRONT_DRIVE, THIS, Contender
from bench.comparison.figures import first_time, first_to_last, peak
from bench.comparison.result import Manoeuvre, Overlay, Result, Signal, below, compared, told, under, with_miss
from bench.comparison.scenarios import scenario
from bench.comparison.track import WHEELS, Trace, Track, Trial, whole
from bench.rows import Row
from bench.scenarios import Scenario, patch

KMH = 3.6  # km/h per m/s
DEGREES = math.degrees(1.0)

GRADE = 10.0  # [%]
SIDES = (0.8, 0.15)  # friction of the left and of the right side of the hill
HILL_TIME = 15.0  # [s]
BRAKE_RELEASED = 1.0  # [s]
PEDAL_DOWN = 1.2  # [s]; floored within PEDAL_TIME
PEDAL_TIME = 0.2  # [s]
STARTED = 20.0 / KMH  # [m/s]
SLIP_SHARE, SLIP_SPEED = 0.15, 3.0 / KMH  # [1], [m/s] of which the larger one is allowed
SLIP_TIME = 300.0  # [ms]
LANE = 3.5  # [m] assumption: within it no driver would have to correct

JUMP_SPEED = 50.0 / KMH  # [m/s]
JUMP_START = 25.0  # [km/h] low enough for the torque to be full at 50 km/h
ICE = 0.2  # friction
JUMP_TIME = 3.5  # [s] of the whole drive
PEDAL_FLOORED = 0.4  # [s]
BOUND_TOLERANCE = 1.15
BACK_TIME = 500.0  # [ms]

FRAME_PERIOD, PHASES = 10e-3, 10  # [s] of motor speed and torque command; so many places of the edge within one
SPIN_NOTICED_BY = ("front.motor_speed", "wheels.front_left", "wheels.front_right")
SPIN_COMMANDS = ("front.motor_torque", "brakes.front_left")

HILL_SIGNALS = (
    Signal("speed [km/h]", "speed", KMH),
    Signal("front left wheel, slip speed [km/h]", "front.left.slip_speed", KMH),
    Signal("front right wheel on ice, slip speed [km/h]", "front.right.slip_speed", KMH),
    Signal("rear right wheel on ice, slip speed [km/h]", "rear.right.slip_speed", KMH),
    Signal("heading [°]", "yaw", DEGREES),
)
JUMP_SIGNALS = (
    Signal("speed [km/h]", "speed", KMH),
    Signal("front left wheel, slip speed [km/h]", "front.left.slip_speed", KMH),
    Signal("rear left wheel, slip speed [km/h]", "rear.left.slip_speed", KMH),
    Signal("front motor torque [Nm]", "front_torque"),
    Signal("rear motor torque [Nm]", "rear_torque"),
)


def driven_wheels(contender: Contender) -> tuple[str, ...]:
    """The wheels on an axle with a motor."""
    return WHEELS if contender.rear_motor else WHEELS[:2]


# --- ice hill ----------------------------------------------------------------------------------------------------------------


def hill_start() -> Scenario:
    """Full pedal from a standstill, held by the brake, on a hill whose right side is ice; the steering wheel stays straight."""
    left, right = SIDES
    pedal = [(0.0, 0.0), (PEDAL_DOWN, 0.0), (PEDAL_DOWN + PEDAL_TIME, 1.0)]
    brake = [(0.0, 0.5), (BRAKE_RELEASED, 0.5), (PEDAL_DOWN, 0.0)]
    return scenario(
        "ice hill start", duration=HILL_TIME, accelerator=pedal, brake=brake, steering_deg=0.0,
        friction=left, friction_right=right, grade_percent=GRADE,
    )  # fmt: skip


def run_hill(track: Track) -> Result:
    """The start on the hill."""
    traces = track.compare(CONTENDERS, hill_start())
    bound = least_time_to(STARTED, track.vehicle, *SIDES, 0.01 * GRADE)
    width = float(track.vehicle.parameters.body.width[0])
    text = (
        "The left wheels have grip, the right wheels are on ice. Open differentials give both wheels of an axle the same torque, "
        "so that without brakes the ice decides for both."
    )
    return Result(hill_rows(traces, bound, width), [Overlay("Ice hill start", text, traces, HILL_SIGNALS, (0.5, 8.0))])


def hill_rows(traces: Mapping[Contender, Trace], bound: float, width: float) -> list[Row]:
    """Time to 20 km/h, wheel slip, and where the car goes without steering."""
    times = {contender: time_to_start(trace) for contender, trace in traces.items()}
    slips = {contender: KMH * largest_slip_speed(trace) for contender, trace in traces.items()}
    excess = {contender: 1e3 * excess_time(trace) for contender, trace in traces.items()}
    heading = {contender: DEGREES * until_started(trace, "yaw") for contender, trace in traces.items()}
    aside = {contender: until_started(trace, "y") for contender, trace in traces.items()}
    starts = bool(times[THIS] > 0.0 and math.isnan(times[FRONT_DRIVE]))
    reached = {contender: KMH * float(np.max(trace["speed"])) for contender, trace in traces.items()}
    start = Row("time to 20 km/h", times[THIS], "s", "reached; not by (b)", starts, "full pedal; bound: tyre limit of all wheels")
    if not starts:
        who = "this controller does not get there" if math.isnan(times[THIS]) else "front drive gets there, too"
        start = with_miss(start, who)
    rows = [
        compared(start, times, bound),
        told("highest speed", reached, "km/h", f"within {HILL_TIME - PEDAL_DOWN:g} s"),
        told("peak wheel slip speed", slips, "km/h"),
        below(
            "slip above limit, first to last", excess, "ms", SLIP_TIME,
            f"limit: the larger of {100.0 * SLIP_SHARE:g} % and {KMH * SLIP_SPEED:g} km/h; any driven wheel",
        ),
        told("largest heading, no steering", heading, "°"),
        below(
            "largest deviation, no steering", aside, "m", round(0.5 * (LANE - width), 3),
            f"up to 20 km/h; a car {width:g} m wide stays in a lane of {LANE:g} m",
        ),
    ]  # fmt: skip
    lateral = peak(traces[THIS]["lateral_acceleration"])
    return under(f"{GRADE:g} % hill, friction {SIDES[0]:g} left and {SIDES[1]:g} right", rows, lateral)


def time_to_start(trace: Trace) -> float:
    """Time [s] from the first pressure on the accelerator to 20 km/h; NaN if it is not reached."""
    return first_time(trace["time"], trace["speed"] >= STARTED) - PEDAL_DOWN


def until_started(trace: Trace, name: str) -> float:
    """Largest magnitude of a signal up to 20 km/h; NaN for a car that does not get there."""
    end = time_to_start(trace)
    return math.nan if math.isnan(end) else peak(trace.before(PEDAL_DOWN + end)[name])


def largest_slip_speed(trace: Trace) -> float:
    """Largest slip speed [m/s] of a driven wheel, either way."""
    return max(peak(trace[f"{wheel}.slip_speed"]) for wheel in driven_wheels(trace.contender))


def excess_time(trace: Trace) -> float:
    """Time [s] from the first to the last moment in which a driven wheel slips by more than is allowed."""
    late = trace.after(PEDAL_DOWN)
    allowed = np.maximum(SLIP_SHARE * np.abs(late["speed"]), SLIP_SPEED)
    slips = [np.abs(late[f"{wheel}.slip_speed"]) for wheel in driven_wheels(trace.contender)]
    return first_to_last(late["time"], np.max(slips, axis=0) > allowed)


# --- friction jump -------------------------------------------------------------------------------------------------------------


def friction_jump(at: float | None) -> Scenario:
    """Full pedal on a dry road that becomes ice at ``at`` [m], or never."""
    ice = [] if at is None else [patch(x=(at, math.inf), friction=ICE)]
    pedal = [(0.0, 0.0), (PEDAL_FLOORED, 0.0), (PEDAL_FLOORED + 1e-3, 1.0)]
    return scenario(
        "friction jump" if ice else "full pedal, dry", duration=JUMP_TIME, speed_kmh=JUMP_START, accelerator=pedal, brake=0.0,
        steering_deg=0.0, road=ice,
    )  # fmt: skip


@dataclass(frozen=True)
class Jump:
    """One passage onto the ice, with the bound of its phase of the frames."""

    trial: Trial
    trace: Trace
    begin: float  # [s] when the front wheels reach the ice
    reaction: Reaction
    bound: float  # [m/s] least peak overspeed

    @property
    def overspeed(self) -> float:
        """Peak overspeed [m/s]."""
        return float(np.max(overspeed(self.after)))

    @property
    def after(self) -> Trace:
        """The record from the edge of the ice on."""
        return self.trace.after(self.begin)


def run_jump(track: Track) -> Result:
    """The friction jump where each contender has 50 km/h: the mean of ten phases of the frames, as nobody can choose one."""
    dry = track.compare(CONTENDERS, friction_jump(None))
    l_f = float(track.vehicle.parameters.body.front_axle_distance[0])
    edges = {contender: place_of(trace, JUMP_SPEED) + l_f for contender, trace in dry.items()}
    phases = [phase * FRAME_PERIOD * JUMP_SPEED / PHASES for phase in range(PHASES)]
    jumps = track.each(lambda phase: jump(track, edges[THIS] + phase, l_f), phases)
    records = {THIS: [jump_.after for jump_ in jumps]}
    for contender in CONTENDERS:
        if contender is not THIS:
            trials = [Trial(contender, friction_jump(edges[contender] + phase)) for phase in phases]
            traces = track.drive_all(trials, whole)
            records[contender] = [
                trace.after(crossing_time(trace, edges[contender] + phase - l_f))
                for trace, phase in zip(traces, phases, strict=True)
            ]
    worst = max(jumps, key=lambda each: each.overspeed / each.bound)
    seen, obeyed = (1e3 * float(np.mean([time(each) - each.begin for each in jumps])) for time in (seen_of, obeyed_of))
    path = f"motor or wheel speed tell of the spin after {seen:.0f} ms, the next command is there after {obeyed:.0f} ms (means)"
    peaks, bounds = [KMH * each.overspeed for each in jumps], [KMH * each.bound for each in jumps]
    note = (
        f"mean of {PHASES} phases of the frames, {min(peaks):.1f} to {max(peaks):.1f} km/h beside bounds of {min(bounds):.1f} to "
        f"{max(bounds):.1f} km/h; {path}"
    )
    text = (
        f"From the edge of the ice on, which the rear wheels reach {1e3 * wheelbase(track) / JUMP_SPEED:.0f} ms after the front "
        f"wheels; {path}."
    )
    shown = {contender: traces_[0] for contender, traces_ in records.items()}
    shown[THIS] = worst.after
    return Result(
        jump_rows(records, float(np.mean(bounds)), note),
        [Overlay("Friction jump at full pedal", text, at_zero(shown), JUMP_SIGNALS, (-0.02, 1.2))],
    )


def seen_of(jump_: Jump) -> float:
    """Time [s] at which the controller has received that the wheels spin."""
    return jump_.reaction.seen


def obeyed_of(jump_: Jump) -> float:
    """Time [s] at which the next torque command has arrived."""
    return jump_.reaction.arrives[0]


def at_zero(traces: Mapping[Contender, Trace]) -> dict[Contender, Trace]:
    """The same records with their time counted from their beginning."""
    return {
        who: replace(trace, signals={**trace.signals, "time": trace["time"] - trace["time"][0]}) for who, trace in traces.items()
    }


def jump(track: Track, edge: float, front_axle_distance: float) -> Jump:
    """The passage of this controller onto ice at ``edge`` [m], and the bound."""
    trial = Trial(THIS, friction_jump(edge))
    trace = track.drive(trial, whole)
    reaction = first_reaction(track, trial, Trial(THIS, friction_jump(None)), SPIN_NOTICED_BY, SPIN_COMMANDS)
    bound = least_overspeed(track, trial, *reaction.arrives)
    return Jump(trial, trace, crossing_time(trace, edge - front_axle_distance), reaction, bound)


def wheelbase(track: Track) -> float:
    """Wheelbase [m]."""
    return float(track.vehicle.parameters.body.wheelbase[0])


def place_of(trace: Trace, speed: float) -> float:
    """Where [m] the car first has that ``speed`` [m/s]."""
    reached = np.flatnonzero(trace["speed"] >= speed)
    return float(trace["x"][reached[0]])


def crossing_time(trace: Trace, x: float) -> float:
    """Time [s] at which the centre of gravity passes ``x`` [m]."""
    return float(np.interp(x, trace["x"], trace["time"]))


def overspeed(trace: Trace) -> np.ndarray:
    """How much faster than its hub the fastest driven wheel is [m/s]."""
    return np.max([trace[f"{wheel}.slip_speed"] for wheel in driven_wheels(trace.contender)], axis=0)


def jump_rows(records: Mapping[Contender, Sequence[Trace]], bound: float, note: str) -> list[Row]:
    """Mean peak overspeed beside its ``bound`` [km/h], and the time back under 3 km/h; the records begin at the edge."""
    peaks = {who: KMH * float(np.mean([np.max(overspeed(trace)) for trace in traces])) for who, traces in records.items()}
    back = {who: 1e3 * max(back_time(trace) for trace in traces) for who, traces in records.items()}
    ours = peaks[THIS]
    reached = bool(ours <= BOUND_TOLERANCE * bound)
    row = Row("peak wheel overspeed", ours, "km/h", f"≤ {BOUND_TOLERANCE:g} × bound", reached, note)
    if not reached:
        row = with_miss(row, f"{100.0 * (ours / bound - 1.0):.0f} % above the bound")
    rows = [
        compared(row, peaks, bound),
        below(
            "time back under 3 km/h", back, "ms", BACK_TIME,
            "worst phase; from the edge of the ice to the last moment above 3 km/h, any driven wheel",
        ),
    ]  # fmt: skip
    return under(f"friction 1 to {ICE:g}", rows, max(peak(trace["lateral_acceleration"]) for trace in records[THIS]))


def back_time(trace: Trace) -> float:
    """Time [s] from the beginning of a record to the last moment in which a driven wheel is faster than its hub by 3 km/h."""
    above = np.flatnonzero(overspeed(trace) > SLIP_SPEED)
    if not len(above):
        return 0.0
    return float(trace["time"][min(above[-1] + 1, len(trace["time"]) - 1)] - trace["time"][0])


HILL = Manoeuvre("hill-start", "Ice hill start, 10 %, split friction 0.8/0.15", 3, run_hill)
JUMP = Manoeuvre("friction-jump", "Friction jump 1.0 to 0.2 at full pedal, 50 km/h", 63, run_jump)
