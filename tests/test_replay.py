"""What `collector replay` promises, against a tiny server that keeps what arrives."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from collector.tools.replay import run

HEADER = "epoch_s\taddress\turl\treferrer\tuser_agent\n"
SITE = "https://www.example.org"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0"


class Hit(NamedTuple):
    address: str | None
    agent: str | None
    event: dict[str, Any]


class Collector:
    """Answers as the path of a hit's URL says, and keeps every hit it read."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.url = ""
        self.busy = 2
        self.most_at_once = 0
        self._at_once = 0

    async def receive(self, request: web.Request) -> web.StreamResponse:
        event = orjson.loads(await request.read())
        self.hits.append(Hit(request.headers.get("X-Forwarded-For"), request.headers.get("User-Agent"), event))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        match event["url"].removeprefix(SITE):
            case "/refused":
                rejected = [{"index": 0, "code": "foreign_host", "field": "url", "message": "not a host of the site"}]
                return web.json_response({"accepted": 0, "rejected": rejected})
            case "/large":
                return web.json_response({"error": {"code": "too_large", "field": None, "message": "."}}, status=413)
            case "/broken":
                return web.json_response({"error": {"code": "internal"}}, status=500)
            case "/silent":
                assert request.transport
                request.transport.abort()
            case "/busy" if self.busy:
                self.busy -= 1
                return web.Response(status=503)
            case "/listed":
                return web.json_response({"accepted": 1, "rejected": []})
        return web.Response(status=204)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    here = Collector()
    application = web.Application()
    application.router.add_post("/v1/events", here.receive)
    async with TestServer(application) as server:
        here.url = str(server.make_url("/"))
        yield here


Replayed = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def replayed(collector: Collector, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replayed:
    """Replays lines; the exit status and what was printed, blanks made one."""

    async def replay(*lines: bytes | str, rate: float | None = None, connections: int = 4) -> tuple[int, str]:
        file = tmp_path / "hits.tsv"
        file.write_bytes(
            HEADER.encode() + b"".join(each if isinstance(each, bytes) else each.encode() for each in lines)
        )
        status = await asyncio.to_thread(run, file, collector.url, rate, connections)
        return status, "\n".join(" ".join(line.split()) for line in capsys.readouterr().out.splitlines())

    return replay


def row(path: str, *, address: str = "203.0.113.9", referrer: str = "", agent: str = FIREFOX) -> str:
    return f"1431857114\t{address}\t{SITE}{path}\t{referrer}\t{agent}\n"


async def test_every_row_arrives_once_with_its_address_agent_url_and_referrer(
    collector: Collector, replayed: Replayed
) -> None:
    rows = [row(f"/{i}?q=é", address=f"198.51.{i // 256}.{i % 256}", agent=f"Agent/{i}") for i in range(300)]
    rows.append(row("/from", referrer="http://www.google.ro/url?sa=t&q="))
    status, said = await replayed(*rows, connections=8)
    assert status == 0
    assert len(collector.hits) == 301
    assert {hit.event["url"]: (hit.address, hit.agent) for hit in collector.hits} == {
        f"{SITE}/{i}?q=é": (f"198.51.{i // 256}.{i % 256}", f"Agent/{i}") for i in range(300)
    } | {f"{SITE}/from": ("203.0.113.9", FIREFOX)}
    events = {hit.event["url"]: hit.event for hit in collector.hits}
    assert events[f"{SITE}/from"] == {
        "kind": "page_hit",
        "site": "www.example.org",
        "url": f"{SITE}/from",
        "referrer": "http://www.google.ro/url?sa=t&q=",
    }
    assert "referrer" not in events[f"{SITE}/1?q=é"]
    assert "sent 301" in said
    assert "acknowledged 301" in said
    assert "trusted_proxies" in said
    assert "collector_events_not_counted_total" in said


async def test_no_more_hits_are_under_way_than_connections(collector: Collector, replayed: Replayed) -> None:
    await replayed(*(row(f"/{i}") for i in range(100)), connections=3)
    assert 1 <= collector.most_at_once <= 3


async def test_a_rate_is_kept(collector: Collector, replayed: Replayed) -> None:
    began = time.monotonic()
    await replayed(*(row(f"/{i}") for i in range(41)), rate=100.0)
    assert time.monotonic() - began >= 0.4
    assert len(collector.hits) == 41


async def test_refused_hits_are_told_by_code_and_are_no_failure(collector: Collector, replayed: Replayed) -> None:
    status, said = await replayed(row("/refused"), row("/refused"), row("/large"), row("/"), row("/listed"))
    assert status == 0
    assert "sent 5" in said
    assert "acknowledged 2" in said
    assert "refused 3 foreign_host 2, 413 too_large 1" in said


async def test_failed_and_unanswered_hits_are_told_and_not_sent_again(collector: Collector, replayed: Replayed) -> None:
    status, said = await replayed(row("/broken"), row("/silent"), row("/"))
    assert status == 1
    assert len(collector.hits) == 3
    assert "acknowledged 1" in said
    assert "failed 1 status 500 1" in said
    assert "unanswered 1" in said


async def test_a_busy_collector_is_asked_again(collector: Collector, replayed: Replayed) -> None:
    status, said = await replayed(row("/busy"))
    assert status == 0
    assert [hit.event["url"] for hit in collector.hits] == [f"{SITE}/busy"] * 3
    assert "sent 1 " in said
    assert "acknowledged 1" in said
    assert "sent again 2" in said


@pytest.mark.parametrize(
    ("agent", "arrives"),
    [
        (b"", None),
        (b"-", "-"),
        (b"a\x00b\x0bc\x7fd", "abcd"),
        (b"a\rb", "ab"),
        (b"tab\tinside", "tab\tinside"),
        ("Br\u00f6wser/1 \u65e5\u672c".encode(), "Br\u00f6wser/1 \u65e5\u672c"),
        (b"no utf-8 \xff\xfe", "no utf-8 \ufffd\ufffd"),
        (b" ' \" \\ %00 {}", "' \" \\ %00 {}"),
        (b"x" * 4000, "x" * 4000),
    ],
)
async def test_a_strange_agent_is_sent_as_far_as_http_carries_it(
    collector: Collector, replayed: Replayed, agent: bytes, arrives: str | None
) -> None:
    status, _ = await replayed(row("/").encode().replace(FIREFOX.encode(), agent))
    assert status == 0
    assert [hit.agent for hit in collector.hits] == [arrives]


async def test_a_broken_row_does_not_stop_the_replay(collector: Collector, replayed: Replayed) -> None:
    lines = [
        "1431857114\t203.0.113.9\n",
        "\n",
        f"1431857114\t203.0.113.9\thttp://[broken/\t\t{FIREFOX}\n",
        f"1431857114\tno address\r\t{SITE}/odd\t\t{FIREFOX}\n",
        b"\x00\xff\xfe\n",
        row("/last").rstrip("\n"),
    ]
    status, said = await replayed(*lines)
    assert status == 1
    assert {hit.event["url"] for hit in collector.hits} == {"http://[broken/", f"{SITE}/odd", f"{SITE}/last"}
    assert "acknowledged 3" in said
    assert "unreadable 2" in said


async def test_columns_are_found_by_name(collector: Collector, tmp_path: Path) -> None:
    file = tmp_path / "hits.tsv"
    file.write_text(f"user_agent\turl\tmore\taddress\treferrer\nA/1\t{SITE}/x\t7\t192.0.2.1\thttps://e.example/\n")
    assert await asyncio.to_thread(run, file, collector.url, None, 1) == 0
    assert collector.hits[0][:2] == ("192.0.2.1", "A/1")
    assert collector.hits[0].event["referrer"] == "https://e.example/"


def test_nobody_listening_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        to = f"http://127.0.0.1:{closed.getsockname()[1]}"
        (tmp_path / "hits.tsv").write_text(HEADER + row("/"))
        assert run(tmp_path / "hits.tsv", to, None, 1) == 1
    assert f"nobody listens at {to}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "to"),
    [
        (None, "http://127.0.0.1:1"),
        ("epoch_s\turl\n", "http://127.0.0.1:1"),
        ("", "http://127.0.0.1:1"),
        (HEADER, "127.0.0.1:8080"),
        (HEADER, "ftp://127.0.0.1"),
        (HEADER, "http://[::1"),
    ],
)
def test_an_unusable_file_or_address_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, to: str
) -> None:
    if content is not None:
        (tmp_path / "hits.tsv").write_text(content)
    assert run(tmp_path / "hits.tsv", to, None, 1) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
