"""What the tester can be told to do: each action is given its words and the link, and gives back a table."""

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.tester.leaf_battery import BatteryState, read_battery
from bench.tester.link import TARGETS, Link
from bench.tester.names import Meaning, Value, controller_meanings, find, inverter_meanings
from hil.diagnostics.fault_memory import Status
from hil.diagnostics.protocol import Access, Session
from hil.diagnostics.routines import BrakeBleed, CapacityEstimate, SelfTest
from hil.diagnostics.trouble_codes import ALL_GROUPS, TABLE, full_name
from hil.errors import UsageError
from hil.toml_files import closest

# Not the bits of tests that were never completed, for which a LEAF's battery lists 149 codes.
WANTED = Status.TEST_FAILED | Status.TEST_FAILED_THIS_OPERATION_CYCLE | Status.PENDING | Status.CONFIRMED
KEEP_ALIVE = 2.0  # [s] below the 5 s after which a session ends
LONGEST_WAIT = 3600.0  # [s]
VIN_GROUP = 0x81
IDENTIFICATION = (0xF190, 0xF187, 0xF18A, 0xF18C, 0xF191, 0xF195, 0xF182)
ROUTINE_ACTIONS = {"start": "start_routine", "stop": "stop_routine", "results": "get_routine_result"}  # of udsoncan's client
ROUTINES: dict[str, type[SelfTest | BrakeBleed | CapacityEstimate]] = {
    "selfTest": SelfTest,
    "brakeBleed": BrakeBleed,
    "capacityEstimate": CapacityEstimate,
}


@dataclass(frozen=True)
class Table:
    """What came of an action."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


Action = Callable[[Link, list[str]], Table]


def meanings_of(link: Link) -> dict[int, Meaning]:
    """What the identifiers of this control unit mean."""
    if link.target is TARGETS["vcm"]:
        return controller_meanings()
    return inverter_meanings() if link.target is TARGETS["inverter"] else {}


def read_values(link: Link, wanted: Sequence[Meaning]) -> Table:
    """The values of identifiers now. Raises UsageError."""
    rows = [(f"{meaning.number:04X}", meaning.name, value_of(link, meaning), meaning.unit) for meaning in wanted]
    return Table("values", ("identifier", "name", "value", "unit"), rows)


def value_of(link: Link, meaning: Meaning) -> Value:
    """One value. Raises UsageError."""
    data = link.read(meaning.number, meaning.name)
    try:
        return meaning.decode(data)
    except (ValueError, IndexError) as error:
        raise UsageError(f"{meaning.name}: the answer {data.hex()} has another length than that value") from error


def wanted(link: Link, words: list[str], usage: str) -> list[Meaning]:
    """The identifiers that ``words`` name. Raises UsageError."""
    if not words:
        raise UsageError(usage)
    known = meanings_of(link)
    return [find(word, known) for word in words]


def read(link: Link, words: list[str]) -> Table:
    """The values of the identifiers that are named. Raises UsageError."""
    return read_values(link, wanted(link, words, "read: expected identifiers, for example read vehicle_speed.speed F190"))


def write(link: Link, words: list[str]) -> Table:
    """Give a value of the calibration; what it is afterwards is read back. Raises UsageError."""
    if len(words) < 2:
        raise UsageError("write: expected an identifier and its value, for example write vehicle.mass 1800")
    (meaning,) = wanted(link, words[:1], "")
    if meaning.encode:
        data = meaning.encode(words[1:])
    elif meaning.description:
        raise UsageError(f"{meaning.name}: cannot be written; values of the calibration can")
    else:
        data = _bytes("write", words[1:])
    link.enter_session(Session.EXTENDED)
    link.write(meaning.number, meaning.name, data)
    return read_values(link, [meaning])


def dtcs(link: Link, words: list[str]) -> Table:
    """The trouble codes that are stored; before, they are cleared if that is said. Raises UsageError."""
    if words == ["clear"]:
        link.call("clearing the trouble codes", lambda client: client.clear_dtc(ALL_GROUPS))
    elif words:
        raise UsageError(f'dtcs: expected nothing more, or clear; got "{" ".join(words)}"')
    response = link.call("reading the trouble codes", lambda client: client.get_dtc_by_status_mask(int(WANTED)))
    rows = [(full_name(dtc.id), *_status(dtc), _description(dtc.id)) for dtc in response.service_data.dtcs]
    return Table("trouble codes", ("code", "status", "meaning", "description"), rows)


def routine(link: Link, words: list[str]) -> Table:
    """Start or stop a routine, or ask for its results. Raises UsageError."""
    if len(words) < 2 or words[0] not in ROUTINE_ACTIONS:
        raise UsageError(f"routine: expected {', '.join(ROUTINE_ACTIONS)}, then one of {', '.join(ROUTINES)}, or its number")
    number = _routine(words[1])
    data = _bytes("routine", words[2:]) if words[2:] else None
    link.enter_session(Session.EXTENDED)
    what = f"routine {words[1]}, {words[0]}"
    response = link.call(what, lambda client: getattr(client, ROUTINE_ACTIONS[words[0]])(number, data))
    answer = bytes(response.service_data.routine_status_record or b"")
    return Table("routine", ("routine", "action", "answer"), [(f"{number:04X}", words[0], _routine_answer(number, answer))])


def unlock(link: Link, words: list[str], open_level: Callable[[Link, str], None]) -> Table:
    """Try whether the key opens a level. Raises UsageError."""
    if len(words) != 1:
        raise UsageError(f"unlock: expected one of {', '.join(LEVELS)}")
    open_level(link, words[0])
    return Table("lock", ("level", "state"), [(words[0], "open until this command ends")])


def wait(link: Link, words: list[str]) -> Table:
    """Let time pass, and the session go on. Raises UsageError."""
    try:
        seconds = float(words[0]) if len(words) == 1 else -1.0
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= LONGEST_WAIT:
        raise UsageError(f"wait: expected seconds, 0 to {LONGEST_WAIT:g}")
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0.0:
        time.sleep(min(left, KEEP_ALIVE))
        link.call("keeping the session", lambda client: client.tester_present())
    return Table("", (), [])


def battery(link: Link, words: list[str]) -> Table:
    """All that a LEAF's battery tells. Raises UsageError."""
    _nothing_more("battery", words)
    if link.target is not TARGETS["battery"]:
        raise UsageError("battery: add --target battery")
    return battery_table(read_battery(link))


def identify(link: Link, words: list[str]) -> Table:
    """Who answers. Raises UsageError."""
    _nothing_more("identify", words)
    if link.target is TARGETS["battery"]:
        state = read_battery(link)
        rows = [("part number", state.part_number), ("serial number", state.serial_number)]
    elif link.target is TARGETS["vcm"]:
        known = controller_meanings()
        rows = [(known[number].name, str(value_of(link, known[number]))) for number in IDENTIFICATION]
        vin = link.ask("the VIN as tools for the LEAF ask for it", bytes([0x21, VIN_GROUP]))
        rows.append(("VIN by 21 81", vin[2:].rstrip(b"\x00").decode("ascii", errors="replace")))
    else:
        raise UsageError("identify: a LEAF's inverter does not say what it is")
    return Table("identification", ("name", "value"), rows)


def battery_table(state: BatteryState) -> Table:
    """Everything the battery tells, with the figures that people ask for first."""
    cells = state.cells
    power = 1e-3 * state.voltage * -state.current
    rows: list[tuple[Any, ...]] = [
        ("state of charge", state.state_of_charge, "%"),
        ("state of health", state.state_of_health, "%"),
        ("Hx", round(state.hx, 2), "%"),
        ("capacity", state.capacity, "Ah"),
        ("voltage", state.voltage, "V"),
        ("current, positive in charge", round(state.current, 2), "A"),
        ("power, positive in discharge", round(power, 2), "kW"),
        ("lowest cell", min(cells, default=None), "mV"),
        ("highest cell", max(cells, default=None), "mV"),
        ("spread of cells", max(cells) - min(cells) if cells else None, "mV"),
        ("temperatures", state.temperatures, "degC"),
        ("shunts closed", state.shunts, ""),
        ("insulation level", state.insulation, ""),
        ("charged with AC", state.normal_charges, "times"),
        ("charged with DC", state.quick_charges, "times"),
        ("part number", state.part_number, ""),
        ("serial number", state.serial_number, ""),
        ("cells", cells, "mV"),
    ]
    return Table("battery", ("name", "value", "unit"), rows)


LEVELS = {level.name.lower(): level for level in Access if level != Access.LOCKED}

ACTIONS: Mapping[str, Action] = {
    "read": read,
    "write": write,
    "dtcs": dtcs,
    "routine": routine,
    "wait": wait,
    "battery": battery,
    "identify": identify,
}


def find_action(word: str, open_level: Callable[[Link, str], None]) -> Action:
    """The action of that name. Raises UsageError."""
    if word == "unlock":
        return partial(unlock, open_level=open_level)
    if word not in ACTIONS:
        known = [*ACTIONS, "unlock", "watch"]
        raise UsageError(f'unknown action "{word}"{closest(word, known)}; there are {", ".join(known)}')
    return ACTIONS[word]


def find_level(text: str) -> Access:
    """The level of that name. Raises UsageError."""
    if text not in LEVELS:
        raise UsageError(f'level "{text}"{closest(text, LEVELS)}; there are {", ".join(LEVELS)}')
    return LEVELS[text]


def _nothing_more(action: str, words: list[str]) -> None:
    if words:
        raise UsageError(f'{action}: expected nothing more, got "{" ".join(words)}"')


def _bytes(action: str, words: list[str]) -> bytes:
    try:
        return bytes.fromhex("".join(words))
    except ValueError as error:
        raise UsageError(f'{action}: expected bytes as hexadecimal digits, got "{" ".join(words)}"') from error


def _routine_answer(number: int, answer: bytes) -> str:
    """What a routine has answered, in words where they are known."""
    known = next((found for found in ROUTINES.values() if number == found.NUMBER), None)
    try:
        return known.in_words(answer) if known else answer.hex(" ")
    except (ValueError, struct.error):  # of another control unit's routine
        return answer.hex(" ")


def _routine(text: str) -> int:
    if text in ROUTINES:
        return ROUTINES[text].NUMBER
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFFFF:
        known = ", ".join(ROUTINES)
        raise UsageError(f'unknown routine "{text}"{closest(text, ROUTINES)}; there are {known}, or a number, as 0201')
    return number


def _description(number: int) -> str:
    return next((row.description for row in TABLE if row.number == number), "")


def _status(dtc: Any) -> tuple[str, str]:
    """As a byte, and in words."""
    status = Status(dtc.status.get_byte_as_int())
    return f"{int(status):02X}", ", ".join(str(flag.name).lower().replace("_", " ") for flag in WANTED if flag in status)
