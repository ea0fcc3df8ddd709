"""The TOML beside the DBC files: all of a network that a DBC has no standard words for.

A DBC says where the bits are, what they are worth, and (``GenMsgCycleTime``) how often a message is sent. This file says which
signals are counters, CRCs and sums, which follow a fixed sequence, who asks and who answers, and which DBC signal is
which signal of the controller (``firmware_model.signals``). ``docs/own_network.md`` teaches it with an example.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

CONTROLLER_ROLE = "controller"

Byte = Annotated[int, Field(ge=0, le=0xFF)]


class Strict(BaseModel):
    """A table in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Counter(Strict):
    """A signal that counts transmissions: ``value = (n + start) mod modulo``."""

    signal: str
    modulo: Annotated[int, Field(ge=2, le=2**16)]
    start: Annotated[int, Field(ge=0)] = 0


class Crc(Strict):
    """A CRC-8 over all bytes of the frame but its own, which is a whole byte."""

    signal: str
    polynomial: Byte
    initial: Byte = 0
    final_xor: Byte = 0


class NibbleSum(Strict):
    """The sum of all other nibbles plus ``add``, modulo 16, in a four-bit signal."""

    signal: str
    add: Annotated[int, Field(ge=0, le=15)] = 0


class ByteSum(Strict):
    """The sum of all other bytes plus ``add``, modulo 256, in a whole byte."""

    signal: str
    add: Byte = 0


class Sequence(Strict):
    """Raw values that a signal takes in turn, each held for ``hold`` transmissions. A multiplexer is one, too."""

    values: Annotated[list[int], Field(min_length=1, max_length=256)]
    hold: Annotated[int, Field(ge=1)] = 1


class Message(Strict):
    """What protects and drives one message of the DBC, on every bus it is on."""

    counter: Counter | None = None
    crc: Crc | None = None
    nibble_sum: NibbleSum | None = None
    byte_sum: ByteSum | None = None
    sequences: dict[str, Sequence] = {}
    period_ms: Annotated[float | None, Field(gt=0)] = None  # where the DBC has no GenMsgCycleTime


class SignalMap(Strict):
    """Which of the controller's signals a DBC signal carries."""

    signal: str
    sign: Literal[1, -1] = 1  # -1: this axle or sensor is mounted turned round
    values: dict[str, int] | None = None  # our value (a number, or an enumeration's label) -> raw value on the bus
    received: bool = True  # false: sent, but not taken in, because another signal carries the same value more exactly


class Bus(Strict):
    """One CAN bus: its files, who sits on it, and the meaning of its signals."""

    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)] = 500_000
    dbc: Annotated[list[str], Field(min_length=1)]
    roles: dict[str, str]  # node name in the DBC -> role; messages of other senders are not on this bus
    signals: dict[str, dict[str, SignalMap]] = {}  # message -> DBC signal -> controller's signal
    links: dict[str, str] = {}  # message -> Link record that says how it arrives

    @field_validator("signals", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        """``Signal = "front.motor_torque"`` is short for ``Signal = { signal = "front.motor_torque" }``."""
        if not isinstance(value, dict):
            return value
        return {
            message: {key: {"signal": target} if isinstance(target, str) else target for key, target in table.items()}
            if isinstance(table, dict)
            else table
            for message, table in value.items()
        }


class Question(Strict):
    """A question that one node asks and another answers: ``answers`` lists [question, answer] raw values."""

    bus: str
    question: Annotated[str, Field(pattern=r"^\w+\.\w+$")]  # Message.Signal, driven by a sequence
    answer: Annotated[str, Field(pattern=r"^\w+\.\w+$")]
    answers: Annotated[list[tuple[int, int]], Field(min_length=1)]


class Description(Strict):
    """A whole network. ``generations`` are overlays: tables of the same form that are laid over the rest."""

    title: str
    bus: Annotated[dict[str, Bus], Field(min_length=1, max_length=16)]
    message: dict[str, Message] = {}
    question: list[Question] = []
    generation: str | None = None
