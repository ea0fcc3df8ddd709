"""The hub: buses, ports and the control socket, in one thread that sleeps until a frame is complete or somebody calls."""

import json
import os
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hil.bus_interfaces import LAWICEL_BITRATES
from hil.errors import UsageError
from hil.virtual_can.can_bus import BUS_OFF_LIMIT, CanBus
from hil.virtual_can.claim import Claim, default_folder, prepare_folder, remove_remains
from hil.virtual_can.control import COMMANDS, LONGEST_COMMAND, SOCKET_NAME, number, parse_options
from hil.virtual_can.injection import Effect, Injection
from hil.virtual_can.port import Port

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
MAXIMUM_PORTS = 64
MAXIMUM_CLIENTS = 32
LONGEST_DELAY = 60.0  # [s]


@dataclass(frozen=True)
class BusPlan:
    """A bus to be made: its ports are named after it and numbered; some of them at places of their own."""

    name: str
    bitrate: int = 500_000  # [bit/s]
    ports: int = 2
    links: list[Path] = field(default_factory=list)

    @property
    def port_names(self) -> list[str]:
        """``front0``, ``front1`` …, as many as asked for, and at least one for each place."""
        return [f"{self.name}{number}" for number in range(max(self.ports, len(self.links)))]


class Hub:
    """A virtual CAN network. ``with Hub(...) as hub: hub.serve()`` runs it until ``stop`` is called."""

    def __init__(self, plans: list[BusPlan], *, folder: Path | None = None, seed: int = 0) -> None:
        """Claim all paths and plug all ports in. Raises UsageError, and leaves nothing behind, if that is not possible."""
        if not hasattr(select, "epoll"):
            raise UsageError("the hub needs Linux")
        _check(plans)
        self.folder = (folder or default_folder()).absolute()
        self.ports: dict[str, Port] = {}
        self._injection = Injection(seed)
        self._clients: dict[int, _Client] = {}
        self._unread: set[int] = set()
        self._stopping = False
        self._claim: Claim | None = None
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        now = time.monotonic_ns()
        self.buses = {plan.name: CanBus(plan.name, plan.bitrate, self._injection, now) for plan in plans}
        try:
            prepare_folder(self.folder)
            self._listen()
            self._epoll.register(self._wake, select.EPOLLIN)
            self._epoll.register(self._listener, select.EPOLLIN)
            for plan in plans:
                self._make_ports(plan, now)
            self._by_fd = {port.fd: port for port in self.ports.values()}
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def address(self, port: str) -> str:
        """The text for ``--front`` and its like."""
        return f"slcan:{self.ports[port].path}@{self.ports[port].bus.bitrate}"

    def stop(self) -> None:
        """End ``serve``; may be called from a signal handler or another thread."""
        self._stopping = True
        if not self._epoll.closed:
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Unplug all ports and remove every link and the socket."""
        if self._epoll.closed:
            return
        now = time.monotonic_ns()
        for client in list(self._clients.values()):
            client.socket.close()
        self._clients.clear()
        for port in self.ports.values():
            port.close(now)
        if self._claim:
            self._claim.release()
        self._listener.close()
        self._epoll.close()
        os.close(self._wake)

    def serve(self) -> None:
        """Carry frames until ``stop``."""
        watched = [self._epoll.fileno()]
        while not self._stopping:
            # epoll itself counts in milliseconds, select in microseconds: half a frame is what matters here.
            select.select(watched, [], [], self._sleep())
            self._step()

    def _step(self) -> None:
        """Hear everybody, let the buses run up to now, and hand over what came of it."""
        events = self._epoll.poll(0)
        now = time.monotonic_ns()
        unread, self._unread = self._unread, set()
        for fd, event in events:
            if fd in self._by_fd:
                unread.add(fd)
                self._by_fd[fd].ending = bool(event & select.EPOLLHUP)
            elif fd == self._listener.fileno():
                self._accept_client()
            elif fd in self._clients:
                self._serve_client(self._clients[fd], now)
        for fd in unread:
            # A command may have unplugged it in the meantime.
            if fd in self._by_fd and self._by_fd[fd].read(now):
                self._unread.add(fd)
        for bus in self.buses.values():
            bus.advance(now)
        for port in self._by_fd.values():
            port.release(now)
            port.flush(now)

    def _sleep(self) -> float | None:
        """How long nothing will happen unless somebody wants something [s]; None for ever."""
        if self._unread:
            return 0.0
        due = [bus.next_event for bus in self.buses.values() if bus.next_event is not None]
        due += [port.next_event for port in self._by_fd.values() if port.next_event is not None]
        return max(0, min(due) - time.monotonic_ns()) * 1e-9 if due else None

    def _listen(self) -> None:
        path = self.folder / SOCKET_NAME
        self._claim = Claim(path)
        remove_remains(self.folder)
        # The rights of the socket file are those of the socket when it is bound.
        os.fchmod(self._listener.fileno(), 0o600)
        try:
            self._listener.bind(str(path))
        except OSError as error:
            raise UsageError(f"{path}: no socket can be made: {error.strerror or error}; choose another --folder") from error
        self._listener.listen()

    def _make_ports(self, plan: BusPlan, now: int) -> None:
        for index, name in enumerate(plan.port_names):
            path = plan.links[index].absolute() if index < len(plan.links) else self.folder / name
            if index < len(plan.links):
                _make_parent(path)
            port = Port(name, self.buses[plan.name], path, len(self.ports), self._injection, now)
            self.ports[name] = port
            self._plug(port, now)

    def _plug(self, port: Port, now: int) -> None:
        port.plug(now)
        # Edge-triggered: a terminal that nobody has open is ready for ever.
        self._epoll.register(port.fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def _accept_client(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has gone already
        if len(self._clients) >= MAXIMUM_CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        self._clients[connection.fileno()] = _Client(connection)
        self._epoll.register(connection, select.EPOLLIN)

    def _serve_client(self, client: "_Client", now: int) -> None:
        try:
            data = client.socket.recv(LONGEST_COMMAND)
            *lines, client.torn = (client.torn + data).split(b"\n")
            answers = [json.dumps(self._obey(line.decode(errors="replace").split(), now)) + "\n" for line in lines]
            client.socket.sendall("".join(answers).encode())
            if data and len(client.torn) <= LONGEST_COMMAND:
                return
        except OSError:
            pass  # it has gone, or does not read its answers
        del self._clients[client.socket.fileno()]
        client.socket.close()

    def _obey(self, words: list[str], now: int) -> dict[str, Any]:
        """Do what one command line says and return the answer."""
        try:
            for bus in self.buses.values():
                bus.advance(now)
                bus.touch(now)
            match words:
                case ["statistics"]:
                    return self.statistics()
                case ["delay", target, seconds]:
                    self._delay(self._target(target), number(float, seconds, seconds))
                case ["lose" | "corrupt" as effect, target, *options]:
                    self._injection.add(Effect(effect), self._target(target), **parse_options(options))
                case ["bus-off", port]:
                    self._plugged(port).controller.transmit_errors = BUS_OFF_LIMIT
                case ["unplug", port]:
                    self._unplug(self._plugged(port), now)
                case ["plug", port]:
                    self._replug(self._port(port), now)
                case ["clear"]:
                    self._injection.clear(None)
                case ["clear", target]:
                    self._injection.clear({self._target(target)})
                case _:
                    raise UsageError(f"expected one of: {COMMANDS}")
        except UsageError as error:
            return {"error": str(error)}
        return {"done": " ".join(words)}

    def statistics(self) -> dict[str, Any]:
        """Every bus with its ports, and the disturbances in force."""
        return {
            "buses": [
                {
                    "name": bus.name,
                    "bitrate": bus.bitrate,
                    "load": round(bus.load, 4),
                    "frames": bus.frames,
                    "errors": bus.errors,
                    "ports": [port.statistics() for port in self.ports.values() if port.bus is bus],
                }
                for bus in self.buses.values()
            ],
            "disturbances": self._injection.in_force(),
        }

    def description(self) -> dict[str, Any]:
        """Where everything is, for scripts."""
        return {
            "process": os.getpid(),
            "folder": str(self.folder),
            "control": str(self.folder / SOCKET_NAME),
            "buses": [
                {
                    "name": bus.name,
                    "bitrate": bus.bitrate,
                    "ports": [
                        {"name": port.name, "path": str(port.path), "address": self.address(port.name)}
                        for port in self.ports.values()
                        if port.bus is bus
                    ],
                }
                for bus in self.buses.values()
            ],
        }

    def _target(self, name: str) -> str:
        if name in self.ports or name in self.buses:
            return name
        raise UsageError(f'no bus or port "{name}"; there are {", ".join([*self.buses, *self.ports])}')

    def _port(self, name: str) -> Port:
        if name in self.ports:
            return self.ports[name]
        raise UsageError(f'no port "{name}"; there are {", ".join(self.ports)}')

    def _plugged(self, name: str) -> Port:
        port = self._port(name)
        if not port.plugged:
            raise UsageError(f"port {name} is not plugged in")
        return port

    def _delay(self, target: str, seconds: float) -> None:
        if not 0.0 <= seconds <= LONGEST_DELAY:
            raise UsageError(f"delay {seconds:g}: must be 0 to {LONGEST_DELAY:g} s")
        self._injection.set_delay(target, round(seconds * 1e9))

    def _unplug(self, port: Port, now: int) -> None:
        del self._by_fd[port.fd]
        port.unplug(now)

    def _replug(self, port: Port, now: int) -> None:
        if port.plugged:
            raise UsageError(f"port {port.name} is plugged in")
        self._plug(port, now)
        self._by_fd[port.fd] = port


@dataclass
class _Client:
    """Somebody on the control socket, and the beginning of the line that has not ended yet."""

    socket: socket.socket
    torn: bytes = b""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Run a hub in a thread of this process, and close it at the end."""
    thread = threading.Thread(target=hub.serve, name="virtual CAN hub", daemon=True)
    with hub:
        thread.start()
        try:
            yield hub
        finally:
            hub.stop()
            thread.join()


def _check(plans: list[BusPlan]) -> None:
    """Raises UsageError for what no hub can be made of."""
    for plan in plans:
        if not NAME.fullmatch(plan.name):
            raise UsageError(f'bus "{plan.name}": a name begins with a letter and has letters, digits, - and _ only')
        if plan.bitrate not in LAWICEL_BITRATES:
            known = ", ".join(str(bitrate) for bitrate in LAWICEL_BITRATES)
            raise UsageError(f"bus {plan.name}: bitrate {plan.bitrate} is none that USB-CAN adapters have: {known}")
        if not 1 <= len(plan.port_names) <= MAXIMUM_PORTS:
            raise UsageError(f"bus {plan.name}: {len(plan.port_names)} ports; must be 1 to {MAXIMUM_PORTS}")
    names = [name for plan in plans for name in (plan.name, *plan.port_names)]
    for name in names:
        if names.count(name) > 1 or name == SOCKET_NAME:
            raise UsageError(f'"{name}" would name two things; give the buses other names')


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path.parent}: cannot be made a folder: {error.strerror}") from error
