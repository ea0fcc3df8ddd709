"""Writes the compiled encode and decode of every message of a network, with shifts and scales as constants.

For a message ``Status`` the module holds

- ``encode_Status(s_a, s_b, ...) -> payload``: physical values in the units of the bus, in the order of the DBC;
- ``decode_Status(payload) -> (s_a, s_b, ...)``: the same back, NaN for an invalid code;
- ``seal_Status(payload) -> payload``: CRC or checksum written in; ``check_Status(payload) -> bool``: and verified.
"""

from typing import Any

import numpy as np

from hil.network.database import Message, Network, Signal
from hil.network.description import Crc

HEADER = '''"""Written by hil.network.codegen; do not edit. {title}"""

import numpy as np

from firmware_model.kernel import kernel
from hil.network.bits import byte_sum, crc8, nibble_sum, swap_bytes, to_raw
from hil.network.codegen import crc_table

NAN = np.nan
'''

# A payload that comes from Python is a signed number to numba; mixed with unsigned ones it would become a float.
WORD = "    payload = np.uint64(payload)"


def generate_codecs(network: Network) -> str:
    """Text of the module with the codecs of all messages of ``network``."""
    parts = [HEADER.format(title=network.title)]
    for message in network.messages:
        parts += [_encode(message), _decode(message), _seal(message), _check(message)]
    return "\n\n".join(parts) + "\n"


def crc_table(polynomial: int, initial: int, final_xor: int, length: int, place_of_crc: int) -> Any:
    """What each byte value adds to the CRC at each place of a frame: uint8 array (8, 256).

    The bytes of the frame are fed in order of their place, all but the CRC's own; the contribution of the initial
    value and the final exclusive-or is the same for all frames and sits in place 0.
    """
    single = np.zeros(256, dtype=np.uint8)
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = ((value << 1) ^ polynomial) & 0xFF if value & 0x80 else value << 1
        single[byte] = value
    table = np.zeros((8, 256), dtype=np.uint8)
    places = [place for place in range(length) if place != place_of_crc]
    contribution = single.copy()
    for place in reversed(places):
        table[place] = contribution
        contribution = single[contribution]
    constant = initial
    for _ in places:
        constant = int(single[constant])
    table[0] ^= np.uint8(constant ^ final_xor)
    return table


def lowest_bit(signal: Signal) -> int:
    """Shift of a signal in the payload number (little-endian) or in its byte-swapped form (big-endian)."""
    if not signal.big_endian:
        return signal.start
    most_significant = (signal.start // 8) * 8 + (7 - signal.start % 8)  # counted from the top of the swapped word
    return 64 - most_significant - signal.length


def _arguments(message: Message) -> str:
    return ", ".join(f"s_{signal.name}" for signal in message.signals)


def _encode(message: Message) -> str:
    lines = ["@kernel", f"def encode_{message.codec}({_arguments(message)}):"]
    lines += ["    little = np.uint64(0)", "    big = np.uint64(0)"]
    for signal in sorted(message.signals, key=lambda signal: signal.name != message.multiplexer):
        raw = f"raw_{signal.name}"
        word = "big" if signal.big_endian else "little"
        indent = "    "
        if signal.multiplexer_ids:
            lines.append(f"    if {_selected(message, signal)}:")
            indent = "        "
        lines.append(
            f"{indent}{raw} = to_raw(s_{signal.name}, {1.0 / signal.factor!r}, {signal.offset!r}, "
            f"{signal.raw_minimum}, {signal.raw_maximum}, {signal.missing})"
        )
        mask = (1 << signal.length) - 1
        lines.append(f"{indent}{word} |= np.uint64({raw} & {mask}) << np.uint64({lowest_bit(signal)})")
    lines.append("    return little | swap_bytes(big)")
    return "\n".join(lines)


def _decode(message: Message) -> str:
    lines = ["@kernel", f"def decode_{message.codec}(payload):", WORD, "    swapped = swap_bytes(payload)"]
    for signal in sorted(message.signals, key=lambda signal: signal.name != message.multiplexer):
        raw = f"raw_{signal.name}"
        word = "swapped" if signal.big_endian else "payload"
        mask = (1 << signal.length) - 1
        lines.append(f"    {raw} = np.int64(({word} >> np.uint64({lowest_bit(signal)})) & np.uint64({mask}))")
        if signal.signed:
            sign = 1 << (signal.length - 1)
            lines.append(f"    {raw} = ({raw} ^ {sign}) - {sign}")
        lines.append(f"    s_{signal.name} = {raw} * {signal.factor!r} + {signal.offset!r}")
        if signal.invalid is not None:
            lines += [f"    if {raw} == {signal.invalid}:", f"        s_{signal.name} = NAN"]
        if signal.multiplexer_ids:
            lines += [f"    if not ({_selected(message, signal)}):", f"        s_{signal.name} = NAN"]
    lines.append(f"    return ({_arguments(message)},)")
    return "\n".join(lines)


def _selected(message: Message, signal: Signal) -> str:
    return " or ".join(f"raw_{message.multiplexer} == {number}" for number in signal.multiplexer_ids)


def _crc_place(message: Message, crc: Crc) -> int:
    signal = message.signal(crc.signal)
    return signal.start // 8


def _protected(message: Message) -> tuple[str, str, int]:
    """Setup line, expression of the right check value of ``bare``, and the bit where it stands."""
    if message.crc:
        crc, place = message.crc, _crc_place(message, message.crc)
        table = f"CRC_{message.codec}"
        setup = f"{table} = crc_table({crc.polynomial}, {crc.initial}, {crc.final_xor}, {message.length}, {place})\n\n\n"
        return setup, f"np.uint64(crc8(bare, {message.length}, {table}))", 8 * place
    check, add_up, width = (message.nibble_sum, "nibble_sum", 4) if message.nibble_sum else (message.byte_sum, "byte_sum", 8)
    assert check
    signal = message.signal(check.signal)
    bit = signal.start - width + 1 if signal.big_endian else signal.start
    return "", f"(({add_up}(bare) + np.uint64({check.add})) & np.uint64({(1 << width) - 1:#x}))", bit


def _seal(message: Message) -> str:
    head = f"@kernel\ndef seal_{message.codec}(payload):\n{WORD}\n"
    if not message.has_check:
        return head + "    return payload"
    setup, value, bit = _protected(message)
    hole = ~((0xF if message.nibble_sum else 0xFF) << bit) & (2**64 - 1)
    return f"{setup}{head}    bare = payload & np.uint64({hole:#x})\n    return bare | ({value} << np.uint64({bit}))"


def _check(message: Message) -> str:
    head = f"@kernel\ndef check_{message.codec}(payload):\n{WORD}\n"
    if not message.has_check:
        return head + "    return True"
    return head + f"    return seal_{message.codec}(payload) == payload"
