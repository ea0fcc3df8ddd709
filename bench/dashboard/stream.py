"""The values that move: 25 times a second from the samples of the run to each page, over a websocket of its own.

A page says which signals it plots; it is sent those of the last minute at once, then what is new. It answers each message with an
empty one: a connection whose other end has gone without a word takes messages for a long time yet.
"""

import asyncio
import json
import time
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from bench.dashboard.car_picture import picture
from bench.dashboard.run import Run
from bench.dashboard.signals import Signal, values_of

PERIOD = 0.04  # [s] from one message to the next; after a late one, no sooner than half of that
BACKLOG = 6000  # samples that a page is sent when it chooses signals: a minute
MOST_SIGNALS = 40  # of one page


class Stream:
    """One page that looks on."""

    def __init__(self, run: Run, signals: dict[str, Signal]) -> None:
        self._run = run
        self._signals = signals
        self._chosen: list[Signal] = []
        self._next: int | None = None  # number of the next sample; None: begin anew
        self._of_run = -1

    async def serve(self, websocket: WebSocket) -> None:
        """Send until the page has gone."""
        await websocket.accept()
        listening = asyncio.create_task(self._listen(websocket))
        try:
            due = time.monotonic()
            while not listening.done():
                await websocket.send_text(self.message())
                now = time.monotonic()
                due = max(due + PERIOD, now + PERIOD / 2)
                await asyncio.sleep(due - now)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # it is gone
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, websocket: WebSocket) -> None:
        while True:
            text = await websocket.receive_text()
            self._run.seen_at = time.monotonic()
            if text:
                self.choose(json.loads(text))

    def choose(self, paths: Any) -> None:
        """Send these signals from now on; what is none is left out."""
        wanted = paths if isinstance(paths, list) else []
        self._chosen = [self._signals[path] for path in wanted if isinstance(path, str) and path in self._signals][:MOST_SIGNALS]
        self._next = None

    def message(self) -> str:
        """What is new, as JSON."""
        history = self._run.history
        if history.run != self._of_run:
            self._of_run, self._next = history.run, None
        begins = self._next is None
        self._next, chunks = history.latest(BACKLOG) if self._next is None else history.since(self._next)
        message: dict[str, Any] = {"standing": self._run.standing.value, "begins": begins}
        message["times"] = [round(time, 4) for chunk in chunks for time in chunk["time"].tolist()]
        message["values"] = {
            signal.path: [value for chunk in chunks for value in values_of(signal, chunk)] for signal in self._chosen
        }
        last, load = history.last, self._run.tyre_load
        if last is not None and load is not None:
            message["car"] = picture(last, load, self._run.calibration[0])
        return json.dumps(message, allow_nan=False)
