"""Sends recorded page requests to a collector again, each as the page hit it once was, and tells what became of them.

    FILE   tab-separated, one header line: epoch_s, address, url, referrer, user_agent; any order, more columns allowed
    sent   POST TO/v1/events {"kind": "page_hit", "site": host of url, "url": ..., "referrer": ... if any}
           User-Agent: user_agent; X-Forwarded-For: address

The collector must trust the machine this runs on as a proxy, or every hit has this machine's address. Hits count for
the time they arrive; epoch_s is not used. A hit is sent again only where it certainly was not counted: no connection,
or 503. Called by `collector replay`; it keeps nothing but numbers, and as many rows in memory as it has connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import click
import orjson

TRUST = 'each address counts only if the collector trusts this sender, as by trusted_proxies = ["127.0.0.0/8"]'
NOT_COUNTED = "bots are acknowledged but not counted: see collector_events_not_counted_total in /metrics"
COLUMNS = ("address", "url", "referrer", "user_agent")
MAX_LINE_BYTES = 65_536
ANSWER_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_S = 10.0  # below the collector's 15 s: it must not be the first to close a connection we are about to use
PATIENCE_S = 30.0  # for one hit; a collector restarts in less
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0
EXIT_OK, EXIT_INCOMPLETE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
# What HTTP forbids in a header's value; a server would refuse the whole request for one of them.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Row(NamedTuple):
    """One recorded page request."""

    address: str
    url: str
    referrer: str
    user_agent: str


@dataclass(slots=True)
class Outcome:
    """What became of the rows: sent = acknowledged + refused + failed + unanswered.

    retries     times a hit was sent again after no connection or a 503
    unreadable  lines that are no row, not sent
    stopped     why not everything was sent, if so
    """

    sent: int = 0
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    retries: int = 0
    unreadable: int = 0
    seconds: float = 0.0
    stopped: str = ""

    @property
    def complete(self) -> bool:
        """Whether every row was sent, and every hit acknowledged or refused."""
        return not (self.stopped or self.failed or self.unanswered or self.unreadable)


class _Gone(Exception):
    """No connection for longer than our patience."""


def run(file: Path, to: str, rate: float | None, connections: int) -> int:
    """Send every row of a file, print what became of them, and return the exit status.

    `rate` is hits per second, None as fast as `connections` allow. Exit status 0: every hit was acknowledged or
    refused; 1: some were not, or nobody listens; 2: the file or the address cannot be used; 130: interrupted.
    """
    if not re.match(r"https?://", to) or not _host(to):
        click.echo(f"{to!r} is no address to send to; give one as http://127.0.0.1:8080", err=True)
        return EXIT_USAGE
    outcome = Outcome()
    began = time.monotonic()
    try:
        with file.open("rb") as stream:
            columns = _header(stream)
            if columns is None:
                click.echo(f"{file}: the first line must name the columns {', '.join(COLUMNS)}, by tabs", err=True)
                return EXIT_USAGE
            size = max(file.stat().st_size - stream.tell(), 1)
            with _bar(size, file, to, outcome) as bar:
                rows = _rows(stream, columns, bar, outcome)
                asyncio.run(_Replay(to.rstrip("/"), rate, outcome).send(rows, connections))
    except OSError as error:
        click.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        return EXIT_USAGE
    except KeyboardInterrupt:
        outcome.stopped = "interrupted"
    outcome.seconds = time.monotonic() - began
    click.echo(told(outcome, to))
    if outcome.stopped == "interrupted":
        return EXIT_INTERRUPTED
    return EXIT_OK if outcome.complete else EXIT_INCOMPLETE


def told(outcome: Outcome, to: str) -> str:
    """The summary as lines of text."""
    answered = outcome.acknowledged + outcome.refused.total()
    lines = [
        f"sent          {outcome.sent:>9,}  to {to}",
        f"acknowledged  {outcome.acknowledged:>9,}  ({NOT_COUNTED})",
        f"refused       {outcome.refused.total():>9,}{_by_reason(outcome.refused)}",
        f"failed        {outcome.failed.total():>9,}{_by_reason(outcome.failed)}",
        f"unanswered    {outcome.unanswered:>9,}  (no answer came: counted or not, and not sent again)",
        f"sent again    {outcome.retries:>9,}  (after no connection or 503: certainly not counted before)",
        f"took          {outcome.seconds:>9,.1f}  seconds, {answered / max(outcome.seconds, 1e-9):,.0f} answers/s",
    ]
    if outcome.unreadable:
        lines.append(f"unreadable    {outcome.unreadable:>9,}  lines, not sent")
    lines += [f"stopped early: {outcome.stopped}"] if outcome.stopped else []
    return "\n".join([*lines, f"Note: {TRUST}."])


def _by_reason(counts: Counter[str]) -> str:
    return "  " + ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common()) if counts else ""


def _bar(size: int, file: Path, to: str, outcome: Outcome) -> Any:
    """A progress bar over the bytes of the file; one quiet line where nobody watches."""
    return click.progressbar(
        length=size,
        label=f"{file.name} to {to}",
        item_show_func=lambda _: f"{outcome.sent:,} hits",
        update_min_steps=max(size // 500, 1),
    )


def _header(stream: BinaryIO) -> dict[str, int] | None:
    names = stream.readline(MAX_LINE_BYTES).decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
    return {name: names.index(name) for name in names} if set(COLUMNS) <= set(names) else None


def _rows(stream: BinaryIO, columns: dict[str, int], bar: Any, outcome: Outcome) -> Iterator[Row]:
    """The rows of a file, one at a time; lines that are none are counted and left out.

    A tab too many belongs to the last column. Bytes that are no UTF-8 become U+FFFD.
    """
    last = max(columns.values())
    while line := stream.readline(MAX_LINE_BYTES):
        cells = line.decode("utf-8", "replace").rstrip("\r\n").split("\t", last)
        if len(cells) > last:
            yield Row._make(cells[columns[name]] for name in COLUMNS)
        elif cells != [""]:
            outcome.unreadable += 1
        bar.update(len(line))


class _Replay:
    """One run: a fixed number of tasks that take rows from one iterator, each with one connection."""

    def __init__(self, to: str, rate: float | None, outcome: Outcome) -> None:
        self._to = to
        self._url = f"{to}/v1/events"
        self._rate = rate
        self._outcome = outcome
        self._due_s = 0.0

    async def send(self, rows: Iterator[Row], connections: int) -> None:
        """Send all rows; says in the outcome where it had to stop."""
        self._due_s = asyncio.get_running_loop().time()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent",),  # a row without an agent is sent without one
        ) as session:
            if not await self._listens(session):
                self._outcome.stopped = f"nobody listens at {self._to}"
                return
            try:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(connections):
                        tasks.create_task(self._take(rows, session))
            except* _Gone:
                self._outcome.stopped = f"no connection to {self._to} for {PATIENCE_S:.0f} s"

    async def _listens(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self._to}/healthz", allow_redirects=False):
                return True
        except aiohttp.ClientConnectorError:
            return False
        except (aiohttp.ClientError, TimeoutError):
            return True  # somebody who does not answer that; the hits will tell

    async def _take(self, rows: Iterator[Row], session: aiohttp.ClientSession) -> None:
        for row in rows:
            await self._pace()
            await self._deliver(row, session)

    async def _pace(self) -> None:
        """Wait until the next hit is due; hits that are late go out at once, in their order."""
        if self._rate is None:
            return
        due_s = self._due_s
        self._due_s += 1 / self._rate
        wait_s = due_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _deliver(self, row: Row, session: aiohttp.ClientSession) -> None:
        """Send one hit, and note what became of it, also when this task is cancelled under way."""
        outcome = self._outcome
        outcome.sent += 1
        try:
            status, answer = await self._answer(_body(row), _headers(row), session)
        except _Gone:
            outcome.failed["no connection"] += 1
            raise
        except (aiohttp.ClientError, TimeoutError):
            outcome.unanswered += 1
        except asyncio.CancelledError:
            outcome.unanswered += 1
            raise
        else:
            _note(outcome, status, answer)

    async def _answer(self, body: bytes, headers: dict[str, str], session: aiohttp.ClientSession) -> tuple[int, bytes]:
        """The answer to one hit, sent again while it certainly was not counted and our patience lasts."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + PATIENCE_S
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                    status, answer = response.status, await response.read()
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                if loop.time() > give_up_s:
                    raise _Gone from None
            else:
                if status != HTTPStatus.SERVICE_UNAVAILABLE or loop.time() > give_up_s:
                    return status, answer
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            self._outcome.retries += 1


def _body(row: Row) -> bytes:
    hit = {"kind": "page_hit", "site": _host(row.url), "url": row.url}
    return orjson.dumps(hit | {"referrer": row.referrer} if row.referrer else hit)


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):  # no URL: the collector says so, with its own code
        return urlsplit(url).hostname or ""
    return ""


def _headers(row: Row) -> dict[str, str]:
    """The row's headers as far as HTTP carries them: control characters are left out, the rest goes as UTF-8."""
    headers = {"Content-Type": "application/json", "X-Forwarded-For": row.address, "User-Agent": row.user_agent}
    clean = {name: _FORBIDDEN.sub("", value).strip() for name, value in headers.items()}
    return {name: value for name, value in clean.items() if value}


def _note(outcome: Outcome, status: int, answer: bytes) -> None:
    """Count one answer: 204, or 200 {"accepted": 1, ...}, acknowledges; a code refuses; anything else failed."""
    told_by = _parsed(answer)
    rejected = told_by.get("rejected")
    if isinstance(rejected, list) and rejected:
        outcome.refused[_code(rejected[0])] += 1
    elif status == HTTPStatus.NO_CONTENT or (status == HTTPStatus.OK and told_by.get("accepted")):
        outcome.acknowledged += 1
    elif HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        outcome.refused[f"{status} {_code(told_by.get('error'))}".strip()] += 1
    else:
        outcome.failed[f"status {status}"] += 1


def _parsed(answer: bytes) -> dict[str, Any]:
    with contextlib.suppress(orjson.JSONDecodeError):
        parsed = orjson.loads(answer)
        return parsed if isinstance(parsed, dict) else {}
    return {}


def _code(said: object) -> str:
    """The code somebody's answer gives, safe to print and to count by."""
    code = said.get("code") if isinstance(said, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""
