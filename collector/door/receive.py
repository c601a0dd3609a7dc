"""The story of a request: read, parse, validate, reduce, cap, mark, append, count for the live view, answer.

Every event is either accepted (durable before the answer), refused with a closed code, or not counted for a named
reason; the counters of these three add up to what was received. A refused event never costs its neighbours.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from collector.clock import Clock
from collector.count.caps import Caps
from collector.count.marks import Marks
from collector.count.minutes import KINDS, MINUTE_S, MinuteCounts
from collector.door.answers import COUNTED, MAX_LISTED, NOT_JSON, TOO_MANY, UNAVAILABLE, Answer, json_answer
from collector.door.body import body_bytes, read_body
from collector.door.caller import Caller
from collector.door.judge import Judge
from collector.door.tally import Tally
from collector.errors import Refused, Unavailable
from collector.reduce.sender import Sender
from collector.spool.writer import Marked, SpoolWriter

MAX_EVENTS = 100
MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024  # of bodies that are read or wait for the disk; more are answered 503


class Receiver:
    """Turns requests into durable, reduced events."""

    def __init__(
        self,
        *,
        judge: Judge,
        caps: Caps,
        marks: Marks,
        spool: SpoolWriter,
        minutes: MinuteCounts,
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._judge = judge
        self._caps = caps
        self._marks = marks
        self._spool = spool
        self._minutes = minutes
        self._clock = clock
        self._tally = tally
        self._in_flight_bytes = 0

    async def receive(self, request: web.BaseRequest) -> Answer:
        """POST /v1/events: one event object or an array of at most 100. Raises BodyRefused."""
        size_bytes = body_bytes(request)
        if not self._spool.accepting or self._in_flight_bytes + size_bytes > MAX_IN_FLIGHT_BYTES:
            return UNAVAILABLE
        self._in_flight_bytes += size_bytes
        try:
            caller = self._judge.caller(request)
            try:
                sent = orjson.loads(await read_body(request))
            except orjson.JSONDecodeError:
                return NOT_JSON
            if isinstance(sent, dict):
                return await self._count([sent], caller, one=True)
            if not isinstance(sent, list):
                return NOT_JSON
            if len(sent) > MAX_EVENTS:
                return TOO_MANY
            return await self._count(sent, caller, one=False)
        finally:
            self._in_flight_bytes -= size_bytes

    async def receive_one(self, request: web.BaseRequest, event: dict[str, Any]) -> Answer:
        """An event that another address than /v1/events spelled out (pixel, uninstall)."""
        if not self._spool.accepting:
            self._tally.not_counted("unavailable", 1)
            return UNAVAILABLE
        return await self._count([event], self._judge.caller(request), one=True)

    async def _count(self, sent: list[Any], caller: Caller, *, one: bool) -> Answer:
        """Count each event that can be, wait until all of them are durable, and say which were refused."""
        now_s = self._clock.now()
        sender = self._judge.sender(caller)
        accepted: list[Marked] = []
        live: list[str] = []
        rejected: list[dict[str, Any]] = []
        for index, value in enumerate(sent):
            try:
                if marked := self._event(value, caller, sender, now_s):
                    accepted.append(marked)
                    if marked[0].kind in KINDS and value.get("age_s", 0) < MINUTE_S:
                        live.append(marked[0].property)
            except Refused as refused:
                self._tally.refused(refused.code)
                rejected.append({"index": index, "code": refused.code, "field": refused.field, "message": refused.rule})
        if accepted:
            try:
                await self._spool.append(accepted)
            except Unavailable:
                self._tally.not_counted("unavailable", len(accepted))
                return UNAVAILABLE
            self._tally.accepted(accepted)
            for property_id in live:
                self._minutes.add(property_id, now_s)
        if one and not rejected:
            return COUNTED
        return json_answer(200, {"accepted": len(sent) - len(rejected), "rejected": rejected[:MAX_LISTED]})

    def _event(self, value: object, caller: Caller, sender: Sender | None, now_s: float) -> Marked | None:
        """Judge, cap and mark one event; None if it is not to be counted. Raises Refused."""
        judged = self._judge.event(value, caller, sender, now_s)
        if isinstance(judged, str):
            self._tally.not_counted(judged, 1)
            return None
        event = self._caps.capped(judged)
        slot = self._marks.slot(event.hour)
        return event, self._marks.of(event, sender.seeds(slot), slot) if slot and sender else 0
