"""Buses by address, opened with python-can."""

from dataclasses import dataclass
from typing import Any

from hil.errors import UsageError

# How python-can is asked for an adapter that only listens, and does not even acknowledge.
LISTEN_ONLY: dict[str, dict[str, Any]] = {
    "slcan": {"listen_only": True},
    "vector": {"listen_only": True},
    "kvaser": {"driver_mode": False},
}
# The others acknowledge frames although nothing is sent, and what helps against that.
ACKNOWLEDGING = {
    "socketcan": "ip link set the interface down, then up with listen-only on",
    "gs_usb": "python-can cannot switch that off; use the kernel's driver gs_usb, and SocketCAN with listen-only on",
    "socketcand": "set listen-only where the daemon runs",
}


@dataclass(frozen=True)
class BusAddress:
    """Which bus to open: ``interface:channel[@bitrate]``."""

    interface: str
    channel: str
    bitrate: int | None = None

    def __str__(self) -> str:
        rate = f"@{self.bitrate}" if self.bitrate else ""
        return f"{self.interface}:{self.channel}{rate}"


def parse_bus_address(text: str) -> BusAddress:
    """Read ``interface:channel[@bitrate]``, for example ``slcan:/dev/ttyACM0@500000``. Raises UsageError."""
    interface, colon, rest = text.partition(":")
    channel, at, rate = rest.rpartition("@") if "@" in rest else (rest, "", "")
    if not (interface and colon and channel) or (at and not rate.isdigit()):
        raise UsageError(f'bus "{text}": expected interface:channel[@bitrate], for example virtual:front or socketcan:can0')
    return BusAddress(interface, channel, int(rate) if rate else None)


def open_bus(address: BusAddress, *, listen_only: bool = False) -> Any:
    """A python-can bus, with ``listen_only`` one that does not acknowledge where the adapter can do that.

    Raises UsageError with what was tried if it cannot be opened.
    """
    import can

    if address.interface not in can.VALID_INTERFACES:
        known = ", ".join(sorted(can.VALID_INTERFACES))
        raise UsageError(f'bus "{address}": unknown interface "{address.interface}"; python-can has: {known}')
    options: dict[str, Any] = {"bitrate": address.bitrate} if address.bitrate else {}
    if listen_only:
        options |= (
            {"state": can.BusState.PASSIVE} if address.interface in ("pcan", "systec") else LISTEN_ONLY.get(address.interface, {})
        )
    try:
        if address.interface == "slcan":
            from hil.slcan import SlcanBus

            return SlcanBus(address.channel, **options)
        return can.Bus(interface=address.interface, channel=address.channel, **options)
    except (can.CanError, OSError, ImportError, ValueError) as error:
        raise UsageError(f'bus "{address}": cannot be opened: {error}') from error
