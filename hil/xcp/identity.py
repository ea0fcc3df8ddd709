"""What an A2L and a slave have in common: where the slave is reached, and which build both are of."""

import hashlib

from hil.xcp.memory import RECORDS, address

# On the chassis bus, below everything of the car in its arbitration; both 11 bits.
MASTER_IDENTIFIER, SLAVE_IDENTIFIER = 0x6A0, 0x6A1
EPK_ADDRESS = 0x0800_0000


def _checksum() -> str:
    """Of all that an A2L tells of memory."""
    lines = (
        f"{address(array, path):08X} {path} {field.dtype} {field.shape} {field.unit} {field.minimum} {field.maximum}"
        for array, record in RECORDS.items()
        for path, field in record.fields()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


EPK = f"e4hil-{_checksum()}".encode()
