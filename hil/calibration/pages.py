"""Reference and working page of a running controller.

The reference page is the calibration that it was started with, and stays. The working page is what people, tools and optimisers
change. The controller runs on one of them. A change of any number of values is checked as a whole, written to the journal, and
taken over between two periods, or refused as a whole; who is refused finds everything as it was.

Whoever writes the controller's memory himself while it runs on the working page has changed that page: it is adopted, and
journalled, before the next change.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from enum import IntEnum
from typing import Any

from hil.calibration.changes import CalibrationError, Change, changed, differences
from hil.calibration.journal import Journal
from hil.calibration.table import findings
from hil.errors import UsageError

BESIDE = "written beside the pages"  # in the journal
UNDO_DEPTH = 1000  # changes that can be undone; each holds the values that it changed


class Page(IntEnum):
    """The pages, by their numbers in XCP."""

    WORKING = 0
    REFERENCE = 1


class CalibrationPages:
    """Both pages of one controller; for any thread."""

    def __init__(
        self,
        running: Any,
        put: Callable[[Any], None] | None = None,
        journal: Journal | None = None,
        held: Collection[str] = (),
    ) -> None:
        """``running``: parameters of the controller's node (recarray (1,)), which both pages begin with.

        ``put`` lets a running loop take over a whole calibration, and raises TimeoutError if it does not; without it, nothing
        runs but between calls. ``held``: paths of values that stay as they are, because they hang on who sits at the bench.
        """
        self._running = running
        self._put = put or self._write
        self._journal = journal
        self._held = frozenset(held)
        self._pages = {page: _frozen(running.copy()) for page in Page}
        self._selected = Page.WORKING
        self._done: deque[list[Change]] = deque(maxlen=UNDO_DEPTH)
        self._undone: deque[list[Change]] = deque(maxlen=UNDO_DEPTH)
        self._lock = threading.RLock()

    @property
    def selected(self) -> Page:
        """The page that the controller runs on."""
        return self._selected

    def page(self, page: Page) -> Any:
        """The calibration on a page (recarray (1,), not to be written); it stays as it is when the page is changed."""
        with self._lock:
            return _frozen(self._running.copy()) if page is Page.WORKING and self._beside() else self._pages[page]

    @property
    def running(self) -> Any:
        """The calibration that the controller runs on, as ``page``."""
        return self.page(self._selected)

    def change(self, values: Mapping[str, Any], way: str) -> list[Change]:
        """Change values of the working page, by their dotted paths; ``way`` says for the journal who or what did it.

        Returns what is different now. Raises CalibrationError, and UsageError if the journal cannot be written.
        """
        with self._lock:
            self._adopt()
            return self._remember(changed(self._pages[Page.WORKING], values, way), way)

    def load(self, calibration: Any, way: str) -> list[Change]:
        """Make ``calibration`` (recarray (1,)) the working page; otherwise as ``change``."""
        if wrong := findings(calibration):
            raise CalibrationError(way, wrong)
        with self._lock:
            self._adopt()
            return self._remember(calibration, way)

    def reset(self, way: str) -> list[Change]:
        """Make the working page what the reference page is; otherwise as ``change``."""
        return self.load(self._pages[Page.REFERENCE], way)

    def select(self, page: Page, way: str) -> None:
        """Let the controller run on a page from the next period on. Raises UsageError as ``change``."""
        with self._lock:
            if page is self._selected:
                return
            self._adopt()
            self._journalled(way, [], page)
            self._hand_over(self._pages[page], way)
            self._selected = page

    def undo(self, way: str = "undo") -> list[Change]:
        """Take the last change of the working page back; returns what is different now. Raises UsageError if there is none."""
        return self._step(self._done, self._undone, way)

    def redo(self, way: str = "redo") -> list[Change]:
        """Do again what was undone last. Raises UsageError if there is nothing."""
        return self._step(self._undone, self._done, way)

    def _step(self, source: deque[list[Change]], target: deque[list[Change]], way: str) -> list[Change]:
        with self._lock:
            self._adopt()
            if not source:
                raise UsageError(f"{way}: there is nothing left")
            values = {change.path: change.before for change in source[-1]}
            changes = self._take(changed(self._pages[Page.WORKING], values, way), way)
            source.pop()
            target.append(changes)
            return changes

    def _remember(self, calibration: Any, way: str) -> list[Change]:
        changes = self._take(calibration, way)
        if changes:
            self._done.append(changes)
            self._undone.clear()
        return changes

    def _take(self, calibration: Any, way: str) -> list[Change]:
        changes = differences(self._pages[Page.WORKING], calibration)
        if refused := [f"{change.path}: is held by who runs the bench" for change in changes if change.path in self._held]:
            raise CalibrationError(way, refused)
        if changes:
            self._journalled(way, changes)
            if self._selected is Page.WORKING:
                self._hand_over(calibration, way)
            self._pages[Page.WORKING] = _frozen(calibration.copy())
        return changes

    def _beside(self) -> list[Change]:
        """What somebody has written into the controller's memory himself."""
        return differences(self._pages[Page.WORKING], self._running) if self._selected is Page.WORKING else []

    def _adopt(self) -> None:
        if changes := self._beside():
            self._journalled(BESIDE, changes)
            self._pages[Page.WORKING] = _frozen(self._running.copy())
            self._done.append(changes)
            self._undone.clear()

    def _journalled(self, way: str, changes: list[Change], page: Page | None = None) -> None:
        if self._journal:
            self._journal.write(way, changes, page="" if page is None else page.name.lower())

    def _hand_over(self, calibration: Any, way: str) -> None:
        try:
            self._put(calibration)
        except TimeoutError as error:
            self._journalled(f"{way}: not taken over", [])
            raise UsageError(f"{way}: the controller does not run: {error}") from error

    def _write(self, calibration: Any) -> None:
        self._running[:] = calibration


def _frozen(calibration: Any) -> Any:
    calibration.flags.writeable = False
    return calibration
