"""A running analyst port with every route the collector has, over counts in memory, at a time that stands still."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
from aiohttp import ClientResponse, ClientSession, DummyCookieJar, web

from collector.analyst.api import build_app
from collector.analyst.askers import Askers, Network
from collector.analyst.backup import BackupRoutes
from collector.analyst.blocking import RunBlocking
from collector.analyst.doctor import DoctorRoutes
from collector.analyst.live import Live
from collector.analyst.port import open_port
from collector.analyst.readiness import Readiness
from collector.analyst.roles import Role
from collector.analyst.sign_in import SignIn
from collector.analyst.tokens import operator_token
from collector.analyst_port import routes_for_admins, routes_for_readers
from collector.assembly import reader_of
from collector.catalogue.declarations import read_declarations
from collector.catalogue.registry import Annotation
from collector.count.minutes import LastMinutes, make_minutes
from collector.errors import Code
from collector.ledger import ledger_of
from collector.metrics import Metrics
from collector.quarantine import NotKept, Quarantine, Retried
from collector.settings import read_settings
from collector.stats.answer import Answers
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import ShownFile
from collector.warehouse.seals import Told
from tests.memory_reading import PLAYER, REGISTRY, SITE, MemoryReading, SteppedClock, seconds

Result = TypeVar("Result")

TODAY = "2026-11-22"
NOON = seconds(f"{TODAY}T12:00:00")
ANALYST_TOKEN = "an-analyst-token-of-the-environment-0"
METRICS = b"collector_events_received_total 7.0\n"
PASSWORD = "correct horse battery"
SESSION = "/api/v1/session"
PROXY = ipaddress.ip_network("127.0.0.0/8")
ANNOTATIONS = (Annotation(property=SITE, day="2026-11-02", text="new front page"),)
ANNOTATED = replace(REGISTRY, annotations=ANNOTATIONS)
PEOPLE: list[bytes] = []  # users.json with one of every role
DECLARATIONS = read_declarations()
LEDGER = ledger_of(DECLARATIONS, Metrics(DECLARATIONS.kinds, Code).series())


class NothingKept:
    """A loader with an empty quarantine."""

    def __init__(self, data: Path) -> None:
        self.quarantine = Quarantine(reader_of(data, DECLARATIONS), data)
        self.stopped: set[Path] = set()

    def retry(self, name: str) -> Retried:
        raise NotKept("there is no such file")


class NothingDue:
    """A sealer that has nothing to do."""

    def seal_due(self) -> Told:
        return Told()

    def seal_dead(self, node: int) -> Told:
        return self.seal_due()


class Desk:
    """The port, its people and its clock."""

    def __init__(self, app: web.Application, askers: Askers, data: Path, clock: SteppedClock) -> None:
        self.app = app
        self.askers = askers
        self.data = data
        self.clock = clock
        self.address = ""
        self.session = ClientSession(cookie_jar=DummyCookieJar())

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        cookie: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> ClientResponse:
        """One request; `body` as JSON, or bytes as they are."""
        sent = {"Authorization": f"Bearer {token}"} if token is not None else {}
        sent |= {"Cookie": f"collector={cookie}"} if cookie is not None else {}
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        sent |= {"Content-Type": "application/json"} if data is not None else {}
        response = await self.session.request(
            method, f"http://{self.address}{path}", headers=sent | dict(headers or {}), data=data
        )
        await response.read()
        return response

    async def sign_in(self, given: object, headers: Mapping[str, str] | None = None) -> ClientResponse:
        return await self.call("POST", SESSION, body=given, headers=headers)

    async def cookie_of(self, given: object) -> str:
        """Sign in, and have the session's secret."""
        response = await self.sign_in(given)
        assert response.status == 204, await response.text()
        return response.cookies["collector"].value

    async def who(self, cookie: str) -> tuple[int, Any]:
        """Status and answer to who somebody is."""
        response = await self.call("GET", SESSION, cookie=cookie)
        return response.status, orjson.loads(await response.read())

    @property
    def operator_token(self) -> str:
        return operator_token(self.data)


def a_little() -> MemoryReading:
    """One cell of a site and one of a product."""
    reading = MemoryReading(DECLARATIONS)
    reading.put("pages", TODAY, "/", events=12)
    reading.put("pages", TODAY, "/hidden", events=13, property_id=PLAYER)
    return reading


def app_of(
    data: Path, askers: Askers, clock: SteppedClock, reading: MemoryReading, run: RunBlocking
) -> web.Application:
    """Every route there is, over these counts."""
    open_days = OpenDays(ShownFile(data / "shown.sqlite", clock), DECLARATIONS.threshold, 0)
    settings = replace(read_settings({"data": str(data)}, {}), registry=ANNOTATED)
    over = asyncio.Event()
    over.set()  # a live view ends at once, so that its answer can be read
    live = Live(LastMinutes(make_minutes(ANNOTATED.properties)), ANNOTATED.knows, clock, over)
    routes = [
        *routes_for_readers(settings, DECLARATIONS, LEDGER, live),
        *SignIn(askers, clock, run).routes(),
        *routes_for_admins(NothingKept(data), NothingDue(), run),
        *DoctorRoutes(lambda: {"lines": []}, run).routes(),
        *BackupRoutes(lambda: iter([b"a backup"]), run).routes(),
        Readiness(lambda: None, run).route(),
    ]
    answers = Answers(DECLARATIONS, ANNOTATED, reading, clock, open_days)
    return build_app(answers, askers, lambda: METRICS, run, routes)


@asynccontextmanager
async def front_desk(
    data: Path,
    clock: SteppedClock | None = None,
    proxies: Sequence[Network] = (PROXY,),
    reading: MemoryReading | None = None,
) -> AsyncIterator[Desk]:
    """The port, open for the block; another one on the same data is the same after a restart."""
    clock = clock or SteppedClock(NOON)
    with ThreadPoolExecutor(1) as thread:

        def run(ask: Callable[[], Result]) -> Awaitable[Result]:
            return asyncio.get_running_loop().run_in_executor(thread, ask)

        askers = Askers(data, ANALYST_TOKEN, clock, proxies)
        app = app_of(data, askers, clock, reading or a_little(), run)
        desk = Desk(app, askers, data, clock)
        listener = socket.create_server(("127.0.0.1", 0))
        desk.address = f"127.0.0.1:{listener.getsockname()[1]}"
        async with open_port(app, listener), desk.session:
            yield desk


def add_people(desk: Desk) -> None:
    """One of every role, all with the same password; hashed once for all desks."""
    if not PEOPLE:
        desk.askers.users.add("vera", Role.VIEWER, [SITE], PASSWORD)
        desk.askers.users.add("anna", Role.ANALYST, [], PASSWORD)
        desk.askers.users.add("ada", Role.ADMIN, [], PASSWORD)
        PEOPLE.append((desk.data / "users.json").read_bytes())
    (desk.data / "users.json").write_bytes(PEOPLE[0])
