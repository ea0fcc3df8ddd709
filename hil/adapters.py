"""What is plugged in: every bus that could be opened on this machine, with the address to give, and what to do about the rest.

A driver may raise, hang, print or crash: whatever it does becomes a note, and the rest is listed all the same.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.bus import BusAddress
from hil.bus_interfaces import BITRATE, INTERFACES
from hil.can_links import CanLink, can_links
from hil.errors import UsageError
from hil.serial_ports import KNOWN_DONGLES, Holder, forbidden, holders_of, hub_link, hub_ports, is_path, may_open, stable_path
from hil.virtual_can.control import HubClient

PROBE_TIME = 2.0  # [s] for all drivers together
BEACON_PORT = 42000  # UDP, to which socketcand sends
BEACON_PERIOD = 3.0  # [s] of its beacons
SYSTEM = Path("/sys")
PROBE = (sys.executable, "-P", str(Path(__file__).with_name("adapter_probe.py")))
# Interfaces that find their devices by their drivers; the others are listed from what the system knows.
ASKED = ("pcan", "kvaser", "vector", "ixxat", "systec", "usb2can", "neovi", "cantact", "nixnet", "etas", "neousys")


@dataclass(frozen=True)
class Adapter:
    """One bus that could be opened."""

    interface: str
    address: str  # to give to a command; empty if there is none
    title: str  # what it is
    state: str = ""  # what it is doing
    hint: str = ""  # what to do before it can be used


@dataclass(frozen=True)
class UsbAdapter:
    """What a USB identifier stands for."""

    title: str
    interface: str  # of python-can
    module: str = ""  # of the Linux kernel, which makes a CAN link of it


# By VID and PID, or VID alone where a maker has nothing else: Linux drivers gs_usb, peak_usb, usb_8dev and udev rules [S];
# those marked [M] are from memory.
USB_ADAPTERS: dict[tuple[int, int | None], UsbAdapter] = {
    (0x1D50, 0x606F): UsbAdapter("candleLight or CANable (gs_usb)", "gs_usb", "gs_usb"),
    (0x1209, 0x2323): UsbAdapter("candleLight (gs_usb)", "gs_usb", "gs_usb"),
    (0x1209, 0xCA01): UsbAdapter("CANnectivity (gs_usb)", "gs_usb", "gs_usb"),
    (0x1CD2, 0x606F): UsbAdapter("CES CANext FD (gs_usb)", "gs_usb", "gs_usb"),
    (0x16D0, 0x10B8): UsbAdapter("ABE CANdebugger FD (gs_usb)", "gs_usb", "gs_usb"),
    (0x16D0, 0x0F30): UsbAdapter("Xylanta SAINT3 (gs_usb)", "gs_usb", "gs_usb"),
    (0x0C72, None): UsbAdapter("PEAK PCAN-USB", "pcan", "peak_usb"),
    (0x0BFD, None): UsbAdapter("Kvaser", "kvaser", "kvaser_usb"),
    (0x08D8, None): UsbAdapter("Ixxat USB-to-CAN", "ixxat"),
    (0x04D8, 0x0053): UsbAdapter("CANalyst-II", "canalystii"),
    (0x0483, 0x1234): UsbAdapter("8devices USB2CAN", "usb2can", "usb_8dev"),
    (0x1248, None): UsbAdapter("Vector", "vector"),  # [M]
    (0x0878, None): UsbAdapter("SYS TEC USB-CANmodul", "systec"),  # [M]
    (0x093C, None): UsbAdapter("Intrepid neoVI or ValueCAN", "neovi"),  # [M]
    (0x0AB4, None): UsbAdapter("esd CAN-USB", "socketcan", "esd_usb"),  # [M]
    (0x04D8, 0x0A30): UsbAdapter("Microchip CAN BUS Analyzer", "socketcan", "mcba_usb"),  # [M]
}


# Makers of bridge chips, whose devices often bear no name of their own; from memory.
CHIP_MAKERS = {
    0x0403: "FTDI", 0x067B: "Prolific", 0x10C4: "Silicon Labs", 0x1A86: "WCH", 0x04D8: "Microchip", 0x0483: "STMicroelectronics"
}  # fmt: skip


@dataclass
class Findings:
    """All that was found, and what went wrong on the way."""

    adapters: list[Adapter] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_adapters(*, listen: float = 0.0, everything: bool = False) -> Findings:
    """What is plugged in. ``listen`` [s]: for beacons of socketcand; ``everything``: also ports that are not on USB.

    Never raises: what goes wrong is a note.
    """
    findings = Findings()
    with contextlib.ExitStack() as stack:
        beacons = stack.enter_context(_listening(listen, findings.notes)) if listen else list
        drivers = stack.enter_context(_asking(_asked(findings.notes), findings.notes))
        sources: dict[str, Callable[[], Iterable[Adapter]]] = {
            "serial ports": lambda: serial_adapters(_comports(), everything=everything),
            "e4hil hub": hub_adapters,
            "CAN links": lambda: [link_adapter(link) for link in can_links()],
            "USB devices": usb_adapters,
            "drivers": drivers,
            "socketcand": beacons,
            "always": always_there,
        }
        for name, source in sources.items():
            try:
                findings.adapters += source()
            except Exception as error:  # a list with a gap is worth more than none
                findings.notes.append(f"{name}: {type(error).__name__}: {error}")
    return findings


def missing_drivers() -> dict[str, str]:
    """Interfaces that lack something here, and how to get it."""
    return {name: missing for name, interface in INTERFACES.items() if (missing := interface.missing())}


# --- what the system knows -----------------------------------------------------------------------------------------------------


def _comports() -> list[Any]:
    from serial.tools.list_ports import comports

    return sorted(comports())


def serial_adapters(ports: Iterable[Any], *, everything: bool = False) -> list[Adapter]:
    """Serial ports, as pyserial describes them; those on USB, or all."""
    found = []
    ports = [port for port in ports if port.vid is not None or everything]
    held = holders_of(port.device for port in ports)
    for port in ports:
        dongle = KNOWN_DONGLES.get((port.vid, port.pid))
        words = [dongle or "", port.manufacturer or CHIP_MAKERS.get(port.vid, ""), port.product or ""]
        title = " ".join(word for word in words if word) or port.description
        usb = f", {port.vid:04x}:{port.pid:04x}" if port.vid is not None else ""
        serial = f", serial number {port.serial_number}" if port.serial_number else ""
        state, hint = _port_state(port.device, held[port.device])
        if not (dongle or hint):
            hint = "only if it is an slcan adapter: any device may have such a port"
        address = str(BusAddress("slcan", stable_path(port.device), BITRATE))
        found.append(Adapter("slcan", address, f"{title} ({port.device}{usb}{serial})", state, hint))
    return found


def _port_state(device: str, held_by: list[Holder]) -> tuple[str, str]:
    """What is known of a port without opening it, and what to do about it."""
    if not is_path(device):
        return "", ""
    if not may_open(device):
        return "no permission", forbidden(Path(device).stat()).partition("; ")[2]
    return (f"in use by {', '.join(map(str, held_by))}", "end it first") if held_by else ("free", "")


def hub_adapters() -> list[Adapter]:
    """Ports of virtual CAN networks."""
    found = []
    for port, process in sorted(hub_ports().items()):
        link = hub_link(port, process)
        address = str(BusAddress("slcan", link, _hub_bitrate(Path(link))))
        found.append(Adapter("slcan", address, f"port of e4hil hub, a virtual bus ({port})", f"hub is process {process}"))
    return found


def _hub_bitrate(link: Path) -> int:
    """Bitrate [bit/s] of the bus behind a hub's port, as the hub says; the usual one if it cannot be asked."""
    with contextlib.suppress(UsageError), HubClient(link.parent) as hub:
        for bus in hub.statistics()["buses"]:
            if link.name in [port["name"] for port in bus["ports"]]:
                return int(bus["bitrate"])
    return BITRATE


def link_adapter(link: CanLink, system: Path = SYSTEM) -> Adapter:
    """A CAN link of the kernel: what it belongs to, and how it is."""
    device = (system / "class" / "net" / link.name / "device").resolve()  # on USB: one interface of the device above it
    words = [_attribute(device.parent / name) for name in ("manufacturer", "product")]
    driver = (device / "driver").resolve().name if (device / "driver").exists() else link.kind
    title = " ".join(word for word in words if word) or {"vcan": "virtual CAN link"}.get(link.kind, "CAN link")
    parts = ["up" if link.up else "down", link.state if link.up else None]
    parts += [f"{link.bitrate / 1000:g} kbit/s" if link.bitrate else None, "listen-only" if link.listen_only else None]
    if link.transmit_errors or link.receive_errors:
        parts.append(f"errors: {link.transmit_errors} sending, {link.receive_errors} receiving")
    rate = "" if link.kind in ("vcan", "vxcan") else f" type can bitrate {link.bitrate or BITRATE}"
    hint = "" if link.up else f"{link.command}{rate}"
    if link.state == "BUS-OFF":
        hint = f"find the short or the missing termination, then: sudo ip link set {link.name} type can restart"
    address = str(BusAddress("socketcan", link.name, link.bitrate))
    return Adapter("socketcan", address, f"{title} ({driver})" if driver else title, ", ".join(filter(None, parts)), hint)


def usb_adapters(system: Path = SYSTEM) -> list[Adapter]:
    """USB adapters that no driver of the kernel has made a CAN link of."""
    found = []
    for device in sorted((system / "bus" / "usb" / "devices").glob("*")):
        try:
            vendor, product = (int(_attribute(device / name), 16) for name in ("idVendor", "idProduct"))
        except ValueError:
            continue  # an interface of a device
        known = USB_ADAPTERS.get((vendor, product)) or USB_ADAPTERS.get((vendor, None))
        if known is None or any(device.glob(f"{device.name}:*/net/*")):
            continue
        serial = _attribute(device / "serial")
        address = str(BusAddress("gs_usb", serial, BITRATE)) if known.interface == "gs_usb" and serial else ""
        hints = [f"sudo modprobe {known.module} makes a CAN link of it"] if known.module else []
        if known.interface != "socketcan" and (missing := INTERFACES[known.interface].missing()):
            hints.append(f"as {known.interface}: {missing}")
        title = f"{known.title} ({vendor:04x}:{product:04x}{f', serial number {serial}' if serial else ''})"
        found.append(Adapter(known.interface, address, title, "no CAN link", "; or ".join(hints)))
    return found


def always_there() -> list[Adapter]:
    """Buses that need no hardware."""
    udp = INTERFACES["udp_multicast"]
    return [
        Adapter("udp_multicast", udp.example, "between processes of this machine", "", udp.missing()),
        Adapter("virtual", INTERFACES["virtual"].example, "inside one process"),
    ]


def _attribute(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


# --- what drivers know ---------------------------------------------------------------------------------------------------------


def _asked(notes: list[str]) -> list[str]:
    """The interfaces whose drivers are asked: those that may be there, and plug-ins of python-can."""
    try:
        from can.interfaces import BACKENDS
    except Exception as error:  # a plug-in that is broken
        notes.append(f"python-can: {type(error).__name__}: {error}")
        return []
    plugins = [name for name in BACKENDS if name not in INTERFACES]
    return [name for name in ASKED if not INTERFACES[name].missing()] + plugins


@contextlib.contextmanager
def _asking(names: list[str], notes: list[str], program: tuple[str, ...] = PROBE) -> Iterator[Callable[[], list[Adapter]]]:
    """While other things are looked at, ask drivers in a process of its own; it gives a function that waits for the answers."""
    if not names:
        yield list
        return
    command = [*program, str(PROBE_TIME), *names]
    nothing = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, text=True)
    except OSError as error:
        notes.append(f"drivers cannot be asked: {error.strerror}")
        yield list
        return
    with process:
        try:
            yield lambda: read_answers(_output(process), names, notes)
        finally:
            process.kill()


def _output(process: "subprocess.Popen[str]") -> str:
    try:
        return process.communicate(timeout=PROBE_TIME + 1.0)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def read_answers(text: str, names: list[str], notes: list[str]) -> list[Adapter]:
    """What the process that asks drivers has written; what it did not say becomes a note."""
    found: list[Adapter] = []
    silent = dict.fromkeys(names)
    for line in text.splitlines():
        try:
            answer = json.loads(line)
        except ValueError:
            continue  # torn by a crash
        silent.pop(answer["interface"], None)
        if "error" in answer:
            notes.append(f"{answer['interface']}: its driver failed: {answer['error']}")
        found += [driver_adapter(answer["interface"], configuration) for configuration in answer.get("found", ())]
    notes += [f"{name}: its driver gave no answer within {PROBE_TIME:g} s" for name in silent]
    return found


def driver_adapter(name: str, configuration: Mapping[str, Any]) -> Adapter:
    """One channel that a driver has found, as the address with which it is opened."""
    interface = INTERFACES.get(name)
    options = interface.options if interface else {}
    pairs = tuple((key, str(configuration[o.keyword])) for key, o in options.items() if configuration.get(o.keyword) is not None)
    if name == "pcan":
        pairs = ()  # the channel is enough, and the device number often that of all devices
    channel = configuration.get("channel", 0 if interface and interface.channel_kind is int else 1)
    rate = BITRATE if interface is None or interface.sets_bitrate else None
    words = [
        str(configuration[key]) for key in ("device_name", "hw_type", "serial", "unique_hardware_id") if configuration.get(key)
    ]
    title = " ".join([interface.title if interface else f"plug-in {name}", *words])
    return Adapter(name, str(BusAddress(name, str(channel).removeprefix("ch:"), rate, pairs)), title)


# --- socketcand ----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _listening(seconds: float, notes: list[str]) -> Iterator[Callable[[], list[Adapter]]]:
    """Listen for beacons while other things are looked at; it gives a function that waits for the end of that time."""
    found: dict[str, Adapter] = {}
    end = time.monotonic() + seconds
    stop = threading.Event()

    def listen() -> None:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
                receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                receiver.bind(("", BEACON_PORT))
                receiver.settimeout(0.1)
                while time.monotonic() < end and not stop.is_set():
                    with contextlib.suppress(TimeoutError):  # no beacon in this tenth of a second; the next one may bring it
                        found.update((adapter.address, adapter) for adapter in read_beacon(receiver.recv(4096)))
        except OSError as error:
            notes.append(f"socketcand: cannot listen for beacons on UDP port {BEACON_PORT}: {error.strerror or error}")

    thread = threading.Thread(target=listen, name="socketcand beacons", daemon=True)
    thread.start()

    def result() -> list[Adapter]:
        thread.join()
        return list(found.values())

    try:
        yield result
    finally:
        stop.set()
        thread.join()


def read_beacon(datagram: bytes) -> list[Adapter]:
    """The buses that a socketcand announces; none if the datagram is anything else."""
    if b"<!" in datagram:
        return []  # no beacon declares entities
    try:
        root = ElementTree.fromstring(datagram)
        url = urllib.parse.urlparse(next((child.text or "" for child in root if child.tag == "URL"), ""))
        host, port = url.hostname, url.port
    except (ElementTree.ParseError, ValueError):
        return []
    if root.tag != "CANBeacon" or not host or not port:
        return []
    found = []
    for name in (child.get("name", "") for child in root if child.tag == "Bus"):
        if name.replace("-", "").replace("_", "").isalnum() and not set(host) & set(", "):
            address = str(BusAddress("socketcand", name, None, (("host", host), ("port", str(port)))))
            found.append(Adapter("socketcand", address, f"CAN link of {root.get('name') or host}"))
    return found
