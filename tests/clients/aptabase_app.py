"""A program with Aptabase's SDK for Python, run by test_aptabase.py: BASE_URL APP_KEY MODEL; says what is left unsent."""

from __future__ import annotations

import asyncio
import platform
import sys

from aptabase import Aptabase


async def main(base_url: str, app_key: str) -> None:
    async with Aptabase(app_key, base_url=base_url, app_version="1.4.2+20261129", is_debug=True) as client:
        await client.track("subtitles_on")
    client = Aptabase(app_key, base_url=base_url, app_version="1.4.2+20261129", flush_interval=3600)
    await client.start()
    await client.track("subtitles_on", {"note": "x" * 300_000})  # more than a body may have
    await client.flush()
    await client.track("first_launch")
    await client.track("started")
    await client.track("nobody mapped this", {"file": "holiday.mkv"})
    for _ in range(30):  # the 25th sends
        await client.track("subtitles_on")
    await client.stop()
    print(len(client._event_queue))


platform.machine = lambda: sys.argv[3]
asyncio.run(main(*sys.argv[1:3]))
