"""A connection without a network: bytes handed to a server's protocol in pieces, and what it wrote in answer.

No socket, and a clock that is put ahead: who waits for more bytes has done what it will do, and is then told that the
caller is gone.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from aiohttp import web
from structlog.testing import capture_logs

_QUIET_PASSES = 10  # of the loop in which nothing was written: a whole request takes fewer
_MOST_PASSES = 2_000
_HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) [A-Za-z -]+\r\n((?:[A-Za-z-]+: [^\r\n\0]*\r\n)*)\r\n")
_LINGERS_S = 1.0  # what aiohttp may go on waiting for the rest of a body whose sender is gone, at a time
_THREAD_S = 0.0005
_NO_BODY = (100, 204, 304)


class QuickLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put ahead: what waits for its patience to end need not be waited for."""

    _ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self._ahead_s

    def pass_time(self, seconds: float) -> None:
        self._ahead_s += seconds


class Wire(asyncio.Transport):
    """The server's end of a connection from this machine."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40_000), "sockname": ("127.0.0.1", 80)})
        self.written = bytearray()
        self._is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closed:
            self.written += data

    def close(self) -> None:
        self._is_closed = True

    abort = close

    def is_closing(self) -> bool:
        return self._is_closed

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None:
        """Nothing comes by itself here."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0


class Failures(logging.Handler):
    """What went wrong inside though an answer was given: errors of the loop, and of every logger."""

    def __init__(self, said: list[MutableMapping[str, Any]]) -> None:
        super().__init__(logging.ERROR)
        self._said = said
        self._others: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """What a logger that is not ours says."""
        self._others.append(record.getMessage())

    def watch(self) -> None:
        """In the loop that runs, too; fails with what went wrong since the last input."""
        self.assert_none()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self._others.append(str(context)))

    def assert_none(self) -> None:
        """Fails with the first."""
        errors = [*self._others, *(str(each) for each in self._said if each["log_level"] in ("error", "critical"))]
        self._others.clear()
        self._said.clear()
        assert not errors, f"something failed inside: {errors[0]}"


@contextmanager
def failures() -> Iterator[Failures]:
    """What goes wrong inside, as long as the block runs."""
    with capture_logs() as said:
        failed = Failures(said)
        logging.getLogger().addHandler(failed)
        try:
            yield failed
            failed.assert_none()
        finally:
            logging.getLogger().removeHandler(failed)


class Heard(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


async def converse(connected: Callable[[], web.RequestHandler], pieces: list[bytes]) -> bytes:
    """Everything a server says to these pieces; fails if something of the connection outlives it."""
    before = asyncio.all_tasks()
    wire = Wire()
    protocol = connected()
    protocol.connection_made(wire)
    await asyncio.sleep(0)  # a connection that is lost in the same pass of the loop: asyncio does not do that
    for piece in pieces:
        if not wire.is_closing():
            protocol.data_received(piece)
            await _quiet(wire)
    protocol.eof_received()
    protocol.connection_lost(None)
    loop = asyncio.get_running_loop()
    for turn in range(_QUIET_PASSES * 5):
        if not asyncio.all_tasks() - before:
            break
        if turn >= _QUIET_PASSES and isinstance(loop, QuickLoop):
            time.sleep(_THREAD_S)  # noqa: ASYNC251 - nothing else is in this loop, and a thread may be at work for it
            loop.pass_time(_LINGERS_S)
        await asyncio.sleep(0)
    assert not asyncio.all_tasks() - before, "a task outlives its connection"
    return bytes(wire.written)


async def _quiet(wire: Wire) -> None:
    written, quiet = len(wire.written), 0
    for _ in range(_MOST_PASSES):
        if quiet == _QUIET_PASSES:
            return
        await asyncio.sleep(0)
        quiet = quiet + 1 if len(wire.written) == written else 0
        written = len(wire.written)
    raise AssertionError("it goes on writing")


def answers_in(written: bytes) -> Iterator[Heard]:
    """The answers that were written, read without forgiveness; one to HEAD has no body."""
    while written:
        found = _HEAD.match(written)
        assert found, "what was written is no answer"
        lines = found[2].decode("ascii").split("\r\n")[:-1]
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
        assert len(headers) == len(lines), "a header is there twice"
        status, rest = int(found[1]), written[found.end() :]
        if "transfer-encoding" in headers:
            body, written = _chunks(rest)
            yield Heard(status, headers, body)
            continue
        size = int(headers.get("content-length", 0))
        if status in _NO_BODY or rest.startswith(b"HTTP/1."):
            size = 0
        assert len(rest) in (0, size) or len(rest) > size, "an answer is cut short"
        yield Heard(status, headers, rest[:size])
        written = rest[size:]


def _chunks(rest: bytes) -> tuple[bytes, bytes]:
    """A body that comes in chunks, and what follows it."""
    body = b""
    while (size := int(rest.partition(b"\r\n")[0], 16)) > 0:
        rest = rest.partition(b"\r\n")[2]
        body, rest = body + rest[:size], rest[size:].removeprefix(b"\r\n")
    return body, rest.removeprefix(b"0\r\n\r\n")


def in_pieces(data: bytes) -> list[bytes]:
    """The input as it may come: its first byte says where the rest is cut in two."""
    if not data:
        return []
    at, rest = data[0], data[1:]
    return [piece for piece in (rest[:at], rest[at:]) if piece] if at else [rest]
