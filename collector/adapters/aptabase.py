"""Aptabase's ingestion: what its SDKs send becomes native events, as the configuration maps their names.

    POST /api/v0/event     one event          App-Key: A-{EU|US|DEV|SH}-{10 digits}, of a declared [[aptabase]]
    POST /api/v0/events    1 to 25 of them

    eventName               which [[aptabase.event]]; one that is not mapped is not counted
    systemProps.isDebug     a debug build is not counted
    systemProps.osName, appVersion    os and version of an install or update check

Keys are read in any case (the SDKs differ). Nothing else is read: neither sessionId, which is one life of a program,
nor device, locale or properties; nor the time, which is off by hours where an SDK takes local time for UTC. The answer
is 200 {} whatever becomes of the events, for the Python SDK sends a refused batch again for ever; 404 for an unknown
key, and 503 where nothing could be counted. As of aptabase 0.1.0 (PyPI) and @aptabase/web 0.5.0.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web
from multidict import istr

from collector.catalogue.registry import AptabaseApp, Registry
from collector.door.answers import NOT_FOUND, NOT_JSON, TOO_MANY, UNAVAILABLE, Answer, Handler, Routes, json_answer
from collector.door.caller import Caller
from collector.door.receive import Receiver
from collector.errors import Unavailable

MAX_EVENTS = 25
TAKEN = json_answer(200, {})
_APP_KEY = istr("App-Key")
_OS = {
    "windows": "windows",
    "windows nt": "windows",
    "macos": "macos",
    "mac os x": "macos",
    "darwin": "macos",
    "linux": "linux",
    "android": "android",
    "ios": "ios",
    "ipados": "ios",
    "chromeos": "chromeos",
    "chrome os": "chromeos",
}


class AptabaseEvents:
    """Translates; one per worker."""

    def __init__(self, receiver: Receiver, registry: Registry) -> None:
        self._receiver = receiver
        self._apps = registry.aptabase

    def routes(self) -> Routes:
        """The addresses above."""
        methods: dict[str, Handler] = {"POST": self._receive}
        return {"/api/v0/event": methods, "/api/v0/events": methods}

    async def _receive(self, request: web.BaseRequest) -> Answer:
        app = self._apps.get(request.headers.get(_APP_KEY, ""))
        if app is None:
            return NOT_FOUND
        return await self._receiver.with_body(request, self._answering(app))

    def _answering(self, app: AptabaseApp) -> Callable[[bytes, Caller], Awaitable[Answer]]:
        async def answered(body: bytes, caller: Caller) -> Answer:
            try:
                sent = orjson.loads(body)
            except orjson.JSONDecodeError:
                return NOT_JSON
            events = sent if isinstance(sent, list) else [sent]
            if len(events) > MAX_EVENTS:
                return TOO_MANY
            mapped = [event for each in events if (event := _event(each, app))]
            if unmapped := len(events) - len(mapped):
                self._receiver.leave_out("unmapped", unmapped)
            try:
                await self._receiver.count(mapped, caller)
            except Unavailable:
                return UNAVAILABLE
            return TAKEN

        return answered


def _event(sent: object, app: AptabaseApp) -> dict[str, Any] | None:
    """The native event; None if its name is not mapped, or it has none."""
    told = _folded(sent)
    name = told.get("eventname")
    mapped = app.events.get(name) if isinstance(name, str) else None
    if mapped is None:
        return None
    system = _folded(told.get("systemprops"))
    event = {"product": app.product, "test": system.get("isdebug") is True, **mapped}
    if mapped["kind"] != "feature_use":
        event["os"] = _OS.get(str(system.get("osname", "")).lower(), "other")
        event["version"] = str(system.get("appversion", "")).partition("+")[0].strip()  # without what names a build
    return event


def _folded(value: object) -> dict[str, Any]:
    """An object with its keys in lower case; anything else has none."""
    return {key.lower(): each for key, each in value.items()} if isinstance(value, dict) else {}
