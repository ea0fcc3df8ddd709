"""An XCP slave: commands in, frames out; ASAM MCD-1 XCP 1.x, part 2.

It knows no bus, no thread and no clock. Calibration goes through the pages of :mod:`hil.calibration.pages`: a download is checked
and taken over as one, also when a block of it came in many frames, or refused as a whole. What is written is checked at
once, also while the controller runs on the reference page: a master that moves an axis past its other points sends it as a block.

Not there: programming, stimulation, resuming after power-on, SHORT_DOWNLOAD (eight bytes of header leave a frame of CAN no data).
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from firmware_model.kernel.records import words_of
from hil.calibration.changes import CalibrationError
from hil.calibration.pages import CalibrationPages, Page
from hil.diagnostics.protocol import Access, NegativeResponseError, Session, Tester
from hil.errors import UsageError
from hil.memory_map import CALIBRATION
from hil.xcp.commands import ERROR_PACKET, RESPONSE, Command, Error, Resource, XcpError
from hil.xcp.daq import LISTS_MOST, MAX_DTO, TICK, DataAcquisition
from hil.xcp.events import RASTERS
from hil.xcp.identity import EPK, EPK_ADDRESS
from hil.xcp.memory import SEGMENTS, find

MAX_CTO = 8  # bytes of a frame
UPLOAD_MOST = MAX_CTO - 1  # bytes of data in one frame
DOWNLOAD_MOST = MAX_CTO - 2
BLOCK_MOST = 43  # frames of a block: 255 bytes
WAY = "XCP"  # in the journal
ECU, XCP, ALL = 0x01, 0x02, 0x80  # whose page; all segments
CRC_32 = 0x09
CYCLE_UNIT = 6  # of event cycles: 1 ms
EVENT_NAMES = tuple(f"{raster // 1_000_000} ms" for raster in RASTERS)
DYNAMIC, PRESCALER, TIMESTAMPS, OVERLOAD_EVENT = 0x01, 0x02, 0x10, 0x80  # properties of data acquisition
TIMESTAMP_MODE = 0x34  # four bytes, in microseconds
EVENT_PROPERTIES = 0x84  # for measurement; all of an event is of one period
PAGE_PROPERTIES = {Page.WORKING: 0x3F, Page.REFERENCE: 0x0F}  # who may do what: all; nobody writes


class SeedAndKey(Protocol):
    """What locks the calibration: hil.diagnostics.lock.Lock."""

    def seed(self, tester: Tester, level: Access, now: float) -> bytes:
        """A seed. Raises NegativeResponseError."""

    def try_key(self, tester: Tester, level: Access, key: bytes, now: float) -> None:
        """Open the level. Raises NegativeResponseError."""


class Slave:
    """One slave with one master."""

    def __init__(
        self,
        records: Mapping[str, Any],
        pages: CalibrationPages,
        acquisition: DataAcquisition,
        *,
        lock: SeedAndKey | None = None,
        identities: Mapping[int, bytes] | None = None,
        report: Callable[[str], None] | None = None,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        """``records``: those that are measured, by their arrays (recarray (1,)). ``identities``: answers to GET_ID by their type.

        ``report`` is told in one line why a calibration was refused: a master sees no more than a code.
        ``seconds``: the clock of the lock; that of the loop unless given.
        """
        self._records = records
        self._pages = pages
        self._acquisition = acquisition
        self._lock = lock
        self._identities = {5: EPK, **(identities or {})}
        self._report = report
        self._tester = Tester("XCP")
        self._now = 0  # [ns]
        self._clock = seconds or (lambda: self._now * 1e-9)
        self.is_connected = False
        self._begin()

    def _begin(self) -> None:
        """Everything as at the beginning of a session."""
        self._acquisition.free()
        self._tester.enter(Session.DEFAULT)
        self._page = Page.WORKING
        self._address = 0
        self._text: bytes | None = None  # is uploaded in place of memory
        self._block, self._missing = b"", 0  # of a download, and bytes that are to come
        self._seed, self._key = b"", b""

    def disconnect(self) -> None:
        """End the session: lists stop, what was opened is locked."""
        self.is_connected = False
        self._begin()

    def request(self, data: bytes, now: int) -> list[bytes]:
        """The frames that answer one frame of the master at ``now`` [ns] of the loop's clock; often one, or none."""
        self._now = now
        if not data or (not self.is_connected and data[0] != Command.CONNECT):
            return []
        try:
            if data[0] not in _COMMANDS:
                raise XcpError(Error.UNKNOWN)
            length, handle = _COMMANDS[Command(data[0])]
            if len(data) < length:
                raise XcpError(Error.SYNTAX)
            if data[0] != Command.DOWNLOAD_NEXT:
                self._missing = 0
            answer = handle(self, data)
        except XcpError as error:
            return [bytes([ERROR_PACKET, error.code]) + error.more]
        if answer is None:
            return []
        pieces = [answer[at : at + UPLOAD_MOST] for at in range(0, len(answer), UPLOAD_MOST)] or [b""]
        return [bytes([RESPONSE]) + piece for piece in pieces]

    # --- session ----------------------------------------------------------------------------------------------------------

    def _connect(self, data: bytes) -> bytes:
        if data[1]:
            raise XcpError(Error.OUT_OF_RANGE)
        self._begin()
        self.is_connected = True
        mode = 0x40 | 0x80  # blocks in uploads; and there is more in GET_COMM_MODE_INFO
        return bytes([Resource.CALIBRATION | Resource.DAQ, mode, MAX_CTO]) + MAX_DTO.to_bytes(2, "little") + bytes([1, 1])

    def _disconnect(self, data: bytes) -> bytes:
        self.disconnect()
        return b""

    def _get_status(self, data: bytes) -> bytes:
        return bytes([0x40 if self._acquisition.is_running else 0, self._protection, 0, 0, 0])

    def _synch(self, data: bytes) -> bytes:
        self._text, self._seed, self._key = None, b"", b""
        raise XcpError(Error.SYNCH)

    def _get_comm_mode_info(self, data: bytes) -> bytes:
        return bytes([0, 0x01, 0, BLOCK_MOST, 0, 0, 0x10])

    def _get_id(self, data: bytes) -> bytes:
        self._text = self._identities.get(data[1], b"")
        return bytes([0, 0, 0]) + len(self._text).to_bytes(4, "little")

    @property
    def _is_locked(self) -> bool:
        return self._lock is not None and self._tester.access < Access.CALIBRATE

    @property
    def _protection(self) -> int:
        return Resource.CALIBRATION if self._is_locked else 0

    def _get_seed(self, data: bytes) -> bytes:
        if data[1] == 0:
            if data[2] not in (Resource.CALIBRATION, Resource.DAQ):
                raise XcpError(Error.OUT_OF_RANGE)
            self._seed, self._key = b"", b""
            if self._lock is None or not self._is_locked or data[2] != Resource.CALIBRATION:
                return b"\x00"
            self._tester.session = Session.EXTENDED  # in which alone the lock gives seeds
            try:
                self._seed = self._lock.seed(self._tester, Access.CALIBRATE, self._clock())
            except NegativeResponseError as error:
                raise XcpError(Error.ACCESS_DENIED) from error
        elif data[1] != 1 or not self._seed:
            raise XcpError(Error.SEQUENCE)
        piece, rest = self._seed[:DOWNLOAD_MOST], self._seed[DOWNLOAD_MOST:]
        answer = bytes([len(self._seed)]) + piece
        self._seed = rest
        return answer

    def _unlock(self, data: bytes) -> bytes:
        if self._lock is None:
            raise XcpError(Error.SEQUENCE)
        left = data[1]
        piece = data[2 : 2 + min(left, DOWNLOAD_MOST)]
        if not piece or len(piece) < min(left, DOWNLOAD_MOST):
            raise XcpError(Error.SYNTAX)
        self._key += piece
        if left > len(piece):
            return bytes([self._protection])
        key, self._key = self._key, b""
        try:
            self._lock.try_key(self._tester, Access.CALIBRATE, key, self._clock())
        except NegativeResponseError as error:
            self.disconnect()  # part 2, 1.6.1.2.5: a wrong key ends the session
            raise XcpError(Error.ACCESS_LOCKED) from error
        return bytes([self._protection])

    # --- memory -----------------------------------------------------------------------------------------------------------

    def _set_mta(self, data: bytes) -> bytes:
        if data[3]:
            raise XcpError(Error.OUT_OF_RANGE)
        self._address, self._text = int.from_bytes(data[4:8], "little"), None
        return b""

    def _upload(self, data: bytes) -> bytes:
        if not data[1]:
            raise XcpError(Error.OUT_OF_RANGE)
        if self._text is not None:
            found = self._text[: data[1]]
            if len(found) < data[1]:
                raise XcpError(Error.OUT_OF_RANGE)
            self._text = self._text[data[1] :]
            return found
        found = self._read(self._address, data[1])
        self._address += data[1]
        return found

    def _short_upload(self, data: bytes) -> bytes:
        if not 0 < data[1] <= UPLOAD_MOST:
            raise XcpError(Error.OUT_OF_RANGE)
        self._set_mta(data)
        return self._upload(data)

    def _build_checksum(self, data: bytes) -> bytes:
        size = int.from_bytes(data[4:8], "little")
        checksum = zlib.crc32(self._read(self._address, size))
        self._address += size
        return bytes([CRC_32, 0, 0]) + checksum.to_bytes(4, "little")

    def _read(self, address: int, size: int) -> bytes:
        if 0 <= address - EPK_ADDRESS <= len(EPK) - size:
            return EPK[address - EPK_ADDRESS :][:size]
        try:
            segment, offset = find(address, size)
        except LookupError as error:
            raise XcpError(Error.OUT_OF_RANGE) from error
        record = self._pages.page(self._page) if segment.array == CALIBRATION else self._records[segment.array]
        return segment.image(words_of(record).copy())[offset : offset + size].tobytes()

    def _download(self, data: bytes) -> bytes | None:
        size, piece = data[1], data[2 : 2 + min(data[1], DOWNLOAD_MOST)]
        if not size:
            raise XcpError(Error.OUT_OF_RANGE)
        if len(piece) < min(size, DOWNLOAD_MOST):
            raise XcpError(Error.SYNTAX)
        self._require_writable()
        self._block, self._missing = piece, size - len(piece)
        return None if self._missing else self._write(piece)

    def _download_next(self, data: bytes) -> bytes | None:
        expected = self._missing
        piece = data[2 : 2 + min(expected, DOWNLOAD_MOST)]
        if not expected or data[1] != expected or len(piece) < min(expected, DOWNLOAD_MOST):
            self._missing = 0
            raise XcpError(Error.SEQUENCE, bytes([expected]))
        self._block += piece
        self._missing -= len(piece)
        return None if self._missing else self._write(self._block)

    def _download_max(self, data: bytes) -> bytes:
        self._require_writable()
        return self._write(data[1:MAX_CTO])

    def _require_writable(self) -> None:
        if self._is_locked:
            raise XcpError(Error.ACCESS_LOCKED)
        if self._page is not Page.WORKING:
            raise XcpError(Error.WRITE_PROTECTED)

    def _write(self, piece: bytes) -> bytes:
        """Change the working page by ``piece``, at the address of the transfer."""
        try:
            segment, offset = find(self._address, len(piece))
        except LookupError as error:
            raise XcpError(Error.OUT_OF_RANGE) from error
        if segment.array != CALIBRATION or self._text is not None:
            raise XcpError(Error.WRITE_PROTECTED)
        calibration = self._pages.page(Page.WORKING).copy()
        words = words_of(calibration)
        image = segment.image(words)
        image[offset : offset + len(piece)] = memoryview(piece)
        words[:] = segment.changed(words, image)
        self._do(lambda: self._pages.load(calibration, WAY))
        self._address += len(piece)
        return b""

    def _do(self, work: Callable[[], Any]) -> None:
        """Change the pages; what they refuse becomes a code. Raises XcpError."""
        try:
            work()
        except UsageError as error:
            if self._report:
                self._report(f"refused: {error}")
            raise XcpError(Error.OUT_OF_RANGE if isinstance(error, CalibrationError) else Error.GENERIC) from error

    # --- pages ------------------------------------------------------------------------------------------------------------

    def _set_cal_page(self, data: bytes) -> bytes:
        mode, segment, page = data[1:4]
        if not mode & (ECU | XCP):
            raise XcpError(Error.MODE_NOT_VALID)
        if segment and not mode & ALL:
            raise XcpError(Error.SEGMENT_NOT_VALID)
        chosen = _page(page)
        if mode & ECU:
            if self._is_locked:
                raise XcpError(Error.ACCESS_LOCKED)
            self._do(lambda: self._pages.select(chosen, WAY))
        if mode & XCP:
            self._page = chosen
        return b""

    def _get_cal_page(self, data: bytes) -> bytes:
        if data[2]:
            raise XcpError(Error.SEGMENT_NOT_VALID)
        if data[1] not in (ECU, XCP):
            raise XcpError(Error.MODE_NOT_VALID)
        return bytes([0, 0, self._pages.selected if data[1] == ECU else self._page])

    def _get_pag_processor_info(self, data: bytes) -> bytes:
        return bytes([1, 0])

    def _get_segment_info(self, data: bytes) -> bytes:
        mode, segment, what = data[1:4]
        if segment:
            raise XcpError(Error.SEGMENT_NOT_VALID)
        if mode == 1:
            return bytes([len(Page), 0, 0, 0, 0])
        if mode != 0 or what > 1:
            raise XcpError(Error.OUT_OF_RANGE)
        calibration = SEGMENTS[CALIBRATION]
        return bytes(3) + (calibration.size if what else calibration.address).to_bytes(4, "little")

    def _get_page_info(self, data: bytes) -> bytes:
        if data[2]:
            raise XcpError(Error.SEGMENT_NOT_VALID)
        return bytes([PAGE_PROPERTIES[_page(data[3])], 0])

    def _copy_cal_page(self, data: bytes) -> bytes:
        if data[1] or data[3]:
            raise XcpError(Error.SEGMENT_NOT_VALID)
        if self._is_locked:
            raise XcpError(Error.ACCESS_LOCKED)
        source, target = _page(data[2]), _page(data[4])
        if target is not Page.WORKING:
            raise XcpError(Error.WRITE_PROTECTED)
        self._do(lambda: self._pages.load(self._pages.page(source), WAY))
        return b""

    # --- data acquisition -------------------------------------------------------------------------------------------------

    def _clear_daq_list(self, data: bytes) -> bytes:
        self._acquisition.clear(_word(data, 2))
        return b""

    def _set_daq_ptr(self, data: bytes) -> bytes:
        self._acquisition.point(_word(data, 2), data[4], data[5])
        return b""

    def _write_daq(self, data: bytes) -> bytes:
        self._acquisition.write(data[1], data[2], data[3], int.from_bytes(data[4:8], "little"))
        return b""

    def _read_daq(self, data: bytes) -> bytes:
        size, address = self._acquisition.read()
        return bytes([0xFF, size, 0]) + address.to_bytes(4, "little")

    def _set_daq_list_mode(self, data: bytes) -> bytes:
        self._acquisition.set_mode(_word(data, 2), data[1], _word(data, 4), data[6], data[7])
        return b""

    def _get_daq_list_mode(self, data: bytes) -> bytes:
        one = self._acquisition.find(_word(data, 2))
        return bytes([one.mode, 0, 0]) + one.event.to_bytes(2, "little") + bytes([one.prescaler, one.priority])

    def _start_stop_daq_list(self, data: bytes) -> bytes:
        one = self._acquisition.find(_word(data, 2))
        actions = (self._acquisition.stop, self._acquisition.start, self._acquisition.select)
        if data[1] >= len(actions):
            raise XcpError(Error.MODE_NOT_VALID)
        actions[data[1]](one)
        return bytes([one.first_pid])

    def _start_stop_synch(self, data: bytes) -> bytes:
        acquisition = self._acquisition
        actions = (acquisition.stop_all, acquisition.start_selected, acquisition.stop_selected)
        if data[1] >= len(actions):
            raise XcpError(Error.MODE_NOT_VALID)
        actions[data[1]]()
        return b""

    def _get_daq_clock(self, data: bytes) -> bytes:
        return bytes(3) + (self._now // TICK & 0xFFFF_FFFF).to_bytes(4, "little")

    def _get_daq_processor_info(self, data: bytes) -> bytes:
        properties = DYNAMIC | PRESCALER | TIMESTAMPS | OVERLOAD_EVENT
        lists, events = len(self._acquisition.lists), len(RASTERS)
        return bytes([properties]) + lists.to_bytes(2, "little") + events.to_bytes(2, "little") + bytes(2)

    def _get_daq_resolution_info(self, data: bytes) -> bytes:
        return bytes([1, UPLOAD_MOST, 1, 0, TIMESTAMP_MODE, 1, 0])

    def _get_daq_event_info(self, data: bytes) -> bytes:
        number = _word(data, 2)
        if number >= len(RASTERS):
            raise XcpError(Error.OUT_OF_RANGE)
        self._text = EVENT_NAMES[number].encode()
        cycle = RASTERS[number] // 1_000_000
        return bytes([EVENT_PROPERTIES, LISTS_MOST, len(self._text), cycle, CYCLE_UNIT, 0])

    def _free_daq(self, data: bytes) -> bytes:
        self._acquisition.free()
        return b""

    def _alloc_daq(self, data: bytes) -> bytes:
        self._acquisition.allocate_lists(_word(data, 2))
        return b""

    def _alloc_odt(self, data: bytes) -> bytes:
        self._acquisition.allocate_frames(_word(data, 2), data[4])
        return b""

    def _alloc_odt_entry(self, data: bytes) -> bytes:
        self._acquisition.allocate_entries(_word(data, 2), data[4], data[5])
        return b""


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _page(number: int) -> Page:
    try:
        return Page(number)
    except ValueError as error:
        raise XcpError(Error.PAGE_NOT_VALID) from error


# Of each command its length with all that it needs, and what does it.
_COMMANDS: dict[Command, tuple[int, Callable[[Slave, bytes], bytes | None]]] = {
    Command.CONNECT: (2, Slave._connect),
    Command.DISCONNECT: (1, Slave._disconnect),
    Command.GET_STATUS: (1, Slave._get_status),
    Command.SYNCH: (1, Slave._synch),
    Command.GET_COMM_MODE_INFO: (1, Slave._get_comm_mode_info),
    Command.GET_ID: (2, Slave._get_id),
    Command.GET_SEED: (3, Slave._get_seed),
    Command.UNLOCK: (3, Slave._unlock),
    Command.SET_MTA: (8, Slave._set_mta),
    Command.UPLOAD: (2, Slave._upload),
    Command.SHORT_UPLOAD: (8, Slave._short_upload),
    Command.BUILD_CHECKSUM: (8, Slave._build_checksum),
    Command.DOWNLOAD: (2, Slave._download),
    Command.DOWNLOAD_NEXT: (2, Slave._download_next),
    Command.DOWNLOAD_MAX: (8, Slave._download_max),
    Command.SET_CAL_PAGE: (4, Slave._set_cal_page),
    Command.GET_CAL_PAGE: (3, Slave._get_cal_page),
    Command.GET_PAG_PROCESSOR_INFO: (1, Slave._get_pag_processor_info),
    Command.GET_SEGMENT_INFO: (5, Slave._get_segment_info),
    Command.GET_PAGE_INFO: (4, Slave._get_page_info),
    Command.COPY_CAL_PAGE: (5, Slave._copy_cal_page),
    Command.CLEAR_DAQ_LIST: (4, Slave._clear_daq_list),
    Command.SET_DAQ_PTR: (6, Slave._set_daq_ptr),
    Command.WRITE_DAQ: (8, Slave._write_daq),
    Command.READ_DAQ: (1, Slave._read_daq),
    Command.SET_DAQ_LIST_MODE: (8, Slave._set_daq_list_mode),
    Command.GET_DAQ_LIST_MODE: (4, Slave._get_daq_list_mode),
    Command.START_STOP_DAQ_LIST: (4, Slave._start_stop_daq_list),
    Command.START_STOP_SYNCH: (2, Slave._start_stop_synch),
    Command.GET_DAQ_CLOCK: (1, Slave._get_daq_clock),
    Command.GET_DAQ_PROCESSOR_INFO: (1, Slave._get_daq_processor_info),
    Command.GET_DAQ_RESOLUTION_INFO: (1, Slave._get_daq_resolution_info),
    Command.GET_DAQ_EVENT_INFO: (4, Slave._get_daq_event_info),
    Command.FREE_DAQ: (1, Slave._free_daq),
    Command.ALLOC_DAQ: (4, Slave._alloc_daq),
    Command.ALLOC_ODT: (5, Slave._alloc_odt),
    Command.ALLOC_ODT_ENTRY: (6, Slave._alloc_odt_entry),
}
