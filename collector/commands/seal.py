"""`collector seal`: what an operator types to have days sealed now, and what is said back.

It asks the running collector (analyst/sealing.py) with DATA/operator.token or, while none runs, does the same itself
(offline.py), in portions, until nothing more can be sealed. Both ways say the same, in the API's JSON.
"""

from __future__ import annotations

from typing import Any

import click
import orjson

from collector.analyst.sealing import BASE, NODE, told_as_json
from collector.commands.common import plainly, reach, read, said_at, settings_options
from collector.data_folder import DataFolder
from collector.errors import Misconfigured
from collector.offline import seal_offline
from collector.settings import Settings
from collector.tools.client import OPERATOR_TOKEN, token_of


@click.command()
@click.option("--node", metavar="HEX", help="Seal for a collector that is gone: the name in its DATA/node.")
@settings_options("config", "data", "analyst", "clickhouse")
@plainly
def seal(node: str | None, **flags: str | None) -> None:
    """Seal the days that are due, and tell which are not yet, or cannot be.

    48 hours after its end a day is folded for good: of callers it then names only what ten networks (the threshold) of
    one collector share, and its single cells are gone. The running collector does so by itself; this is for whoever
    does not want to wait a minute, and shows what stands in the way.

    With --node, for a collector that is gone for good, whose days would wait for ever: everything of it that ended 48
    hours ago is sealed by this one. Never name one that still runs: its own batches would be counted twice, so once
    it finds a day of its own sealed by another it refuses to load. The threshold holds for each collector by itself:
    nothing is merged across nodes before it is folded.
    """
    if node is not None and not NODE.fullmatch(node):
        raise Misconfigured("--node: a node is 16 hex digits, as in its DATA/node")
    settings = read(flags)
    sealed, more = 0, True
    while more:
        told = seal_now(settings, analyst_given=bool(flags["analyst"]), node=node)
        for each in told["sealed"]:
            click.echo(f"{each['day']}  sealed: {each['cells']:,} cells became {each['rows']:,} rows")
        sealed += len(told["sealed"])
        more = told["more"]
    for each in told["open"]:
        click.echo(f"{each['day']}  {_why(each)}")
    if not sealed:
        click.echo("Nothing was to be sealed.")


def seal_now(settings: Settings, *, analyst_given: bool, node: str | None) -> dict[str, Any]:
    """Have one portion of days sealed, whoever owns the database; what that did and left. Raises Misconfigured."""
    path = BASE if node is None else f"{BASE}/{node}"

    def online(address: str) -> dict[str, Any]:
        return _online(settings, address, path)

    def offline(folder: DataFolder) -> dict[str, Any]:
        return told_as_json(seal_offline(settings, folder, None if node is None else int(node, 16)))

    return reach(settings, analyst_given=analyst_given, online=online, offline=offline)


def _why(open_day: dict[str, Any]) -> str:
    """What is said of a day that is not sealed."""
    if open_day["blocked"]:
        return f"cannot be sealed yet: {open_day['blocked']}"
    return f"not due before {open_day['due']}"


def _online(settings: Settings, address: str, path: str) -> dict[str, Any]:
    token = token_of(settings.data, None)
    if token is None:
        raise Misconfigured(f"there is no {settings.data / OPERATOR_TOKEN}: is the collector's --data another one?")
    said: dict[str, Any] = orjson.loads(said_at(address, token, path, "POST"))
    return said
