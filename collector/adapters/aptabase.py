"""Events of Aptabase's SDKs, as its own server takes them: what the operator maps is counted, the rest is forgotten.

    POST /api/v0/event    an object              App-Key: A-{EU|US|DEV|SH}-{10 digits}, of an app of the configuration
    POST /api/v0/events   an array of up to 25   both addresses take both

Read are eventName, and of systemProps isDebug, osName and appVersion, in any case of their names. sessionId, timestamp,
locale, deviceModel, props and all else go no further than this module: a session is nothing that is kept here, and the
times are local ones said to be UTC, so an event counts when it comes. SDKs give an event no id: one that is sent again
because its answer was lost counts twice.

The answer is {} whatever became of the events, for SDKs keep what they were not thanked for: the one for Python sends
it again after any answer from 400 on, for as long as the program runs, and nothing behind it ever gets through. So a
body that will never be good is thanked for, too, and counted as refused. 429 and 503 are for what may succeed later.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from multidict import istr

from collector.catalogue.registry import AptabaseApp, Registry
from collector.door.answers import NOT_FOUND, UNAVAILABLE, Answer, Handler, Routes, answer, preflight
from collector.door.body import BodyRefused
from collector.door.caller import Caller
from collector.door.receive import Receiver
from collector.errors import Code, Unavailable

MAX_EVENTS = 25  # as many as SDKs put into a body at most
TAKEN = answer(200, b"{}")
APP_KEY = istr("App-Key")
_PREFLIGHT = preflight("Content-Type", APP_KEY)
_BROKEN: list[Any] = []  # in place of an event that is none: the judge refuses what is no object
_OS_NAME_CHARACTERS = 60
# Words of osName; on Linux SDKs name the distribution, after /etc/os-release (Electron, Flutter) or os_info (Tauri).
_LINUX = (
    "almalinux alpine arch archlinux artix bazzite cachyos centos debian elementary endeavouros fedora flatpak garuda "
    "gentoo kali linux linuxmint lubuntu mageia manjaro mint neon nixos nobara opensuse pop pureos raspbian redhat "
    "rhel rocky slackware solus steamos suse ubuntu ultramarine void xubuntu zorin"
)
_SYSTEMS = {
    "windows": "windows",
    **dict.fromkeys(("darwin", "mac", "macos", "osx"), "macos"),
    "android": "android",
    **dict.fromkeys(("ios", "ipados", "iphone", "ipad"), "ios"),
    **dict.fromkeys(("chrome", "chromeos", "chromium", "chromiumos"), "chromeos"),
    **dict.fromkeys(_LINUX.split(), "linux"),
}


class Aptabase:
    """Counts for the apps of the configuration; one per worker."""

    def __init__(self, receiver: Receiver, registry: Registry) -> None:
        self._receiver = receiver
        self._apps = {app.key: app for app in registry.aptabase}

    def routes(self) -> Routes:
        """The addresses above; browsers ask before they send the key."""
        methods: dict[str, Handler] = {"POST": self._take, "OPTIONS": _allow}
        return {"/api/v0/event": methods, "/api/v0/events": methods}

    async def _take(self, request: web.BaseRequest) -> Answer:
        app = self._apps.get(request.headers.get(APP_KEY, ""))
        if app is None:
            return NOT_FOUND
        try:
            return await self._receiver.with_body(request, lambda body, caller: self._count(app, body, caller))
        except BodyRefused as refused:
            if refused.answer.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise  # slow, torn, or not what an SDK sends
            self._receiver.refuse(Code.OUT_OF_BOUNDS)
            return TAKEN.closing()

    async def _count(self, app: AptabaseApp, body: bytes, caller: Caller) -> Answer:
        """Count what of a body is mapped, the first 25; a bad event never costs its neighbours."""
        sent = _sent(body)
        if sent is None:
            self._receiver.refuse(Code.NOT_JSON)
            return TAKEN
        told = [_event(app, each) for each in sent[:MAX_EVENTS]]
        events = [event for event in told if event is not None]
        try:
            await self._receiver.count(events, caller)
        except Unavailable:
            return UNAVAILABLE
        self._receiver.leave_out("unmapped", len(told) - len(events))
        self._receiver.refuse(Code.TOO_MANY, len(sent) - len(told))
        return TAKEN


async def _allow(request: web.BaseRequest) -> Answer:
    return _PREFLIGHT


def _sent(body: bytes) -> list[Any] | None:
    """The events of a body; None if it is neither an object nor an array, as one with NaN among its props."""
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(sent, dict):
        return [sent]
    return sent if isinstance(sent, list) else None


def _event(app: AptabaseApp, value: object) -> object:
    """Our event of one of theirs, good or bad; None if nobody mapped its name."""
    fields = _folded(value)
    if fields is None or not isinstance(name := fields.get("eventname"), str):
        return _BROKEN
    always = app.events.get(name)
    if always is None:
        return None
    told = fields.get("systemprops")
    system = {} if told is None else _folded(told)
    if system is None:
        return _BROKEN
    event = dict(always)
    if system.get("isdebug") is not None:
        event["test"] = system["isdebug"]
    if "channel" in always:  # a kind that tells which version it was, and where
        event["os"] = _os(system.get("osname"))
        if system.get("appversion") is not None:
            event["version"] = _version(system["appversion"])
    return event


def _folded(value: object) -> dict[str, Any] | None:
    """An object by its names in lower case; None for anything else."""
    return {name.lower(): held for name, held in value.items()} if isinstance(value, dict) else None


def _version(told: object) -> object:
    """A version without v and build (semver 2.0, 10); what is none stays as it is, and is refused."""
    return told.removeprefix("v").partition("+")[0] if isinstance(told, str) else told


def _os(told: object) -> str:
    """The system of an osName; other where an SDK sends none, as in a browser."""
    words = re.findall(r"[a-z]+", told[:_OS_NAME_CHARACTERS].lower()) if isinstance(told, str) else ()
    return next((_SYSTEMS[word] for word in words if word in _SYSTEMS), "other")
