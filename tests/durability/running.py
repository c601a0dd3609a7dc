"""The collector of a scenario: two workers, the sites of bodies.py, and a crowd that was met before any harm is done.

Without the crowd, a site that met fewer than ten networks on a day would show its total only, and no path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.durability.bodies import CONFIG, CROWD_PATH, crowd
from tests.durability.rest import wait_at_rest
from tests.stack import Stack

WORKERS = 2


@contextmanager
def running(folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A collector that is stopped in order after a scenario that went well, and swept away after any other."""
    stack = Stack(folder, config=CONFIG, workers=WORKERS, environ=environ)
    try:
        for body in crowd():
            reply = stack.post(body.json, body.headers)
            assert reply.status in (200, 204), f"{CROWD_PATH} is answered {reply.status}"
        wait_at_rest(stack)
        yield stack
        stack.stop()
    finally:
        stack.sweep()
