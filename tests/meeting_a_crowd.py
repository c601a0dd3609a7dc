"""Enough networks for a day's names to be shown, and what reports then say."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from collector.tools.wire import request, say
from tests.counting import load, today
from tests.stack import Stack

CROWD = [f"127.20.{number}.1" for number in range(12)]  # twelve networks
HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/crowd"}
CHECK = {"kind": "update_check", "product": "player", "version": "1.4.2", "channel": "stable", "os": "linux"}


def crowd(stack: Stack, **more: str) -> None:
    """Twelve networks, each with one hit of the site's page /crowd, which says `more`, and one update check."""
    for origin in CROWD:
        assert say(stack.public, request(orjson.dumps([{**HIT, **more}, CHECK])), source=origin).status == 200


def told(stack: Stack, report: str, by: Sequence[str], measure: str = "events") -> dict[str, int]:
    """What a report says of today, by the values of its dimensions, but for what the crowd did on /crowd."""
    load(stack)
    owner = "www.example.org" if report not in PRODUCTS else "player"
    answer = stack.ask(report, property=owner, by=",".join(by), **today())
    columns = answer["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in answer["rows"]]
    found = {" ".join(str(row[name]) for name in by): row[measure] for row in rows}
    return {value: count for value, count in found.items() if value != "/crowd"}


PRODUCTS = {"installs", "install_outcomes", "update_checks", "features", "downloads", "active", "recommendations"}
