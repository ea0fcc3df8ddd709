"""Which format a file has, told from its content, and its frames."""

from pathlib import Path

from hil.captures import candump, gvret, mf4, python_can
from hil.captures.capture import Capture
from hil.captures.table import table_format
from hil.captures.text import TextFormat, first_lines, read_lines
from hil.errors import UsageError

UNDERSTOOD = (
    "GVRET text (CRTD), GVRET/SavvyCAN CSV, candump (log or screen output), tables of USB-CAN loggers, ASC, BLF, MF4, TRC, "
    "python-can CSV"
)
TEXT_FORMATS = (gvret.CRTD, gvret.CSV, candump.LOG, candump.TIMED, candump.DATED, candump.UNTIMED)
SAMPLE = 200  # lines from which the format is told
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip or a spreadsheet", b"7z\xbc\xaf": "7-Zip", b"\x28\xb5\x2f\xfd": "zstd"}


def read_capture(path: Path) -> Capture:
    """The frames of a CAN log, in whichever of the formats above it is.

    Raises UsageError if there is no such file, if its format is not known, or if no frame in it can be read.
    """
    content = read_content(path)
    if python_can.BLF.signature.match(content):
        return python_can.read_binary(python_can.BLF, content).capture(path, python_can.BLF.name)
    if python_can.MF4.signature.match(content):
        return mf4.read_mf4(path, content).capture(path, python_can.MF4.name)
    text = decode(content)
    lines = text.split("\n")
    if library_format := python_can.text_format(text):
        return python_can.read_text(library_format, lines).capture(path, library_format.name)
    if text_format := text_format_of(lines):
        return read_lines(lines, text_format).capture(path, text_format.name)
    raise UsageError(why_unknown(path, content, lines))


def read_content(path: Path) -> bytes:
    """All bytes. Raises UsageError if it is no file, cannot be read, or is empty."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; expected a CAN capture: {UNDERSTOOD}")
        if not path.exists():
            raise UsageError(f"{path}: there is no such file; expected a CAN capture: {UNDERSTOOD}")
        if not path.is_file():
            raise UsageError(f"{path} is a device or a pipe; expected a CAN capture in a file")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if not content.strip(b"\0 \t\r\n"):
        raise UsageError(f"{path} is empty; expected a CAN capture: {UNDERSTOOD}")
    return content


def decode(content: bytes) -> str:
    """The text with newlines of one kind. What is not UTF-8 is replaced: headings may be in any language, frames are ASCII."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", errors="replace")
    else:
        text = content.decode("utf-8-sig", errors="replace")
    # A logger that loses power can leave zeros to the end of the block.
    return text.rstrip("\0").replace("\r\n", "\n").replace("\r", "\n")


def text_format_of(lines: list[str]) -> TextFormat | None:
    """The format that most of the first lines have, or else a table."""
    sample = first_lines(lines, SAMPLE)
    best = max(TEXT_FORMATS, key=lambda text_format: sum(bool(text_format.owns(line)) for line in sample))
    return best if any(best.owns(line) for line in sample) else table_format(lines)


def why_unknown(path: Path, content: bytes, lines: list[str]) -> str:
    """What to tell the user of a file that is none of ours."""
    for signature, name in PACKED.items():
        if content.startswith(signature):
            return f"{path} is packed ({name}); unpack it first"
    head = content[:4096].decode("utf-8", errors="replace")
    if head.count("\0") + head.count("\ufffd") > len(head) / 20:
        return f"{path} is binary data of an unknown kind; expected a CAN capture: {UNDERSTOOD}"
    first = next(iter(first_lines(lines, 1)), "")
    return f"{path} has an unknown format, it starts with {first.strip()[:60]!r}; expected a CAN capture: {UNDERSTOOD}"
