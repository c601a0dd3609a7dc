"""More requests than anybody could answer: `python -m tests.flood ADDRESS CONNECTIONS SECONDS EVENTS ROW`.

On each connection a row of requests is always under way, of so many page hits each; answers are counted as they come.
When the time is over nothing more is asked and what is left of the answers is read, so that nothing is in doubt. Says
how many were answered by status, in how many seconds, and how many of 429 and 503 told when to come again.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field

import orjson

from collector.tools.wire import request
from tests.stack import ROOT

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n(?:[A-Z][^\r]*\r\n)*?(?:Retry-After: (\d+)\r\n|\r\n)")
HIT = b'{"kind":"page_hit","site":"www.example.org","url":"https://www.example.org/pricing"}'
PATIENCE_S = 300


@dataclass(slots=True, kw_only=True)
class Flood:
    """What came back. `retry`: of the refusals, those that said when to come again; `lost`: connections that ended."""

    statuses: Counter[int] = field(default_factory=Counter)
    retry: int = 0
    lost: int = 0
    seconds: float = 0.0

    def add(self, other: Flood) -> None:
        """Count another one's, of the same time."""
        self.statuses += other.statuses
        self.retry += other.retry
        self.lost += other.lost
        self.seconds = max(self.seconds, other.seconds)


def flooded(
    address: str, *, processes: int, connections: int, seconds: int, events: int, row: int, cores: set[int]
) -> Flood:
    """Flood it from so many processes on these cores, with so many connections each."""
    command = [sys.executable, "-m", __name__, address, *map(str, (connections, seconds, events, row))]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(processes)]
    for each in running:
        os.sched_setaffinity(each.pid, cores)
    whole = Flood()
    for each in running:
        said = orjson.loads(each.communicate(timeout=seconds + 2 * PATIENCE_S)[0])
        assert each.returncode == 0
        said["statuses"] = Counter({int(status): number for status, number in said["statuses"].items()})
        whole.add(Flood(**said))
    return whole


async def _flood(address: str, connections: int, seconds: int, events: int, row: int) -> Flood:
    body = b"[" + b",".join([HIT] * events) + b"]"
    asked = request(body, {"User-Agent": "Mozilla/5.0"})
    flood = Flood()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(seconds + PATIENCE_S):
        await asyncio.gather(*(_connection(address, flood, asked, row, began + seconds) for _ in range(connections)))
    flood.seconds = loop.time() - began
    return flood


async def _connection(address: str, flood: Flood, asked: bytes, row: int, until_s: float) -> None:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    loop = asyncio.get_running_loop()
    try:
        writer.write(asked * row)
        under_way, rest = row, b""
        while under_way:
            more = await reader.read(65_536)
            if not more:
                raise ConnectionResetError
            answered, rest = _count(flood, rest + more)
            under_way -= answered
            if loop.time() < until_s:
                writer.write(asked * answered)
                under_way += answered
    except OSError:
        flood.lost += 1
    finally:
        writer.transport.abort()


def _count(flood: Flood, heard: bytes) -> tuple[int, bytes]:
    """How many answers began in these bytes, and what of them is to be looked at again."""
    number, end = 0, 0
    for found in _STATUS.finditer(heard):
        flood.statuses[int(found[1])] += 1
        flood.retry += found[2] is not None
        number, end = number + 1, found.end()
    return number, heard[end:]


async def _main() -> None:
    connections, seconds, events, row = map(int, sys.argv[2:])
    flood = await _flood(sys.argv[1], connections, seconds, events, row)
    told = {"statuses": {str(status): number for status, number in flood.statuses.items()}, "retry": flood.retry}
    sys.stdout.buffer.write(orjson.dumps(told | {"lost": flood.lost, "seconds": flood.seconds}))


if __name__ == "__main__":
    asyncio.run(_main())
