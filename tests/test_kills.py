"""An acknowledged hit is counted, whatever process is killed and whenever; one that was not is counted once at most.

Every hit has a path of its own, so the report of pages says which of them arrived. They come from many networks, or the
day would show totals only. The delays before a kill are drawn anew in every run: a failure prints them.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest

from tests.stack import ROOT, Stack, eventually, is_alive

SITE = "www.example.org"
CONFIG = f"""
trusted_proxies = ["127.0.0.0/8"]

[[site]]
id = "{SITE}"
hosts = ["{SITE}"]
routes = ["/**"]
"""
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"  # libraries are bots
NETWORKS = 50
SENDERS = 8
HITS_A_ROUND = 250
PACE_S = 0.015  # a round takes half a second: some segments of 0.2 s, so that kills meet every step of loading
EARLIEST_KILL_S, LATEST_KILL_S = 0.05, 0.6
WORKERS = 2
PATIENCE_S = 30.0


class Hits:
    """Sends hits and remembers what became of each.

    acknowledged  must be counted once
    unanswered    the connection broke under way: counted once or not at all; every other path is never counted
    kills_s       when it was struck, from the begin of each round
    """

    def __init__(self, stack: Stack, name: str) -> None:
        self.acknowledged: set[str] = set()
        self.unanswered: set[str] = set()
        self.kills_s: list[float] = []
        self._stack = stack
        self._name = name
        self._sent = 0

    async def send_round(self) -> None:
        """Send some hits over a few connections; none is sent twice."""
        last = self._sent + HITS_A_ROUND
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session:
            await asyncio.gather(*(self._send_until(last, session) for _ in range(SENDERS)))

    def counts(self, pages: dict[str, Any]) -> dict[str, int]:
        """Events of each of its paths in an answer."""
        return {path: events for path, events, *_ in pages["rows"] if path.startswith(f"/{self._name}/")}

    @property
    def told(self) -> str:
        """What happened, for a failure."""
        kills = ", ".join(f"{kill_s:.3f}" for kill_s in self.kills_s)
        acknowledged, unanswered = len(self.acknowledged), len(self.unanswered)
        return f"{acknowledged} acknowledged, {unanswered} unanswered; struck {kills} s after a round began"

    async def _send_until(self, last: int, session: aiohttp.ClientSession) -> None:
        while self._sent < last:
            self._sent += 1
            await self._send(self._sent, session)
            await asyncio.sleep(PACE_S)

    async def _send(self, number: int, session: aiohttp.ClientSession) -> None:
        path = f"/{self._name}/{number:04}"
        hit = {"kind": "page_hit", "site": SITE, "url": f"https://{SITE}{path}"}
        headers = {"User-Agent": BROWSER, "X-Forwarded-For": f"20.7.{number % NETWORKS}.1"}
        try:
            async with session.post(f"http://{self._stack.public}/v1/events", json=hit, headers=headers) as response:
                if response.status < 300:
                    self.acknowledged.add(path)
                else:
                    assert response.status == 503  # certainly not counted
        except aiohttp.ClientConnectorError:
            pass  # nor this
        except (aiohttp.ClientError, TimeoutError):
            self.unanswered.add(path)


class Kill(NamedTuple):
    """How a part of the collector is killed, how often, and how all of it is made to run again."""

    strike: Callable[[Stack], object]
    times: int
    again: Callable[[Stack], object]


def _kill_worker(stack: Stack) -> None:
    os.kill(random.choice(stack.children("worker")), signal.SIGKILL)


def _kill_warehouse(stack: Stack) -> None:
    stack.kill("warehouse")


def _end_group(stack: Stack) -> None:
    children = stack.children()
    os.killpg(stack.process.pid, signal.SIGTERM)
    assert stack.process.wait(10) == 0
    assert not [pid for pid in children if is_alive(pid)]


def _wait_complete(stack: Stack) -> None:
    eventually(lambda: len(stack.children()) == WORKERS + 1, "every process runs again", PATIENCE_S)
    assert stack.request("GET", "/healthz").status == 200


KILLS = {
    "worker": Kill(_kill_worker, 4, _wait_complete),
    "warehouse": Kill(_kill_warehouse, 4, _wait_complete),
    "supervisor": Kill(Stack.kill_supervisor, 2, Stack.start),
    "group": Kill(_end_group, 1, Stack.start),  # not by SIGKILL: SIGTERM, as a stop of the service sends it
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration that the command line can be given, too."""
    file = tmp_path_factory.mktemp("kills") / "collector.toml"
    file.write_text(CONFIG)
    return file


@pytest.fixture(scope="module")
def running(config: Path) -> Iterator[Stack]:
    """One collector for all kills: each test has paths of its own."""
    stack = Stack(config.parent, workers=WORKERS, environ={"COLLECTOR_CONFIG": str(config)})
    yield stack
    stack.sweep()


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The collector, started again if a test has ended it."""
    if running.process.poll() is not None:
        running.start()
    return running


@pytest.mark.parametrize("killed", KILLS)
async def test_what_was_acknowledged_is_counted_once_after_every_kill(stack: Stack, killed: str) -> None:
    kill = KILLS[killed]

    async def scenario(hits: Hits) -> None:
        for _ in range(kill.times):
            await _strike_while_sending(hits, stack, kill.strike)
            await asyncio.to_thread(kill.again, stack)
        await hits.send_round()
        assert len(hits.acknowledged) > HITS_A_ROUND / 2
        await asyncio.to_thread(
            eventually,
            lambda: hits.acknowledged <= hits.counts(_pages(stack)).keys(),
            f"everything acknowledged is counted ({hits.told})",
            PATIENCE_S,
        )
        _assert_nothing_else_is_counted(hits, _pages(stack))

    await _within_one_day(scenario, stack, killed)


async def test_what_the_last_kills_left_on_disk_is_read_without_a_server(stack: Stack, config: Path) -> None:
    """All killed together and none started again: the command line loads what they left, the same way."""

    async def scenario(hits: Hits) -> None:
        await _strike_while_sending(hits, stack, Stack.sweep)
        pages = await asyncio.to_thread(_pages_on_disk, stack, config)
        assert hits.acknowledged <= hits.counts(pages).keys(), hits.told
        _assert_nothing_else_is_counted(hits, pages)
        assert {path: events for path, events, *_ in pages["rows"] if events != 1} == {}

    await _within_one_day(scenario, stack, "everything")


async def _strike_while_sending(hits: Hits, stack: Stack, strike: Callable[[Stack], object]) -> None:
    """Send a round; somewhere in it, or just after, strike."""
    delay_s = random.uniform(EARLIEST_KILL_S, LATEST_KILL_S)
    hits.kills_s.append(delay_s)
    sending = asyncio.create_task(hits.send_round())
    await asyncio.sleep(delay_s)
    await asyncio.to_thread(strike, stack)
    await sending


def _assert_nothing_else_is_counted(hits: Hits, pages: dict[str, Any]) -> None:
    counts = hits.counts(pages)
    assert {path: events for path, events in counts.items() if events != 1} == {}, hits.told
    assert counts.keys() - hits.acknowledged - hits.unanswered == set(), hits.told


def _question() -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {"property": SITE, "from": str(today - timedelta(1)), "to": str(today), "by": "path", "limit": "10000"}


def _pages(stack: Stack) -> dict[str, Any]:
    return stack.ask("pages", **_question())


def _pages_on_disk(stack: Stack, config: Path) -> dict[str, Any]:
    options = [part for name, value in _question().items() for part in (f"--{name}", value)]
    told = subprocess.run(
        [sys.executable, "-m", "collector", "query", "pages", *options, "--format", "json"],
        cwd=ROOT,
        env=os.environ | {"COLLECTOR_DATA": str(stack.data), "COLLECTOR_CONFIG": str(config)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    answer: dict[str, Any] = orjson.loads(told.stdout)
    return answer


async def _within_one_day(scenario: Callable[[Hits], Awaitable[None]], stack: Stack, name: str) -> None:
    """Run it; once more if it failed around midnight UTC, when a few hits alone on a day show their total only."""
    day = datetime.now(UTC).date()
    try:
        await scenario(Hits(stack, name))
    except AssertionError:
        if datetime.now(UTC).date() == day:
            raise
        if stack.process.poll() is not None:
            await asyncio.to_thread(stack.start)
        await scenario(Hits(stack, f"{name}-again"))
