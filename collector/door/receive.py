"""The story of a request: allow, read, parse, validate, reduce, cap, mark, append, count for the live view, answer.

Every event is either accepted (durable before the answer), refused with a closed code, or not counted for a named
reason; the counters of these three add up to what was received. A refused event never costs its neighbours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson
from aiohttp import web
from aiohttp.hdrs import TRANSFER_ENCODING

from collector.clock import Clock
from collector.count.caps import Caps
from collector.count.marks import Marks
from collector.count.minutes import KINDS, MINUTE_S, MinuteCounts
from collector.door.allowance import BYTES_AT_ONE, Allowance
from collector.door.answers import COUNTED, LIMITED, MAX_LISTED, NOT_JSON, TOO_MANY, UNAVAILABLE, Answer, json_answer
from collector.door.body import Bodies, BodyRefused, check_body, received_bytes
from collector.door.caller import Caller
from collector.door.judge import Judge
from collector.door.tally import Tally
from collector.errors import Code, InDoubt, Refused, Unavailable
from collector.log import log, place_of
from collector.metrics import Reason
from collector.reduce.sender import Sender
from collector.spool.writer import Marked, SpoolWriter

MAX_EVENTS = 100
# Requests, or events of a body, in one pass of the loop: some 0.4 s. What comes later in it is answered 503, for a
# pass that takes everything on takes seconds, and then who waits has gone.
MAX_IN_A_LAP = 5_000
ASIDE_S = 1.0  # how long an answer that does not depend on its event waits for it: a poor disk takes milliseconds


class Counting(NamedTuple):
    """What a worker counts with."""

    caps: Caps
    marks: Marks
    minutes: MinuteCounts


class Receiver:
    """Turns requests into durable, reduced events."""

    def __init__(
        self,
        *,
        judge: Judge,
        counting: Counting,
        spool: SpoolWriter,
        clock: Clock,
        tally: Tally,
        allowance: Allowance,
    ) -> None:
        self._judge = judge
        self._caps, self._marks, self._minutes = counting
        self._spool = spool
        self._clock = clock
        self._tally = tally
        self._allowance = allowance
        self._bodies = Bodies()
        self._in_this_lap = 0
        self._aside: set[asyncio.Future[list[dict[str, Any]]]] = set()

    async def receive(self, request: web.BaseRequest) -> Answer:
        """POST /v1/events: one event object or an array of at most 100. Raises BodyRefused."""
        return await self.with_body(request, self._events)

    async def with_body(
        self, request: web.BaseRequest, answered: Callable[[bytes, Caller], Awaitable[Answer]]
    ) -> Answer:
        """Read a body within all limits and have it answered; 429 or 503 before it is read. Raises BodyRefused."""
        check_body(request)
        caller = self._judge.caller(request)
        if not self._allowance.left(caller.address):
            return LIMITED
        if not self._spool.accepting or self._in_this_lap > MAX_IN_A_LAP:
            return UNAVAILABLE
        try:
            body = await self._bodies.read(request)
        except BodyRefused:
            self._allowance.also(caller.address, received_bytes(request))
            raise
        try:
            self._in_this_lap += 1 + min(len(body) // BYTES_AT_ONE, MAX_EVENTS)
            chunked_bytes = received_bytes(request) if TRANSFER_ENCODING in request.headers else 0
            self._allowance.also(caller.address, max(len(body), chunked_bytes))
            return await answered(body, caller)
        finally:
            self._bodies.let_go(body)

    async def receive_one(self, request: web.BaseRequest, event: dict[str, Any]) -> Answer:
        """An event that an address without a body spelled out."""
        caller = self._judge.caller(request)
        return await self._told([event], caller, one=True) if self._allowance.left(caller.address) else LIMITED

    def allows(self, request: web.BaseRequest) -> bool:
        """Whether a request that nothing is counted of is to be answered."""
        return self._allowance.left(self._judge.caller(request).address)

    def lap(self) -> None:
        """The loop came round: called by a timer, which waits while there is more to do than there is time for."""
        self._in_this_lap = 0

    @property
    def is_counting_aside(self) -> bool:
        """Whether something that is answered still waits for the disk."""
        return bool(self._aside)

    def probe(self) -> asyncio.Future[None]:
        """Whether an event would become durable now; raises Unavailable, and is not done while the disk hangs."""
        return self._spool.append([])

    async def count_aside(self, request: web.BaseRequest, event: dict[str, Any], at_s: float | None = None) -> None:
        """Count an event of a request whose answer does not depend on that: waits a second at most, raises nothing.

        On a disk that hangs it goes on waiting by itself, and is counted once the disk recovers. `at_s` is the moment
        that the answer speaks of, now if it speaks of none.
        """
        caller = self._judge.caller(request)
        if request.method == "HEAD":
            self.leave_out(caller.left_out or "partial")
            return
        if not self._allowance.left(caller.address):
            self.leave_out(caller.left_out or "limited")
            return
        counting = asyncio.ensure_future(self.count([event], caller, at_s))
        del caller  # what waits for a disk that hangs keeps nobody's address in memory
        self._aside.add(counting)
        counting.add_done_callback(self._ended_aside)
        await asyncio.wait((counting,), timeout=ASIDE_S)

    async def count(self, sent: list[Any], caller: Caller, at_s: float | None = None) -> list[dict[str, Any]]:
        """Count each event that can be, wait until all of them are durable, and return which were refused.

        A refusal has index, code, field and message. Raises Unavailable where none counts, InDoubt where that is not
        known.
        """
        if not self._spool.accepting:
            self._tally.not_counted("unavailable", len(sent))
            raise Unavailable("the disk is full or does not keep up")
        now_s = self._clock.now() if at_s is None else at_s
        sender = self._judge.sender(caller)
        accepted: list[Marked] = []
        live: list[str] = []
        rejected: list[dict[str, Any]] = []
        try:
            for index, value in enumerate(sent):
                try:
                    if marked := self._event(value, caller, sender, now_s):
                        accepted.append(marked)
                        if marked[0].kind in KINDS and value.get("age_s", 0) < MINUTE_S:
                            live.append(marked[0].property)
                except Refused as refused:
                    self._tally.refused(refused.code)
                    rejected.append(
                        {"index": index, "code": refused.code, "field": refused.field, "message": refused.rule}
                    )
        finally:
            self._marks.release()
        del caller, sender  # an event that waits for a disk that hangs keeps nobody's address in memory
        if accepted:
            try:
                await self._spool.append(accepted)
            except Unavailable:
                self._tally.not_counted("unavailable", len(accepted))
                raise
            self._tally.accepted(accepted)
            for property_id in live:
                self._minutes.add(property_id, now_s)
        return rejected

    def leave_out(self, reason: Reason, events: int = 1) -> None:
        """Note events that are not counted, for a reason that shows before they are events of ours."""
        self._tally.not_counted(reason, events)

    def refuse(self, code: Code, events: int = 1) -> None:
        """Note events that break a rule of their protocol before they are events of ours, and whose answer is good."""
        self._tally.refused(code, events)

    async def _events(self, body: bytes, caller: Caller) -> Answer:
        try:
            sent = orjson.loads(body)
        except orjson.JSONDecodeError:
            return NOT_JSON
        if isinstance(sent, dict):
            return await self._told([sent], caller, one=True)
        if not isinstance(sent, list):
            return NOT_JSON
        if len(sent) > MAX_EVENTS:
            return TOO_MANY
        return await self._told(sent, caller, one=False)

    async def _told(self, sent: list[Any], caller: Caller, *, one: bool) -> Answer:
        """Count, and say which were refused."""
        try:
            rejected = await self.count(sent, caller)
        except Unavailable:
            return UNAVAILABLE
        if one and not rejected:
            return COUNTED
        return json_answer(200, {"accepted": len(sent) - len(rejected), "rejected": rejected[:MAX_LISTED]})

    def _ended_aside(self, counting: asyncio.Future[list[dict[str, Any]]]) -> None:
        self._aside.discard(counting)
        error = None if counting.cancelled() else counting.exception()
        if error and not isinstance(error, Unavailable | InDoubt):
            log.error("an event could not be counted", **place_of(error))

    def _event(self, value: object, caller: Caller, sender: Sender | None, now_s: float) -> Marked | None:
        """Judge, cap and mark one event; None if it is not to be counted. Raises Refused."""
        judged = self._judge.event(value, caller, sender, now_s)
        if isinstance(judged, str):
            self._tally.not_counted(judged, 1)
            return None
        event = self._caps.capped(judged)
        slot = self._marks.slot(event.hour)
        return event, self._marks.of(event, sender.seeds(slot), slot) if slot and sender else 0
