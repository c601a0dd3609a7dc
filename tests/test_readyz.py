"""What /readyz says on either port: all is well, the disk is full or hangs, the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession

from tests.clickhouse_http import ClickHouseHttp
from tests.durability.outcome import NotHereError
from tests.durability.small_disk import Ballast, small_disk
from tests.failing_disk import FailingDisk
from tests.open_door import open_door
from tests.requires import lacks
from tests.stack import Stack, eventually

READY = {"status": "ready"}
NOON = 1_800_000_000
CONFIG = 'public_hosts = ["count.example.org"]\n[[site]]\nid = "www.example.org"\nhosts = ["www.example.org"]\n'


def not_ready(reason: str) -> dict[str, str]:
    return {"status": "not_ready", "reason": reason}


def test_both_ports_are_ready_and_asking_leaves_nothing(shared_stack: Stack) -> None:
    stack = shared_stack
    before = stack.counted("bodies_refused")
    for told in (stack.request("GET", "/readyz"), stack.analyst_request("/readyz", token=None)):
        assert (told.status, told.json) == (200, READY)
    head = stack.request("HEAD", "/readyz")
    assert (head.status, head.body) == (200, b"")
    assert stack.counted("bodies_refused") == before
    assert stack.request("POST", "/readyz").status == 405


async def test_a_full_disk_is_told_and_told_to_be_over(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with open_door(tmp_path / "data", NOON, disk=disk) as door, ClientSession() as session:
        disk.failing = {"free_bytes"}
        assert await until(session, door.url, 503) == not_ready("no_room")
        disk.failing = set()
        assert await until(session, door.url, 200) == READY
        assert not list((tmp_path / "data" / "spool" / "w0").glob("*.open")), "asking writes nothing"


async def test_a_disk_that_hangs_is_told_within_two_seconds_to_any_number_of_probes(tmp_path: Path) -> None:
    disk = FailingDisk()
    event = b'{"kind":"page_hit","site":"www.example.org","url":"https://www.example.org/"}'
    async with open_door(tmp_path / "data", NOON, disk=disk) as door, ClientSession() as session:
        assert await ask(session, door.url) == (200, READY)
        disk.hold.clear()
        asyncio.get_running_loop().call_later(10, disk.hold.set)  # also where this fails
        headers = {"Content-Type": "application/json", "User-Agent": "Mozilla/5.0"}
        waiting = asyncio.ensure_future(session.post(f"{door.url}/v1/events", data=event, headers=headers))
        async with asyncio.timeout(5):
            while not list((tmp_path / "data" / "spool").rglob("*.open")):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.01)
        async with asyncio.timeout(2):
            told = await asyncio.gather(*(ask(session, door.url) for _ in range(50)))
        assert told == [(503, not_ready("slow_disk"))] * 50
        disk.hold.set()
        async with await waiting as answered:
            assert answered.status == 204
        assert await until(session, door.url, 200) == READY


async def ask(session: ClientSession, url: str) -> tuple[int, object]:
    async with session.get(f"{url}/readyz") as told:
        return told.status, orjson.loads(await told.read())


async def until(session: ClientSession, url: str, status: int) -> object:
    """What is said once the status is this one; the room is looked at four times a second."""
    async with asyncio.timeout(20):
        while (told := await ask(session, url))[0] != status:  # noqa: ASYNC110 - another thread's doing
            await asyncio.sleep(0.02)
    return told[1]


@pytest.mark.slow
def test_a_database_that_is_away_is_told_on_its_port_alone_and_events_are_taken(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    harness = ClickHouseHttp(tmp_path / "clickhouse")
    try:
        stack = start_stack(environ={"COLLECTOR_CLICKHOUSE": harness.url()})
        eventually(lambda: stack.analyst_request("/readyz").json == READY, "the tables are there")
        harness.stop()
        eventually(lambda: stack.analyst_request("/readyz").status == 503, "it is told")
        assert stack.analyst_request("/readyz").json == not_ready("database")
        assert stack.request("GET", "/readyz").json == READY
        harness.start()
        eventually(lambda: stack.analyst_request("/readyz").json == READY, "it is told to be back")
    finally:
        harness.stop()


@pytest.mark.slow
def test_a_real_full_disk_is_told_whatever_the_probe_calls_us(tmp_path: Path) -> None:
    try:
        with small_disk(Stack.data_in(tmp_path), 96):
            stack = Stack(tmp_path, config=CONFIG)
            try:
                assert stack.request("GET", "/v1/ledger.json").status == 421, "what is no probe has to name the host"
                assert stack.request("GET", "/readyz").json == READY
                ballast = Ballast(stack.data)
                ballast.fill()
                eventually(lambda: stack.request("GET", "/readyz").status == 503, "it is told")
                assert stack.request("GET", "/readyz").json == not_ready("no_room")
                ballast.drop()
                eventually(lambda: stack.request("GET", "/readyz").status == 200, "it is over")
                stack.stop()
            finally:
                stack.sweep()
    except NotHereError as why:
        lacks(str(why))
