"""The other end of a serial port: a pseudo-terminal behind which a USB-CAN adapter answers as Lawicel's do."""

import os
import select
import threading
import tty
from pathlib import Path


class Dongle:
    """An adapter at ``path``, plugged in from the start; what it was told is in ``lines``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.flags = 0  # what it answers to F
        self.deaf = False  # does not answer
        self.asleep = False  # does not even read
        self.accepts = True  # False: refuses frames with BELL, as with a full transmit buffer
        self.plug()

    def plug(self) -> None:
        """Appear at the path."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path.symlink_to(os.ttyname(self._slave))
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Vanish: whoever has the port open gets errors."""
        if self._gone.is_set():
            return
        self.path.unlink()
        self._gone.set()
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)

    def write(self, data: bytes) -> None:
        """Send bytes to the host."""
        os.write(self._master, data)

    def frames(self) -> list[str]:
        """The frames that the host has sent."""
        return [line for line in self.lines if line.startswith(("t", "T"))]

    def _answer(self) -> None:
        buffer = b""
        while not self._gone.is_set():
            if self.asleep or not select.select([self._master], [], [], 0.01)[0]:
                self._gone.wait(0.001)
                continue
            *lines, buffer = (buffer + os.read(self._master, 4096)).split(b"\r")
            for line in lines:
                text = line.decode()
                self.lines.append(text)
                if not self.deaf:
                    os.write(self._master, self._reply(text))

    def _reply(self, line: str) -> bytes:
        if line.startswith(("t", "T")):
            return b"\r" if self.accepts else b"\a"
        return {"F": f"F{self.flags:02X}\r", "V": "V1013\r", "N": "NA123\r"}.get(line[:1], "\r").encode()
