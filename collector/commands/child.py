"""`collector child`: one process of a supervisor (processes/child.py), a worker or the warehouse."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click
import uvloop

from collector.clock import SystemClock
from collector.errors import Misconfigured
from collector.importing import imported
from collector.log import configure, log, place_of
from collector.processes.inherited import Inherited
from collector.supervisor import EXIT_MISCONFIGURED

# A worker has no use for the half second that a database's client and the analyst port take.
ROLES = {"worker": "collector.worker", "warehouse": "collector.assembly"}


@click.command(hidden=True)
@click.argument("role", type=click.Choice(list(ROLES)))
@click.argument("inherited")
def child(role: str, inherited: str) -> None:
    """Run one process of a supervisor."""
    share = Inherited.from_json(inherited)
    configure(share.settings().log_level)
    try:
        run_child(role, share)
    except Misconfigured as error:
        log.error("cannot run as configured", process=role, rule=str(error))
        sys.exit(EXIT_MISCONFIGURED)
    except OSError as error:  # nobody reads a sentence here: the log has the place
        log.critical("unhandled", **place_of(error))
        sys.exit(1)


def run_child(role: str, inherited: Inherited) -> None:
    """Run one child process of the supervisor until it is told to stop: an ingest worker or the warehouse."""
    settings = inherited.settings()
    inherited.end_with_supervisor()
    main = main_of(role)
    run = asyncio.run if role == "worker" and settings.strict_memory else uvloop.run  # forgetting.py says why
    run(main(settings, inherited, SystemClock()))


def main_of(role: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """What a process of that role runs; raises Misconfigured where it cannot be imported."""
    main: Callable[..., Coroutine[Any, Any, None]] = imported(ROLES[role]).work
    return main
