"""The generated codecs against cantools, and against bits written out by hand."""

import math
import random
import types
from pathlib import Path

import cantools.database
import numpy as np
import pytest
from cantools.database.can import Message as CantoolsMessage
from cantools.database.can import Signal as CantoolsSignal
from cantools.database.conversion import BaseConversion
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.frames import bytes_from_payload, payload_from_bytes
from hil.generated import import_generated
from hil.network.codegen import crc_table, generate_codecs
from hil.network.database import LEAF_FOLDER, Network, _convert_message, list_networks, load_network
from hil.network.description import Description

NETWORKS = [name for name, _ in list_networks()]
ROUNDS = 200


def codecs_of(network: Network) -> types.ModuleType:
    return import_generated("codecs", generate_codecs(network))


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return load_network(request.param)


@pytest.fixture(scope="module")
def oracle(network: Network) -> dict[int, CantoolsMessage]:
    """Every message of the network's DBC files as cantools reads it."""
    messages = {}
    for file in sorted(LEAF_FOLDER.glob("*.dbc")):
        database = cantools.database.load_file(file)
        ours = {(message.identifier, message.name) for message in network.messages}
        for message in database.messages:
            if (message.frame_id, message.name) in ours:
                key = message.frame_id
                if key not in messages or _same_layout(message, network):
                    messages[key] = message
    return messages


def _same_layout(message: CantoolsMessage, network: Network) -> bool:
    ours = next(m for m in network.messages if m.identifier == message.frame_id)
    return {(s.name, s.start, s.length) for s in ours.signals} == {(s.name, s.start, s.length) for s in message.signals}


def test_every_message_decodes_as_cantools_does(network: Network, oracle: dict[int, CantoolsMessage]) -> None:
    codecs = codecs_of(network)
    generator = random.Random(1)
    for message in network.messages:
        decode = getattr(codecs, f"decode_{message.codec}")
        for _ in range(ROUNDS):
            data = generator.randbytes(message.length)
            try:
                expected = oracle[message.identifier].decode(data, decode_choices=False)
            except cantools.database.DecodeError:
                continue  # cantools refuses multiplexer values that no signal has
            values = decode(np.uint64(payload_from_bytes(data)))
            for signal, value in zip(message.signals, values, strict=True):
                if signal.name not in expected:
                    assert math.isnan(value), f"{message.name}.{signal.name}"
                    continue
                raw = round((expected[signal.name] - signal.offset) / signal.factor)
                if raw == signal.invalid:
                    assert math.isnan(value), f"{message.name}.{signal.name}"
                else:
                    assert value == expected[signal.name], f"{message.name}.{signal.name}"


def test_every_message_encodes_as_cantools_does(network: Network, oracle: dict[int, CantoolsMessage]) -> None:
    codecs = codecs_of(network)
    generator = random.Random(2)
    for message in network.messages:
        encode = getattr(codecs, f"encode_{message.codec}")
        selectors = sorted({number for signal in message.signals for number in signal.multiplexer_ids})
        for _ in range(ROUNDS):
            selector = generator.choice(selectors) if selectors else None
            raws = {signal.name: generator.randint(signal.raw_minimum, signal.raw_maximum) for signal in message.signals}
            if message.multiplexer:
                raws[message.multiplexer] = selector
            values = {signal.name: signal.physical(raws[signal.name]) for signal in message.signals}
            sent = [s for s in message.signals if not s.multiplexer_ids or selector in s.multiplexer_ids]
            expected = oracle[message.identifier].encode({s.name: values[s.name] for s in sent}, strict=False)
            payload = encode(*[values[signal.name] for signal in message.signals])
            assert bytes_from_payload(payload, message.length) == bytes(expected), message.name


def test_every_value_survives_encoding_and_decoding_within_half_a_step(network: Network) -> None:
    codecs = codecs_of(network)
    generator = random.Random(3)
    for message in network.messages:
        if message.multiplexer:
            continue
        encode, decode = getattr(codecs, f"encode_{message.codec}"), getattr(codecs, f"decode_{message.codec}")
        for _ in range(ROUNDS):
            values = [
                generator.uniform(*sorted((signal.physical(signal.raw_minimum), signal.physical(signal.raw_maximum))))
                for signal in message.signals
            ]
            back = decode(np.uint64(encode(*values)))
            for signal, value, result in zip(message.signals, values, back, strict=True):
                assert abs(value - result) <= abs(signal.factor) * 0.5 * (1 + 1e-9), f"{message.name}.{signal.name}"


def test_values_beyond_the_range_saturate_and_never_become_an_invalid_code(network: Network) -> None:
    codecs = codecs_of(network)
    for message in network.messages:
        if message.multiplexer:
            continue
        encode, decode = getattr(codecs, f"encode_{message.codec}"), getattr(codecs, f"decode_{message.codec}")
        for extreme in (math.inf, -math.inf, 1e300, -1e300):
            back = decode(np.uint64(encode(*[extreme] * len(message.signals))))
            for signal, result in zip(message.signals, back, strict=True):
                upper = (extreme > 0) == (signal.factor > 0)
                assert result == signal.physical(signal.raw_maximum if upper else signal.raw_minimum)


def test_nan_becomes_the_invalid_code_or_the_neutral_value(network: Network) -> None:
    codecs = codecs_of(network)
    for message in network.messages:
        if message.multiplexer:
            continue
        encode, decode = getattr(codecs, f"encode_{message.codec}"), getattr(codecs, f"decode_{message.codec}")
        back = decode(np.uint64(encode(*[math.nan] * len(message.signals))))
        for signal, result in zip(message.signals, back, strict=True):
            if signal.invalid is not None:
                assert math.isnan(result), f"{message.name}.{signal.name}"
            elif signal.raw_minimum <= -signal.offset / signal.factor <= signal.raw_maximum:
                assert abs(result) <= abs(signal.factor) / 2, f"{message.name}.{signal.name}"


def test_a_sealed_frame_passes_its_check_and_any_flipped_bit_fails_it(network: Network) -> None:
    codecs = codecs_of(network)
    generator = random.Random(4)
    protected = [message for message in network.messages if message.has_check]
    assert protected
    for message in protected:
        seal, check = getattr(codecs, f"seal_{message.codec}"), getattr(codecs, f"check_{message.codec}")
        for _ in range(20):
            payload = seal(np.uint64(payload_from_bytes(generator.randbytes(message.length))))
            assert check(np.uint64(payload))
            for bit in range(8 * message.length):
                assert not check(np.uint64(int(payload) ^ (1 << bit))), f"{message.name} bit {bit}"


def decoded(network: Network, name: str, frame: str) -> dict[str, float]:
    message = next(message for message in network.messages if message.name == name)
    values = getattr(codecs_of(network), f"decode_{message.codec}")(np.uint64(payload_from_bytes(bytes.fromhex(frame))))
    return dict(zip([signal.name for signal in message.signals], values, strict=True))


def test_what_a_booting_leaf_marks_as_invalid_has_no_value() -> None:
    """First 0x1DA of an inverter that is switched on (voltage 0xFF, speed raw 0x3FFF); all ones in 0x1DB and 0x1DC."""
    network = load_network("leaf_ze1")
    inverter = decoded(network, "InverterState", "FF0000007FFE0197")
    assert math.isnan(inverter["InputVoltage"])
    assert math.isnan(inverter["MotorSpeed"])
    assert inverter["MotorTorque"] == 0.0
    assert math.isnan(decoded(network, "BatteryState", "0000FFC000000000")["Voltage"])
    limits = decoded(network, "BatteryLimits", "FFFFF00000000000")
    assert math.isnan(limits["DischargeLimit"])
    assert math.isnan(limits["ChargeLimit"])


def test_discharge_is_positive_and_regeneration_negative_whatever_the_sign_on_the_bus() -> None:
    network = load_network("leaf_ze1")
    # A real frame of a LEAF e+: raw -156 of 0.5 A on the bus, 782 of 0.5 V.
    battery = decoded(network, "BatteryState", "EC80C3AA00F640F8")
    assert (battery["Current"], battery["Voltage"]) == (78.0, 391.0)
    assert decoded(network, "BatteryState", "0140C3AA00000000")["Current"] == -5.0
    # 12 signed bits of 0.25 Nm in 0x1D4: -1 is all ones.
    assert decoded(network, "TorqueRequest", "0000FFF000000000")["MotorTorque"] == -0.25


def test_every_frame_of_a_real_car_is_decoded_as_cantools_does_and_rebuilt_to_the_bit(shared_data: Path) -> None:
    network = load_network("leaf_ze1")
    codecs = codecs_of(network)
    database = cantools.database.load_file(LEAF_FOLDER / "ev.dbc")
    for file in ("ev_ze1.dbc", "chassis.dbc"):
        database.add_dbc_file(LEAF_FOLDER / file)
    messages = {message.identifier: message for message in network.messages}
    rebuilt = 0
    for line in (shared_data / "leaf_ze1" / "frame_vectors.csv").read_text().splitlines()[1:]:
        _, identifier, text = line.split(",")
        message = messages.get(int(identifier, 16))
        if message is None:
            continue
        data = bytes.fromhex(text)
        payload = np.uint64(payload_from_bytes(data))
        assert getattr(codecs, f"check_{message.codec}")(payload), line
        values = getattr(codecs, f"decode_{message.codec}")(payload)
        expected = database.get_message_by_name(message.name).decode(data, decode_choices=False)
        for signal, value in zip(message.signals, values, strict=True):
            if not math.isnan(value):
                assert value == expected[signal.name], line
        again = getattr(codecs, f"seal_{message.codec}")(np.uint64(getattr(codecs, f"encode_{message.codec}")(*values)))
        assert bytes_from_payload(again, message.length) == data, line
        rebuilt += 1
    assert rebuilt > 500


def crc_bit_by_bit(data: bytes, polynomial: int, initial: int, final_xor: int) -> int:
    value = initial
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = ((value << 1) ^ polynomial) & 0xFF if value & 0x80 else value << 1
    return value ^ final_xor


@given(
    data=st.binary(min_size=2, max_size=8),
    polynomial=st.integers(1, 255),
    initial=st.integers(0, 255),
    final_xor=st.integers(0, 255),
    place=st.integers(0, 7),
)
def test_the_crc_tables_give_the_same_as_a_crc_bit_by_bit(
    data: bytes, polynomial: int, initial: int, final_xor: int, place: int
) -> None:
    place %= len(data)
    table = crc_table(polynomial, initial, final_xor, len(data), place)
    result = 0
    for position, byte in enumerate(data):
        if position != place:
            result ^= int(table[position, byte])
    if place == 0:
        result ^= int(table[0, 0])
    assert result == crc_bit_by_bit(data[:place] + data[place + 1 :], polynomial, initial, final_xor)


def test_the_published_crcs_of_the_nissan_frames_come_out() -> None:
    """The constant 0x1D4 of Battery-Emulator and the 0x50C of each counter value, as published."""
    network = load_network("leaf_aze0")
    codecs = codecs_of(network)
    by_id = {message.identifier: message.codec for message in network.messages}
    for counter, crc in zip((0x07, 0x47, 0x87, 0xC7), (0x12, 0xD5, 0x19, 0xDE), strict=True):
        frame = bytes([0x6E, 0x6E, 0x00, 0x04, counter, 0x46, 0xE0, crc])
        assert getattr(codecs, f"check_{by_id[0x1D4]}")(np.uint64(payload_from_bytes(frame)))
    for counter, question, crc in ((0, 0x5D, 0xC8), (1, 0xB2, 0x31), (2, 0x5D, 0x63), (3, 0xB2, 0x9A)):
        frame = bytes([0, 0, 0, counter, question, crc])
        assert getattr(codecs, f"check_{by_id[0x50C]}")(np.uint64(payload_from_bytes(frame)))


def free_signals(draw: st.DrawFn) -> list[CantoolsSignal]:
    """Signals of random width, order, sign and scale that fill a frame without overlap."""
    signals = []
    byte = 0
    while byte < 8:
        width_bytes = draw(st.integers(1, min(4, 8 - byte)))
        length = draw(st.integers(1, 8 * width_bytes))
        big = draw(st.booleans())
        start = byte * 8 + 7 if big else byte * 8
        conversion = BaseConversion.factory(
            scale=draw(st.sampled_from([1, 0.5, 0.25, 0.1, 2, -0.5, 0.005])), offset=draw(st.sampled_from([0, -40, 10.5]))
        )
        signals.append(
            CantoolsSignal(
                f"S{byte}", start, length, "big_endian" if big else "little_endian", draw(st.booleans()), conversion=conversion
            )
        )
        byte += width_bytes
    return signals


@settings(max_examples=15)
@given(st.data())
def test_any_layout_of_signals_gives_the_bytes_of_cantools(data: st.DataObject) -> None:
    message = CantoolsMessage(0x100, "Any", 8, free_signals(data.draw), cycle_time=10, senders=["A"])
    description = Description.model_validate({"title": "t", "bus": {"b": {"dbc": ["x"], "roles": {}}}})
    converted = _convert_message(Path("x.dbc"), message, description)

    class OneMessage:
        title = "one message"
        messages = (converted,)

    codecs = import_generated("codecs", generate_codecs(OneMessage()))
    # The kernels' plain-Python form: the property is about bits, and compiling each random layout would take minutes.
    encode, decode = (getattr(function, "py_func", function) for function in (codecs.encode_Any, codecs.decode_Any))
    for payload in data.draw(st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=5)):
        expected = message.decode(payload)
        values = decode(np.uint64(payload_from_bytes(payload)))
        assert values == tuple(expected[signal.name] for signal in converted.signals)
        assert bytes_from_payload(encode(*values), 8) == bytes(message.encode(expected, strict=False))
