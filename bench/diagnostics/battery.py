"""The virtual battery controller's KWP2000 server (requests 0x79B, answers 0x7BB), from what it and the pack know at the moment.

Lengths and places are those of cars [M: a LEAF e+ and a 2012 LEAF, read with public tools]. Bytes whose meaning is not public
are those of a captured LEAF of 2018, or zero, and are marked as unknown below; they never change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.diagnostics.kwp import SleepingServer, chosen, locked, start_session, tester_present, write
from firmware_model.signals import NEVER_RECEIVED
from hil.diagnostics.protocol import Code, NegativeResponseError, Request, Rule, Service
from hil.node import Node

REQUEST, ANSWER = 0x79B, 0x7BB
# Measured on a LEAF e+ from the request to the last frame: 31 to 42 ms for 3 consecutive frames, 37 to 53 for 4, 69 to 82 for 7,
# 277 to 289 for 28. So the controller has a task of 10 ms, which begins the answer and sends one frame each time.
SEPARATION = 10  # [ms]
RESPONSE_TIME = 0.005  # [s] to the first frame, in the mean
PADDING = 0xFF

CELLS = 96  # for which the groups have room
STRIDE = 401  # a prime above any number of cells: neighbours in a module are none in voltage
RAW_AT_ZERO, RAW_PER_KELVIN = 710.0, -1.0 / 0.102  # of a thermistor: OVMS, from cars
FIRST_SENSOR_SHARE = 0.95  # of the current; the first sensor reads 2 to 14 % low under load on a LEAF e+
LONG_AFTER = 1.0  # [s] awake; before, group 01 of a ZE1 is short. How long is assumed.
SHORT_LENGTH = 42  # of it then, of 44 bytes with number and group

# Group 01 of a captured LEAF of 2018, without number and group. Known and overwritten below: 0 to 3, 6 to 9, 18 to 23, 28 to 29,
# 31 to 33, 35 to 37, 41 to 44. Unknown: the others.
GROUP_01 = bytes.fromhex(
    "FFFFFC18 02AF FFFFFB62 FFFFF0DD 0B1C 30D4 951D 3306 0395 00017000 269A 00 0C44B5 00 110BB8 800001 FFFFFB62 FFFFFCAA 01AD"
)
KNOWN_TO_ALL = 24  # bytes of it that are at the same place in all generations
SUPPLY_RAW = 0x3306  # 12.76 V of the captured one: the virtual car has no 12 V system


@dataclass(frozen=True)
class Generation:
    """How the groups of one generation differ; lengths without the service's number and the group."""

    length_01: int
    hx: int  # offset; charge follows 3 later, capacity 7 later
    hx_scale: float  # [1/%]
    length_04: int
    sensors: tuple[int, ...]  # of temperature, those that are fitted
    shunt_bytes: int  # of group 06 that belong to shunts; the rest is 0xFF


GENERATIONS = {
    "ZE0": Generation(39, 26, 100.0, 14, (0, 1, 2, 3), 24),
    "AZE0": Generation(41, 26, 100.0, 14, (0, 1, 3), 24),
    "ZE1": Generation(51, 28, 102.4, 29, (0, 1, 3), 12),
}

NO_CAN, NO_CONTROLLER, WRONG_CHECK, FROZEN = 0xD00000, 0x318E00, 0x319900, 0x31A400  # U1000, P318E, P3199, P31A4
FAILED, FAILED_NOW_AWAKE, CONFIRMED = 0x01, 0x06, 0x08  # bits of a status; the second: this waking, and pending
STATUS_BITS = FAILED | FAILED_NOW_AWAKE | CONFIRMED


class BatteryServer(SleepingServer):
    """The server of the ``car``'s battery controller; of the LEAF's ``generation``, the last one if that is none of the known."""

    def __init__(self, car: Node, generation: str | None) -> None:
        self._car = car
        self._generation = GENERATIONS.get(generation or "", GENERATIONS["ZE1"])
        self._troubles: dict[int, int] = {}  # status of each stored code
        groups: dict[int, Callable[[], bytes]] = {
            0x01: self._group_01, 0x02: self._group_02, 0x04: self._group_04, 0x06: self._group_06,
            0x61: self._group_61, 0x62: lambda: bytes(116), 0x83: lambda: PART_NUMBER, 0x84: lambda: SERIAL_NUMBER,
        }  # fmt: skip
        services = [
            start_session(),
            Service(0x14, "ClearDiagnosticInformation", Rule("ClearDiagnosticInformation", self._clear)),
            Service(0x19, "ReadDTCInformation", Rule("ReadDTCInformation", self._read_troubles)),
            chosen(0x21, "ReadDataByLocalIdentifier", {bytes([group]): _unasked(read) for group, read in groups.items()}),
            # The door to the reset of the state of health: its key is public, and is of no use here.
            locked(0x27, "SecurityAccess"),
            locked(0x31, "StartRoutineByLocalIdentifier"),
            tester_present(),
        ]
        super().__init__(services, self._is_awake)

    def look(self, now: float) -> None:
        """Store what has made the controller give up; once it sleeps, no code has failed in this waking any more."""
        present = self._present_troubles()
        kept = STATUS_BITS & ~FAILED if self._is_awake() else CONFIRMED
        for code in self._troubles:
            self._troubles[code] &= kept
        self._troubles |= dict.fromkeys(present, STATUS_BITS)

    # What it and the pack know ------------------------------------------------------------------------------------------------

    @property
    def _controller(self) -> Any:
        return self._car.state[0].battery_controller

    @property
    def _parameters(self) -> Any:
        return self._car.parameters[0].battery_controller

    def _is_awake(self) -> bool:
        return bool(self._controller.awake_time > self._parameters.boot_time)

    def _measured(self) -> Any:
        """The pack's measurements, all of the same moment as far as a copy can make them so."""
        return self._car.measurements[0].plant.battery.copy()

    def _hx(self) -> float:
        """The LEAF's own figure of health [%], thought to follow the conductance: 100 for a pack without growth of resistance."""
        return 100.0 / float(self._car.parameters[0].plant.battery.series_growth)

    # 0x21 -------------------------------------------------------------------------------------------------------------------

    def _group_01(self) -> bytes:
        """Currents, voltages, insulation, health, charge and capacity."""
        form, pack, measured = self._generation, self._car.parameters[0].plant.battery, self._measured()
        data = bytearray(GROUP_01[:KNOWN_TO_ALL] + GROUP_01[KNOWN_TO_ALL + GENERATIONS["ZE1"].hx - form.hx :])[: form.length_01]
        current = -1024.0 * measured.current  # positive in charge, as in 0x1DB
        write(data, 0, 4, FIRST_SENSOR_SHARE * current, signed=True)
        write(data, 6, 4, current, signed=True)
        write(data, 18, 2, 100.0 * measured.voltage)
        write(data, 20, 2, SUPPLY_RAW)
        write(data, 22, 2, self._car.inputs[0].battery.isolation)  # the level of 0x55B: 885 and 917 in captured answers
        write(data, form.hx, 2, form.hx_scale * self._hx())
        write(data, form.hx + 3, 3, 1e6 * measured.state_of_charge)  # 0.0001 %
        write(data, form.hx + 7, 3, 1e4 * capacity(pack))
        if form is GENERATIONS["ZE1"]:
            write(data, 41, 4, current, signed=True)
            if self._controller.awake_time < LONG_AFTER:
                del data[SHORT_LENGTH:]
        return bytes(data)

    def _group_02(self) -> bytes:
        """Voltages of all cells, of the pack, and of the bus behind its contactors."""
        measured, circuit = self._measured(), self._car.measurements[0].high_voltage
        data = bytearray([0xFF] * 196)
        for place, millivolts in enumerate(cell_voltages(measured, int(self._car.parameters[0].plant.battery.series))[:CELLS]):
            write(data, 2 * place, 2, millivolts)
        write(data, 192, 2, 100.0 * measured.voltage)
        write(data, 194, 2, 100.0 * circuit.link_voltage)
        return bytes(data)

    def _group_04(self) -> bytes:
        """Each temperature sensor's raw value and temperature, and their average."""
        form, measured = self._generation, self._measured()
        data = bytearray([0xFF] * form.length_04)
        middle = measured.temperature_average
        temperatures = (measured.temperature_lowest, middle, middle, measured.temperature_highest)
        for sensor in form.sensors:
            write(data, 3 * sensor, 2, RAW_AT_ZERO + RAW_PER_KELVIN * temperatures[sensor])
            write(data, 3 * sensor + 2, 1, temperatures[sensor], signed=True)
        write(data, 12, 1, middle, signed=True)
        data[13] = 0x00  # unknown
        return bytes(data)

    def _group_06(self) -> bytes:
        """The shunts that balance the cells: the virtual pack has none, so all are open."""
        return bytes(self._generation.shunt_bytes).ljust(24, b"\xff")

    def _group_61(self) -> bytes:
        """The state of health, behind the figure of group 01; all else is unknown."""
        data = bytearray(329)
        write(data, 0, 2, self._generation.hx_scale * self._hx())
        write(data, 2, 2, 1e4 * self._measured().state_of_health)
        return bytes(data)

    # Trouble codes ------------------------------------------------------------------------------------------------------------

    def _present_troubles(self) -> list[int]:
        controller, parameters, power = self._controller, self._parameters, self._car.outputs[0].power
        if not controller.malfunction:
            return []
        link, heard, limit = power.charger_link, controller.charger, parameters.refused_limit
        ages = [source.age for source in (power.link, link) if source.age != NEVER_RECEIVED]
        present = [NO_CAN, NO_CONTROLLER] if any(age > parameters.frame_timeout for age in ages) else []
        if link.crc_errors - heard.crc_errors >= limit:
            present.append(WRONG_CHECK)
        if link.counter_errors - heard.counter_errors >= limit:
            present.append(FROZEN)
        return present

    def _read_troubles(self, request: Request) -> bytes:
        """0x19 with the LEAF's only sub-function 02: codes by a mask of their status."""
        if len(request.data) != 3 or request.data[1] != 0x02:
            raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED)
        self.look(request.now)
        mask = request.data[2]
        found = [code.to_bytes(3) + bytes([status]) for code, status in self._troubles.items() if status & mask]
        return b"\x02" + bytes([STATUS_BITS]) + b"".join(found)

    def _clear(self, request: Request) -> bytes:
        """0x14 for all codes; the LEAF's answer is a single byte."""
        if request.data[1:] != b"\xff\xff\xff":
            raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED)
        self._troubles.clear()
        return b""


# Groups 83 and 84: 7 letters and 15 letters behind three digits are known to be those; the rest is unknown.
PART_NUMBER = b"VIRTUAL".ljust(24, b"\x00")
SERIAL_NUMBER = (b"000" + b"EMULATED PACK 1").ljust(20, b"\x00")


def capacity(pack: Any) -> float:
    """What the ``pack`` (BatteryParameters) holds now [Ah]."""
    return float(pack.parallel * pack.cell.capacity * pack.state_of_health / 3600.0)


def cell_voltages(measured: Any, series: int) -> list[int]:
    """Voltage of each cell [mV] of ``measured`` (BatteryMeasurements).

    The plant knows the lowest, the mean and the highest. Between them the cells follow low + (high - low) p^k, with p evenly
    spread over them and k such that their mean is right; they are rounded so that their sum is the pack's voltage.
    """
    low, mean, high = (
        1e3 * v for v in (measured.cell_voltage_lowest, measured.cell_voltage_average, measured.cell_voltage_highest)
    )
    if series < 3:  # there is nothing between them
        low = high = mean
    spread, last = high - low, max(series - 1, 1)
    k = spread / (mean - low) - 1.0 if low < mean < high else 1.0
    shares = [(place * STRIDE % series / last) ** k for place in range(series)]
    # Only the cells between the extremes take what the powers' mean, a sum and not an integral, is beside the true one.
    excess = (sum(shares) * spread / series + low - mean) * series / max(series - 2, 1)
    exact = [low + spread * share - (excess if 0.0 < share < 1.0 else 0.0) for share in shares]
    voltages: list[int] = []
    total = 0.0
    for value in exact:
        total += value
        voltages.append(round(total) - sum(voltages))
    return voltages


def _unasked(read: Callable[[], bytes]) -> Callable[[Request], bytes]:
    return lambda request: read()
