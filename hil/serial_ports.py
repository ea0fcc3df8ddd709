"""Serial ports: which there are, whether this user may open one, and who holds it."""

import contextlib
import getpass
import os
import stat
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hil.errors import UsageError

BY_ID = Path("/dev/serial/by-id")
PSEUDO_TERMINALS = "/dev/pts/"
MEMORY_DEVICES = 1  # major number of /dev/null and its like, on Linux
HUB_PROCESS = "e4hil-hub"  # what a virtual CAN network calls itself (PR_SET_NAME); by it others know its ports
LOCK_REFUSED = "exclusively lock"  # in what pyserial raises for a port that somebody has locked
own_hub_ports: set[str] = set()  # pseudo-terminals of a virtual CAN network in this process


@dataclass(frozen=True)
class Holder:
    """A process that has a port open."""

    process: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.process})"


# What has these VID and PID is an adapter on a serial port of its own, and nothing else. Pairs of bridge chips (FTDI 0403:6001,
# CH340 1a86:7523, CP210x 10c4:ea60) stand for any device, and are therefore not here.
KNOWN_DONGLES = {
    (0xAD50, 0x60C4): "CANable or CANtact (slcan)",  # [S] canable-fw
    (0x16D0, 0x117E): "CANable 2 (slcan)",  # [S] canable2-fw
    (0x0403, 0xFFA8): "Lawicel CANUSB",  # [S] can232.com; newer ones have FTDI's own pair
    (0x04D8, 0x000A): "USBtin",  # [M] the maker's CDC pair, which other PIC boards use, too
}


def is_path(channel: str) -> bool:
    """Whether a channel is a device file, and not a URL of pyserial or a port of Windows."""
    return os.name == "posix" and "://" not in channel


def is_pseudo_terminal(path: str) -> bool:
    """Whether a port is a pseudo-terminal."""
    return os.path.realpath(path).startswith(PSEUDO_TERMINALS)


def stable_path(device: str) -> str:
    """The name of a port that stays when it is plugged in again: the one below /dev/serial/by-id, if it has one."""
    target = os.path.realpath(device)
    links = sorted(BY_ID.iterdir()) if BY_ID.is_dir() else []
    return next((str(link) for link in links if os.path.realpath(link) == target), device)


def list_ports() -> list[str]:
    """Ports to choose from, with their stable names: those on USB, or else all."""
    from serial.tools.list_ports import comports

    ports = comports()
    return [stable_path(port.device) for port in sorted(port for port in ports if port.vid is not None) or sorted(ports)]


def check_port(path: str) -> None:
    """Raise UsageError, without the name of the bus, if a port is not there, is none, is forbidden or is in use."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        ports = ", ".join(list_ports()) or "none"
        raise UsageError(f"no such port; there are: {ports} (e4hil adapters lists them)") from None
    except OSError as error:
        raise UsageError(f"the port cannot be looked at: {error.strerror}") from error
    if not stat.S_ISCHR(found.st_mode):
        raise UsageError("this is no serial port, but a file or folder; e4hil adapters lists the ports")
    if os.major(found.st_rdev) == MEMORY_DEVICES:
        raise UsageError("this is no serial port, but a device of the memory; e4hil adapters lists the ports")
    if not may_open(path):
        raise UsageError(forbidden(found))
    # The maker of a pseudo-terminal may hold both its ends; on a real port every other reader takes bytes away.
    if not is_pseudo_terminal(path) and (others := holders(path)):
        raise UsageError(in_use(others))


def may_open(path: str) -> bool:
    """Whether this user may read and write a port."""
    return os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def forbidden(port: os.stat_result) -> str:
    """What to do about a port that this user may not open."""
    import grp

    if not port.st_mode & stat.S_IWGRP or port.st_gid == 0:
        return 'no permission: only root may open the port; a udev rule with GROUP="dialout", MODE="0660" changes that'
    try:
        name = grp.getgrgid(port.st_gid).gr_name
    except KeyError:
        name = str(port.st_gid)
    advice = f"sudo usermod -aG {name} {getpass.getuser()}, then log out and in again"
    return f'no permission: the port belongs to the group "{name}"; {advice}'


def in_use(found: list[Holder]) -> str:
    """What to do about a port that others have open."""
    advice = "stop ModemManager (sudo systemctl stop ModemManager)" if found[0].name == "ModemManager" else "end it"
    return f"the port is in use by {', '.join(map(str, found))}; {advice}, or choose another port"


def holders(path: str) -> list[Holder]:
    """Other processes that have a device file open, as far as this user may see them."""
    return holders_of([path])[path]


def holders_of(paths: Iterable[str]) -> dict[str, list[Holder]]:
    """The same for many, in one look at all processes."""
    targets = {path: os.path.realpath(path) for path in paths}
    found: dict[str, dict[int, None]] = {target: {} for target in targets.values()}
    for target, process, _ in open_files(found):
        found[target][process] = None
    return {path: [Holder(process, process_name(process)) for process in found[target]] for path, target in targets.items()}


def open_files(targets: Container[str]) -> Iterator[tuple[str, int, str]]:
    """Other processes that have one of these files open: the file, the process, and the number of its descriptor."""
    for folder in Path("/proc").glob("[0-9]*/fd"):
        process = int(folder.parent.name)
        if process == os.getpid():
            continue
        try:
            for entry in folder.iterdir():
                if (target := str(entry.readlink())) in targets:
                    yield target, process, entry.name
        except OSError:
            continue  # ended meanwhile, or of another user


def process_name(process: int) -> str:
    """The name of a process, empty if it is gone."""
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def hub_ports() -> dict[str, int]:
    """Pseudo-terminals whose other end a virtual CAN network holds, in this process or another, each with that process."""
    found = dict.fromkeys(sorted(own_hub_ports), os.getpid())
    for _, process, descriptor in open_files(("/dev/ptmx", "/dev/pts/ptmx")):
        try:
            if process_name(process) != HUB_PROCESS or not Path(f"/proc/{process}/root/dev/pts").samefile("/dev/pts"):
                continue  # a container counts its terminals for itself
            information = Path(f"/proc/{process}/fdinfo/{descriptor}").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in information.splitlines() if ":" in line)
        if "tty-index" in fields:
            found[f"{PSEUDO_TERMINALS}{int(fields['tty-index'])}"] = process
    return found


def hub_link(port: str, process: int) -> str:
    """The path at which a virtual CAN network offers a port: a link beside its other files, or the port itself."""
    folders = set()
    try:
        for entry in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since
                folders.add(entry.readlink().parent)
        links = [link for folder in sorted(folders) if folder.is_absolute() for link in _links_in(folder)]
    except OSError:
        return port
    return next((str(link) for link in links if os.path.realpath(link) == port), port)


def _links_in(folder: Path) -> list[Path]:
    if folder.parts[1:2] in (("dev",), ("proc",)) or not folder.is_dir():
        return []  # links there lead to something else for each process
    return sorted(path for path in folder.iterdir() if path.is_symlink())


def who_locked(path: str) -> str:
    """Who has a port that pyserial could not lock, and what to do about it."""
    found = holders(path)
    return in_use(found) if found else "the port is in use by another session of this process, or by a process of another user"
