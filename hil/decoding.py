"""The signals of recorded frames, every value at the time of its own frame.

Nothing is put into a raster: a peak is where its frame was, and a signal that was not recorded is not there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hil.frames import FrameFlags
from hil.generated import import_generated
from hil.network.codegen import generate_codecs
from hil.network.database import BusMessage, Mapping, Message, Network

NANO = 1e-9  # from [ns] to [s]


@dataclass(frozen=True, eq=False)
class Series:
    """A signal over time. A value holds until the next one, and is NaN where the sender marks it as invalid."""

    times: Any = field(default_factory=lambda: np.zeros(0))  # [s] since the first frame of the recording
    values: Any = field(default_factory=lambda: np.zeros(0))
    unit: str = ""

    def __len__(self) -> int:
        return len(self.times)

    def at(self, times: Any) -> Any:
        """The value that holds at each of ``times`` [s]; NaN before the first one."""
        position = np.searchsorted(self.times, times, side="right") - 1
        return np.concatenate([self.values, [np.nan]])[position]


@dataclass(frozen=True, eq=False)
class DecodedMessage:
    """The good frames of one message: those with the right CRC."""

    bus_message: BusMessage
    frames: int  # of the right length
    good: int  # and with the right CRC
    signals: dict[str, Series]  # by name, in the unit of the bus; a multiplexed one only where it was sent


class Recording:
    """All that a recording says, by the controller's names: ``received`` as Inputs, ``requested`` as Outputs."""

    def __init__(self, network: Network, frames: Any) -> None:
        """``frames`` oldest first, their bus the index in the network."""
        self.messages = list(decode(network, frames))
        self._received: dict[str, Series] = {}
        self._requested: dict[str, Series] = {}
        for decoded in self.messages:
            of_message = {
                mapping.path: _in_our_unit(mapping, decoded.signals[mapping.signal.name])
                for mapping in decoded.bus_message.mappings
                if mapping.received
            }
            side = self._requested if decoded.bus_message.from_controller else self._received
            for path, series in of_message.items():
                side[path] = _merge(side[path], series) if path in side else series

    def received(self, path: str) -> Series:
        """A signal of ``Inputs`` by its dotted path, in its SI unit; without values if it was not recorded."""
        return self._received.get(path, Series())

    def requested(self, path: str) -> Series:
        """The same of ``Outputs``: what the real controller sent."""
        return self._requested.get(path, Series())


def decode(network: Network, frames: Any) -> Iterator[DecodedMessage]:
    """Every message of the network that is in ``frames``, decoded by the same compiled code as in the controller."""
    codecs = import_generated("codecs", generate_codecs(network))
    for bus in network.buses:
        own = frames[frames["bus"] == bus.index]
        for bus_message in bus.messages:
            message = bus_message.message
            extended = (own["kind"] & FrameFlags.EXTENDED != 0) == message.extended
            chosen = own[(own["identifier"] == message.identifier) & extended & (own["length"] == message.length)]
            if len(chosen):
                check = getattr(codecs, f"check_{message.codec}")
                good = chosen[np.array([check(payload) for payload in chosen["payload"]])]
                yield DecodedMessage(bus_message, len(chosen), len(good), _decode_message(codecs, message, good))


def _decode_message(codecs: Any, message: Message, frames: Any) -> dict[str, Series]:
    decode_payload = getattr(codecs, f"decode_{message.codec}")
    times = frames["time"] * NANO
    rows = [decode_payload(payload) for payload in frames["payload"]]
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), len(message.signals)).T
    signals = {}
    for signal, values in zip(message.signals, columns, strict=True):
        sent = np.full(len(rows), True)
        if signal.multiplexer_ids and message.multiplexer:
            chosen = [message.signal(message.multiplexer).physical(number) for number in signal.multiplexer_ids]
            sent = np.isin(columns[message.position(message.multiplexer)], chosen)
        signals[signal.name] = Series(times[sent], values[sent], signal.unit)
    return signals


def _in_our_unit(mapping: Mapping, series: Series) -> Series:
    """A signal of the bus as the controller takes it in; a code that the network does not know becomes NaN."""
    if mapping.values is None:
        return Series(series.times, series.values * mapping.factor, mapping.field.unit)
    values = np.full(len(series), np.nan)
    for ours, physical in reversed(mapping.values):  # of two names for one code the first counts
        values[series.values == physical] = ours
    return Series(series.times, values, mapping.field.unit)


def _merge(first: Series, second: Series) -> Series:
    """One signal that two messages carry."""
    times = np.concatenate([first.times, second.times])
    order = np.argsort(times, kind="stable")
    return Series(times[order], np.concatenate([first.values, second.values])[order], first.unit)
