"""The tester's way to one control unit: ISO-TP by can-isotp on any bus, UDS by udsoncan, and its answers in words."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import isotp
import udsoncan.configs
from udsoncan import DidCodec
from udsoncan.client import Client
from udsoncan.connections import PythonIsoTpConnection
from udsoncan.exceptions import (
    InvalidResponseException,
    NegativeResponseException,
    TimeoutException,
    UnexpectedResponseException,
)

from bench.diagnostics import battery, inverter
from hil.bus import BusAddress, open_bus
from hil.diagnostics.controller import ADDRESSES
from hil.diagnostics.lock import key_for_seed, level_key, read_secret
from hil.diagnostics.protocol import NEGATIVE, Access, Code, Session
from hil.diagnostics.services.security_access import request_seed
from hil.drivers import close_bus
from hil.errors import UsageError

LOGGER = "e4hil tester"
ALL_BITS = 0x7FF

logging.getLogger(f"UdsClient[{LOGGER}]").disabled = True  # every refusal is told there, and here in words

# What a negative response means to who asked; codes that are not here are told by their names alone.
WORDS = {
    Code.SERVICE_NOT_SUPPORTED: "this control unit does not have that service",
    Code.SUB_FUNCTION_NOT_SUPPORTED: "it does not know that",
    Code.INCORRECT_LENGTH: "the request has another length than it expects",
    Code.RESPONSE_TOO_LONG: "the answer would be too long: ask for less at once",
    Code.BUSY_REPEAT_REQUEST: "it is busy: try again",
    Code.CONDITIONS_NOT_CORRECT: "the state of the car does not allow it now",
    Code.REQUEST_SEQUENCE_ERROR: "something has to come before it",
    Code.REQUEST_OUT_OF_RANGE: "there is no such identifier, or the value is out of its range",
    Code.SECURITY_ACCESS_DENIED: "it is locked: add --unlock calibrate, actuate or flash",
    Code.AUTHENTICATION_REQUIRED: "it wants a certificate first",
    Code.INVALID_KEY: "the key is wrong: is --key-file that of this control unit?",
    Code.EXCEEDED_NUMBER_OF_ATTEMPTS: "too many wrong keys: wait 10 s",
    Code.REQUIRED_TIME_DELAY_NOT_EXPIRED: "there were too many wrong keys: wait 10 s",
    Code.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION: "not in this session",
    Code.SERVICE_NOT_SUPPORTED_IN_SESSION: "not in this session",
    Code.VEHICLE_SPEED_TOO_HIGH: "the car drives, or its speed is not known: it has to stand",
}


@dataclass(frozen=True)
class Target:
    """A control unit: where it is reached, and who plays it."""

    request: int
    response: int
    title: str
    runs: str  # the command that brings it, with its bus
    padding: int = 0x00


TARGETS = {
    "vcm": Target(ADDRESSES.request, ADDRESSES.response, "the controller", "e4hil ecu, on its chassis bus"),
    "battery": Target(
        battery.REQUEST, battery.ANSWER, "the battery's controller", "e4hil bench, on its front bus, while the car is awake", 0xFF
    ),
    "inverter": Target(
        inverter.REQUEST, inverter.ANSWER, "the inverter", "e4hil bench, on its front or rear bus, while the car is awake", 0xFF
    ),
}


class RefusedError(UsageError):
    """The control unit has given a negative response."""

    def __init__(self, what: str, code: int) -> None:
        known = Code(code) if code in Code.__members__.values() else None
        name = known.name.lower().replace("_", " ") if known else "unknown code"
        words = f": {WORDS[known]}" if known in WORDS else ""
        super().__init__(f"{what}: refused, {name} (0x{code:02X}){words}")
        self.code = code


class Bytes(DidCodec):
    """The value of any identifier as it is."""

    def encode(self, value: Any) -> bytes:
        """Nothing is done to it."""
        return bytes(value)

    def decode(self, data: bytes) -> bytes:
        """Nothing is done to it."""
        return data

    def __len__(self) -> int:
        raise DidCodec.ReadAllRemainingData


class Link:
    """One control unit on the other side of a bus. All methods raise UsageError; RefusedError is one."""

    def __init__(self, client: Client, target: Target, bus: str, timeout: float) -> None:
        self.target = target
        self._client = client
        self._bus = bus
        self._timeout = timeout
        self._session = Session.DEFAULT

    def ask(self, what: str, request: bytes) -> bytes:
        """The whole positive answer to a request that udsoncan has no service for, as those of KWP2000."""
        connection = self._client.conn
        connection.empty_rxqueue()
        connection.send(request)
        while True:
            answer = self._tell(what, connection.wait_frame, self._timeout, exception=True)
            if answer[:2] != bytes([NEGATIVE, request[0]]) or len(answer) < 3:
                return bytes(answer)
            if answer[2] != Code.RESPONSE_PENDING:
                raise RefusedError(what, answer[2])

    def call(self, what: str, service: Callable[[Client], Any]) -> Any:
        """What a service of udsoncan's client returns."""
        return self._tell(what, service, self._client)

    def read(self, number: int, name: str) -> bytes:
        """The value of an identifier."""
        response = self.call(f"reading {name}", lambda client: client.read_data_by_identifier([number]))
        return bytes(response.service_data.values[number])

    def write(self, number: int, name: str, data: bytes) -> None:
        """Give an identifier a value."""
        self.call(f"writing {name}", lambda client: client.write_data_by_identifier(number, data))

    def enter_session(self, session: Session) -> None:
        """Begin that session, unless it goes on already."""
        if self._session != session:
            self.call(f"the {session.name.lower()} session", lambda client: client.change_session(session))
            self._session = session

    def unlock(self, level: Access, key_file: Path) -> None:
        """Open a level of the lock with the secret in ``key_file``."""
        self.enter_session(Session.EXTENDED)
        key = level_key(read_secret(key_file), level)
        tester = f"{self.target.request:03X}"  # by this name the control unit knows who asks

        def answer(level: int, seed: bytes, params: Any) -> bytes:  # udsoncan calls it by these names
            return key_for_seed(key, Access((level + 1) // 2), tester, seed)

        def unlock(client: Client) -> Any:
            client.config["security_algo"] = answer
            return client.unlock_security_access(request_seed(level))

        self.call(f"unlocking {level.name.lower()}", unlock)

    def _tell(self, what: str, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return work(*arguments, **options)
        except NegativeResponseException as error:
            raise RefusedError(what, error.response.code or 0) from error
        except TimeoutException as error:
            target = self.target
            raise UsageError(
                f"{what}: no answer from {target.title} (0x{target.request:03X}, answers 0x{target.response:03X}) on {self._bus}"
                f" within {self._timeout:g} s; is it there? It is played by {target.runs}; all on a bus need the same bitrate"
            ) from error
        except (InvalidResponseException, UnexpectedResponseException) as error:
            raise UsageError(f"{what}: the answer makes no sense: {error}") from error


@contextmanager
def connected(address: BusAddress, target: Target, timeout: float) -> Iterator[Link]:
    """A link to a control unit. Raises UsageError if the bus cannot be opened."""
    bus = open_bus(address)
    try:
        bus.set_filters([{"can_id": target.response, "can_mask": ALL_BITS, "extended": False}])
        pair = isotp.Address(isotp.AddressingMode.Normal_11bits, txid=target.request, rxid=target.response)
        parameters = {"tx_padding": target.padding, "blocksize": 0, "stmin": 0, "logger_name": LOGGER}
        stack = isotp.CanStack(bus, address=pair, params=parameters)
        with Client(PythonIsoTpConnection(stack), config=_configuration(timeout)) as client:
            yield Link(client, target, str(address), timeout)
    finally:
        close_bus(bus)


def _configuration(timeout: float) -> Any:
    return {
        **udsoncan.configs.default_client_config,
        "request_timeout": None,  # "response pending" may go on for longer than anybody would guess
        "p2_timeout": timeout,
        "use_server_timing": False,
        "logger_name": LOGGER,
        "data_identifiers": {"default": Bytes},
    }
