"""0x21 ReadDataByLocalIdentifier of KWP2000, which ISO 14229 no longer has: tools for the LEAF ask the VCM its VIN by it."""

from hil.diagnostics.protocol import Code, NegativeResponseError, Request, Rule, Service

VEHICLE_IDENTIFICATION_NUMBER = 0x81
LENGTH = 19  # [bytes] of the LEAF's answer behind it: the 17 letters, and two zeros


def service(vehicle_identification_number: str) -> Service:
    """ReadDataByLocalIdentifier with the only local identifier 0x81."""

    def read(request: Request) -> bytes:
        if request.data[1] != VEHICLE_IDENTIFICATION_NUMBER:
            raise NegativeResponseError(Code.SUB_FUNCTION_NOT_SUPPORTED)
        return bytes([VEHICLE_IDENTIFICATION_NUMBER]) + vehicle_identification_number.encode("ascii").ljust(LENGTH, b"\x00")

    # Not as sub-functions, whose highest bit suppresses the answer.
    return Service(0x21, "ReadDataByLocalIdentifier", Rule("readDataByLocalIdentifier", read, 2, 2))
