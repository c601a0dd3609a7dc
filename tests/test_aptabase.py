"""Events of Aptabase's SDKs: what becomes of every odd one, and that the answer tells nothing of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.catalogue.registry import read_registry
from collector.event import Event
from collector.tools.wire import Said, request, say
from tests.aptabase_bodies import BODIES, CANARY, CONFIGURATION, KEY, SYSTEMS, Body, any_of, event
from tests.open_door import OpenDoor, open_door
from tests.spooling import events_kept, named_facts

NOW = 1_795_600_000
PATHS = ("/api/v0/event", "/api/v0/events")
REGISTRY = read_registry(tomllib.loads(CONFIGURATION))
ODD_KEYS = [
    *("", " ", "A-SH-0000000002", "a-sh-0000000001", "A-SH-000000001", "A-SH-00000000010", "A-XX-0000000001"),
    *("SH-0000000001", f"{KEY}x", f"{KEY}, {KEY}", f"Bearer {KEY}", CANARY * 100, "A-SH-000000000\u0661"),
]


@asynccontextmanager
async def app_door(data: Path, **options: Any) -> AsyncIterator[OpenDoor]:
    async with open_door(data, NOW, registry=REGISTRY, **options) as door:
        yield door


async def post(door: OpenDoor, body: object, path: str = PATHS[0], **headers: str) -> Said:
    given = {"App-Key": KEY, "Content-Type": "application/json"}
    given |= {name.replace("_", "-"): text for name, text in headers.items()}
    whole = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await asyncio.to_thread(say, door.url.removeprefix("http://"), request(whole, given, path=path))


def gains(body: Body) -> Counter[str]:
    """What the metrics gain, by part and by word."""
    found = Counter(body.gains) + Counter(each.partition(" ")[0] for each in body.gains)
    return found + Counter(received=len(body.gains))


def told_by(event: Event) -> tuple[str, dict[str, Any]]:
    """Its kind, and by name what it says of the product; where it came from is left out."""
    return event.kind, {name: fact for name, fact in named_facts(event).items() if name != "country"}


async def test_every_body_is_answered_alike_and_counted_for_what_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert len(BODIES) >= 100
    async with app_door(tmp_path / "data") as door:
        before = door.seen()
        for body in BODIES:
            said = await post(door, body.sent, App_Key=body.key)
            assert (said.status, said.body) == (200, b"{}"), body.why
            after = door.seen()
            assert after - before == gains(body), body.why
            before = after
        for body in BODIES:
            assert (await post(door, body.sent, PATHS[1], App_Key=body.key)).body == b"{}", body.why
        assert door.seen() - before == sum(map(gains, BODIES), Counter())
        _, files, metrics = door.traces()
    assert len(events_kept(tmp_path / "data" / "spool")) == 2 * sum(gains(body)["accepted"] for body in BODIES)
    for kept in (metrics, caplog.text.encode(), *files.values()):
        assert CANARY.encode() not in kept
        assert KEY.encode() not in kept


async def test_what_is_kept_is_the_mapped_event_in_the_hour_of_its_coming(tmp_path: Path) -> None:
    always = {"version": "1.4.2", "channel": "stable", "os": "windows"}
    expected = {
        "started": ("feature_use", {"feature": "start", "count": 1}),
        "Subtitles on": ("feature_use", {"feature": "subtitles", "count": 3}),
        "installed": ("install", {**always, "outcome": "ok"}),
        "install_failed": ("install", {**always, "outcome": "failed"}),
        "checked": ("update_check", {**always, "first": "(unknown)", "arch": "(unknown)", "age": "(unknown)"}),
    }
    times = ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "2026-11-26T02:00:00.123456Z", CANARY)
    async with app_door(tmp_path / "data") as door:
        for name in expected:
            for time in times:
                assert (await post(door, event(name, timestamp=time))).status == 200
    kept = events_kept(tmp_path / "data" / "spool")
    assert {(each.hour, each.property, each.id) for each in kept} == {(NOW // 3600, "player", None)}
    assert [told_by(each) for each in kept] == [each for each in expected.values() for _ in times]


async def test_every_name_of_a_system_is_one_of_ours(tmp_path: Path) -> None:
    names: list[tuple[Any, str]] = [*SYSTEMS.items(), *((odd, "other") for odd in any_of([..., None, 7, True, [], {}]))]
    async with app_door(tmp_path / "data") as door:
        for name, _ in names:
            await post(door, event("installed", {"osName": name}))
    kept = [told_by(each)[1]["os"] for each in events_kept(tmp_path / "data" / "spool")]
    assert kept == [ours for _, ours in names]


async def test_an_unknown_key_is_404_and_nothing_is_counted(tmp_path: Path) -> None:
    async with app_door(tmp_path / "data") as door:
        before = door.traces()
        for key in ODD_KEYS:
            for path in PATHS:
                said = await post(door, event(), path, App_Key=key)
                assert (said.status, said.code) == (404, "not_found"), key
                assert CANARY.encode() not in said.head + said.body
        assert door.traces()[:2] == before[:2]
        assert not door.seen()["received"]


async def test_the_answer_is_the_same_for_who_opted_out(tmp_path: Path) -> None:
    sent = [event(), event("stopped"), event(system={"isDebug": True}), [event()] * 26, [7], b"{"]
    wishes = [{"Sec_GPC": "1"}, {"DNT": "1"}, {"Sec_Purpose": "prefetch"}, {"User_Agent": "Googlebot/2.1"}]
    async with app_door(tmp_path / "data") as door:
        plain = [await post(door, body) for body in sent]
        assert {(said.head, said.body) for said in plain} == {(plain[0].head, b"{}")}
        for wish in wishes:
            before = door.seen()
            assert [await post(door, body, **wish) for body in sent] == plain
            gained = door.seen() - before
            assert gained["accepted"] == (26 if "User_Agent" in wish else 0)


async def test_what_may_succeed_later_is_503_and_what_no_sdk_sends_is_refused(tmp_path: Path) -> None:
    async with app_door(tmp_path / "full", quota_bytes=0) as door:
        said = await post(door, event())
        assert (said.status, said.code) == (503, "unavailable")
        assert b"Retry-After: 5" in said.head
    async with app_door(tmp_path / "data") as door:
        assert (await post(door, gzip.compress(json.dumps(event()).encode()), Content_Encoding="gzip")).status == 200
        assert (await post(door, b"x", Content_Encoding="gzip")).code == "bad_gzip"
        assert (await post(door, event(), Content_Type="application/xml")).code == "unsupported"
        for path in PATHS:
            got = await asyncio.to_thread(say, door.url[7:], request(method="GET", path=path))
            assert got.code == "method_not_allowed"


async def test_a_browser_may_send_the_key_here_and_nowhere_else(tmp_path: Path) -> None:
    async with app_door(tmp_path / "data") as door:
        for path, allowed in ((PATHS[0], b"Content-Type, App-Key"), (PATHS[1], b"Content-Type, App-Key")):
            said = await asyncio.to_thread(say, door.url[7:], request(method="OPTIONS", path=path))
            assert said.status == 204
            assert b"Access-Control-Allow-Headers: " + allowed + b"\r\n" in said.head
            assert b"Access-Control-Allow-Origin: *\r\n" in said.head
        said = await asyncio.to_thread(say, door.url[7:], request(method="OPTIONS", path="/v1/events"))
        assert b"App-Key" not in said.head
