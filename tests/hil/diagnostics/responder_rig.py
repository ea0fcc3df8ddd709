"""A diagnostic server beside a running loop of the small network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from echo_server import echo_server
from isotp_tester import REQUEST, RESPONSE
from running import LONG_ENOUGH, are_open, bench_on
from small_network import CONTROLLER
from waiting import nothing_left_behind, wait_until

from hil.diagnostics.responder import Addresses, ResponderSpec
from hil.realtime import SessionOptions

NODE = 0x97
ADDRESSES = Addresses(REQUEST, RESPONSE, node=NODE)


class Running:
    """A bench that runs while a test talks to it, looked after by the test's own calls."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.frames: list[Any] = []
        self._run = bench.chunks(LONG_ENOUGH, 0.005)

    def look(self) -> None:
        self.frames.append(next(self._run).frames)

    def until(self, condition: Any) -> None:
        wait_until(lambda: (self.look(), condition())[1])


@contextmanager
def running(
    network: Any, address: str, *, options: SessionOptions | None = None, server: Any = None, **spec: Any
) -> Iterator[Running]:
    bench = bench_on(network, address, CONTROLLER, options=options)
    spec.setdefault("addresses", ADDRESSES)
    bench.stations[0].answer(0, ResponderSpec("VCM", server or echo_server(), **spec))
    run = Running(bench)
    with nothing_left_behind():
        try:
            run.until(lambda: are_open(bench))
            yield run
        finally:
            run._run.close()
