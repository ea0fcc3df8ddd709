"""Codes of XCP: ASAM MCD-1 XCP 1.x, part 2."""

from enum import IntEnum

RESPONSE, ERROR_PACKET, EVENT_PACKET = 0xFF, 0xFE, 0xFD
EVENT_OVERLOAD = 0x02  # data of a list was lost


class Command(IntEnum):
    """Commands that the slave knows."""

    CONNECT = 0xFF
    DISCONNECT = 0xFE
    GET_STATUS = 0xFD
    SYNCH = 0xFC
    GET_COMM_MODE_INFO = 0xFB
    GET_ID = 0xFA
    GET_SEED = 0xF8
    UNLOCK = 0xF7
    SET_MTA = 0xF6
    UPLOAD = 0xF5
    SHORT_UPLOAD = 0xF4
    BUILD_CHECKSUM = 0xF3
    DOWNLOAD = 0xF0
    DOWNLOAD_NEXT = 0xEF
    DOWNLOAD_MAX = 0xEE
    SET_CAL_PAGE = 0xEB
    GET_CAL_PAGE = 0xEA
    GET_PAG_PROCESSOR_INFO = 0xE9
    GET_SEGMENT_INFO = 0xE8
    GET_PAGE_INFO = 0xE7
    COPY_CAL_PAGE = 0xE4
    CLEAR_DAQ_LIST = 0xE3
    SET_DAQ_PTR = 0xE2
    WRITE_DAQ = 0xE1
    SET_DAQ_LIST_MODE = 0xE0
    GET_DAQ_LIST_MODE = 0xDF
    START_STOP_DAQ_LIST = 0xDE
    START_STOP_SYNCH = 0xDD
    GET_DAQ_CLOCK = 0xDC
    READ_DAQ = 0xDB
    GET_DAQ_PROCESSOR_INFO = 0xDA
    GET_DAQ_RESOLUTION_INFO = 0xD9
    GET_DAQ_EVENT_INFO = 0xD7
    FREE_DAQ = 0xD6
    ALLOC_DAQ = 0xD5
    ALLOC_ODT = 0xD4
    ALLOC_ODT_ENTRY = 0xD3


class Error(IntEnum):
    """Error codes."""

    SYNCH = 0x00
    DAQ_ACTIVE = 0x11
    UNKNOWN = 0x20
    SYNTAX = 0x21
    OUT_OF_RANGE = 0x22
    WRITE_PROTECTED = 0x23
    ACCESS_DENIED = 0x24
    ACCESS_LOCKED = 0x25
    PAGE_NOT_VALID = 0x26
    MODE_NOT_VALID = 0x27
    SEGMENT_NOT_VALID = 0x28
    SEQUENCE = 0x29
    DAQ_CONFIG = 0x2A
    MEMORY_OVERFLOW = 0x30
    GENERIC = 0x31


class Resource(IntEnum):
    """What a slave has, and what may be locked; bits."""

    CALIBRATION = 0x01
    DAQ = 0x04


class XcpError(Exception):
    """A command is refused; ``more`` follows the code in the answer."""

    def __init__(self, code: Error, more: bytes = b"") -> None:
        super().__init__(code.name.lower().replace("_", " "))
        self.code = code
        self.more = more
