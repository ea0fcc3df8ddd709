"""``e4hil performance --tuning``: what the controller's loop notices of a page of the dashboard that is open."""

import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.dashboard import require_extra
from bench.commands.measuring import background
from bench.commands.performance_beside import VEHICLE, Turns, in_turns
from bench.rows import Row
from bench.vehicles import load_vehicle
from hil.errors import UsageError
from hil.network.database import load_network
from hil.timing import LoopSettings

if TYPE_CHECKING:
    from bench.dashboard.run import CarRun

SCENARIO = "stop_and_go"  # the longest
STARTING = 30.0  # [s]
SILENCE = 1.0  # [s]


def page_rows(seconds: float) -> list[Row]:
    """A page is open, with as many plots as it may have."""
    try:
        require_extra()
    except UsageError as missing:
        return [Row("wake-up p99 of the controller, a page open", None, "µs", note=str(missing))]
    with served() as (run, look_on):

        def drive(with_company: bool, seconds: float, turns: Turns) -> Any:
            def work(done: threading.Event) -> None:
                if with_company:
                    turns.done += look_on(done)

            run.start()
            wait_until_running(run)
            with background(work):
                time.sleep(seconds)
            run.close()
            assert run.bench
            return run.bench.stations[0].statistics[0]

        return in_turns(seconds, drive).rows("a page open", "messages to it")


def wait_until_running(run: "CarRun") -> None:
    """Until its loop runs. Raises UsageError if it does not."""
    from bench.dashboard.run import Standing

    end = time.monotonic() + STARTING
    while run.standing is Standing.STARTING and time.monotonic() < end:
        time.sleep(0.01)
    if run.standing is not Standing.RUNNING:
        raise UsageError(f"the run behind the page did not start: {run.error or run.standing.value}")


@contextmanager
def served() -> Iterator[tuple["CarRun", Callable[[threading.Event], int]]]:
    """A run with its page on a free port of the loopback address, and who looks on until an event is set; it counts messages."""
    from bench.dashboard.access import Access
    from bench.dashboard.recording import Recording
    from bench.dashboard.run import CarRun
    from bench.dashboard.server import DashboardServer, listening_socket
    from bench.dashboard.signals import signals_of
    from bench.dashboard.stream import MOST_SIGNALS

    lines: list[str] = []
    vehicle = load_vehicle(VEHICLE)
    network = load_network(vehicle.network)
    with tempfile.TemporaryDirectory() as folder, listening_socket("127.0.0.1", 0) as bound:
        recording = Recording(Path(folder), [bus.name for bus in network.buses], lines.append)
        run = CarRun(network, vehicle, LoopSettings(), recording, lambda line: None, scenario=SCENARIO)
        run.compile()
        access = Access(lines.append)
        server = DashboardServer(run, access, bound)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            access.invite()
            cookie = way_in(lines[0].split()[-1])
            signals = list(signals_of(run.nodes))[:MOST_SIGNALS]
            yield run, lambda done: look_on(access.url, cookie, signals, done)
        finally:
            run.close()
            server.stop()
            thread.join()


def way_in(invitation: str) -> str:
    """The cookie that the page gives for an address with a token."""
    jar = CookieJar()
    with urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open(invitation):
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def look_on(url: str, cookie: str, signals: list[str], done: threading.Event) -> int:
    """Take the values of ``signals`` as the page does, each message answered with an empty one; how many there were."""
    from websockets.sync.client import connect

    messages = 0
    with connect(f"{url.replace('http', 'ws', 1)}stream", additional_headers={"Cookie": cookie}) as websocket:
        websocket.send(json.dumps(signals))
        while not done.is_set():
            websocket.recv(SILENCE)
            websocket.send("")
            messages += 1
    return messages
