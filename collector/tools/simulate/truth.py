"""What the reports must say of made-up traffic, counted from what was made up and by no code of the collector's.

    {"events": all, "seed", "from", "to",
     "properties": {ID: {
       "sort": "site" | "product",
       "days": {DATE: {"visitors": N, "reports": {REPORT: [[VALUE, ..., EVENTS, AMOUNT], ...]}}},
       "active": {"day": {DATE: N}, "week": {MONDAY: N}, "month": {FIRST: N}, "new": {DATE: N}},
       "retention": {MONDAY: {AGE: N}}}}}

A row holds a report's dimensions in their order, then its sums before any folding: a named row of an answer is never
more, a value of ours is exactly this, and the totals are. `visitors` are a day's callers, 0 of a product. `active` and
`retention` (installations met in a week, by age; "0" is who came in it) count installations, not what they sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from collector.cell import UNKNOWN
from collector.tools.simulate.requests import Happening, Request
from collector.tools.simulate.visitors import DAY_S

Rows = dict[tuple[str, ...], list[int]]
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign")
LETTERS = {"day": "d", "week": "w", "month": "m", "ever": "e"}


class Truth:
    """Counts requests that were sent."""

    def __init__(self) -> None:
        self.events = 0
        self._rows: dict[tuple[str, int], Rows] = {}
        self._callers: dict[tuple[str, int], set[tuple[object, ...]]] = defaultdict(set)
        self._met: dict[tuple[str, str, str], set[int]] = defaultdict(set)
        self._aged: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self._products: set[str] = set()
        self._kinds: dict[str, Callable[[Rows, Request, Happening], None]] = {
            "page_hit": _page_hit,
            "page_leave": _page_leave,
            "goal": lambda rows, sent, one: _add(rows, "goals", one.event["goal"]),
            "link_click": lambda rows, sent, one: _add(rows, "links", one.event["link"]),
            "download": _download,
            "install": _install,
            "uninstall": _uninstall,
            "update_check": _update_check,
            "recommendation": _recommendation,
            "feature_use": lambda rows, sent, one: _add(
                rows, "features", one.event["feature"], amount=one.event["count"]
            ),
        }

    def count(self, request: Request, at: float | None = None) -> None:
        """Count what was sent, at its own time or at another."""
        day = int(request.at if at is None else at) // DAY_S
        for one in request.happenings:
            event = one.event
            property_id = event.get("site") or event["product"]
            rows = self._rows.get((property_id, day))
            if rows is None:
                rows = self._rows[property_id, day] = {}
            self._kinds[event["kind"]](rows, request, one)
            if event["kind"] == "page_hit":
                person = request.person
                self._callers[property_id, day].add((person.address, person.os, person.device, person.browser))
            elif event["kind"] == "update_check":
                self._meet(property_id, day, one)
        self.events += len(request.happenings)

    def write(self, path: Path, **about: object) -> None:
        """Write all of it, with what it is about."""
        path.write_bytes(orjson.dumps({"events": self.events, **about, "properties": self.told()}))

    def told(self) -> dict[str, Any]:
        """What the reports must say of each property."""
        told: dict[str, Any] = {}
        for (property_id, day), rows in sorted(self._rows.items()):
            of_product = property_id in self._products
            entry = told.setdefault(property_id, {"sort": "product" if of_product else "site", "days": {}})
            reports: dict[str, list[list[str | int]]] = {}
            for (report, *values), sums in sorted(rows.items()):
                reports.setdefault(report, []).append([*values, *sums])
            visitors = len(self._callers.get((property_id, day), ()))
            entry["days"][_date(day).isoformat()] = {"visitors": visitors, "reports": reports}
        for product in self._products:
            told[product] |= {"active": {"day": {}, "week": {}, "month": {}, "new": {}}, "retention": {}}
        for (product, period, begins), who in sorted(self._met.items()):
            told[product]["active"][period][begins] = len(who)
        for (product, begins), ages in sorted(self._aged.items()):
            told[product]["retention"][begins] = {age: len(who) for age, who in ages.items()}
        return told

    def _meet(self, product: str, day: int, check: Happening) -> None:
        today, who = _date(day), check.who
        monday = (today - timedelta(days=today.weekday())).isoformat()
        self._products.add(product)
        self._met[product, "day", today.isoformat()].add(who)
        self._met[product, "week", monday].add(who)
        self._met[product, "month", today.replace(day=1).isoformat()].add(who)
        if "ever" in check.event["first"]:
            self._met[product, "new", today.isoformat()].add(who)
        self._aged[product, monday][check.event["age"]].add(who)


def _add(rows: Rows, report: str, *values: str, events: int = 1, amount: int = 0) -> None:
    key = (report, *values)
    sums = rows.get(key)
    if sums is None:
        rows[key] = [events, amount]
    else:
        sums[0] += events
        sums[1] += amount


def _page_hit(rows: Rows, sent: Request, one: Happening) -> None:
    person = sent.person
    is_entry = one.source != ""
    _add(rows, "traffic", amount=int(is_entry))
    _add(rows, "pages", one.path)
    _add(rows, "countries", person.country)
    _add(rows, "platforms", person.os, person.device)
    _add(rows, "browsers", person.browser)
    _add(rows, "languages", person.language)
    if is_entry:
        _add(rows, "entry_pages", one.path)
        _add(rows, "sources", one.source)
    if "utm_source" in one.event:
        _add(rows, "campaigns", *(one.event[name] for name in CAMPAIGN))


def _page_leave(rows: Rows, sent: Request, one: Happening) -> None:
    event = one.event
    _add(rows, "page_time", one.path, amount=event["seconds"])
    if "scroll" in event:
        _add(rows, "page_scroll", one.path, amount=event["scroll"])
    if event["entry"]:
        _add(rows, "bounces", one.path, amount=int(event["exit"]))
    if event["exit"]:
        _add(rows, "exit_pages", one.path)


def _download(rows: Rows, sent: Request, one: Happening) -> None:
    event = one.event
    _add(rows, "downloads", event["version"], event["file"], event.get("origin", UNKNOWN))
    _add(rows, "downloads_by_country", sent.person.country)


def _install(rows: Rows, sent: Request, one: Happening) -> None:
    event = one.event
    _add(rows, "install_outcomes", event["outcome"], event["version"])
    if event["outcome"] == "ok":
        _add(rows, "installs", event["version"], event["channel"], event["os"])
        _add(rows, "installs_by_country", sent.person.country)


def _uninstall(rows: Rows, sent: Request, one: Happening) -> None:
    event = one.event
    _add(rows, "uninstalls", event["version"], event["os"], event["age"])
    _add(rows, "uninstall_reasons", event.get("reason", UNKNOWN), event["version"])


def _update_check(rows: Rows, sent: Request, one: Happening) -> None:
    event = one.event
    _add(rows, "update_checks", event["version"], event["channel"])
    first = "".join(LETTERS[period] for period in event["first"])
    if first:
        _add(rows, "active", first)
        _add(rows, "active_by_version", first, event["version"])
        _add(rows, "active_by_platform", first, event["os"], event["arch"])
        _add(rows, "active_by_country", first, sent.person.country)
    if "week" in event["first"]:
        _add(rows, "retention", event["age"])


def _recommendation(rows: Rows, sent: Request, one: Happening) -> None:
    event = one.event
    for action in ("shown", "clicked", "dismissed"):
        if event[action]:
            _add(rows, "recommendations", event["slot"], event["item"], action, amount=event[action])


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * DAY_S, UTC).date()
