"""Disturbances on command: frames lost, corrupted or delayed, on a whole bus or for one port, by chance or by count."""

import random
from dataclasses import dataclass, field
from enum import Enum


class Effect(Enum):
    """What becomes of a frame."""

    LOSE = "lose"  # it was on the bus and was acknowledged, but the port, or every port of the bus, does not report it
    CORRUPT = "corrupt"  # an error frame destroys it; its sender, if a port is named, counts the error and repeats it


@dataclass(eq=False)
class Rule:
    """Strike the frames of a target with a probability, so many times, or only one identifier."""

    effect: Effect
    target: str  # bus or port
    probability: float = 1.0
    count: int | None = None  # None: until it is cleared
    identifier: int | None = None
    seed: int = 0
    struck: int = 0
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        # A generator for each rule: what one rule draws does not depend on the traffic of another bus.
        self.chance = random.Random(f"{self.seed} {self.effect.value} {self.target} {self.identifier}")

    def strikes(self, identifier: int) -> bool:
        """Whether it strikes a frame of its target."""
        if self.identifier not in (None, identifier) or (self.count is not None and self.struck >= self.count):
            return False
        if self.probability < 1.0 and self.chance.random() >= self.probability:
            return False
        self.struck += 1
        return True


class Injection:
    """All disturbances that are in force."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rules: list[Rule] = []
        self._delays: dict[str, int] = {}

    def add(self, effect: Effect, target: str, probability: float, count: int | None, identifier: int | None) -> None:
        """Put a rule in force beside the others."""
        self.rules.append(Rule(effect, target, probability, count, identifier, self.seed))

    def strikes(self, effect: Effect, target: str, identifier: int) -> bool:
        """Whether any rule strikes this frame."""
        return bool(self.rules) and any(
            rule.effect is effect and rule.target == target and rule.strikes(identifier) for rule in self.rules
        )

    def set_delay(self, target: str, delay: int) -> None:
        """Hand frames over later by ``delay`` [ns]; 0 takes it back."""
        self._delays[target] = delay

    def delay(self, target: str) -> int:
        """Delay of a bus or port [ns]."""
        return self._delays.get(target, 0)

    def clear(self, targets: set[str] | None) -> None:
        """Take back what disturbs these targets; everything if None."""
        self.rules = [rule for rule in self.rules if targets is not None and rule.target not in targets]
        self._delays = {target: delay for target, delay in self._delays.items() if targets is not None and target not in targets}

    def in_force(self) -> list[dict[str, object]]:
        """What disturbs now, for statistics. A rule that has used up its count is still told, with what it struck."""
        delays: list[dict[str, object]] = [
            {"effect": "delay", "target": target, "delay": delay * 1e-9} for target, delay in self._delays.items() if delay
        ]
        rules: list[dict[str, object]] = [
            {
                "effect": rule.effect.value,
                "target": rule.target,
                "probability": rule.probability,
                "count": rule.count,
                "identifier": rule.identifier,
                "struck": rule.struck,
            }
            for rule in self.rules
        ]
        return [*delays, *rules]
