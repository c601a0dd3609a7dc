"""The analyst port's route for a backup of what is sealed (warehouse/backing_up.py), for admins only.

    GET /api/v1/backup   application/octet-stream: the file, as it is read (warehouse/backup_file.py)

It is read in a thread of its own, portion by portion, so that neither loading nor questions wait. 503: the database is
away, another backup is being read, an import goes on, or a restore did not end. What goes wrong later breaks the
connection off: a file without its end is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from aiohttp import web

from collector.analyst.access import Route, Rule
from collector.analyst.blocking import ANSWER_PATIENCE_S, RunBlocking
from collector.errors import Misconfigured, Unavailable
from collector.log import log, place_of

BASE = "/api/v1/backup"
WRITE_PATIENCE_S = 60.0  # with whoever does not read on
HEADERS = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": 'attachment; filename="collector.backup"',
}


class BackupRoutes:
    """The route's handler; `begin` begins to read a backup, piece by piece, in the thread of `run_blocking`."""

    def __init__(self, begin: Callable[[], Iterator[bytes]], run_blocking: RunBlocking) -> None:
        self._begin = begin
        self._run_blocking = run_blocking
        self._is_busy = False

    def routes(self) -> list[Route]:
        """The route above."""
        return [Route("GET", BASE, Rule.ADMIN, self.download)]

    async def download(self, request: web.Request) -> web.StreamResponse:
        """All of it, one after the other."""
        if self._is_busy:
            raise Unavailable("another backup is being read")
        self._is_busy = True
        try:
            pieces = self._begun()
            try:
                return await self._send(request, pieces)
            finally:
                await self._run_blocking(lambda: _close(pieces))
        finally:
            self._is_busy = False

    def _begun(self) -> Iterator[bytes]:
        try:
            return self._begin()
        except Misconfigured as error:
            raise Unavailable(str(error)) from error

    async def _send(self, request: web.Request, pieces: Iterator[bytes]) -> web.StreamResponse:
        piece = await self._next(pieces)
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        try:
            while piece is not None:
                async with asyncio.timeout(WRITE_PATIENCE_S):
                    await response.write(piece)
                piece = await self._next(pieces)
        except (Unavailable, TimeoutError, ConnectionError) as error:
            log.warning("a backup broke off", **place_of(error))
            if request.transport:
                request.transport.abort()
        else:
            await response.write_eof()
        return response

    async def _next(self, pieces: Iterator[bytes]) -> bytes | None:
        async with asyncio.timeout(ANSWER_PATIENCE_S):
            return await self._run_blocking(lambda: next(pieces, None))


def _close(pieces: Iterator[bytes]) -> None:
    """Let go of what a backup that was not read to its end holds."""
    if close := getattr(pieces, "close", None):
        close()
