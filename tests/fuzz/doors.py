"""A door as a whole, without a network or a disk, and what must hold of it whatever it is sent (public.py).

What must hold: every answer is one of the closed set and well-formed, nothing of a stranger comes back or is kept but
in a declared form, no redirect leads elsewhere, nothing fails inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

from collector.catalogue.kinds import Kinds
from collector.catalogue.registry import Registry
from collector.count.caps import Caps
from collector.count.filter import SharedMemory
from collector.count.marks import Marks
from collector.count.minutes import MinuteCounts, make_minutes
from collector.door.allowance import Allowance
from collector.door.caller import Callers
from collector.door.connections import Limits
from collector.door.judge import Judge
from collector.door.open_book import OpenBook
from collector.door.privacy_page import Operator
from collector.door.receive import Counting, Receiver
from collector.door.seeing import Seeing
from collector.door.server import Door
from collector.door.tally import Tally
from collector.errors import Code
from collector.ledger import ledger_of
from collector.metrics import Metrics
from collector.reduce.platform import Platforms
from collector.reduce.reducer import Reducer
from collector.reduce.region import Region
from collector.reduce.sender import Senders
from collector.settings import EXAMPLE, Settings, read_settings
from collector.spool.writer import Marked, SpoolWriter
from collector.worker import more_routes
from tests.aptabase_bodies import KEY
from tests.fuzz.closed import DECLARATIONS, assert_closed
from tests.fuzz.target import CANARY
from tests.fuzz.wired import Failures, Heard, QuickLoop, answers_in, converse, failures
from tests.memory_reading import SteppedClock
from tests.offered import STORED, configuration, releases
from tests.open_door import COUNTRIES
from tests.tiny_mmdb import database
from tests.updating import configured

NOON_S = 1_795_348_800.0
STATUSES = frozenset((100, 200, 202, 204, 302, 400, 404, 405, 413, 415, 421, 503))
_OWN = f"""
[[aptabase]]
key = "{KEY}"
product = "player"
event = [
  {{name = "started", kind = "feature_use", feature = "subtitles"}},
  {{name = "installed", kind = "install"}},
  {{name = "checked", kind = "update_check"}},
]
"""
_TELLS = ("what-you-see", "/privacy", "ledger")  # addresses that tell who asks what they said, or much at all


class Kept(SpoolWriter):
    """A spool in memory: all that was appended since it was last looked at."""

    def __init__(self) -> None:
        self.events: list[Marked] = []

    @property
    def accepting(self) -> bool:
        return True

    def append(self, marked: list[Marked]) -> asyncio.Future[None]:
        self.events += marked
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Wired(Door):
    """The door, one connection at a time."""

    def connection(self) -> web.RequestHandler:
        return self._server()


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A door and what it keeps."""

    door: Wired
    kept: Kept
    judge: Judge
    receiver: Receiver
    registry: Registry
    run: Callable[[Any], Any]
    failures: Failures

    def told(self, pieces: list[bytes]) -> list[Heard]:
        """The answers to these bytes, and all that must hold of any."""
        self.kept.events.clear()
        answers = [*answers_in(self.run(self._talk(pieces)))]
        self.failures.assert_none()
        sent = b"".join(pieces)
        for answer in answers:
            assert answer.status in STATUSES, answer.status
            assert "server" not in answer.headers
            assert answer.headers.get("location", "https://").startswith("https://"), "a redirect of somebody else's"
            if not any(word.encode() in sent for word in _TELLS):
                assert CANARY.encode() not in answer.body + repr(answer.headers).encode(), "an answer echoes"
        for event, _ in self.kept.events:
            assert_closed(event, self.registry)
        return answers

    async def _talk(self, pieces: list[bytes]) -> bytes:
        self.failures.watch()
        self.receiver.lap()  # as a door that runs has it called
        return await converse(self.door.connection, pieces)


@contextmanager
def house() -> Iterator[House]:
    """A door of the example, with releases and apps of Aptabase."""
    with TemporaryDirectory() as folder, asyncio.Runner(loop_factory=QuickLoop) as runner, failures() as failed:
        settings = _settings(Path(folder))
        countries = Path(folder) / "country.mmdb"
        countries.write_bytes(database(COUNTRIES))

        async def made() -> House:
            return _house(settings, countries, runner.run, failed)

        yield runner.run(made())


def _settings(folder: Path) -> Settings:
    for channel, content in STORED.items():
        (folder / "feeds" / channel).mkdir(parents=True)
        (folder / "feeds" / channel / "appcast.xml").write_bytes(content)
    example = EXAMPLE.read_text("utf-8") + _OWN
    return read_settings({"config": configured(folder, example + configuration(), releases())}, {})


def _house(settings: Settings, countries: Path, run: Callable[[Any], Any], failed: Failures) -> House:
    registry, clock = settings.registry, SteppedClock(NOON_S)
    memory = SharedMemory.create(1)
    memory.tend(NOON_S)
    metrics = Metrics(DECLARATIONS.kinds, Code)
    tally, kept = Tally(metrics), Kept()
    reducer = Reducer(DECLARATIONS, registry, Senders(Region(countries), Platforms()))
    callers = Callers((ip_network("127.0.0.0/8"),), "X-Forwarded-For")
    judge = Judge(callers, Kinds(DECLARATIONS, registry), reducer)
    receiver = Receiver(
        judge=judge,
        counting=Counting(
            Caps(DECLARATIONS.layouts, DECLARATIONS.cap, memory),
            Marks(DECLARATIONS.layouts, memory),
            MinuteCounts(make_minutes(registry.properties), 0),
        ),
        spool=kept,
        clock=clock,
        tally=tally,
        allowance=Allowance(0),
    )
    book = OpenBook(ledger_of(DECLARATIONS, metrics.series()), Operator(), clock)
    door = Wired(
        receiver,
        registry,
        tally,
        public_hosts=(),
        limits=Limits(keepalive_s=15),
        to_read=book.routes() | Seeing(judge, DECLARATIONS, registry, clock).routes(),
        more=more_routes(receiver, settings, DECLARATIONS, clock),
    )
    return House(door=door, kept=kept, judge=judge, receiver=receiver, registry=registry, run=run, failures=failed)
