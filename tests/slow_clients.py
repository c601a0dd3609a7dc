"""Clients that take their time, each in a form of its own, and good ones beside them.

A slow client goes on until the other side ends the connection; how long that took is what it tells. The forms are those
of hardening.md: nothing, a head or a body by the letter, one that stalls, answers that nobody reads, half a connection,
one that is kept for nothing. `python -m tests.slow_clients ADDRESS NUMBER` is so many of them, in a process of their
own, and tells by form how many there were and how long the last of them was borne.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import NamedTuple

import orjson

from collector.tools.wire import END, HEAD, request
from tests.stack import ROOT

DRIP_S = 0.5
PATIENCE_S = 40.0
_LONG = {"Content-Length": "262144"}
_GOAL = b'{"kind":"goal","site":"www.example.org","goal":"signup"}'  # no page hit: those are the good ones'
_ASKING = request(b"[" + b"1," * 19 + b"1]") * 500  # each has an answer of 1.8 kB


class Slow(NamedTuple):
    """What is sent at once, and then by the letter; `half`: nothing more can come; `unread`: answers pile up.

    answered  it begins to be borne with an answer
    """

    sent: bytes
    dripped: bytes = b""
    half: bool = False
    unread: bool = False
    answered: bool = False


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
    "kept for nothing": Slow(request(_GOAL), answered=True),
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
                if slow.answered:
                    writer.write(slow.sent)
                    await reader.readuntil(END)
                    began = loop.time()
                await _act(reader, writer, slow)
            finally:
                writer.transport.abort()
    return loop.time() - began


async def _connection(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before it connects, for the window is told then
    own.settimeout(0)
    await asyncio.get_running_loop().sock_connect(own, (host, int(port)))
    return await asyncio.open_connection(sock=own, limit=2**16)


async def _act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slow: Slow) -> None:
    writer.write(b"" if slow.answered else slow.sent)
    if slow.unread:
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
async def good_clients(address: str, hits: list[bytes], rate: float, connections: int = 128) -> AsyncIterator[Good]:
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


def slow_process(address: str, number: int) -> subprocess.Popen[bytes]:
    """So many slow clients in another process."""
    return subprocess.Popen([sys.executable, "-m", __name__, address, str(number)], stdout=subprocess.PIPE, cwd=ROOT)


def borne_s(process: subprocess.Popen[bytes]) -> dict[str, tuple[int, float]]:
    """What it said at its end."""
    said, _ = process.communicate(timeout=2 * PATIENCE_S)
    assert process.returncode == 0
    return {name: (told[0], told[1]) for name, told in orjson.loads(said).items()}


async def _all_slow(address: str, number: int) -> None:
    names = list(islice(cycle(FORMS), number))
    seconds = await asyncio.gather(*(slowly(address, FORMS[name]) for name in names))
    by_form: dict[str, list[float]] = {name: [] for name in FORMS}
    for name, borne in zip(names, seconds, strict=True):
        by_form[name].append(borne)
    told = {name: (len(borne), max(borne)) for name, borne in by_form.items()}
    sys.stdout.buffer.write(orjson.dumps(told))


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_all_slow(sys.argv[1], int(sys.argv[2])))
