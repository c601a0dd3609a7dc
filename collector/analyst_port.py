"""What the analyst port is made of besides questions, and how it is closed.

Nothing here decides anything; assembly.py hands in what the routes call, and opens the port (analyst/port.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiohttp import web

from collector.analyst.access import Route
from collector.analyst.blocking import RunBlocking
from collector.analyst.dictionary import dictionary_of, dictionary_route
from collector.analyst.live import Live
from collector.analyst.openapi import description_of, openapi_routes
from collector.analyst.pages import page_routes
from collector.analyst.properties import properties_route
from collector.analyst.quarantine import Keeper, QuarantineRoutes
from collector.analyst.sealing import Sealing, SealRoutes
from collector.catalogue.declarations import Declarations
from collector.ledger import Ledger
from collector.settings import Settings

Result = TypeVar("Result")

LAST_QUESTIONS_S = 0.25
LAST_ANSWERS_S = 3.0


def routes_for_readers(settings: Settings, declarations: Declarations, ledger: Ledger, live: Live) -> list[Route]:
    """What the analyst port tells without asking the engine."""
    return [
        dictionary_route(dictionary_of(ledger)),
        properties_route(settings.registry),
        live.route(),
        *page_routes(),
        *openapi_routes(description_of(declarations)),
    ]


def routes_for_admins(keeper: Keeper, sealer: Sealing, run_loading: RunBlocking) -> list[Route]:
    """What the analyst port lets change of what is kept."""
    return [*QuarantineRoutes(keeper, run_loading).routes(), *SealRoutes(sealer, run_loading).routes()]


def in_thread(thread: ThreadPoolExecutor, asked: set[asyncio.Future[Any]]) -> RunBlocking:
    """What runs a function in that thread, and keeps it in `asked` until it ended."""

    def run(ask: Callable[[], Result]) -> Awaitable[Result]:
        answer = asyncio.get_running_loop().run_in_executor(thread, ask)
        asked.add(answer)
        answer.add_done_callback(asked.discard)
        return answer

    return run


async def answer_last(runner: web.ServerRunner, asked: set[asyncio.Future[Any]]) -> None:
    """Let nobody in any more, and give whoever is in a while to ask and be answered."""
    for site in runner.sites:
        await site.stop()
    await asyncio.sleep(0)
    if runner.server and runner.server.connections:
        await asyncio.sleep(LAST_QUESTIONS_S)
    if asked:
        await asyncio.wait(asked, timeout=LAST_ANSWERS_S)
