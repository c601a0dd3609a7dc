"""Clients that take their time, each in a form of its own, and good ones beside them; all in the loop that runs them.

A slow client goes on until the other side ends the connection; how long that took is what it tells. The forms are those
of hardening.md: nothing, a head or a body by the letter, one that stalls, answers that nobody reads, half a connection,
one that is kept for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import NamedTuple

from collector.tools.wire import END, HEAD, request

DRIP_S = 0.5
PATIENCE_S = 40.0
_LONG = {"Content-Length": "262144"}
_HIT = b'{"kind":"page_hit","site":"www.example.org","url":"https://www.example.org/slow"}'
_ASKING = request(b"[" + b"1," * 19 + b"1]") * 500  # each has an answer of 1.8 kB


class Slow(NamedTuple):
    """What is sent at once, and then by the letter; `half`: nothing more can come; `unread`: answers pile up."""

    sent: bytes
    dripped: bytes = b""
    half: bool = False
    unread: bool = False


FORMS = {
    "silent": Slow(b""),
    "head by the letter": Slow(HEAD, b"a"),
    "a head line at a time": Slow(HEAD, b"A: b\r\n"),
    "body by the letter": Slow(request(b"{", _LONG), b" "),
    "chunks of a letter": Slow(request(b"1\r\n[\r\n", {"Transfer-Encoding": "chunked"}), b"1\r\n \r\n"),
    "a body that stalls": Slow(request(b"{", _LONG)),
    "a body that stalls late": Slow(request(b"[" + b" " * 100_000, _LONG)),
    "half a head, half closed": Slow(HEAD, half=True),
    "half a body, half closed": Slow(request(b"{", _LONG), half=True),
    "kept for nothing": Slow(request(_HIT)),
    "unread": Slow(_ASKING, unread=True),
}


async def slowly(address: str, slow: Slow) -> float:
    """Be slow in that form until the other side ends it; the seconds it bore it, PATIENCE_S at most."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await _connection(address)
            try:
                await _act(reader, writer, slow)
            finally:
                writer.transport.abort()
    return loop.time() - began


async def _connection(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port), limit=2**16)


async def _act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slow: Slow) -> None:
    writer.write(slow.sent)
    if slow.unread:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads has it
        while True:
            writer.write(_ASKING)
            await writer.drain()
    if slow.half:
        writer.write_eof()
    drip = asyncio.create_task(_drip(writer, slow.dripped)) if slow.dripped else None
    try:
        while await reader.read(65_536):
            pass
    finally:
        if drip:
            drip.cancel()


async def _drip(writer: asyncio.StreamWriter, letter: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            await asyncio.sleep(DRIP_S)
            writer.write(letter)
            await writer.drain()


@dataclass(slots=True, kw_only=True)
class Good:
    """What became of good clients: seconds of each answer since it was due, and how many requests failed."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def quantile_ms(self, share: float) -> float:
        """So large a share was answered within these milliseconds."""
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)] * 1000


@contextlib.asynccontextmanager
async def good_clients(address: str, hits: list[bytes], rate: float, connections: int = 16) -> AsyncIterator[Good]:
    """Send these requests in turn, so many a second, as long as the block runs; each when it is due, not when asked."""
    good = Good()
    stop = asyncio.Event()
    every_s = connections / rate
    began = asyncio.get_running_loop().time()
    clients = [
        asyncio.create_task(_client(address, good, stop, (began + at * every_s / connections, every_s), hits[at:]))
        for at in range(connections)
    ]
    try:
        yield good
    finally:
        stop.set()
        await asyncio.gather(*clients)


async def _client(address: str, good: Good, stop: asyncio.Event, due: tuple[float, float], hits: list[bytes]) -> None:
    loop = asyncio.get_running_loop()
    due_s, every_s = due
    reader, writer = await _connection(address)
    for hit in cycle(hits):
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        if stop.is_set():
            break
        try:
            writer.write(hit)
            head = await asyncio.wait_for(reader.readuntil(END), PATIENCE_S)
            good.failed += not head.startswith(b"HTTP/1.1 204 ")
            good.seconds.append(loop.time() - due_s)
        except (OSError, EOFError, TimeoutError):
            good.failed += 1
            reader, writer = await _connection(address)
        due_s += every_s
    writer.transport.abort()


def mixed(number: int) -> list[str]:
    """So many slow clients by the names of their forms, all forms in turn."""
    return list(islice(cycle(FORMS), number))
