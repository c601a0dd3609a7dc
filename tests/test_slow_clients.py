"""Clients that dawdle, hoard or never read are borne for seconds, and take nothing from those who do not."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from collector.door.connections import AT_A_TIME, Limits
from collector.tools.wire import END, request
from tests.counting import load, today
from tests.failing_disk import FailingDisk
from tests.open_door import OpenDoor, open_door
from tests.slow_clients import FORMS, borne_s, good_clients, slow_process, slowly
from tests.stack import AS_IN_USE, ROOT, Stack, eventually

NOW = 1_795_600_000
HIT = orjson.dumps({"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"})
GONE_S = 20.0
PATHS = 50
MOST = 20


async def connection(door: OpenDoor, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def answered(reader: asyncio.StreamReader) -> int:
    """The status of an answer; 0 if there is none."""
    try:
        head = await asyncio.wait_for(reader.readuntil(END), 20)
    except (EOFError, OSError):
        return 0
    return int(head.split(b" ", 2)[1])


async def answered_whole(reader: asyncio.StreamReader) -> int:
    """The status of an answer that is followed by others."""
    head = await reader.readuntil(END)
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]))
    return int(head.split(b" ", 2)[1])


async def _count_passes(passes: Counter[str]) -> None:
    """Count the passes of the loop, until cancelled."""
    while True:
        await asyncio.sleep(0)
        passes["of the loop"] += 1


async def test_where_too_many_are_connected_the_longest_idle_end_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW, limits=Limits(15, connections=MOST)) as door:
        hit = request(HIT)
        idle = [await connection(door, b"") for _ in range(MOST // 2)]
        used = [await connection(door, hit) for _ in range(MOST // 2)]
        assert [await answered(reader) for reader, _ in used] == [204] * (MOST // 2)
        reader, _ = await connection(door, hit)  # one too many, and one in twenty makes room
        assert await answered(reader) == 204
        assert [await asyncio.wait_for(reader.read(1), 20) for reader, _ in idle[:2]] == [b"", b""]
        for reader, writer in [*idle[2:], *used]:
            writer.write(hit)
            assert await answered(reader) == 204


async def test_a_flood_of_connections_that_send_nothing_keeps_nobody_out(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW, limits=Limits(15, connections=MOST)) as door:
        kept = []
        for _ in range(20 * MOST):
            kept.append(await connection(door, b""))
            reader, writer = await connection(door, request(HIT))
            assert await answered(reader) == 204
            writer.close()


async def test_bodies_that_are_only_announced_take_no_room(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW) as door:
        announced = {"Content-Length": "262144"}
        slow = [await connection(door, request(b"[", announced)) for _ in range(300)]  # 75 MB, of 64
        reader, _ = await connection(door, request(HIT))
        assert await answered(reader) == 204
        reader, writer = await connection(door, request(b"[", announced))
        writer.write(b" " * 262_142 + b"]")
        assert await answered(reader) == 200
        for _, writer in slow:
            writer.transport.abort()


async def test_bodies_that_do_not_end_leave_room_for_whole_ones(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW) as door:
        most = request(b"[" + b" " * 262_000, {"Content-Length": "262144"})
        slow = [await connection(door, most) for _ in range(210)]  # 52 MB, of 48
        reader, _ = await connection(door, request(HIT))
        assert await answered(reader) == 204
        answers = [asyncio.create_task(answered(reader)) for reader, _ in slow]
        done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        assert {each.result() for each in done} == {503}
        for _, writer in slow:
            writer.transport.abort()
        await asyncio.wait(answers)
        reader, writer = await connection(door, most)  # what was taken is given back
        writer.write(b" " * 142 + b"]")
        assert await answered(reader) == 200


async def test_answers_that_nobody_reads_are_made_for_a_moment_only(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW) as door:
        await slowly(door.url.removeprefix("http://"), FORMS["unread"])
        asked = door.seen()["refused"] / 20
    assert 32 < asked < 500  # of 1.8 kB each


async def test_little_is_read_ahead_of_a_request_that_waits(tmp_path: Path) -> None:
    """While the disk hangs nobody can fill the memory with what is to come next."""
    disk = FailingDisk()
    async with open_door(tmp_path / "data", NOW, disk=disk) as door:
        disk.hold.clear()
        try:
            taken = await _taken(door, request(HIT[:-1] + b" " * 60_000 + b"}"))
        finally:
            disk.hold.set()
    assert 60_000 < taken < 1_000_000


async def _taken(door: OpenDoor, sent: bytes) -> int:
    """How many bytes of one request after the other the other side takes before it takes no more."""
    loop = asyncio.get_running_loop()
    taken = 0
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        connection.settimeout(0)
        await loop.sock_connect(connection, ("127.0.0.1", int(door.url.rpartition(":")[2])))
        with suppress(TimeoutError):
            while taken < 100 * len(sent):
                async with asyncio.timeout(2):
                    at = taken % len(sent)
                    await loop.sock_sendall(connection, sent[at : at + 5_000])
                    taken = taken + min(5_000, len(sent) - at)
    return taken


@pytest.mark.parametrize(
    ("number", "rate", "keepalive_s"),
    [(200, 200, 2), pytest.param(2_000, 1_000, 15, marks=pytest.mark.slow)],
)
async def test_good_ones_are_counted_beside_slow_ones_of_every_form(
    start_stack: Callable[..., Stack], number: int, rate: int, keepalive_s: int
) -> None:
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    stack = start_stack(config=f"keepalive_s = {keepalive_s}\n{example}", environ=AS_IN_USE)
    hits = [request(HIT.replace(b"pricing", b"page/%d" % page)) for page in range(PATHS)]
    async with good_clients(stack.public, hits, rate) as good:
        await asyncio.to_thread(eventually, lambda: len(good.seconds) >= rate, "a second of good ones")
    alone = good
    slow = slow_process(stack.public, number)
    async with good_clients(stack.public, hits, rate) as good:
        borne = await asyncio.to_thread(borne_s, slow)
    for name, (clients, seconds) in borne.items():
        assert clients >= number // len(FORMS)
        assert seconds < GONE_S, name
    assert (alone.failed, good.failed) == (0, 0)
    await asyncio.to_thread(load, stack)
    site = {"property": "www.example.org", **today()}
    assert stack.ask("traffic", **site)["totals"]["events"] == len(alone.seconds) + len(good.seconds)
    # One that is shed as it asks was not answered.
    assert stack.ask("goals", **site)["totals"]["events"] <= borne["kept for nothing"][0]
    told = [f"p50 {each.quantile_ms(0.5):.0f} ms, p99 {each.quantile_ms(0.99):.0f} ms" for each in (alone, good)]
    print(f"{number} slow, {rate} good a second: alone {told[0]}, beside them {told[1]}")  # noqa: T201 - the figure
    stack.stop()


async def test_requests_that_did_not_wait_for_an_answer_go_on_a_few_in_a_pass_of_the_loop(tmp_path: Path) -> None:
    """Whoever sends without waiting has what is left by those who wait."""
    clients, requests = 20, 50
    passes: Counter[str] = Counter()
    async with open_door(tmp_path / "data", NOW) as door:
        counting = asyncio.create_task(_count_passes(passes))
        flood = [await connection(door, request(b"[1]") * requests) for _ in range(clients)]
        for reader, _ in flood:
            assert [await answered_whole(reader) for _ in range(requests)] == [200] * requests
        counting.cancel()
    assert passes.total() >= clients * requests // AT_A_TIME
