"""An XCP slave on its bus: one thread, which sleeps until a frame comes, and while lists run, until samples may be there.

Lists get a share of the bus and no more: what is beyond is left out, whole samples of a list at a time, and the master is told by
an event. So answers to commands never wait behind data, and the frames of the car have room.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hil.frames import PlainFrame, bytes_from_payload
from hil.mailbox import FrameFilter, Mailbox
from hil.mailbox_thread import MailboxThread
from hil.xcp.commands import EVENT_OVERLOAD, EVENT_PACKET
from hil.xcp.daq import DataAcquisition
from hil.xcp.events import EventRing
from hil.xcp.identity import MASTER_IDENTIFIER, SLAVE_IDENTIFIER
from hil.xcp.protocol import Slave

POLL_PERIOD = 5e-3  # [s] while lists run
SHARE_RATE = 2500.0  # frames a second that lists may have: two thirds of a full bus of 500 kbit/s
SHARE_BURST = 250.0  # frames that may be made up for
OVERLOAD_PERIOD = 1_000_000_000  # [ns] from one event that tells of lost data to the next


class XcpAddresses(NamedTuple):
    """The frames of a slave."""

    received: list[FrameFilter]
    sent: list[FrameFilter]


@dataclass(frozen=True)
class XcpSpec:
    """A slave on a bus: its protocol, its lists, the samples of its loop."""

    slave: Slave
    acquisition: DataAcquisition
    events: EventRing
    addresses: XcpAddresses = field(
        default_factory=lambda: XcpAddresses([FrameFilter(MASTER_IDENTIFIER)], [FrameFilter(SLAVE_IDENTIFIER)])
    )

    def runner(self, mailbox: Mailbox, report: Callable[[str], None]) -> "XcpResponder":
        """What runs it beside a loop."""
        return XcpResponder(self, mailbox, report)


class XcpResponder(MailboxThread):
    """Runs one slave until it is stopped."""

    def __init__(self, spec: XcpSpec, mailbox: Mailbox, report: Callable[[str], None]) -> None:
        """``mailbox``: for the frames of the spec's addresses."""
        super().__init__("xcp", mailbox, report)
        self.left_out = 0  # samples of lists that had no room on the bus, and samples that found the ring full
        self._spec = spec
        self._share = SHARE_BURST  # frames that lists may send now
        self._looked = 0  # [ns] when that was reckoned last
        self._dropped = 0
        self._overload_told = -OVERLOAD_PERIOD  # [ns]

    def _until_due(self) -> float | None:
        return POLL_PERIOD if self._spec.acquisition.is_running else None

    def _serve(self, frame: PlainFrame | None) -> None:
        if frame:
            for answer in self._spec.slave.request(bytes_from_payload(frame.payload, frame.length), frame.time):
                self._mailbox.send(SLAVE_IDENTIFIER, answer)
        samples = self._spec.events.take()
        if len(samples) and self._spec.acquisition.is_running:
            self._send(samples)

    def _leave_sessions(self) -> None:
        self._spec.slave.disconnect()

    def _send(self, samples: Any) -> None:
        """Send what the lists make of the samples, as far as their share of the bus goes."""
        groups = self._spec.acquisition.frames(samples)
        now = int(samples["time"][-1])
        self._share = min(SHARE_BURST, self._share + (now - self._looked) * 1e-9 * SHARE_RATE)
        self._looked = now
        lost = self._spec.events.dropped - self._dropped
        self._dropped += lost
        for group in groups:
            if self._share < len(group):
                lost += 1
                continue
            self._share -= len(group)
            for frame in group:
                self._mailbox.send(SLAVE_IDENTIFIER, frame)
        self.left_out += lost
        if lost and now - self._overload_told >= OVERLOAD_PERIOD:
            self._overload_told = now
            self._mailbox.send(SLAVE_IDENTIFIER, bytes([EVENT_PACKET, EVENT_OVERLOAD]))
