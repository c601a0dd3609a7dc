"""The bare application that the bench measures the collector against: read a POST, decode its JSON, answer 204.

It counts nothing and stores nothing: what it costs is what Python, uvloop and aiohttp cost, as plainly as their
documentation shows. One process, no access log: `python -m collector.tools.bench.bare PORT`.
"""

from __future__ import annotations

import asyncio
import sys

import orjson
import uvloop
from aiohttp import web


async def receive(request: web.Request) -> web.Response:
    """204 for any JSON."""
    orjson.loads(await request.read())
    return web.Response(status=204)


async def serve(port: int) -> None:
    """Answer at 127.0.0.1 until killed."""
    application = web.Application()
    application.router.add_post("/v1/events", receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
