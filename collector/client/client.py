"""The client a player builds in: checks for updates, and sends the few events a program has.

Copy this folder; it needs Python's standard library only. It never raises into the player, except ValueError for a
wrong endpoint when it is made. Nothing but check() and uninstall() waits for the network: they do so in a thread of
their own and give the player back its thread after `patience_s`, whatever the network does; the exchange goes on behind
and its result is kept. events are written down, and go with the next check.

    client = Client("https://stats.example.org", "player", "1.4.2", "stable", "windows", "x86_64", folder)
    client.feature("subtitles", 3)
    if release := client.check():
        offer(release["version"], release["url"])
    again_in_s = client.next_check_after()
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from secrets import SystemRandom
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from . import moment
from .contract import Answer, Ask, Checked, Counted, Program, age, check, check_target, uninstall_target
from .moment import Moment
from .state import State
from .waiting import Waiting
from .wire import Wire

PATIENCE_S = 10.0
DONE_S = (12 * 3600, 24 * 3600)  # never longer than a day: else a player that always runs would miss days
AGAIN_S = (10 * 60, 30 * 60)  # after a check that failed; doubled with each further one
MOST_DOUBLINGS = 4
Steps = Generator[Ask, Answer | None, Checked]
BAD_BATCH = (400, 413, 415)  # the server will never take it


class Client:
    """One installation's client; one per state folder, whose files nobody else writes."""

    def __init__(  # noqa: PLR0913 - what a player says of itself, once
        self,
        endpoint: str,
        product: str,
        version: str,
        channel: str,
        os: str,
        arch: str,
        state_folder: Path | str,
        *,
        test: bool = False,
        clock: Callable[[], Moment] = moment.now,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """`test`: developers, automation and CI; everything is answered, nothing counted."""
        self._program = Program(product, version, channel, os, arch, test)
        self._wire = Wire(endpoint, f"{product}/{version}")
        self._state = State(Path(state_folder))
        self._waiting = Waiting(self._state.folder / "waiting.txt")
        self._clock, self._new_id = clock, new_id
        self._counted: Counted | None = self._state.counted()
        self._busy = threading.Lock()  # one exchange at a time
        self._files = threading.RLock()
        self._failed, self._retry_after_s = 0, 0
        self._prepared: Steps | None = None

    # --- what the player calls --------------------------------------------------------------------------------------

    def check(self, patience_s: float = PATIENCE_S) -> dict[str, Any] | None:
        """The newer release, as the server describes it, or None. Sends what waits, too. Returns in time.

        Verify a release's signature before running anything of it.
        """
        found: list[dict[str, Any]] = []
        self._aside(lambda: found.extend(self._check()), patience_s)
        return found[0] if found else None

    def prepare(self, patience_s: float = PATIENCE_S) -> dict[str, str]:
        """What an updater of another make adds to the check it makes itself: v, ch, first, age. Empty: nothing.

        Call confirm() once that updater has got its answer.
        """
        found: dict[str, str] = {}
        self._aside(lambda: found.update(self._prepare()), patience_s)
        return found

    def confirm(self) -> None:
        """The updater that took what prepare() returned got its answer: it is counted."""
        steps, self._prepared = self._prepared, None
        if steps:
            try:
                steps.send(Answer(204))
            except StopIteration as ended:
                self._end(ended.value)

    def next_check_after(self) -> float:
        """Seconds until the next check is due: at random, so that no hour has a peak, and never a day without one."""
        low, high = AGAIN_S if self._failed else DONE_S
        times = 2 ** min(self._failed - 1, MOST_DOUBLINGS) if self._failed else 1
        return max(SystemRandom().uniform(low, high) * times, self._retry_after_s)

    def event(self, kind: str, **fields: str | int) -> None:
        """Have an event sent with the next check; `fields` as in schemas/events."""
        told: dict[str, str | int | bool] = {"kind": kind, "product": self._program.product, **fields}
        if self._program.test:
            told["test"] = True
        told["id"] = self._new_id()
        with self._files, suppress(OSError, TypeError, ValueError):  # no disk, or a field that JSON does not know
            if not self._state.is_opted_out:
                self._waiting.add(told, self._clock())

    def install(self, outcome: str) -> None:
        """An installation ended: ok, failed or cancelled."""
        told = self._program
        self.event("install", version=told.version, channel=told.channel, os=told.os, outcome=outcome)

    def recommendation(self, slot: str, item: str, **counts: int) -> None:
        """What became of a recommendation since it was last told: shown, clicked, dismissed."""
        self.event("recommendation", slot=slot, item=item, **counts)

    def feature(self, feature: str, count: int = 1) -> None:
        """A feature was used so often since it was last told."""
        self.event("feature_use", feature=feature, count=count)

    def uninstall(self, reason: str = "", patience_s: float = PATIENCE_S) -> None:
        """Say goodbye, and delete everything. For an uninstaller."""
        self._aside(lambda: self._uninstall(reason), patience_s)
        with self._files, suppress(OSError):
            self._counted = None
            self._waiting.clear()
            self._state.leave()

    def opt_out(self) -> None:
        """Delete everything that is kept here, and send nothing more."""
        with self._files, suppress(OSError):
            self._counted = None
            self._waiting.clear()
            self._state.opt_out()

    def opt_in(self) -> None:
        """Count again, as a new installation."""
        with self._files, suppress(OSError):
            if self._state.is_opted_out:
                self._state.clear()

    def what_was_sent(self) -> str:
        """The last 50 requests exactly as they were sent, each with the status that was answered."""
        with self._files:
            return "\n\n".join(self._state.sent())

    # --- in a thread of its own -------------------------------------------------------------------------------------

    def _check(self) -> list[dict[str, Any]]:
        steps = check(self._program, self._counted, self._can_keep)
        checked = self._run(steps, next(steps))
        if checked.is_done:
            self._send_waiting()
        return _release(checked.release)

    def _run(self, steps: Steps, ask: Ask) -> Checked:
        """Ask until the check is over, and keep what is counted then."""
        while True:
            answer = self._send(ask)
            try:
                ask = steps.send(answer)
            except StopIteration as ended:
                checked: Checked = ended.value
                self._end(checked)
                self._retry_after_s = answer.retry_after_s if answer else 0
                return checked

    def _end(self, checked: Checked) -> None:
        self._failed = 0 if checked.is_done else self._failed + 1
        with self._files, suppress(OSError):
            if checked.counted != self._counted and not self._state.is_opted_out:
                self._counted = checked.counted
                self._state.keep(checked.counted)

    def _prepare(self) -> dict[str, str]:
        steps = check(self._program, self._counted, self._can_keep)
        heard = self._send(next(steps))
        try:
            ask = steps.send(heard)
        except StopIteration as ended:
            self._end(ended.value)
            return {}
        self._prepared = steps
        return dict(parse_qsl(urlsplit(ask.target).query))

    def _send_waiting(self) -> None:
        while True:
            with self._files:
                batch = self._waiting.batch(self._clock())
            if batch is None:
                return
            answer = self._send(Ask("POST", "/v1/events", batch.body))
            if answer is None or not (answer.is_good or answer.status in BAD_BATCH):
                return
            with self._files, suppress(OSError):
                self._waiting.settle(batch)

    def _uninstall(self, reason: str) -> None:
        if self._program.test:
            return
        heard = self._send(Ask("HEAD", check_target(self._program)))
        day = heard.day if heard and heard.day else self._counted and self._counted.day
        told_age = age(self._counted, day) if day else "0"
        self._send(Ask("GET", uninstall_target(self._program, told_age, reason)))

    def _send(self, ask: Ask) -> Answer | None:
        with self._files:
            if self._state.is_opted_out:
                return None
        answer = self._wire.send(ask)
        with self._files, suppress(OSError):
            if not self._state.is_opted_out:
                self._state.note(self._wire.request(ask), str(answer.status) if answer else "no answer")
        return answer

    def _can_keep(self) -> bool:
        """Whether what is counted can be written down: tried, before anything is counted."""
        with self._files:
            try:
                if self._state.is_opted_out:
                    return False
                self._state.keep(self._counted)
            except OSError:
                return False
            return True

    def _aside(self, exchange: Callable[[], None], patience_s: float) -> None:
        """Run it in a thread and wait for it so long; nothing if another exchange is still under way."""

        def run() -> None:
            try:
                with suppress(Exception):  # a fault of ours is not the player's
                    exchange()
            finally:
                self._busy.release()

        if self._busy.acquire(blocking=False):
            thread = threading.Thread(target=run, name="collector-client", daemon=True)
            thread.start()
            thread.join(patience_s)


def _release(body: bytes | None) -> list[dict[str, Any]]:
    """The release in an answer, if it is one: an object whose version and url are strings."""
    try:
        told = json.loads(body or b"null")
    except ValueError:
        return []
    is_release = isinstance(told, dict) and all(isinstance(told.get(name), str) for name in ("version", "url"))
    return [told] if is_release else []
