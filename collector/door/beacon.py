"""The beacon: the script that pages of sites load, as the build put it into collector/_web.

    GET /b.js      the script, the same for everybody, compressed for who takes it; kept by browsers for a day

Read once at start. Counts nothing and reads nothing of who asks, but whether gzip is taken. Its source is
analyst/ui/src/beacon/main.ts; where the web files were not built there is none, and the answer says so.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from aiohttp import hdrs, web

from collector.built import BEACON
from collector.door.answers import Answer, Handler, Routes, answer, takes_gzip

PATH = "/b.js"
MAX_AGE_S = 86_400

_OPEN = "Access-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\n"  # for pages of any site
_KEPT = f"{_OPEN}Cache-Control: public, max-age={MAX_AGE_S}\r\nVary: Accept-Encoding\r\n"
_NOT_BUILT = answer(
    404,
    b"The beacon was not built: install the collector with Node or npm within reach.\n",
    "text/plain; charset=utf-8",
)


class Beacon:
    """Gives the beacon; one per worker."""

    def __init__(self, built: Path = BEACON) -> None:
        self._plain = self._zipped = _NOT_BUILT
        if built.is_file():
            script = built.read_bytes()
            self._plain = _script(script)
            self._zipped = _script(gzip.compress(script, mtime=0), "Content-Encoding: gzip\r\n")

    def routes(self) -> Routes:
        """The address above."""
        methods: dict[str, Handler] = {"GET": self._give, "HEAD": self._give}
        return {PATH: methods}

    async def _give(self, request: web.BaseRequest) -> Answer:
        return self._zipped if takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")) else self._plain


def _script(body: bytes, more: str = "") -> Answer:
    return answer(200, body, "text/javascript; charset=utf-8", more, _KEPT)
