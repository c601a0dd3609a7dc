"""Clients that break off, never read, or say little in many bytes: nobody else waits for them."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import orjson
import pytest
import uvloop
from aiohttp import web

from collector.door import connections
from collector.door.answers import COUNTED, Answer
from collector.door.connections import Connections, Limits
from collector.tools.wire import END, HEAD, request
from tests.exposition import series_in
from tests.fuzz.wired import Wire
from tests.open_door import OpenDoor, open_door

NOW = 1_795_600_000
HIT = request(orjson.dumps({"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}))
CHUNKED = {"Transfer-Encoding": "chunked"}
LETTERS = b"1\r\n \r\n" * 200_000  # 1.2 MB for 200 kB of body
PORTION = 30_000
MOST = 20


async def connection(door: OpenDoor) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))


async def statuses(reader: asyncio.StreamReader) -> list[int]:
    """Those of all answers until the connection ends."""
    said = await asyncio.wait_for(reader.read(), 20)
    return [int(part.split(b" ", 1)[0]) for part in said.split(b"HTTP/1.1 ")[1:]]


async def taken(writer: asyncio.StreamWriter, data: bytes) -> int:
    """How much of it could be sent before the other side ended the connection, a little at a time."""
    for at in range(0, len(data), PORTION):
        writer.write(data[at : at + PORTION])
        try:
            await asyncio.wait_for(writer.drain(), 3)
        except ConnectionError:
            return at
        await asyncio.sleep(0.01)
    return len(data)


@pytest.mark.parametrize("requests", [1, 3])
async def test_who_sends_no_more_is_answered_all_the_same(tmp_path: Path, requests: int) -> None:
    async with open_door(tmp_path / "data", NOW) as door:
        reader, writer = await connection(door)
        writer.write(HIT * requests)
        writer.write_eof()
        assert await statuses(reader) == [204] * requests
    assert door.seen()["accepted"] == requests


async def test_who_sends_no_more_is_answered_also_while_others_have_their_turn(tmp_path: Path) -> None:
    clients = 100
    async with open_door(tmp_path / "data", NOW) as door:
        assert await asyncio.gather(*(_two_and_no_more(door) for _ in range(clients))) == [[204]] * clients
    assert door.seen()["accepted"] == 2 * clients


async def _two_and_no_more(door: OpenDoor) -> list[int]:
    reader, writer = await connection(door)
    writer.write(HIT * 2)
    await reader.readuntil(END)
    writer.write_eof()  # the second waits for its turn
    return await statuses(reader)


async def test_what_came_whole_before_half_a_request_is_answered(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW) as door:
        reader, writer = await connection(door)
        writer.write(HIT * 2 + HIT[:-1])
        writer.write_eof()
        assert (await statuses(reader))[:2] == [204, 204]
    assert door.seen()["accepted"] == 2


async def test_who_was_told_to_come_again_is_not_heard_for_a_while_and_takes_nobodys_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REST_S", 3_600)
    async with open_door(tmp_path / "data", NOW, limits=Limits(15, connections=MOST), quota_bytes=0) as door:
        told = [await connection(door) for _ in range(MOST)]
        for reader, writer in told:
            writer.write(HIT)
            assert (await reader.readuntil(END)).startswith(b"HTTP/1.1 503 ")
            writer.write(HIT * 50)
        for _ in range(MOST):
            reader, writer = await connection(door)
            await asyncio.sleep(0)
            writer.write(request(method="GET", path="/healthz"))
            assert (await reader.readuntil(END)).startswith(b"HTTP/1.1 200 ")
    assert door.seen()["received"] <= 1  # the rest was refused before it was read
    assert series_in(door.metrics.exposition())['collector_bodies_refused_total{status="503"}'] in (MOST - 1, MOST)


async def test_half_a_request_is_nothing_once_no_more_comes(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW) as door:
        for sent in (HEAD, HIT[:-1]):
            reader, writer = await connection(door)
            writer.write(sent)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 3) == b""  # a body that dawdles has five seconds
    assert door.seen()["received"] == 0


def test_who_breaks_off_within_a_body_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the loop that workers have: it tells the end of a connection in words of its own."""
    uvloop.run(_break_off(tmp_path / "data"))
    assert "failed" not in "".join(capsys.readouterr())


async def _break_off(data: Path) -> None:
    async with open_door(data, NOW) as door:
        port = int(door.url.rpartition(":")[2])
        for path in ("/v1/events", "/nothing") * 20:
            with socket.create_connection(("127.0.0.1", port)) as own:  # noqa: ASYNC210, RUF100 - it answers at once
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
                own.sendall(request(b"{", {"Content-Length": "100"}, path=path))
            await asyncio.sleep(0.005)
        reader, writer = await connection(door)
        writer.write(HIT)
        assert (await reader.readuntil(END)).startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize("path", ["/v1/events", "/nothing"])
async def test_a_body_of_chunks_of_a_letter_is_not_read_to_its_end(tmp_path: Path, path: str) -> None:
    async with open_door(tmp_path / "data", NOW) as door:
        reader, writer = await connection(door)
        writer.write(request(b"", CHUNKED, path=path))
        await asyncio.sleep(0.05)
        assert await taken(writer, LETTERS) < len(LETTERS) / 2
        reader, writer = await connection(door)  # a kilobyte in four chunks is nothing to speak of
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"[", b" " * 500, b" " * 500, b"]"))
        writer.write(request(chunks + b"0\r\n\r\n", CHUNKED))
        assert (await reader.readuntil(END)).startswith(b"HTTP/1.1 200 ")


async def test_who_never_reads_is_gone_soon_after_its_connection_ended(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW, limits=Limits(keepalive_s=0.5)) as door:
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)  # before it connects, for the window is told then
        own.settimeout(0)
        await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", int(door.url.rpartition(":")[2])))
        _, writer = await asyncio.open_connection(sock=own)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads has it
        for _ in range(3):  # more than the kernel takes, less than 64 KiB more: a page of 57 kB
            writer.write(request(b"", method="GET", path="/privacy"))
            await asyncio.sleep(0.05)
        await asyncio.sleep(2.5)
        assert await taken(writer, b"x" * 40 * PORTION) < 3 * PORTION


async def test_bodies_that_dawdle_are_ended_before_those_who_come(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", NOW, limits=Limits(15, connections=MOST)) as door:
        slow = []
        for _ in range(MOST):
            _, writer = await connection(door)
            writer.write(request(b"{", {"Content-Length": "100"}))
            await writer.drain()
            slow.append(writer)
        await asyncio.sleep(0.1)
        fresh = [await connection(door) for _ in range(MOST // 2)]
        await asyncio.sleep(0.1)
        for reader, writer in fresh:
            writer.write(HIT)
            assert (await reader.readuntil(END)).startswith(b"HTTP/1.1 204 ")


async def test_a_caller_whose_address_is_gone_is_not_listened_to() -> None:
    """As after a reset: under uvloop the address is only asked for when it is wanted."""

    class Nameless(Wire):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return None if name == "peername" else super().get_extra_info(name, default)

    async def answer(request: web.BaseRequest) -> Answer:
        return COUNTED

    for wire, is_closed in ((Wire(), False), (Nameless(), True)):
        made = Connections(answer, Limits(15))()
        made.connection_made(wire)
        assert wire.is_closing() is is_closed
        made.connection_lost(None)
