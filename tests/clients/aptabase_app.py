"""A program with Aptabase's SDK for Python, run by test_aptabase.py with BASE_URL, APP_KEY and a model of machine."""

from __future__ import annotations

import asyncio
import platform
import sys


async def main(base_url: str, app_key: str, model: str) -> None:
    platform.machine = lambda: model
    from aptabase import Aptabase  # type: ignore[import-untyped]  # noqa: PLC0415 - asks for the machine when imported

    async with Aptabase(app_key, base_url=base_url, app_version="1.4.2+20261129", is_debug=True) as client:
        await client.track("subtitles_on")
    async with Aptabase(app_key, base_url=base_url, app_version="1.4.2+20261129", flush_interval=3600) as client:
        await client.track("subtitles_on", {"note": "x" * 300_000})  # more than a body may have
        await client.flush()
        await client.track("first_launch")
        await client.track("started")
        await client.track("nobody mapped this", {"file": "holiday.mkv"})
        for _ in range(30):  # a batch is full before the end
            await client.track("subtitles_on")


asyncio.run(main(*sys.argv[1:]))
