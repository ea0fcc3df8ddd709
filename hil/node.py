"""A node on CAN: frames in, one step, frames out; the same compiled function in every mode.

A node's step is known here only by its dotted name. This module writes the glue that joins steps to the codecs of a network:
a plain Python module of kernels in the cache directory. So ``hil`` runs nodes of ``bench`` without importing it, and numba can
cache the result.

Every node holds two records of :mod:`firmware_model.signals`. The controller receives ``Inputs`` and sends ``Outputs``; the rest
of the car receives ``Outputs`` and sends ``Inputs``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_model.kernel import flag, new, record
from firmware_model.signals import NEVER_RECEIVED, Inputs, Outputs
from hil.frames import ERROR, REMOTE
from hil.network.database import BusMessage, Mapping, Message, Network, NetworkQuestion

TICK = 1_000_000  # [ns] grid on which the cyclic frames of a node are spread
NOT_YET = -round(NEVER_RECEIVED * 1e9)  # [ns] time of the last frame of a source not heard yet


@record
class Nothing:
    """The state or the measurements of a node that has none; a record holds at least one field."""

    unused = flag("nothing")


@dataclass(frozen=True)
class NodeSpec:
    """What a node is: its step, its side of the network, its records.

    ``step`` is the dotted name of a kernel ``step(dt, inputs, outputs, state, measurements, parameters, *tables)``.
    """

    name: str
    step: str
    is_controller: bool
    state: Any = Nothing  # these three are declared records
    measurements: Any = Nothing
    parameters: Any = Nothing
    tables: tuple[str, ...] = ()  # further arrays that the step takes, by name
    sampled: tuple[str, ...] = ("measurements",)  # records of which a run keeps samples; in lockstep also dotted paths in them
    roles: frozenset[str] | None = None  # of its side that it fills; None: all of them

    def receives(self, message: BusMessage) -> bool:
        """Whether the message comes from the other side."""
        return message.from_controller != self.is_controller

    def sends(self, message: BusMessage) -> bool:
        """Whether the message is one of its own."""
        return not self.receives(message) and (self.roles is None or message.role in self.roles)


class Node:
    """The memory of one node of a network: a one-element recarray for each role."""

    def __init__(self, spec: NodeSpec, network: Network, tables: tuple[Any, ...] = ()) -> None:
        self.spec = spec
        self.inputs = new(Inputs)
        self.outputs = new(Outputs)
        self.state = spec.state.new()
        self.measurements = spec.measurements.new()
        self.parameters = spec.parameters.new()
        self.port = new_port(spec, network)
        self.tables = tables

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arrays in the order in which generated kernels take them."""
        return (self.inputs, self.outputs, self.state, self.measurements, self.parameters, self.port, *self.tables)


ARRAYS = ("inputs", "outputs", "state", "measurements", "parameters", "port")


def array_names(spec: NodeSpec) -> list[str]:
    """Names of :attr:`Node.arrays` in generated code."""
    return [f"{spec.name}_{name}" for name in (*ARRAYS, *spec.tables)]


def received_messages(spec: NodeSpec, network: Network) -> list[tuple[int, BusMessage]]:
    """The messages that a node receives, each with its index in the port's counters."""
    return list(enumerate(m for bus in network.buses for m in bus.messages if spec.receives(m)))


def sent_messages(spec: NodeSpec, network: Network) -> list[tuple[int, BusMessage]]:
    """The messages that a node sends, each with its index in the port's schedule."""
    return list(enumerate(m for bus in network.buses for m in bus.messages if spec.sends(m)))


def new_port(spec: NodeSpec, network: Network) -> Any:
    """A node's communication memory: schedule, counters, errors, open questions. One-element recarray."""
    received = max(1, len(received_messages(spec, network)))
    sent = sent_messages(spec, network)
    questions = max(1, len(network.questions))
    layout = [
        ("last_time", "i8", (received,)),  # [ns]
        ("last_counter", "i8", (received,)),  # -1: none yet
        ("received", "i8", (received,)),
        ("crc_errors", "i8", (received,)),
        ("counter_errors", "i8", (received,)),
        ("length_errors", "i8", (received,)),
        ("lost", "i8", (received,)),
        ("next_due", "i8", (max(1, len(sent)),)),  # [ns]
        ("sent", "i8", (max(1, len(sent)),)),
        ("question", "i8", (questions,)),  # raw; -1: none yet
        ("previous_question", "i8", (questions,)),
        ("unknown", "i8"),  # frames of identifiers that are not in the network
    ]
    port = np.zeros(1, dtype=np.dtype((np.record, np.dtype(layout, align=True)))).view(np.recarray)
    port["last_time"] = NOT_YET
    port["last_counter"] = -1
    port["question"] = -1
    port["previous_question"] = -1
    for index, phase in enumerate(spread_phases([message for _, message in sent])):
        port["next_due"][0, index] = phase
    return port


def spread_phases(messages: list[BusMessage]) -> list[int]:
    """First due time of each message [ns]: on each bus, messages of one period take the ticks of that period in turn."""
    taken: dict[tuple[str, int], int] = {}
    phases = []
    for message in messages:
        key = (message.bus, message.message.period)
        position = taken.get(key, 0)
        taken[key] = position + 1
        phases.append(position * TICK % message.message.period)
    return phases


# --- generated glue -------------------------------------------------------------------------------------------------------

HEADER = '''"""Written by hil.node; do not edit."""

import numpy as np

from firmware_model.kernel import kernel
from {codecs} import *
'''


def generate_reception(network: Network, nodes: list[NodeSpec], codecs: str) -> str:
    """Text of a module with ``receive_*`` and ``refresh_*`` of every node.

    ``codecs`` is the importable name of the module that :func:`hil.network.codegen.generate_codecs` wrote.
    """
    parts = [HEADER.format(codecs=codecs)]
    for spec in nodes:
        parts += [*_receive(network, spec), _refresh(network, spec)]
    return "\n\n\n".join(parts) + "\n"


def generate_glue(network: Network, nodes: list[NodeSpec], codecs: str) -> str:
    """Text of a module with ``receive_*``, ``refresh_*``, ``transmit_*`` and ``tick_*`` of every node."""
    parts = [generate_reception(network, nodes, codecs)]
    for spec in nodes:
        module, _, function = spec.step.rpartition(".")
        parts.append(f"from {module} import {function} as step_{spec.name}")
    for spec in nodes:
        parts += [*_transmit(network, spec), _tick(spec)]
    return "\n\n\n".join(parts) + "\n"


def _record_name(message: BusMessage) -> str:
    return "outputs" if message.from_controller else "inputs"


def _function(message: BusMessage) -> str:
    return f"{message.bus}_{message.message.name}"


# Receiving ------------------------------------------------------------------------------------------------------------------


def _receive(network: Network, spec: NodeSpec) -> Iterator[str]:
    messages = received_messages(spec, network)
    for index, message in messages:
        yield _receive_message(network, spec, index, message)
    lines = [
        "@kernel",
        f"def receive_{spec.name}(frame, inputs, outputs, port):",
        '    """Take one data frame in: check, decode, store. Frames of unknown identifiers are counted."""',
        f"    if frame.kind & {ERROR | REMOTE}:",
        "        return",
        "    identifier = np.int64(frame.identifier) | (np.int64(frame.kind & 1) << 32)",
    ]
    for bus in network.buses:
        lines.append(f"    if frame.bus == {bus.index}:")
        for _, message in messages:
            if message.bus == bus.name:
                key = message.message.identifier | (int(message.message.extended) << 32)
                lines.append(f"        if identifier == {key:#x}:")
                record = _record_name(message)
                lines.append(f"            return receive_{spec.name}_{_function(message)}(frame, {record}, port)")
    lines.append("    port.unknown += 1")
    yield "\n".join(lines)


def _receive_message(network: Network, spec: NodeSpec, index: int, bus_message: BusMessage) -> str:
    message = bus_message.message
    record = _record_name(bus_message)
    link = f"{record}.{bus_message.link}" if bus_message.link else None
    lines = [
        "@kernel",
        f"def receive_{spec.name}_{_function(bus_message)}(frame, {record}, port):",
        f"    if frame.length != {message.length}:",
        f"        port.length_errors[{index}] += 1",
        "        return",
        f"    if not check_{message.codec}(frame.payload):",
        f"        port.crc_errors[{index}] += 1",
        *([f"        {link}.crc_errors += 1"] if link else []),
        "        return",
        f"    ({', '.join(f's_{signal.name}' for signal in message.signals)},) = decode_{message.codec}(frame.payload)",
    ]
    if message.counter:
        lines += _check_counter(index, bus_message, link)
    lines += [f"    port.received[{index}] += 1", f"    port.last_time[{index}] = frame.time"]
    if link:
        lines.append(f"    {link}.received += 1")
    for mapping in (mapping for mapping in bus_message.mappings if mapping.received):
        lines += _store(mapping, message, record)
    for number, question in enumerate(network.questions):
        lines += _receive_question(number, question, bus_message, link)
    return "\n".join(lines)


def _check_counter(index: int, bus_message: BusMessage, link: str | None) -> list[str]:
    """The receiver's rule: a counter that stands still means old data; a gap means lost frames."""
    counter = bus_message.message.counter
    assert counter
    return [
        f"    count = np.int64(s_{counter.signal})",
        f"    last = port.last_counter[{index}]",
        f"    port.last_counter[{index}] = count",
        "    if last >= 0:",
        f"        advance = (count - last) % {counter.modulo}",
        "        if advance == 0:",
        f"            port.counter_errors[{index}] += 1",
        *([f"            {link}.counter_errors += 1"] if link else []),
        "            return",
        f"        port.lost[{index}] += advance - 1",
        *([f"        {link}.lost += advance - 1"] if link else []),
    ]


def _store(mapping: Mapping, message: Message, record: str) -> list[str]:
    """Lines that put a decoded signal into the record."""
    target, value = f"{record}.{mapping.path}", f"s_{mapping.signal.name}"
    indent = "    "
    lines = []
    if mapping.signal.multiplexer_ids and message.multiplexer:
        selector = message.signal(message.multiplexer)
        values = [selector.physical(number) for number in mapping.signal.multiplexer_ids]
        chosen = " or ".join(f"s_{message.multiplexer} == {value!r}" for value in values)
        lines.append(f"    if {chosen}:")
        indent = "        "
    if mapping.values is not None:
        # An unknown raw value leaves the signal as it was.
        for position, (ours, physical) in enumerate(mapping.values):
            lines.append(f"{indent}{'elif' if position else 'if'} {value} == {physical!r}:")
            lines.append(f"{indent}    {target} = {ours}")
    elif mapping.field.dtype == "i8":
        # A code that is marked as invalid leaves the signal as it was: a whole number cannot say "no value".
        lines += [f"{indent}if {value} == {value}:", f"{indent}    {target} = np.int64({value} * {mapping.factor!r})"]
    else:
        lines.append(f"{indent}{target} = {value} * {mapping.factor!r}")
    return lines


def _receive_question(number: int, question: NetworkQuestion, bus_message: BusMessage, link: str | None) -> list[str]:
    if bus_message.bus != question.bus:
        return []
    if bus_message.message.name == question.question[0]:
        return [f"    port.question[{number}] = np.int64(s_{question.question[1]})"]
    if bus_message.message.name != question.answer[0]:
        return []
    # The answer to the question before is right, too: question and answer cross on the bus.
    answer = f"s_{question.answer[1]}"
    right = " or ".join(
        f"({answer} == {float(reply)!r} and (port.question[{number}] == {asked} or port.previous_question[{number}] == {asked}))"
        for asked, reply in question.answers
    )
    lines = [f"    if port.previous_question[{number}] >= 0 and not ({right}):"]
    lines.append(f"        {link}.answer_errors += 1" if link else f"        port.counter_errors[{number}] += 1")
    return lines


def _refresh(network: Network, spec: NodeSpec) -> str:
    lines = [
        "@kernel",
        f"def refresh_{spec.name}(now, inputs, outputs, port):",
        '    """Write the age of every source into its link."""',
    ]
    for index, message in received_messages(spec, network):
        if message.link:
            lines.append(f"    {_record_name(message)}.{message.link}.age = (now - port.last_time[{index}]) * 1e-9")
    if len(lines) == 3:
        lines.append("    return")
    return "\n".join(lines)


# Sending --------------------------------------------------------------------------------------------------------------------


def _transmit(network: Network, spec: NodeSpec) -> Iterator[str]:
    messages = sent_messages(spec, network)
    for index, bus_message in messages:
        yield from _sequence_tables(bus_message)
        yield _compose(network, spec, index, bus_message)
    lines = [
        "@kernel",
        f"def transmit_{spec.name}(now, inputs, outputs, port, outbox, count):",
        '    """Append every frame that is due to ``outbox`` from index ``count`` on; returns the new count."""',
    ]
    for index, bus_message in messages:
        message = bus_message.message
        bus = network.bus(bus_message.bus).index
        record = _record_name(bus_message)
        lines += [
            f"    if now >= port.next_due[{index}]:",
            # After a pause the missed frames are left out, not sent in a burst.
            f"        port.next_due[{index}] += ((now - port.next_due[{index}]) // {message.period} + 1) * {message.period}",
        ]
        indent = "        "
        silent = _silent_link(network, bus_message)
        if silent:
            lines.append(f"        if {record}.{silent}.silent == 0:")
            indent = "            "
        lines += [
            f"{indent}frame = outbox[count]",
            f"{indent}frame.payload = compose_{spec.name}_{_function(bus_message)}({record}, port)",
            f"{indent}frame.time = now",
            f"{indent}frame.identifier = {message.identifier:#x}",
            f"{indent}frame.bus = {bus}",
            f"{indent}frame.length = {message.length}",
            f"{indent}frame.kind = {int(message.extended)}",
            f"{indent}port.sent[{index}] += 1",
            f"{indent}count += 1",
        ]
    lines.append("    return count")
    yield "\n".join(lines)


def _silent_link(network: Network, message: BusMessage) -> str | None:
    """The link whose ``silent`` quiets a message: its own, or else the first one of its role on its bus."""
    if message.link:
        return message.link
    return next((m.link for m in network.bus(message.bus).messages if m.role == message.role and m.link), None)


def _sequence_tables(bus_message: BusMessage) -> Iterator[str]:
    for name, sequence in bus_message.message.sequences.items():
        signal = bus_message.message.signal(name)
        values = [signal.physical(raw) for raw in sequence.values]
        yield f"SEQUENCE_{_function(bus_message)}_{name} = np.array({values!r})"


def _compose(network: Network, spec: NodeSpec, index: int, bus_message: BusMessage) -> str:
    message = bus_message.message
    record = _record_name(bus_message)
    mappings = {mapping.signal.name: mapping for mapping in bus_message.mappings}
    lines = ["@kernel", f"def compose_{spec.name}_{_function(bus_message)}({record}, port):"]
    uses_number = message.counter or message.sequences
    if uses_number:
        lines.append(f"    number = port.sent[{index}]")
    arguments = []
    for signal in message.signals:
        name = signal.name
        if message.counter and name == message.counter.signal:
            arguments.append(f"float((number + {message.counter.start}) % {message.counter.modulo})")
        elif name in message.sequences:
            sequence = message.sequences[name]
            table = f"SEQUENCE_{_function(bus_message)}_{name}"
            lines.append(f"    s_{name} = {table}[number // {sequence.hold} % {len(sequence.values)}]")
            arguments.append(f"s_{name}")
        elif (answer := _answer(network, bus_message, name)) is not None:
            arguments.append(answer)
        elif name in mappings:
            arguments.append(_bus_value(mappings[name], record))
        else:
            arguments.append(repr(signal.physical(signal.initial)) if signal.initial != signal.invalid else "NAN")
    lines += _send_question(network, bus_message)
    lines.append(f"    return seal_{message.codec}(encode_{message.codec}({', '.join(arguments)}))")
    return "\n".join(lines)


def _bus_value(mapping: Mapping, record: str) -> str:
    """Expression of a mapped signal in the unit of the bus."""
    source = f"{record}.{mapping.path}"
    if mapping.values is None:
        return f"{source} * {1.0 / mapping.factor!r}"
    expression = "NAN"  # a value that the map does not know is sent as "no value"
    for ours, physical in reversed(mapping.values):
        expression = f"({physical!r} if {source} == {ours} else {expression})"
    return expression


def _answer(network: Network, bus_message: BusMessage, name: str) -> str | None:
    """Expression of the answer to the last question, if this signal is one."""
    for number, question in enumerate(network.questions):
        if (bus_message.bus, bus_message.message.name, name) == (question.bus, *question.answer):
            signal = bus_message.message.signal(name)
            expression = repr(signal.physical(signal.initial))
            for asked, reply in question.answers:
                expression = f"({float(reply)!r} if port.question[{number}] == {asked} else {expression})"
            return expression
    return None


def _send_question(network: Network, bus_message: BusMessage) -> list[str]:
    for number, question in enumerate(network.questions):
        if (bus_message.bus, bus_message.message.name) == (question.bus, question.question[0]):
            return [
                f"    if port.question[{number}] != np.int64(s_{question.question[1]}):",
                f"        port.previous_question[{number}] = port.question[{number}]",
                f"        port.question[{number}] = np.int64(s_{question.question[1]})",
            ]
    return []


def _tick(spec: NodeSpec) -> str:
    tables = "".join(f", {name}" for name in spec.tables)
    return "\n".join(
        [
            "@kernel",
            f"def tick_{spec.name}(now, dt, inputs, outputs, state, measurements, parameters, port{tables}, outbox, count):",
            '    """One step of the node at ``now`` [ns]; returns the number of frames in ``outbox``."""',
            f"    refresh_{spec.name}(now, inputs, outputs, port)",
            f"    step_{spec.name}(dt, inputs, outputs, state, measurements, parameters{tables})",
            f"    return transmit_{spec.name}(now, inputs, outputs, port, outbox, count)",
        ]
    )
