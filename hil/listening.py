"""Listening to buses before anything is sent there: who is on them."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from hil.bus import BusAddress, open_bus
from hil.drivers import close_bus, makes_sense, reason
from hil.errors import UsageError
from hil.frames import EXTENDED, PlainFrame, frames_of, payload_from_bytes

PATIENCE = 0.01  # [s] with one bus before the next one's turn


def listen(addresses: Sequence[BusAddress | None], seconds: float, *, listen_only: bool = False) -> Any:
    """The frames with data that come in on some buses; ``bus`` is the place among the ``addresses``, None for one not connected.

    Nothing is sent. But frames are acknowledged, unless ``listen_only``: a part that is alone on its bus would repeat its first
    frame for ever. Raises UsageError for a bus that cannot be opened, or fails.
    """
    heard: list[PlainFrame] = []
    with ExitStack() as closing:
        buses = []
        for index, address in enumerate(addresses):
            if address:
                bus = open_bus(address, listen_only=listen_only)
                closing.callback(close_bus, bus)
                buses.append((index, address, bus))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            for index, address, bus in buses:
                try:
                    frame = _receive(bus, index, min(left, PATIENCE))
                except Exception as error:  # drivers raise all sorts
                    raise UsageError(f'bus "{address}": {reason(error)}') from error
                if frame:
                    heard.append(frame)
    return frames_of(heard)


def _receive(bus: Any, index: int, timeout: float) -> PlainFrame | None:
    try:
        message = bus.recv(timeout)
    except (ValueError, IndexError):  # half a line of a serial adapter, from before it was opened
        return None
    if message is None or message.is_error_frame or message.is_remote_frame or message.is_fd or not makes_sense(message):
        return None
    kind = EXTENDED if message.is_extended_id else 0
    return PlainFrame(time.monotonic_ns(), payload_from_bytes(message.data), message.arbitration_id, index, message.dlc, kind)
