"""What testers switch off for the time of their sessions: it is on unless one of them has it off."""

from collections.abc import Callable

from hil.diagnostics.protocol import Session, Tester


class SwitchedOff:
    """The testers who have something off; ``switch`` is called with False before the first, with True after the last of them."""

    def __init__(self, switch: Callable[[bool], None], kept_in: frozenset[Session] = frozenset()) -> None:
        """``kept_in``: sessions into which a tester may change without its being switched on again."""
        self._switch = switch
        self._kept_in = kept_in
        self._testers: set[Tester] = set()

    def off(self, tester: Tester) -> None:
        """Switch it off until the tester's session ends."""
        if tester in self._testers:
            return
        if not self._testers:
            self._switch(False)
        self._testers.add(tester)
        tester.leaving.append(self._leave)

    def on(self, tester: Tester) -> None:
        """Switch it on, as far as this tester is concerned."""
        if tester not in self._testers:
            return
        self._testers.remove(tester)
        tester.leaving.remove(self._leave)
        if not self._testers:
            self._switch(True)

    def _leave(self, tester: Tester) -> None:
        tester.leaving.append(self._leave)
        if tester.session not in self._kept_in:
            self.on(tester)
