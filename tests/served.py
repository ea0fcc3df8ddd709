"""Diagnostic servers on a bus inside this process, run by the project's own responder, without a loop beside them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import can

from hil.diagnostics.responder import Responder, ResponderSpec
from hil.frames import EXTENDED, PlainFrame, bytes_from_payload, payload_from_bytes
from hil.mailbox import QueueMailbox


class VirtualMailbox(QueueMailbox, can.Listener):
    """A mailbox served by python-can's threads instead of a session's."""

    def __init__(self, bus: can.BusABC, spec: ResponderSpec) -> None:
        super().__init__(spec.addresses.received, spec.addresses.sent, self._flush, time.monotonic_ns)
        self._bus = bus

    def on_message_received(self, message: can.Message) -> None:
        kind = EXTENDED if message.is_extended_id else 0
        frame = PlainFrame(0, payload_from_bytes(bytes(message.data)), message.arbitration_id, 0, message.dlc, kind)
        if self.receives(message.arbitration_id | kind << 32):
            self.deliver(frame)

    def _flush(self) -> None:
        while frame := self.take():
            data = bytes_from_payload(frame.payload, frame.length)
            extended = bool(frame.kind & EXTENDED)
            self._bus.send(can.Message(arbitration_id=frame.identifier, data=data, is_extended_id=extended))


@contextmanager
def served(channel: str, *specs: ResponderSpec) -> Iterator[None]:
    """The servers of ``specs`` on ``virtual:channel``."""
    told: list[str] = []
    with ExitStack() as closing:
        bus = closing.enter_context(can.Bus(interface="virtual", channel=channel))
        mailboxes = [VirtualMailbox(bus, spec) for spec in specs]
        notifier = can.Notifier(bus, mailboxes, timeout=0.05)
        closing.callback(notifier.stop)
        for spec, mailbox in zip(specs, mailboxes, strict=True):
            responder = Responder(spec, mailbox, told.append)
            responder.start()
            closing.callback(responder.stop)
        yield
    assert told == []
