"""The other side: somebody with a tester, who speaks ISO-TP by hand or by can-isotp, and UDS by udsoncan."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import can
import isotp
import udsoncan
import udsoncan.client
import udsoncan.configs
from udsoncan.connections import PythonIsoTpConnection

REQUEST, RESPONSE, FUNCTIONAL = 0x797, 0x79A, 0x7DF
QUIET = {"logger_name": "tester", "tx_padding": 0}
LISTENED = 5.0  # [s] at most for a frame that must come


@contextmanager
def uds_client(bus: Any, address: isotp.Address | None = None, **parameters: Any) -> Iterator[Any]:
    """udsoncan's client, on a bus of python-can's; ``parameters`` of can-isotp."""
    address = address or isotp.Address(isotp.AddressingMode.Normal_11bits, txid=REQUEST, rxid=RESPONSE)
    notifier = can.Notifier(bus, [], timeout=0.05)
    stack = isotp.NotifierBasedCanStack(bus, notifier, address=address, params={**QUIET, **parameters})
    config = dict(udsoncan.configs.default_client_config)
    config["use_server_timing"] = False  # the client counts from before its frames have left, on a machine that may be busy
    config["p2_timeout"] = config["request_timeout"] = LISTENED
    try:
        with udsoncan.client.Client(PythonIsoTpConnection(stack), config=config) as client:
            yield client
    finally:
        notifier.stop()


def send(bus: Any, data: bytes, identifier: int = REQUEST, extended: bool = False) -> None:
    bus.send(can.Message(arbitration_id=identifier, is_extended_id=extended, data=data.ljust(8, b"\0")))


def hear(bus: Any, identifier: int = RESPONSE, seconds: float = LISTENED) -> Any:
    """The next frame with this identifier; None if there is none."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        message = bus.recv(left)
        if message and message.arbitration_id == identifier:
            return message
    return None


def ask(bus: Any, message: bytes, identifier: int = REQUEST, response: int = RESPONSE, extended: bool = False) -> bytes:
    """The answer to a request when both fit in single frames."""
    send(bus, bytes([len(message)]) + message, identifier, extended)
    answer = hear(bus, response)
    assert answer, "no answer"
    return bytes(answer.data[1 : 1 + answer.data[0]])
