"""Which network frames are of, and which channel of a recording is which bus."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.captures import Capture
from hil.errors import UsageError
from hil.frames import FrameFlags
from hil.network.codegen import lowest_bit
from hil.network.database import BusMessage, Network, NetworkBus, Signal, list_networks, load_network

Shape = tuple[int, bool, int]  # identifier, extended, length


@dataclass(frozen=True)
class Detection:
    """The network that some frames fit best."""

    network: Network
    matches: int  # messages of it that were among them
    alike: tuple[str, ...]  # other networks that fit as well: what tells them apart was not among them


@dataclass(frozen=True, eq=False)
class Assignment:
    """Frames with the network's bus numbers in place of the recording's channels."""

    frames: Any
    buses: dict[str, str]  # channel -> bus
    left_out: dict[str, int]  # channel that fits no bus, or was not named -> its frames


def detect_recorded_network(capture: Capture) -> Detection:
    """The network of a recording, see detect_network. Raises UsageError if it holds no message of any."""
    detection = detect_network(capture.frames)
    if not detection:
        known = ", ".join(name for name, _ in list_networks())
        raise UsageError(f"{capture.path}: holds no frame of {known}; name the network of that car with --network")
    return detection


def detect_network(frames: Any) -> Detection | None:
    """The network of the product of whose messages (identifier and length) most are among the ``frames``; None if none is.

    Where several have the same, the one whose constant bits fit best: what tells generations apart.
    """
    present = _shapes(frames)
    networks = [load_network(name) for name, _ in list_networks()]
    shapes = {network.name: {(m.identifier, m.extended, m.length) for m in network.messages} for network in networks}
    matches = {name: len(messages & present) for name, messages in shapes.items()}
    most = max(matches.values())
    if not most:
        return None
    candidates = [network for network in networks if matches[network.name] == most]
    fits = {network.name: _constant_share(network, frames) if len(candidates) > 1 else 1.0 for network in candidates}
    # Of equals, the one with the fewest messages that were not recorded
    best = max(candidates, key=lambda network: (fits[network.name], -len(shapes[network.name])))
    alike = tuple(name for name, fit in fits.items() if name != best.name and fit == fits[best.name])
    return Detection(best, most, alike)


def _constant_share(network: Network, frames: Any) -> float:
    """Share of the bits without a meaning to the controller that are as the network sends them, rounded."""
    bits = fitting = 0.0
    for bus_message in {m.message.identifier: m for bus in network.buses for m in bus.messages}.values():
        message = bus_message.message
        own = frames[(frames["identifier"] == message.identifier) & (frames["length"] == message.length)]
        for signal in _constant_signals(bus_message) if len(own) else []:
            bits += signal.length
            fitting += signal.length * float(np.mean(_raw(signal, own["payload"]) == signal.initial % (1 << signal.length)))
    return round(fitting / bits, 4) if bits else 0.0


def _constant_signals(bus_message: BusMessage) -> list[Signal]:
    message = bus_message.message
    checks = {part.signal for part in (message.counter, message.crc, message.nibble_sum, message.byte_sum) if part}
    used = checks | set(message.sequences) | {mapping.signal.name for mapping in bus_message.mappings} | {message.multiplexer}
    return [signal for signal in message.signals if signal.name not in used and not signal.multiplexer_ids]


def _raw(signal: Signal, payloads: Any) -> Any:
    """The bits of a signal as an unsigned number."""
    words = payloads.byteswap() if signal.big_endian else payloads
    return (words >> np.uint64(lowest_bit(signal))) & np.uint64((1 << signal.length) - 1)


def assign_buses(capture: Capture, network: Network, chosen: dict[str, str]) -> Assignment:
    """Give each channel its bus. Error and remote frames are left out: they carry no value.

    If ``chosen`` (channel -> bus) names any channel, only those are used. Otherwise a channel of a bus's name is that bus, and
    of the others the channel and bus that share most messages are paired first. Raises UsageError if nothing fits.
    """
    frames, channels = capture.frames, capture.channels
    if chosen:
        _check_choice(capture, network, chosen)
    buses = chosen or _pair(capture, network)
    if not buses:
        raise UsageError(f"{capture.path}: holds no frame of the network {network.name}; choose another one with --network")
    number = np.full(len(channels), -1)
    for channel, bus in buses.items():
        number[channels.index(channel)] = network.bus(bus).index
    new_bus = number[frames["bus"]]
    kept = (new_bus >= 0) & (frames["kind"] & (FrameFlags.ERROR | FrameFlags.REMOTE) == 0)
    if not kept.any():
        raise UsageError(f"{capture.path}: holds no frame with data on {', '.join(buses)}")
    assigned = frames[kept].copy()
    assigned["bus"] = new_bus[kept]
    counts = np.bincount(frames["bus"], minlength=len(channels))
    left_out = {channel: int(counts[index]) for index, channel in enumerate(channels) if channel not in buses}
    return Assignment(assigned, buses, left_out)


def _check_choice(capture: Capture, network: Network, chosen: dict[str, str]) -> None:
    names = [bus.name for bus in network.buses]
    for channel, name in chosen.items():
        option = f"--bus-config {channel}={name}"
        if channel not in capture.channels:
            raise UsageError(f'{option}: the recording has no channel "{channel}"; it has {", ".join(capture.channels)}')
        if name not in names:
            raise UsageError(f'{option}: the network {network.name} has no bus "{name}"; it has {", ".join(names)}')
        if list(chosen.values()).count(name) > 1:
            raise UsageError(f'{option}: the bus "{name}" is named for more than one channel; give each channel a bus of its own')


def _pair(capture: Capture, network: Network) -> dict[str, str]:
    channels = capture.channels
    paired = {channel: channel for channel in channels if channel in [bus.name for bus in network.buses]}
    shapes = {channel: _shapes(capture.frames[capture.frames["bus"] == index]) for index, channel in enumerate(channels)}
    while True:
        candidates = [
            (_shared(shapes[channel], bus), channel, bus.name)
            for channel in channels
            for bus in network.buses
            if channel not in paired and bus.name not in paired.values()
        ]
        shared, channel, bus_name = max(candidates, key=lambda candidate: candidate[0], default=(0, "", ""))
        if not shared:
            return paired
        paired[channel] = bus_name


def _shapes(frames: Any) -> set[Shape]:
    """Every identifier and length that occurs."""
    extended = (frames["kind"] & FrameFlags.EXTENDED).astype(np.uint64)
    keys = np.unique((frames["identifier"].astype(np.uint64) << np.uint64(8)) | (frames["length"] << 1) | extended)
    return {(key >> 8, bool(key & 1), (key & 0xFF) >> 1) for key in keys.tolist()}


def _shared(shapes: set[Shape], bus: NetworkBus) -> int:
    """How many of the bus's messages occur."""
    return sum((m.message.identifier, m.message.extended, m.message.length) in shapes for m in bus.messages)
