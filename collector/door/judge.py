"""What becomes of one event of one caller: refused, left out for a named reason, or reduced.

The one path both of what is counted (receive.py) and of what somebody is shown that it would be (seeing.py). It counts
nothing, marks nothing and knows no other caller.
"""

from __future__ import annotations

from collector.catalogue.kinds import Kinds
from collector.door.caller import Caller, Callers
from collector.event import Event
from collector.metrics import Reason
from collector.reduce.reducer import Reducer
from collector.reduce.sender import Sender


class Judge:
    """Judges events; one per worker."""

    def __init__(self, callers: Callers, kinds: Kinds, reducer: Reducer) -> None:
        self._kinds = kinds
        self._reducer = reducer
        self.caller = callers.of

    def sender(self, caller: Caller) -> Sender | None:
        """What the caller becomes; None if it is left out: of who opted out nothing is derived."""
        if caller.left_out:
            return None
        return self._reducer.sender(caller.address, caller.agent, caller.hints, caller.accept_language)

    def event(self, value: object, caller: Caller, sender: Sender | None, now_s: float) -> Event | Reason:
        """The reduced event, or why it is not to be counted. Raises Refused.

        Bots are a matter of websites: a product's events come from programs, whose HTTP libraries look like bots, and
        which say `test` themselves when they are automation.
        """
        told = self._reducer.read(self._kinds.parse(value))
        if told.fields.get("test"):
            return "test"
        if sender is None:
            return caller.left_out or "opt_out"
        if sender.platform.bot and "site" in told.fields:
            return "bot"
        if self._reducer.is_spam(told):
            return "referrer_spam"
        return self._reducer.reduce(told, sender, now_s)
