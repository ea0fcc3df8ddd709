"""The few bit and rounding rules on which every generated codec stands, as compiled kernels.

A frame is one 64-bit number (byte 0 lowest). Little-endian (Intel) signals are contiguous in it; big-endian (Motorola) ones are
contiguous in its byte-swapped form, so that a codec swaps once a frame and shifts by constants.
"""

import numpy as np

from firmware_model.kernel import kernel


@kernel
def swap_bytes(word):
    """``word`` (uint64) with its eight bytes in reverse order; one machine instruction."""
    byte_pairs = np.uint64(0x00FF00FF00FF00FF)
    word_pairs = np.uint64(0x0000FFFF0000FFFF)
    word = ((word >> np.uint64(8)) & byte_pairs) | ((word & byte_pairs) << np.uint64(8))
    word = ((word >> np.uint64(16)) & word_pairs) | ((word & word_pairs) << np.uint64(16))
    return (word >> np.uint64(32)) | (word << np.uint64(32))


@kernel
def to_raw(physical, gain, offset, low, high, missing):
    """Raw value of a physical one: ``(physical - offset) * gain``, rounded half to even, saturated to ``low .. high``.

    NaN becomes ``missing``, the invalid code or the neutral value.
    """
    raw = np.rint((physical - offset) * gain)
    if raw != raw:
        return np.int64(missing)
    return np.int64(min(max(raw, float(low)), float(high)))


@kernel
def crc8(payload, length, table):
    """CRC-8 over the bytes 0 .. length-1 of ``payload``; the place of the CRC itself counts nothing.

    A CRC is linear: each byte adds its own table entry for its place, without waiting for the byte before it.
    ``table`` (8, 256) comes from :func:`hil.network.codegen.crc_table`; it holds the initial value in its first place.
    """
    result = table[0, payload & np.uint64(0xFF)]
    for place in range(1, length):
        result ^= table[place, (payload >> np.uint64(8 * place)) & np.uint64(0xFF)]
    return result


@kernel
def nibble_sum(payload):
    """Sum of the sixteen nibbles of ``payload``, modulo 16."""
    low = payload & np.uint64(0x0F0F0F0F0F0F0F0F)
    high = (payload >> np.uint64(4)) & np.uint64(0x0F0F0F0F0F0F0F0F)
    # Eight byte-wide sums of at most 30 each; the multiplication adds all bytes into the top one (at most 240).
    return ((low + high) * np.uint64(0x0101010101010101) >> np.uint64(56)) & np.uint64(0xF)


@kernel
def byte_sum(payload):
    """Sum of the eight bytes of ``payload``, modulo 256."""
    pairs = (payload & np.uint64(0x00FF00FF00FF00FF)) + ((payload >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF))
    # Four 16-bit sums of at most 510 each; the multiplication adds them all into the top one (at most 2040).
    return (pairs * np.uint64(0x0001000100010001) >> np.uint64(48)) & np.uint64(0xFF)
