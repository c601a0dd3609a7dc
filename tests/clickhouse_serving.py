"""The ClickHouse HTTP interface over the embedded engine: what `python -m tests.clickhouse_http` runs.

One request is one connection of the engine, with the settings of its URL, as on a server. Every request is known by
its query_id while it waits or runs, so that KILL QUERY ... SYNC ends those that wait and waits for those that run.
Faults are taken in the order they were injected, each by the first statements it matches (tests/clickhouse_http.py).
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
import socket
import struct
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from tests.clickhouse_engine import Engine, Refusal, Statement

THREADS = 8
NO_SETTINGS = {"query", "database", "query_id", "default_format", "wait_end_of_query", "client_protocol_version"} | {
    *("send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression"),
    "cancel_http_readonly_queries_on_client_close",
}
_KILL = re.compile(r"KILL QUERY WHERE startsWith\(query_id, \{(\w+):String\}\) SYNC")
_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True, kw_only=True)
class Fault:
    """What to do to the next `count` statements that hold `match`; kinds as in tests/clickhouse_http.py."""

    kind: str
    match: str
    count: int
    seconds: float
    status: int
    code: int


NO_FAULT = Fault(kind="", match="", count=0, seconds=0, status=0, code=0)


@dataclass(slots=True)
class Running:
    """A request on its way."""

    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Server:
    """The routes. `users`: name -> {"password", "settings" of the profile}; none: everybody may do everything."""

    def __init__(self, engine: Engine, users: Mapping[str, Mapping[str, Any]]) -> None:
        self._engine = engine
        self._users = users
        self._threads = ThreadPoolExecutor(THREADS)
        self._faults: list[Fault] = []
        self._running: dict[str, Running] = {}

    def app(self) -> web.Application:
        """The application to run."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_get("/ping", self._ping)
        app.router.add_route("*", "/__fault", self._fault)
        app.router.add_route("*", "/", self._request)
        return app

    async def _ping(self, request: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def _fault(self, request: web.Request) -> web.Response:
        """POST one more fault; DELETE all; GET for how many statements they wait, and how many run."""
        if request.method == "DELETE":
            self._faults.clear()
        if request.method == "POST":
            self._faults.append(Fault(**orjson.loads(await request.read())))
        return web.json_response({"faults": sum(fault.count for fault in self._faults), "running": len(self._running)})

    async def _request(self, request: web.Request) -> web.Response:
        try:
            user = self._user(request)
            return await self._known(request, user)
        except Refusal as refusal:
            headers = {"X-ClickHouse-Exception-Code": str(refusal.code)}
            return web.Response(status=refusal.status, headers=headers, text=str(refusal))

    async def _known(self, request: web.Request, user: Mapping[str, str]) -> web.Response:
        """Answer, known by the query_id meanwhile."""
        query_id = request.query.get("query_id") or str(uuid.uuid4())
        if query_id in self._running:
            raise Refusal(216, "Code: 216. DB::Exception: ... (QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING)")
        running = self._running[query_id] = Running()
        try:
            return await self._answer(request, user, running)
        finally:
            running.done.set()
            del self._running[query_id]

    def _user(self, request: web.Request) -> Mapping[str, str]:
        """The profile's settings of who asks."""
        if not self._users:
            return {}
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        name, _, password = (base64.b64decode(given).decode() if scheme == "Basic" else "").partition(":")
        known = self._users.get(name)
        if known is None or known["password"] != password:
            raise Refusal(516, f"Code: 516. DB::Exception: {name}: Authentication failed. (AUTHENTICATION_FAILED)", 403)
        profile: Mapping[str, str] = known.get("settings", {})
        return profile

    async def _answer(self, request: web.Request, user: Mapping[str, str], running: Running) -> web.Response:
        if self._take(request.query.get("query", "").encode(), upload=True):
            await request.content.readany()
            return _reset(request)
        statement = await _statement(request)
        fault = self._take(statement.text) or NO_FAULT
        if not await self._begins(fault, running):
            return _reset(request)
        if killed := _KILL.search(statement.text.decode("utf-8", "replace")):
            return web.Response(body=await self._end(statement.parameters[killed[1]], running))
        if fault.kind == "kill_mid":
            threading.Timer(fault.seconds, _kill).start()
        if fault.kind == "reset_during":
            asyncio.get_running_loop().call_later(fault.seconds, _reset, request)
        body = await asyncio.get_running_loop().run_in_executor(self._threads, self._engine.run, statement, user)
        return await _said(fault, request, body)

    async def _begins(self, fault: Fault, running: Running) -> bool:
        """Play what happens before the statement runs; False if the connection is to be reset instead."""
        if fault.kind == "kill_before":
            _kill()
        if fault.kind in ("status", "error"):
            raise Refusal(fault.code, f"Code: {fault.code}. DB::Exception: injected. (INJECTED)", fault.status)
        if fault.kind == "delay":
            await self._delay(fault.seconds, running)
        return fault.kind != "reset_before"

    async def _delay(self, seconds: float, running: Running) -> None:
        """Wait before running, unless killed meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await running.cancel.wait()
        except TimeoutError:
            return
        raise Refusal(394, "Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)")

    async def _end(self, prefix: str, own: Running) -> bytes:
        """End the requests of that query_id that wait, and wait for those that run; a row for each."""
        others = [other for name, other in self._running.items() if name.startswith(prefix) and other is not own]
        for other in others:
            other.cancel.set()
        for other in others:
            await other.done.wait()
        return b"waiting\t...\tcollector\tINSERT ...\n" * len(others)

    def _take(self, text: bytes, *, upload: bool = False) -> Fault | None:
        """The first fault for such a statement, counted down."""
        for fault in self._faults:
            if (fault.kind == "reset_upload") == upload and fault.match.encode() in text[:1000]:
                fault.count -= 1
                if not fault.count:
                    self._faults.remove(fault)
                return fault
        return None


async def _statement(request: web.Request) -> Statement:
    query = request.query
    body = await request.read()
    text, data = (query["query"].encode(), body) if query.get("query") else (body, b"")
    return Statement(
        text=text if not data or text.endswith(b"\n") else text + b"\n",
        data=data,
        database=query.get("database", ""),
        settings={
            key: value for key, value in query.items() if key not in NO_SETTINGS and not key.startswith("param_")
        },
        parameters={key.removeprefix("param_"): value for key, value in query.items() if key.startswith("param_")},
        form=query.get("default_format", "TabSeparated"),
    )


async def _said(fault: Fault, request: web.Request, body: bytes) -> web.Response:
    """The answer, or what becomes of it."""
    if fault.kind == "kill_after":
        _kill()
    if fault.kind == "reset_after":
        return _reset(request)
    if fault.kind == "shorten":
        body = body[: len(body) // 2]
    response = web.Response(body=body, headers={"X-ClickHouse-Format": "Native"} if body else {})
    if fault.kind == "truncate":
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        _reset(request)
    return response


def _reset(request: web.Request) -> web.Response:
    """Cut the connection with a RST, as a dying host or a middlebox does."""
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def serve(port: int, folder: Path) -> None:
    """Serve until killed; CLICKHOUSE_HTTP_USERS may hold users as JSON, CLICKHOUSE_HTTP_CONFIG the engine's file."""
    users = orjson.loads(os.environ.get("CLICKHOUSE_HTTP_USERS") or "{}")
    app = Server(Engine(folder, os.environ.get("CLICKHOUSE_HTTP_CONFIG", "")), users).app()
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, shutdown_timeout=1.0)
