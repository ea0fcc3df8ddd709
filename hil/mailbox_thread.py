"""A thread that serves a mailbox: it sleeps until a frame comes or something is due, and goes on whatever fails."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from hil.frames import PlainFrame
from hil.mailbox import Mailbox

STOP_TIMEOUT = 1.0  # [s]
FAULTS_TOLD = 20  # different ones


class MailboxThread(ABC):
    """What a diagnostic responder and an XCP slave have in common."""

    def __init__(self, name: str, mailbox: Mailbox, report: Callable[[str], None]) -> None:
        """``mailbox``: the thread's from now on. ``report``: is told what fails, once each, in lines that begin with ``name``."""
        self._name = name
        self._mailbox = mailbox
        self._report = report
        self._told: set[str] = set()
        self._ending_sessions = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"responder {name}", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End all sessions and the thread."""
        self._stopping.set()
        self._mailbox.close()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT)
            if self._thread.is_alive():
                self._report(f"{self._name}: a service does not come back; its thread was left behind")

    def end_sessions(self) -> None:
        """End the sessions of all testers, soon: their control unit begins anew. May be called from any thread."""
        self._ending_sessions.set()

    @abstractmethod
    def _until_due(self) -> float | None:
        """Time [s] until there is something to do, unless a frame comes; None: nothing."""

    @abstractmethod
    def _serve(self, frame: PlainFrame | None) -> None:
        """Work on a frame that has come, if one has, and on what is due."""

    @abstractmethod
    def _leave_sessions(self) -> None:
        """End all sessions."""

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                frame = self._mailbox.receive(self._until_due())
                if self._ending_sessions.is_set():
                    self._ending_sessions.clear()
                    self._leave_sessions()
                self._serve(frame)
            except Exception as error:  # of a service or of a library; the next frame is answered all the same
                self._fault(error)
        try:
            self._leave_sessions()
        except Exception as error:
            self._fault(error)

    def _fault(self, error: Exception) -> None:
        text = f"{self._name}: a service failed: {type(error).__name__}: {error}"
        if text not in self._told and len(self._told) < FAULTS_TOLD:
            self._told.add(text)
            self._report(text)
