"""What each interface of python-can is told when a bus is opened: the one table behind the addresses of buses.

Keywords, bitrates and defaults are those of python-can 4.5 to 4.6; what is not in the table (a plug-in of python-can) gets its
channel as text, and its bitrate.
"""

import ctypes.util
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hil.errors import UsageError
from hil.toml_files import closest

BITRATE = 500_000  # [bit/s] of all buses of a LEAF; where an address names none
EVERYWHERE = ("linux", "darwin", "win32")
WINDOWS = ("win32",)
PRODUCT = "e4orce-hil"


@dataclass(frozen=True)
class Option:
    """One ``option=value`` of an address."""

    keyword: str  # of python-can
    description: str
    kind: type = str


@dataclass(frozen=True)
class Interface:
    """What one interface of python-can is, and what it is told."""

    title: str
    example: str
    channel: str  # what the channel is
    channel_kind: type = str
    bitrates: tuple[int, ...] | None = None  # [bit/s] all that the driver can do; None if it finds its own timing
    sets_bitrate: bool = True  # False where the other side of the interface decides
    options: Mapping[str, Option] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    listen_only: Mapping[str, Any] = field(default_factory=dict)  # what keeps the controller from acknowledging
    serial: bool = False  # the channel is a serial port
    systems: tuple[str, ...] = EVERYWHERE
    library: str = ""  # of the maker, by the name under which the linker finds it
    package: str = ""  # Python module that must be there
    get: str = ""  # how to get what is missing

    def missing(self) -> str:
        """What has to be installed before it works here; empty if nothing is known to be missing."""
        if sys.platform not in self.systems:
            return f"python-can drives it on Windows only; {self.get}"
        if self.package and importlib.util.find_spec(self.package) is None:
            return f"the Python package {self.package} is not installed; {self.get}"
        if self.library and ctypes.util.find_library(self.library) is None:
            return f"the maker's library {self.library} is not installed; {self.get}"
        return ""


def _extra(name: str) -> str:
    return f"pip install '{PRODUCT}[{name}]'"


BAUD = {"baud": Option("baudrate", "speed of the serial line", int)}

# What the protocol sends for a bitrate. S7 is 800 kbit/s at Lawicel, 750 at python-can and in some firmware; S9 is not Lawicel's.
LAWICEL_BITRATES = (10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000)  # S0 to S8 [bit/s]
LAWICEL_CODES = {bitrate: f"S{code}" for code, bitrate in enumerate(LAWICEL_BITRATES)} | {750_000: "S7", 83_300: "S9"}

INTERFACES: dict[str, Interface] = {
    "slcan": Interface(
        "Lawicel protocol on a serial port: CANable, USBtin, CANUSB, e4hil hub",
        "slcan:/dev/ttyACM0@500000",
        "serial port",
        bitrates=tuple(sorted(LAWICEL_CODES)),
        options={"baud": Option("tty_baudrate", "speed of the serial line, where it is a real one", int)},
        listen_only={"listen_only": True},
        serial=True,
    ),
    "gs_usb": Interface(
        "candleLight and compatible USB adapters, without a kernel driver",
        "gs_usb:0@500000",
        "number of the adapter (0, 1 …), or its serial number",
        package="gs_usb",
        get=f"{_extra('gs_usb')}, and libusb (Debian: libusb-1.0-0); Linux has a driver of its own: socketcan:can0",
    ),
    "socketcan": Interface(
        "CAN link of the Linux kernel",
        "socketcan:can0",
        "name of the link",
        sets_bitrate=False,
        systems=("linux",),
        get="Linux has it in its kernel",
    ),
    "pcan": Interface(
        "PEAK PCAN",
        "pcan:PCAN_USBBUS1@500000",
        "PCAN_USBBUS1 to 16, PCAN_PCIBUS1 …, PCAN_LANBUS1 …",
        bitrates=(
            5_000, 10_000, 20_000, 33_000, 47_000, 50_000, 83_000, 95_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000,
        ),
        listen_only={"state": "PASSIVE"},
        options={"id": Option("device_id", "device number stored in the adapter, instead of the channel", int)},
        library="PCBUSB" if sys.platform == "darwin" else "pcanbasic",
        get="PCAN-Basic of PEAK-System; on Linux the kernel drives PCAN adapters without it: socketcan:can0",
    ),
    "kvaser": Interface(
        "Kvaser",
        "kvaser:0@500000",
        "channel number of CANlib",
        int,
        bitrates=(10_000, 50_000, 62_000, 83_000, 100_000, 125_000, 250_000, 500_000, 1_000_000),
        listen_only={"driver_mode": False},
        systems=("linux", "win32"),
        library="canlib32" if sys.platform == "win32" else "canlib",
        get="CANlib of Kvaser (linuxcan); on Linux the kernel drives Kvaser adapters without it: socketcan:can0",
    ),
    "vector": Interface(
        "Vector",
        "vector:0@500000,app=CANalyzer",
        "channel of the application, or of the device if a serial number is given, from 0",
        int,
        options={
            "app": Option("app_name", "application in Vector Hardware Config (CANalyzer if not given)"),
            "serial": Option("serial", "serial number of the device", int),
        },
        listen_only={"listen_only": True},
        systems=WINDOWS,
        library="vxlapi64",
        get="XL Driver Library of Vector",
    ),
    "ixxat": Interface(
        "HMS Ixxat",
        "ixxat:0@500000",
        "channel number",
        int,
        bitrates=(
            10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 666_000, 666_666, 666_667, 667_000, 800_000, 1_000_000,
        ),
        options={"serial": Option("unique_hardware_id", "hardware identifier of the device")},
        systems=WINDOWS,
        library="vcinpl",
        get="VCI of HMS; on Linux the SocketCAN driver of HMS: socketcan:can0",
    ),
    "systec": Interface(
        "SYS TEC USB-CANmodul",
        "systec:0@500000",
        "channel number",
        int,
        bitrates=(10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000),
        options={"device": Option("device_number", "device number, 0 to 254", int)},
        listen_only={"state": "PASSIVE"},
        systems=WINDOWS,
        library="USBCAN64",
        get="USB-CANmodul utility disk of SYS TEC; on Linux its kernel driver: socketcan:can0",
    ),
    "canalystii": Interface(
        "CANalyst-II",
        "canalystii:0@500000",
        "channel number",
        int,
        options={"device": Option("device", "number of the adapter, from 0", int)},
        package="canalystii",
        get=f"{_extra('canalystii')}, and libusb",
    ),
    "usb2can": Interface(
        "8devices USB2CAN",
        "usb2can:ED000200@500000",
        "serial number",
        systems=WINDOWS,
        library="usb2can",
        get="CANAL library of 8devices; on Linux the kernel drives it: socketcan:can0",
    ),
    "neovi": Interface(
        "Intrepid neoVI, ValueCAN",
        "neovi:1@500000",
        "number or name of the network (1, HSCAN, HSCAN2 …)",
        options={"serial": Option("serial", "serial number of the device")},
        fixed={"receive_own_messages": False},
        package="ics",
        get=_extra("neovi"),
    ),
    "cantact": Interface(
        "CANtact, CANtact Pro",
        "cantact:0@500000",
        "channel number",
        int,
        listen_only={"monitor": True},
        package="cantact",
        get="pip install cantact; on Linux the kernel drives it: socketcan:can0",
    ),
    "nixnet": Interface(
        "NI-XNET",
        "nixnet:CAN1@500000",
        "name of the interface",
        systems=WINDOWS,
        package="nixnet",
        get="NI-XNET of National Instruments",
    ),
    "nican": Interface(
        "NI-CAN",
        "nican:CAN0@500000",
        "name of the object",
        systems=WINDOWS,
        library="nican",
        get="NI-CAN of National Instruments, for 32-bit Python only",
    ),
    "iscan": Interface(
        "isCAN of Thorsis",
        "iscan:0@500000",
        "device number",
        int,
        bitrates=(5_000, 10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000),
        systems=WINDOWS,
        library="iscandrv",
        get="isCAN driver of Thorsis",
    ),
    "etas": Interface(
        "ETAS (BOA)",
        "etas:ETAS://USB/ES581.3:1234/CAN:1@500000",
        "URI of the port",
        systems=WINDOWS,
        library="dll-csiBind",
        get="ETAS BOA",
    ),
    "neousys": Interface(
        "Neousys embedded controllers",
        "neousys:0@500000",
        "channel number",
        int,
        options={"device": Option("device", "device number", int)},
        systems=("linux", "win32"),
        library="wdt_dio",
        get="WDT_DIO library of Neousys",
    ),
    "robotell": Interface(
        "Robotell USB-CAN",
        "robotell:/dev/ttyUSB0@500000",
        "serial port",
        options={"baud": Option("ttyBaudrate", "speed of the serial line", int)},
        serial=True,
    ),
    "seeedstudio": Interface(
        "Seeed USB-CAN analyzer",
        "seeedstudio:/dev/ttyUSB0@500000",
        "serial port",
        bitrates=(
            5_000, 10_000, 20_000, 50_000, 100_000, 125_000, 200_000, 250_000, 400_000, 500_000, 800_000, 1_000_000,
        ),
        options=BAUD,
        listen_only={"operation_mode": "silent"},
        serial=True,
    ),
    "serial": Interface(
        "python-can's own binary protocol on a serial port",
        "serial:/dev/ttyUSB0",
        "serial port",
        sets_bitrate=False,
        options=BAUD,
        serial=True,
    ),
    "socketcand": Interface(
        "CAN link of another machine, over TCP",
        "socketcand:can0,host=192.168.1.20,port=29536",
        "name of the link there",
        sets_bitrate=False,
        options={
            "host": Option("host", "machine on which socketcand runs"),
            "port": Option("port", "its TCP port (29536 if not given)", int),
        },
        fixed={"port": 29536},
    ),
    "udp_multicast": Interface(
        "frames in UDP multicast, between processes or machines",
        "udp_multicast:239.74.163.2",
        "multicast group",
        sets_bitrate=False,
        options={
            "port": Option("port", "UDP port (43113 if not given)", int),
            "hop_limit": Option("hop_limit", "0: never leaves this machine (default); 1: the local network", int),
        },
        fixed={"hop_limit": 0},
        package="msgpack",
        get=_extra("multicast"),
    ),
    "virtual": Interface("inside this process", "virtual:front", "any name", sets_bitrate=False),
}  # fmt: skip

# Those that acknowledge frames also where nothing is to be sent, and what helps against that.
ACKNOWLEDGING = {
    "socketcan": "ip link set the interface down, then up with listen-only on",
    "gs_usb": "python-can cannot switch that off; use the kernel's driver gs_usb, and SocketCAN with listen-only on",
    "socketcand": "set listen-only where the daemon runs",
}


def arguments(
    name: str, channel: str, bitrate: int | None, options: Mapping[str, str], *, listen_only: bool = False
) -> dict[str, Any]:
    """Keywords for ``can.Bus``. Raises UsageError, without the name of the bus, where the interface cannot do what is asked."""
    interface = INTERFACES.get(name)
    if interface is None:
        if options:
            raise UsageError(f"python-can's plug-in {name} is not known here, it takes no options")
        return {"channel": channel, **({"bitrate": bitrate} if bitrate else {})}
    found: dict[str, Any] = {"channel": _number(interface.channel_kind, channel, f"its channel ({interface.channel})")}
    found.update(interface.fixed)
    if interface.sets_bitrate:
        found["bitrate"] = allowed_bitrate(interface, bitrate or BITRATE)
    for key, text in options.items():
        option = interface.options.get(key)
        if option is None:
            known = ", ".join(f"{key} ({option.description})" for key, option in interface.options.items()) or "none"
            raise UsageError(f'{name} has no option "{key}"{closest(key, interface.options)}; there are: {known}')
        found[option.keyword] = _number(option.kind, text, f"{key} ({option.description})")
    if name == "socketcand" and "host" not in found:
        raise UsageError(f"the machine is missing; for example {interface.example}")
    return {**found, **(interface.listen_only if listen_only else {})}


def allowed_bitrate(interface: Interface, bitrate: int) -> int:
    """The bitrate itself. Raises UsageError with those there are, if the driver cannot do it."""
    if interface.bitrates and bitrate not in interface.bitrates:
        known = ", ".join(str(rate) for rate in interface.bitrates)
        raise UsageError(f"the driver cannot do {bitrate} bit/s; it can do: {known}")
    return bitrate


def _number(kind: type, text: str, what: str) -> Any:
    """``text`` as a value of ``kind``. Raises UsageError."""
    try:
        value = kind(text)
    except ValueError:
        raise UsageError(f'{what} must be a number, not "{text}"') from None
    if kind is not str and not 0 <= value < float("inf"):
        raise UsageError(f'{what} must be a number from 0 on, not "{text}"')
    return value
