"""The server of a virtual inverter (requests 0x784, answers 0x78C, on its own bus), as far as a LEAF e+'s is known.

On that car [M]: 22 12 25 is the torque that 0x1D4 asks for, in its own steps of 0.25 Nm, and 22 11 21 the byte of the motor's
temperature in 0x55A; other identifiers are refused with 0x12. The resolver's offset is kept in records as public tools write them
[S]; the virtual motor's resolver has none, so a new one is kept and has no effect.
"""

from bench.diagnostics.kwp import SleepingServer, chosen, start_session, tester_present, write
from hil.diagnostics.protocol import Code, NegativeResponseError, Request, Rule, Service
from hil.network.database import Network
from hil.node import Node

REQUEST, ANSWER = 0x784, 0x78C
RESPONSE_TIME = 0.015  # [s] measured: 12 to 18 ms with the tester's own share
PADDING = 0xFF

TORQUE_STEP = 0.25  # [Nm]
OTHER_SESSION = b"\xaa"  # some inverters want it before the resolver's records
# Bytes of each record: a LEAF of 2018 has two digits, older ones ten. How ten are parted is assumed.
RECORDS = {"ZE1": {0x01: 1}}
OLDER_RECORDS = {0x01: 1, 0x03: 2, 0x04: 2}


class InverterServer(SleepingServer):
    """The server of the inverter of one ``axle`` (front or rear) of the ``car``."""

    def __init__(self, car: Node, network: Network, axle: str) -> None:
        self._car, self._axle = car, axle
        torque = network.bus(axle).message("TorqueRequest")
        self._sign = next(mapping.factor for mapping in torque.mappings if mapping.signal.name == "MotorTorque")
        self._records = {
            number: bytes(length) for number, length in RECORDS.get(network.generation or "ZE1", OLDER_RECORDS).items()
        }
        services = [
            start_session(OTHER_SESSION),
            chosen(0x21, "ReadDataByLocalIdentifier", {bytes([number]): self._read_record for number in self._records}),
            chosen(0x22, "ReadDataByCommonIdentifier", {b"\x12\x25": self._torque, b"\x11\x21": self._temperature}),
            Service(0x3B, "WriteDataByLocalIdentifier", Rule("WriteDataByLocalIdentifier", self._write_record)),
            tester_present(),
        ]
        super().__init__(services, self._is_awake)

    def _is_awake(self) -> bool:
        parameters = self._car.parameters[0][f"{self._axle}_inverter"]
        awake_time = self._car.state[0][f"{self._axle}_inverter"].awake_time
        return bool(awake_time > parameters.boot_time and not parameters.mute)

    def _torque(self, request: Request) -> bytes:
        data = bytearray(2)
        write(data, 0, 2, self._sign * self._car.outputs[0][self._axle].motor_torque / TORQUE_STEP, signed=True)
        return bytes(data)

    def _temperature(self, request: Request) -> bytes:
        data = bytearray(1)
        write(data, 0, 1, 1.8 * self._car.inputs[0][self._axle].motor_temperature + 32.0)  # degF, as 0x55A
        return bytes(data)

    def _read_record(self, request: Request) -> bytes:
        return self._records[request.data[1]]

    def _write_record(self, request: Request) -> bytes:
        """Keep a new record, not while the inverter drives its motor."""
        number, content = request.data[1:2], request.data[2:]
        if not number or len(content) != len(self._records.get(number[0], b"")) or not content:
            raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED)
        if self._car.inputs[0][f"{self._axle}_condition"].enabled:
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
        self._records[number[0]] = content
        return number
