"""The form of a study's and of a sweep's TOML. Apart from the rest because pydantic takes half a second to import."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Strict(BaseModel):
    """A table in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DriveDescription(Strict):
    """A scenario by name or path, or a manoeuvre with its settings."""

    name: Name
    scenario: str | None = None
    manoeuvre: str | None = None
    settings: dict[str, Number] = {}

    @model_validator(mode="after")
    def one_of_both(self) -> "DriveDescription":
        """A drive is one or the other."""
        if (self.scenario is None) == (self.manoeuvre is None):
            raise ValueError("either scenario or manoeuvre was expected")
        return self


class ParameterDescription(Strict):
    """A calibration value that is searched, between two bounds."""

    path: str
    minimum: Number
    maximum: Number
    logarithmic: bool = False


class TermDescription(Strict):
    """A figure as a part of an objective, in multiples of ``scale`` (in the figure's unit)."""

    drive: str
    figure: str
    scale: Positive
    over: Literal["mean", "worst"] = "mean"
    want: Literal["less", "more"] = "less"


class ObjectiveDescription(Strict):
    """What is to become small: a sum of figures."""

    name: Name
    term: Annotated[list[TermDescription], Field(min_length=1)]


class ConstraintDescription(Strict):
    """What a figure must keep to."""

    drive: str
    figure: str
    minimum: Number | None = None
    maximum: Number | None = None
    over: Literal["mean", "worst"] = "worst"

    @model_validator(mode="after")
    def one_bound(self) -> "ConstraintDescription":
        """A constraint is one bound."""
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("either minimum or maximum was expected")
        return self


class SpreadDescription(Strict):
    """The range in which a quantity spreads."""

    minimum: Number
    maximum: Number


class StudyDescription(Strict):
    """A whole study."""

    title: str
    description: str = ""
    vehicle: str = "leaf_twin_motor"
    untuned: bool = False  # begins with what follows from the vehicle's parameters, without its calibration file
    network: str | None = None
    sampler: Literal["tpe", "cmaes", "nsga2", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    generation: Annotated[int, Field(ge=1, le=1000)] = 20
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    drive: Annotated[list[DriveDescription], Field(min_length=1)]
    parameter: Annotated[list[ParameterDescription], Field(min_length=1)]
    objective: Annotated[list[ObjectiveDescription], Field(min_length=1)]
    constraint: list[ConstraintDescription] = []
    spread: dict[str, SpreadDescription] = {}


class AxisDescription(Strict):
    """One axis of a map."""

    of: str
    values: Annotated[list[Number | str], Field(min_length=1)]


class FigureDescription(Strict):
    """A figure that is mapped."""

    drive: str
    figure: str


class SweepDescription(Strict):
    """A whole sweep."""

    title: str
    description: str = ""
    vehicle: str = "leaf_twin_motor"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    samples: Annotated[int, Field(ge=1, le=100_000)] = 1
    drive: Annotated[list[DriveDescription], Field(min_length=1)]
    axis: Annotated[list[AxisDescription], Field(min_length=1, max_length=2)]
    figure: Annotated[list[FigureDescription], Field(min_length=1)]
    spread: dict[str, SpreadDescription] = {}
