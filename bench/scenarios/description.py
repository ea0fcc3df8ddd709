"""The form of a scenario's TOML. Apart from the rest because pydantic takes half a second to import."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Strict(BaseModel):
    """A table in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(Strict):
    """How the scenario begins: the car is brought to READY and to this speed first."""

    speed_kmh: Annotated[float, Field(ge=-20.0, le=250.0)] = 0.0
    state_of_charge: Share = 0.93  # as in the recorded full-throttle drives of a LEAF e+
    temperature: Annotated[float, Field(ge=-40.0, le=60.0)] = 25.0
    drive_mode: Literal["standard", "sport", "eco", "snow"] = "standard"
    e_pedal: bool = False


class Stimulus(Strict):
    """Columns over time, linear in between; or a CSV with the same columns."""

    csv: str | None = None
    time: Annotated[list[Number] | None, Field(min_length=1)] = None
    accelerator: list[float] | None = None
    brake: list[float] | None = None
    steering_deg: list[float] | None = None
    speed_kmh: list[float] | None = None
    gear: list[str] | None = None
    grade_percent: list[float] | None = None
    friction: list[float] | None = None
    friction_right: list[float] | None = None
    headwind_kmh: list[float] | None = None
    crosswind_kmh: list[float] | None = None


class FollowedPath(Strict):
    """Points that the driver follows, metres from where the scenario begins, x forward and y left."""

    points: Annotated[list[tuple[Number, Number]], Field(min_length=2)]


class RoadPatch(Strict):
    """A part of the road with a friction or a grade of its own; where x or y is left out, it has no end that way.

    With ``squares`` [m] it lies on every other square of a checkerboard.
    """

    x: tuple[Number, Number] | None = None
    y: tuple[Number, Number] | None = None
    friction: Annotated[float | None, Field(ge=0.01, le=2.0)] = None
    grade_percent: Annotated[float | None, Field(ge=-50.0, le=50.0)] = None
    squares: Annotated[float | None, Field(ge=0.1, le=1000.0)] = None


class TargetDescription(Strict):
    """What a figure must reach."""

    minimum: Number | None = None
    maximum: Number | None = None


class ScenarioDescription(Strict):
    """A whole scenario."""

    title: str
    description: str = ""
    duration: Annotated[float | None, Field(gt=0.0, le=36000.0)] = None
    start: Start = Start()
    stimulus: Stimulus
    path: FollowedPath | None = None
    road: list[RoadPatch] = []
    targets: dict[str, TargetDescription] = {}
