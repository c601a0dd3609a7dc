"""What analysts read is what was sent: recorded hits go in through HTTP, another count of the file checks the answers.

The file is the one HITS names, or ../shared/data/page_hits.tsv beside the repository; a small one made here goes the
same way. A row of theirs may leave people out by the fold, never get a number wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from collector.tools.replay import run
from tests.independent_count import (
    OTHER,
    Expected,
    Hit,
    count,
    count_by,
    fallen_into,
    networks,
    read_rows,
    visitors,
)
from tests.made_hits import write_hits
from tests.stack import ROOT, Stack, eventually

K = 10
RECORDED = Path(os.environ.get("HITS") or ROOT.parent / "shared" / "data" / "page_hits.tsv")
COUNTRIES = ROOT / "collector" / "_web" / "geo" / "country.mmdb"
SITE = "www.example.org"
# The recorded site's own names are still in its referrers: with them declared, half of the hits are no entries.
HOSTS = {SITE, "semicomplete.com", "www.semicomplete.com"}
CONFIG = f"""
trusted_proxies = ["127.0.0.0/8"]
live_fold_s = 0

[[site]]
id = "{SITE}"
hosts = {sorted(HOSTS)}
routes = ["/**"]
"""
THEIRS = {
    "sources": ["source"],
    "countries": ["country"],
    "platforms": ["os", "device"],
    "browsers": ["browser"],
    "languages": ["language"],
    "campaigns": ["utm_source", "utm_medium", "utm_campaign"],
}

Rows = dict[tuple[str, ...], tuple[int, int | None]]


class Replayed(NamedTuple):
    """A collector that all hits of a file were sent to on one day, and what must be in it."""

    stack: Stack
    day: date
    expected: Expected

    def ask(self, report: str, **parameters: str | int) -> dict[str, Any]:
        day = str(self.day)
        return self.stack.ask(report, property=SITE, from_=day, to=day, limit=10_000, **parameters)

    def rows(self, report: str, by: list[str]) -> Rows:
        """Events and visitors of every row."""
        answer = self.ask(report, by=",".join(by))
        assert answer["columns"] == [*by, "events", "visitors"]
        return {tuple(row[: len(by)]): (row[len(by)], row[len(by) + 1]) for row in answer["rows"]}

    def counted(self, report: str) -> list[Hit]:
        """The hits that enter a report."""
        return [hit for hit in self.expected.hits if _enters(hit, report)]


@pytest.fixture(scope="session", params=["recorded", "made"])
def replayed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """One replay for all promises, within one UTC day: begun again if midnight came in between."""
    folder = tmp_path_factory.mktemp(request.param)
    file = RECORDED
    if request.param == "made":
        file = folder / "hits.tsv"
        write_hits(file)
    elif not file.is_file():
        pytest.skip(f"needs the recorded page hits at {file} (HITS names another place)")
    expected = count(read_rows(file), SITE, HOSTS, COUNTRIES if COUNTRIES.is_file() else None)
    result = _replay(folder / "first", file, expected) or _replay(folder / "again", file, expected)
    assert result is not None
    yield result
    try:
        result.stack.stop()
    finally:
        result.stack.sweep()


def _replay(folder: Path, file: Path, expected: Expected) -> Replayed | None:
    """Send everything to a new collector and wait until it is loaded; None if the day ended meanwhile."""
    folder.mkdir()
    stack = Stack(folder, config=CONFIG, workers=2)
    try:
        day = datetime.now(UTC).date()
        assert run(file, f"http://{stack.public}", None, 8) == 0
        is_one_day = datetime.now(UTC).date() == day
        stack.wait_loaded(len(expected.hits))
    except BaseException:
        stack.sweep()
        raise
    if is_one_day:
        return Replayed(stack, day, expected)
    stack.sweep()
    return None


def test_every_hit_sent_was_accepted_refused_or_left_out_for_a_reason(replayed: Replayed) -> None:
    stack, expected = replayed.stack, replayed.expected
    eventually(lambda: stack.counted("events_received") >= expected.sent, "every hit received")
    counted = {name: stack.counted(f"events_{name}") for name in ("received", "accepted", "refused", "not_counted")}
    assert expected.sent == counted["received"] == counted["accepted"] + counted["refused"] + counted["not_counted"]
    assert counted["accepted"] == len(expected.hits)
    assert counted["refused"] == expected.refused
    assert stack.metrics()['collector_events_not_counted_total{reason="bot"}'] == expected.bots


def test_totals_are_exact_whatever_is_folded(replayed: Replayed) -> None:
    hits = replayed.expected.hits
    totals = replayed.ask("traffic")["totals"]
    assert totals["events"] == len(hits)
    assert totals["amount"] == sum(hit.entry for hit in hits)
    assert _is_close(totals["visitors"], visitors(hits))
    for report in ("pages", "entry_pages", *THEIRS):
        assert replayed.ask(report)["totals"]["events"] == len(replayed.counted(report)), report


@pytest.mark.parametrize("report", ["pages", "entry_pages"])
def test_hits_on_every_page_are_exact(replayed: Replayed, report: str) -> None:
    rows = replayed.rows(report, ["path"])
    assert {path: events for path, (events, _) in rows.items()} == count_by(replayed.counted(report), ["path"])


@pytest.mark.parametrize("report", ["pages", "entry_pages"])
def test_visitors_of_every_page_are_exact_or_nearly_so(replayed: Replayed, report: str) -> None:
    rows = replayed.rows(report, ["path"])
    by_path = fallen_into(set(rows), replayed.counted(report), ["path"])
    wrong = {
        path: (said, visitors(by_path[path]))
        for path, (_, said) in rows.items()
        if said is None or not _is_close(said, visitors(by_path[path]))
    }
    assert not wrong


@pytest.mark.parametrize("report", THEIRS)
def test_named_rows_of_theirs_are_exact_and_the_rest_is_other(replayed: Replayed, report: str) -> None:
    rows = replayed.rows(report, THEIRS[report])
    fallen = fallen_into(set(rows), replayed.counted(report), THEIRS[report])
    assert {row: events for row, (events, _) in rows.items()} == {row: len(hits) for row, hits in fallen.items()}
    for row, (_, said) in rows.items():
        if OTHER in row:
            assert said is None
        else:
            assert said is not None
            assert _is_close(said, visitors(fallen[row])), row


@pytest.mark.parametrize("report", THEIRS)
def test_no_row_of_theirs_stands_for_fewer_than_ten_networks(replayed: Replayed, report: str) -> None:
    """Nor does what remains beside a named row: the difference to a known total would name it."""
    rows = replayed.rows(report, THEIRS[report])
    fallen = fallen_into(set(rows), replayed.counted(report), THEIRS[report])
    told_of_caller = {row for row in rows if set(row) != {OTHER}}
    judged = set(rows) if told_of_caller else set()
    assert {row: networks(fallen[row]) for row in judged if networks(fallen[row]) < K} == {}


@pytest.mark.parametrize("report", THEIRS)
def test_what_many_networks_stand_for_is_named(replayed: Replayed, report: str) -> None:
    """Twice the threshold is named, but for one that the rest may have needed to become a crowd itself."""
    rows = {row[0] for row in replayed.rows(report, THEIRS[report])}
    by_value = fallen_into(set(), replayed.counted(report), THEIRS[report][:1])
    crowds = {value for (value,), hits in by_value.items() if value != OTHER and networks(hits) >= 2 * K}
    assert len(crowds - rows) <= 1


@pytest.mark.parametrize("replayed", ["made"], indirect=True)
def test_ten_networks_are_named_and_nine_are_not(replayed: Replayed) -> None:
    rows = replayed.rows("sources", ["source"])
    assert rows["ten-networks.net",] == (30, 20)
    assert ("nine-networks.net",) not in rows


def _enters(hit: Hit, report: str) -> bool:
    if report in ("sources", "entry_pages"):
        return hit.entry
    if report == "campaigns":
        return any(value != "(unknown)" for value in hit.values(THEIRS["campaigns"]))
    return True


def _is_close(said: int, true: int) -> bool:
    return said == true if true < 200 else abs(said - true) <= 0.005 * true
