"""Buses by address: what an address says, which of them are real, which are the same, and opening one with python-can."""

import contextlib
import errno
import ipaddress
import itertools
import logging
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hil.bus_interfaces import BITRATE, INTERFACES, Interface, arguments
from hil.can_links import can_links, find_link, gateway_rules
from hil.errors import UsageError
from hil.serial_ports import LOCK_REFUSED, check_port, hub_ports, is_path, who_locked
from hil.toml_files import closest

EXPECTED = "expected interface:channel[@bitrate][,option=value], for example socketcan:can0 or slcan:/dev/ttyACM0@500000"
SILENT = logging.NullHandler()
GREETING = b"< hi >"  # of socketcand
IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29  # socket options of Linux
ANSWER = 2.0  # [s] in which a socketcand answers, or is not there


@dataclass(frozen=True)
class BusAddress:
    """Which bus to open: ``interface:channel[@bitrate][,option=value]``; the options are those of the table of interfaces."""

    interface: str
    channel: str
    bitrate: int | None = None
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        rate = f"@{self.bitrate}" if self.bitrate else ""
        return f"{self.interface}:{self.channel}{rate}{''.join(f',{key}={value}' for key, value in self.options)}"

    @property
    def place(self) -> tuple[Any, ...]:
        """What tells one bus from another: two addresses of the same bus have the same, also if they are written otherwise."""
        table = INTERFACES.get(self.interface)
        if table and table.serial:
            return ("serial", os.path.realpath(self.channel) if is_path(self.channel) else self.channel)
        try:
            told = _parameters(self)
        except UsageError:  # it cannot be opened either
            told = {"channel": self.channel, **dict(self.options)}
        return (self.interface, *sorted((word, value) for word, value in told.items() if word not in LINE))

    @property
    def is_virtual(self) -> bool:
        """Whether no wire can be at the other end. In doubt it is a real bus, since motors are armed by this.

        Virtual are: a bus inside this process, multicast that does not leave the machine, a vcan that no gateway rule of the
        kernel connects to another link, and a pseudo-terminal of ``e4hil hub``.
        """
        match self.interface:
            case "virtual":
                return True
            case "udp_multicast":
                return dict(self.options).get("hop_limit", "0") == "0" and _is_multicast(self.channel)
            case "socketcan":
                return _is_isolated_vcan(self.channel)
            case "slcan":
                return os.path.realpath(self.channel) in hub_ports()
        return False


LINE = ("bitrate", "tty_baudrate", "hop_limit")  # how a bus is spoken to, not which one it is


def parse_bus_address(text: str) -> BusAddress:
    """Read an address, for example ``slcan:/dev/ttyACM0@500000``. Raises UsageError."""
    interface, colon, rest = text.partition(":")
    place, *options = rest.split(",")
    channel, at, rate = place.rpartition("@") if "@" in place else (place, "", "")
    pairs = tuple((key, value) for key, _, value in (option.partition("=") for option in options))
    if not (interface and colon and channel) or (at and not _is_rate(rate)) or not all(key and value for key, value in pairs):
        raise UsageError(f'bus "{text}": {EXPECTED}{_meant(text)}')
    return BusAddress(interface, channel, int(rate) if rate else None, pairs)


def check_roles(buses: Mapping[str, BusAddress], identifiers: Mapping[str, Iterable[int]] | None = None) -> None:
    """Raise UsageError if two roles share a bus on which they send or expect the same frames, or cannot share one at all.

    ``identifiers``: of all frames on the bus of each role. Without them no two roles may share a bus.
    """
    for (first, one), (second, other) in itertools.combinations(buses.items(), 2):
        if one.place != other.place:
            continue
        both = f"{first} and {second} are on the same bus ({one}"
        both += ")" if str(one) == str(other) else f" is {other})"
        if one.place[0] == "serial":
            raise UsageError(f"{both}: a serial port serves one role; give each an adapter of its own")
        if one.bitrate and other.bitrate and one.bitrate != other.bitrate:
            raise UsageError(f"{both}, with different bitrates")
        shared = set(identifiers[first]) & set(identifiers[second]) if identifiers else None
        if shared is None or shared:
            frames = f" ({', '.join(f'0x{identifier:X}' for identifier in sorted(shared)[:3])} …)" if shared else ""
            raise UsageError(f"{both}, and both would have the same frames there{frames}; give each a bus of its own")


def check_bus(address: BusAddress, *, listen_only: bool = False) -> None:
    """Look at what shows without opening a bus: interface, options, and whether there is such a device. Raises UsageError."""
    try:
        _checked(address, listen_only)
    except UsageError as error:
        raise UsageError(f'bus "{address}": {error}') from error


def open_bus(address: BusAddress, *, listen_only: bool = False) -> Any:
    """A python-can bus. Raises UsageError, in one line, with what was tried, what there is and what to do.

    ``listen_only``: where the driver can, its controller does not even acknowledge.
    """
    import can

    # Drivers that are not installed say so by warnings, through the handler of last resort; here they say it as errors.
    logging.getLogger("can").addHandler(SILENT)
    interface = INTERFACES.get(address.interface)
    try:
        parameters = _checked(address, listen_only)
        if address.interface == "slcan":
            from hil.slcan import SlcanBus

            return SlcanBus(**parameters)
        if address.interface == "gs_usb":
            parameters |= _gs_usb_device(address.channel)
        if "state" in parameters:
            parameters["state"] = can.BusState[parameters["state"]]
        bus = can.Bus(interface=address.interface, ignore_config=True, **parameters)
        if address.interface == "udp_multicast":
            _hear_own_group_only(bus)
        return bus
    except UsageError as error:
        raise UsageError(f'bus "{address}": {error}') from error
    except Exception as error:  # each driver raises its own kinds, NameError among them
        if LOCK_REFUSED in str(error):
            raise UsageError(f'bus "{address}": {who_locked(address.channel)}') from error
        reason = (interface.missing() if interface else "") or f"{_one_line(error)}; {_advice(error, interface)}"
        raise UsageError(f'bus "{address}": cannot be opened: {reason}') from error


def _checked(address: BusAddress, listen_only: bool) -> dict[str, Any]:
    """The driver's arguments for a bus that may be there. Raises UsageError, without the name of the bus."""
    import can

    if address.interface not in can.VALID_INTERFACES:
        known = ", ".join(sorted(can.VALID_INTERFACES))
        name = address.interface
        raise UsageError(f'unknown interface "{name}"{closest(name, can.VALID_INTERFACES)}; python-can has: {known}')
    parameters = _parameters(address, listen_only=listen_only)
    _check_reachable(address, parameters)
    return parameters


def _hear_own_group_only(bus: Any) -> None:
    """Keep the frames of other groups out: Linux gives a socket all groups that any process on this machine has joined."""
    if sys.platform == "linux":
        six = bus._multicast.ip_version == 6
        level, option = (socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL) if six else (socket.IPPROTO_IP, IP_MULTICAST_ALL)
        bus._multicast._socket.setsockopt(level, option, 0)


def _parameters(address: BusAddress, *, listen_only: bool = False) -> dict[str, Any]:
    return arguments(address.interface, address.channel, address.bitrate, dict(address.options), listen_only=listen_only)


def _check_reachable(address: BusAddress, parameters: Mapping[str, Any]) -> None:
    """Look for the other side before a driver does, which may take long or say little. Raises UsageError."""
    interface = INTERFACES.get(address.interface)
    if interface and interface.serial and is_path(address.channel):
        check_port(address.channel)
    if address.interface == "udp_multicast" and _is_ip(address.channel) and not _is_multicast(address.channel):
        raise UsageError("this is no multicast group; groups are 224.0.0.0 to 239.255.255.255, for example 239.74.163.2")
    if address.interface == "socketcan":
        _check_link(address)
    if address.interface == "socketcand":
        _check_socketcand(parameters["host"], parameters["port"])


def _check_link(address: BusAddress) -> None:
    """Whether a CAN link is there, up, and of the bitrate that is asked for. Raises UsageError."""
    try:
        links = can_links()
    except OSError:
        return  # what the kernel does not tell is seen when the socket is opened
    found = next((link for link in links if link.name == address.channel), None)
    if found is None:
        if not kernel_has_can():
            raise UsageError("this kernel has no CAN (AF_CAN): sudo modprobe can_raw, or use slcan or udp_multicast")
        there = ", ".join(f"{link.name} ({'up' if link.up else 'down'})" for link in links) or "none"
        raise UsageError(f"no such CAN link{closest(address.channel, [link.name for link in links])}; there are: {there}")
    virtual = found.kind in ("vcan", "vxcan")
    rate = address.bitrate or found.bitrate or BITRATE
    up = found.command if virtual else f"{found.command} type can bitrate {rate}"
    if not found.up:
        raise UsageError(f"the link is down: {up}")
    if address.bitrate and found.bitrate and address.bitrate != found.bitrate:
        raise UsageError(f"the link has {found.bitrate} bit/s: sudo ip link set {found.name} down && {up}")


def _check_socketcand(host: str, port: int) -> None:
    """Whether a socketcand greets at that place. Raises UsageError."""
    try:
        with socket.create_connection((host, port), timeout=ANSWER) as server:
            greeting = server.makefile("rb").read(len(GREETING))
    except OSError as error:
        raise UsageError(
            f"no answer from socketcand at {host}, port {port}: {_one_line(error)}; start it there: socketcand -i can0"
        ) from error
    if greeting != GREETING:
        raise UsageError(f"what answers at {host}, port {port} is no socketcand")


def kernel_has_can() -> bool:
    """Whether raw CAN sockets can be made."""
    if not hasattr(socket, "AF_CAN"):
        return False
    try:
        socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _is_isolated_vcan(name: str) -> bool:
    try:
        link = find_link(name)
        return link is not None and link.kind == "vcan" and gateway_rules() == 0
    except OSError:
        return False


def _is_ip(channel: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(channel))
    return False


def _is_multicast(channel: str) -> bool:
    """Whether a channel is a multicast group by its number: a name may stand for anything, also a single machine."""
    try:
        return ipaddress.ip_address(channel).is_multicast
    except ValueError:
        return False


def _gs_usb_device(channel: str) -> dict[str, Any]:
    """Which USB device a number or serial number means, in python-can's keywords. Raises UsageError."""
    from gs_usb.gs_usb import GsUsb

    try:
        devices = GsUsb.scan()
    except ValueError as error:  # pyusb has found no library below it
        raise UsageError(f"{_one_line(error)}: libusb is missing (Debian: sudo apt install libusb-1.0-0)") from error
    serials = [_serial_number(device) for device in devices]
    index = int(channel) if channel.isdigit() and len(channel) < 3 else serials.index(channel) if channel in serials else -1
    if not 0 <= index < len(devices):
        there = ", ".join(f"{k} ({serial})" for k, serial in enumerate(serials)) or "none"
        raise UsageError(f"no such adapter; there are: {there}")
    return {"bus": devices[index].bus, "address": devices[index].address}


def _serial_number(device: Any) -> str:
    try:
        return str(device.serial_number)
    except (ValueError, OSError):
        return "no permission to read its serial number: a udev rule is needed, see docs/adapters.md"


def _is_rate(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0


def _meant(text: str) -> str:
    """What somebody who left out the interface probably meant, as the end of a sentence."""
    if text.startswith("/dev/") or (text[:3].upper() == "COM" and text[3:].isdigit()):
        return f", did you mean slcan:{text}@{BITRATE}"
    if text.startswith(("can", "vcan", "slcan")) and text[-1:].isdigit() and ":" not in text:
        return f", did you mean socketcan:{text}"
    return ""


def _advice(error: Exception, interface: Interface | None) -> str:
    """What to do about an error of a driver."""
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return "no permission for the device: docs/adapters.md says who gives it"
    return "e4hil adapters lists what is plugged in" + (f"; for example {interface.example}" if interface else "")


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    plain = isinstance(error, (OSError, ValueError)) or type(error).__module__.startswith("can.")
    return text if text and plain else f"{type(error).__name__}: {text}"
