"""0x37 RequestTransferExit: all is there; a downloaded calibration is checked, and taken over or refused as a whole."""

from collections.abc import Callable

from hil.diagnostics.protocol import NOT_DEFAULT, Access, Request, Rule, Service, require_standstill
from hil.diagnostics.transfer import CRC, Transfers


def service(transfers: Transfers, speed: Callable[[], float]) -> Service:
    """RequestTransferExit at a ``speed`` of the car [m/s]. After a refusal for what is in it a download has to begin again."""

    def handle(request: Request) -> bytes:
        if transfers.is_download(request.tester):
            require_standstill(speed)
        return transfers.finish(request.tester, request.data[1:])

    rule = Rule("requestTransferExit", handle, 1, 1 + CRC, NOT_DEFAULT, Access.READ)
    return Service(0x37, "RequestTransferExit", rule, audited=True)
