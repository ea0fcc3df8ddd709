"""Loads a network: the TOML description, the DBC files it names, and the check that the two fit together.

The result is plain data (no cantools object survives), from which :mod:`hil.network.codegen` and :mod:`hil.node` write the
compiled code.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from firmware_model.kernel import Field
from firmware_model.signals import Inputs, Outputs
from hil import toml_files
from hil.errors import UsageError
from hil.network.description import CONTROLLER_ROLE, Bus, ByteSum, Counter, Crc, Description, NibbleSum, Sequence, SignalMap
from hil.network.units import factor_to_si

LEAF_FOLDER = Path(__file__).parent / "leaf"
NETWORKS = "leaf_*.toml"  # leaf.toml is what they share, not one of them
INVALID = "invalid"  # the description that marks a raw value in a DBC value table as "no value"
WIDEST_SIGNAL = 52  # [bit] what a double carries without loss


@dataclass(frozen=True)
class Signal:
    """One signal of a message: where its bits are and what they are worth (``physical = raw * factor + offset``)."""

    name: str
    start: int  # DBC start bit
    length: int
    big_endian: bool
    signed: bool
    factor: float
    offset: float
    raw_minimum: int  # what may be sent; anything beyond saturates here
    raw_maximum: int
    invalid: int | None  # raw code that means "no value"
    initial: int  # raw value while nothing is mapped
    unit: str
    multiplexer_ids: tuple[int, ...] = ()  # sent only while the multiplexer has one of these values

    @property
    def missing(self) -> int:
        """Raw value sent for NaN: the invalid code, or else the value nearest to zero."""
        if self.invalid is not None:
            return self.invalid
        zero = round(-self.offset / self.factor)
        return min(max(zero, self.raw_minimum), self.raw_maximum)

    def physical(self, raw: int) -> float:
        """Value of a raw number, in the unit of the bus."""
        return raw * self.factor + self.offset


@dataclass(frozen=True, eq=False)
class Message:
    """One message of a DBC with what protects and drives it."""

    name: str
    codec: str  # name of its codec: that of the message, numbered where two files use the same one
    identifier: int
    extended: bool
    length: int  # [bytes]
    period: int  # [ns]
    sender: str
    signals: tuple[Signal, ...]
    multiplexer: str | None
    counter: Counter | None
    crc: Crc | None
    nibble_sum: NibbleSum | None
    byte_sum: ByteSum | None
    sequences: dict[str, Sequence]

    @property
    def has_check(self) -> bool:
        """Whether a CRC or a sum protects it."""
        return bool(self.crc or self.nibble_sum or self.byte_sum)

    def signal(self, name: str) -> Signal:
        """The signal of that name."""
        return next(signal for signal in self.signals if signal.name == name)

    def position(self, name: str) -> int:
        """Index of a signal in :attr:`signals`."""
        return [signal.name for signal in self.signals].index(name)


@dataclass(frozen=True)
class Mapping:
    """A DBC signal and the controller's signal that it carries."""

    signal: Signal
    path: str  # in Inputs or Outputs
    field: Field
    factor: float  # controller's value = bus value * factor; carries unit and sign
    values: tuple[tuple[int, float], ...] | None  # (ours, physical on the bus)
    received: bool  # taken in by the receiver


@dataclass(frozen=True)
class BusMessage:
    """A message on one bus: who sends it there and what it carries."""

    message: Message
    bus: str
    role: str
    mappings: tuple[Mapping, ...]
    link: str | None

    @property
    def from_controller(self) -> bool:
        """Whether the controller sends it (its signals are in Outputs) or receives it (Inputs)."""
        return self.role == CONTROLLER_ROLE


@dataclass(frozen=True)
class NetworkBus:
    """One bus with all its messages, in the order of their identifiers."""

    name: str
    index: int
    bitrate: int  # [bit/s]
    roles: tuple[str, ...]
    messages: tuple[BusMessage, ...]

    def message(self, name: str) -> BusMessage:
        """The message of that name on this bus. Raises KeyError."""
        for bus_message in self.messages:
            if bus_message.message.name == name:
                return bus_message
        raise KeyError(name)


@dataclass(frozen=True)
class NetworkQuestion:
    """A question and its answer on one bus, as raw values."""

    bus: str
    question: tuple[str, str]  # message, signal
    answer: tuple[str, str]
    answers: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Network:
    """A network ready for code generation."""

    name: str
    title: str
    generation: str | None
    buses: tuple[NetworkBus, ...]
    questions: tuple[NetworkQuestion, ...]

    def bus(self, name: str) -> NetworkBus:
        """The bus of that name. Raises KeyError."""
        for bus in self.buses:
            if bus.name == name:
                return bus
        raise KeyError(name)

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """Every different message once, whichever buses it is on."""
        return tuple(dict.fromkeys(bus_message.message for bus in self.buses for bus_message in bus.messages))


def list_networks() -> list[tuple[str, str]]:
    """Name and title of the networks that come with the product."""
    return [(name, str(_read_toml(LEAF_FOLDER / f"{name}.toml")["title"])) for name in toml_files.names(LEAF_FOLDER, NETWORKS)]


def load_network(name_or_path: str) -> Network:
    """A network by name (``leaf_ze1``) or by the path of its TOML.

    Raises UsageError, in one line, for anything that is missing, unreadable or does not fit.
    """
    path = toml_files.find("network", name_or_path, LEAF_FOLDER, pattern=NETWORKS)
    content = _read_toml(path)
    try:
        description = Description.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {toml_files.first_error(error)}") from error
    names = dict.fromkeys(file for bus in description.bus.values() for file in bus.dbc)
    files = {file: _load_file(path.parent / file, path, description) for file in names}
    _number_codecs(files)
    _check_message_tables(path, description, files)
    buses = tuple(
        _load_bus(path, name, index, bus, _join_files(path, name, {file: files[file] for file in bus.dbc}))
        for index, (name, bus) in enumerate(description.bus.items())
    )
    questions = tuple(_load_question(path, question, buses) for question in description.question)
    return Network(path.stem, description.title, description.generation, buses, questions)


def _read_toml(path: Path) -> dict[str, Any]:
    """A network's TOML with the file that its ``base`` names (relative to it) beneath."""
    content = toml_files.read(path)
    base = content.pop("base", None)
    if base is None:
        return content
    if not isinstance(base, str) or (path.parent / base).resolve() == path.resolve():
        raise UsageError(f"{path}: base: the name of another TOML file was expected (given: {base!r})")
    return toml_files.merge(_read_toml(path.parent / base), content)


def _load_file(dbc: Path, path: Path, description: Description) -> dict[str, Message]:
    """All messages of one DBC file, by name."""
    import cantools.database

    database = cantools.database.can.Database(strict=True)
    try:
        database.add_dbc_file(dbc, encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: dbc: {dbc} does not exist") from error
    except OSError as error:
        raise UsageError(f"{dbc}: cannot be read: {error.strerror}") from error
    except Exception as error:  # cantools and its parser raise many kinds; each means that the file is not a valid DBC
        raise UsageError(f"{dbc}: is not a valid DBC file: {' '.join(str(error).split())}") from error
    return {message.name: _convert_message(dbc, message, description) for message in database.messages}


def _number_codecs(files: dict[str, dict[str, Message]]) -> None:
    """Give messages of the same name in different files codecs of different names."""
    seen: dict[str, int] = {}
    for messages in files.values():
        for name, message in messages.items():
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                messages[name] = replace(message, codec=f"{name}_{seen[name]}")


def _join_files(path: Path, name: str, files: dict[str, dict[str, Message]]) -> dict[str, Message]:
    """The messages of all files of one bus. Raises UsageError if an identifier or a name is in two of them."""
    joined: dict[str, Message] = {}
    homes: dict[int | str, str] = {}
    for file, messages in files.items():
        for message in messages.values():
            for key, text in (
                (message.identifier, f"identifier 0x{message.identifier:X}"),
                (message.name, f"message {message.name}"),
            ):
                if key in homes:
                    raise UsageError(f"{path}: bus.{name}.dbc: {text} is in {homes[key]} and in {file}")
                homes[key] = file
            joined[message.name] = message
    return joined


def _convert_message(dbc: Path, message: Any, description: Description) -> Message:
    where = f"{dbc}: message {message.name}"
    if message.length > 8:
        raise UsageError(f"{where}: has {message.length} bytes; classic CAN frames of at most 8 bytes are supported")
    extra = description.message.get(message.name)
    period = message.cycle_time or (extra.period_ms if extra else None)
    multiplexers = [signal for signal in message.signals if signal.is_multiplexer]
    if len(multiplexers) > 1:
        raise UsageError(f"{where}: has {len(multiplexers)} multiplexer signals; one is supported")
    converted = Message(
        name=message.name,
        codec=message.name,
        identifier=message.frame_id,
        extended=message.is_extended_frame,
        length=message.length,
        period=round((period or 0) * 1e6),
        sender=message.senders[0] if message.senders else "",
        signals=tuple(_convert_signal(where, signal) for signal in message.signals),
        multiplexer=multiplexers[0].name if multiplexers else None,
        counter=extra.counter if extra else None,
        crc=extra.crc if extra else None,
        nibble_sum=extra.nibble_sum if extra else None,
        byte_sum=extra.byte_sum if extra else None,
        sequences=extra.sequences if extra else {},
    )
    _check_protection(where, converted)
    return converted


def _convert_signal(where: str, signal: Any) -> Signal:
    place = f"{where}: signal {signal.name}"
    if signal.conversion.is_float:
        raise UsageError(f"{place}: floating-point signals are not supported; use a scaled integer")
    if signal.length > WIDEST_SIGNAL:
        raise UsageError(f"{place}: has {signal.length} bits; at most {WIDEST_SIGNAL} are supported")
    factor, offset = float(signal.conversion.scale), float(signal.conversion.offset)
    low, high = _field_range(signal.length, signal.is_signed)
    invalid = next((int(raw) for raw, text in (signal.choices or {}).items() if str(text).lower() == INVALID), None)
    bounds = [(bound - offset) / factor for bound in (signal.minimum, signal.maximum) if bound is not None]
    if len(bounds) == 2 and bounds[0] != bounds[1]:
        low, high = max(low, round(min(bounds))), min(high, round(max(bounds)))
    if invalid == high:
        high -= 1
    if invalid == low:
        low += 1
    initial = int(signal.raw_initial or 0)
    if initial != invalid and not low <= initial <= high:
        if signal.raw_initial is not None:
            raise UsageError(f"{place}: start value {initial} is outside its range {low} to {high}")
        initial = low
    return Signal(
        name=signal.name,
        start=signal.start,
        length=signal.length,
        big_endian=signal.byte_order == "big_endian",
        signed=signal.is_signed,
        factor=factor,
        offset=offset,
        raw_minimum=low,
        raw_maximum=high,
        invalid=invalid,
        initial=initial,
        unit=signal.unit or "",
        multiplexer_ids=tuple(signal.multiplexer_ids or ()),
    )


def _field_range(length: int, signed: bool) -> tuple[int, int]:
    """Smallest and largest raw value of a bit field."""
    if signed:
        return -(1 << (length - 1)), (1 << (length - 1)) - 1
    return 0, (1 << length) - 1


def _check_protection(where: str, message: Message) -> None:
    """Counter, CRC, sum and sequences name signals of the message that can hold them."""
    names = {signal.name for signal in message.signals}
    checks = [part for part in (message.crc, message.nibble_sum, message.byte_sum) if part]
    if len(checks) > 1:
        raise UsageError(f"{where}: has more than one of crc, nibble_sum and byte_sum; one was expected")
    for name in [part.signal for part in (message.counter, *checks) if part] + list(message.sequences):
        if name not in names:
            raise UsageError(f"{where}: has no signal {name}; it has {', '.join(sorted(names))}")
    for check in checks:
        signal = message.signal(check.signal)
        width = 4 if check is message.nibble_sum else 8
        lowest = signal.start - width + 1 if signal.big_endian else signal.start
        if signal.length != width or lowest % width:
            raise UsageError(
                f"{where}: signal {signal.name}: a check value must be one whole {'nibble' if width == 4 else 'byte'}"
            )
    for name in [message.counter.signal] if message.counter else []:
        if (message.signal(name).factor, message.signal(name).offset) != (1.0, 0.0):
            raise UsageError(f"{where}: signal {name}: a counter must have factor 1 and offset 0")
    if message.counter and message.counter.modulo > 1 << message.signal(message.counter.signal).length:
        raise UsageError(f"{where}: signal {message.counter.signal}: too narrow to count to {message.counter.modulo}")


def _check_message_tables(path: Path, description: Description, files: dict[str, dict[str, Message]]) -> None:
    known = sorted({name for messages in files.values() for name in messages})
    for name in description.message:
        if name not in known:
            raise UsageError(f"{path}: message.{name}: no DBC file has this message; there are {', '.join(known)}")


def _load_bus(path: Path, name: str, index: int, bus: Bus, messages: dict[str, Message]) -> NetworkBus:
    where = f"{path}: bus.{name}"
    present = {key: message for key, message in messages.items() if message.sender in bus.roles}
    for table, keys in (("signals", bus.signals), ("links", bus.links)):
        for key in keys:
            if key not in present:
                raise UsageError(
                    f"{where}.{table}.{key}: no role on this bus sends such a message; there are {', '.join(present)}"
                )
    loaded = []
    for message in sorted(present.values(), key=lambda message: message.identifier):
        if message.period <= 0:
            raise UsageError(
                f"{where}: message {message.name} has no period; "
                f"give GenMsgCycleTime in the DBC or message.{message.name}.period_ms"
            )
        role = bus.roles[message.sender]
        record = Outputs if role == CONTROLLER_ROLE else Inputs
        link = bus.links.get(message.name)
        if link is not None:
            _find_field(record, f"{link}.age", f"{where}.links.{message.name}")
        mappings = tuple(
            _load_mapping(f"{where}.signals.{message.name}", message, key, mapping, record)
            for key, mapping in bus.signals.get(message.name, {}).items()
        )
        loaded.append(BusMessage(message, name, role, mappings, link))
    return NetworkBus(name, index, bus.bitrate, tuple(bus.roles.values()), tuple(loaded))


def _load_mapping(where: str, message: Message, name: str, mapping: SignalMap, record: Any) -> Mapping:
    names = [signal.name for signal in message.signals]
    if name not in names:
        raise UsageError(f"{where}: the DBC has no signal {name} in {message.name}; it has {', '.join(names)}")
    place = f"{where}.{name}"
    signal = message.signal(name)
    field = _find_field(record, mapping.signal, place)
    if field.shape:
        raise UsageError(f'{place}: "{mapping.signal}" is an array and cannot be mapped')
    if mapping.values is None:
        factor = mapping.sign * factor_to_si(signal.unit, field.unit, place)
        return Mapping(signal, mapping.signal, field, factor, None, mapping.received)
    pairs = tuple((_our_value(place, field, key), signal.physical(raw)) for key, raw in mapping.values.items())
    return Mapping(signal, mapping.signal, field, 1.0, pairs, mapping.received)


def _our_value(place: str, field: Field, key: str) -> int:
    """A key of a ``values`` table: a whole number or a label of the field's enumeration."""
    if field.labels is not None and key in field.labels.__members__:
        return int(field.labels[key])
    try:
        return int(key)
    except ValueError:
        labels = ", ".join(field.labels.__members__) if field.labels else "whole numbers"
        raise UsageError(f'{place}.values: "{key}" is not known; use {labels}') from None


def _find_field(record: Any, path: str, where: str) -> Field:
    try:
        return record.field(path)
    except KeyError:
        paths = [known for known, _ in record.fields()]
        hint = toml_files.closest(path, paths)
        raise UsageError(f'{where}: the controller\'s {record.name} have no signal "{path}"{hint}') from None


def _load_question(path: Path, question: Any, buses: tuple[NetworkBus, ...]) -> NetworkQuestion:
    by_name = {bus.name: bus for bus in buses}
    if question.bus not in by_name:
        raise UsageError(f'{path}: question: there is no bus "{question.bus}"; there are {", ".join(by_name)}')
    ends = []
    for key in ("question", "answer"):
        message, _, signal = getattr(question, key).partition(".")
        try:
            found = by_name[question.bus].message(message).message.signal(signal)
        except (KeyError, StopIteration):
            raise UsageError(f"{path}: question.{key}: bus {question.bus} has no signal {message}.{signal}") from None
        if (found.factor, found.offset) != (1.0, 0.0):
            raise UsageError(f"{path}: question.{key}: {message}.{signal} must have factor 1 and offset 0")
        ends.append((message, signal))
    return NetworkQuestion(question.bus, ends[0], ends[1], tuple(question.answers))
