"""Of a day that is not sealed, polling must not tell single callers apart, and a restart must not, either."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.cell import Counters
from collector.day_part import PartKey
from collector.errors import Unavailable
from collector.stats.answer import Answer
from collector.stats.shown_file import DAY_S
from tests.memory_reading import PLAYER, SITE, seconds
from tests.stats_desk import NOON, TODAY, Desk, says

TOMORROW = "2026-11-23"


@pytest.fixture
def live() -> Desk:
    desk = Desk(live_fold_s=3_600)
    desk.put("countries", TODAY, "de", events=20)
    return desk


def countries(desk: Desk) -> Answer:
    return desk.ask("countries", by="country")


def test_polling_tells_no_single_event_of_callers(live: Desk) -> None:
    before = countries(live)
    assert before.as_of == "2026-11-22T12:00:00Z"
    assert says(before, "as of 2026-11-22T12:00:00Z")
    live.clock.at += 10
    live.put("countries", TODAY, "de", events=1)
    assert (countries(live).rows, countries(live).totals) == (before.rows, before.totals)
    assert live.ask("countries").rows == ((20, None),)


def test_a_live_fold_needs_both_the_time_and_the_networks(live: Desk) -> None:
    countries(live)
    live.put("countries", TODAY, "de", events=9)
    live.clock.at += 3_600
    assert countries(live).totals["events"] == 20  # an hour, nine networks
    live.put("countries", TODAY, "de", events=1)
    renewed = countries(live)
    assert (renewed.totals["events"], renewed.as_of) == (30, "2026-11-22T13:00:00Z")
    live.put("countries", TODAY, "de", events=100)
    live.clock.at += 3_599
    assert countries(live).totals["events"] == 30  # a hundred networks, no hour
    live.clock.at += 1
    assert countries(live).totals["events"] == 130


def test_a_fold_that_names_nothing_waits_for_the_networks_but_not_for_the_hour() -> None:
    desk = Desk(live_fold_s=3_600)
    desk.put("countries", TODAY, "de", events=4)
    assert countries(desk).rows == (("(other)", 4, None),)
    desk.clock.at += 10
    desk.put("countries", TODAY, "de", events=9)
    assert countries(desk).rows == (("(other)", 4, None),)  # thirteen networks, but not ten more: it tells of nobody
    desk.put("countries", TODAY, "de", events=1)
    assert countries(desk).rows == (("de", 14, 14),)
    desk.clock.at += 10
    desk.put("countries", TODAY, "de", events=100)
    assert countries(desk).totals["events"] == 14  # named: from now on the hour counts, too


def test_networks_met_again_after_a_restart_are_not_taken_for_new_ones(live: Desk) -> None:
    countries(live)
    live.clock.at += 3_600
    live.put("countries", TODAY, "de", events=20, epoch=2)
    assert countries(live).totals["events"] == 20


def test_the_networks_may_be_gained_in_any_report_of_the_property(live: Desk) -> None:
    countries(live)
    live.clock.at += 3_600
    live.put("countries", TODAY, "de", events=1)
    live.put("traffic", f"{TODAY}T12:00:00", events=30)
    assert countries(live).totals["events"] == 21


def test_reports_of_ours_and_totals_without_dimension_are_always_as_of_now(live: Desk) -> None:
    for seen in (10, 11, 12):
        live.put("pages", TODAY, "/", events=10 if seen == 10 else 1)
        live.put("traffic", f"{TODAY}T10:00:00", events=10 if seen == 10 else 1)
        assert live.ask("pages", by="path").rows == (("/", seen, seen),)
        assert live.ask("traffic").rows == ((seen, seen, 0),)
        assert live.ask("traffic").as_of is None


def test_by_ours_in_a_report_with_theirs_is_of_the_same_fold(live: Desk) -> None:
    live.put("installs", TODAY, "1.0", "stable", "windows", events=20, property_id=PLAYER)
    asked = {"property": PLAYER, "by": "version"}
    assert live.ask("installs", **asked).rows == (("1.0", 20),)
    live.put("installs", TODAY, "1.0", "stable", "windows", events=1, property_id=PLAYER)
    answer = live.ask("installs", **asked)
    assert (answer.rows, answer.totals) == ((("1.0", 20),), {"events": 20})


def test_a_standing_fold_costs_no_look_at_the_cells(live: Desk) -> None:
    countries(live)
    looks = live.reading.looks
    countries(live)
    live.ask("countries", interval="day")
    assert live.reading.looks == looks


def test_each_node_renews_its_own_part_and_the_oldest_is_told(live: Desk) -> None:
    countries(live)
    live.clock.at += 60
    live.put("countries", TODAY, "de", events=5, node=2)
    answer = countries(live)
    assert (answer.totals["events"], answer.as_of) == (25, "2026-11-22T12:00:00Z")


def test_what_joins_a_crowd_that_is_shown_waits_for_a_crowd_of_its_own(live: Desk) -> None:
    countries(live)
    live.clock.at += 3_600
    live.put("countries", TODAY, "de", events=9)
    live.put("countries", TODAY, "fr", events=1)
    grown = countries(live)
    assert grown.rows == (("de", 20, 20), ("(other)", 10, None))
    assert says(grown, "(other)", "since")


def test_a_restart_shows_no_more_than_polling_does(live: Desk) -> None:
    before = countries(live)
    live.put("countries", TODAY, "de", events=9)
    live.clock.at += 3_600
    live.restart()
    assert countries(live) == before
    live.put("countries", TODAY, "de", events=21)
    grown = countries(live)
    assert grown.rows == (("de", 50, 50),)
    live.restart()
    assert countries(live) == grown


def test_what_is_shown_is_on_disk_before_it_is_answered_and_for_its_owner_only(live: Desk) -> None:
    countries(live)
    with sqlite3.connect(f"file:{copied(live.path)}?mode=ro", uri=True) as db:
        assert db.execute("SELECT report, property, node FROM shown").fetchall() == [("countries", SITE, f"{1:016x}")]
    assert {file.stat().st_mode & 0o777 for file in live.path.parent.glob("shown.sqlite*")} == {0o600}


def copied(path: Path) -> Path:
    """What a power cut now would leave: the file and its WAL as they are."""
    folder = path.parent / "copy"
    folder.mkdir()
    for file in path.parent.glob("shown.sqlite*"):
        shutil.copy(file, folder)
    return folder / path.name


def test_after_damage_days_of_before_tell_nothing_of_callers_and_later_ones_do(live: Desk) -> None:
    live.put("installs", TODAY, "1.0", "stable", "windows", events=20, property_id=PLAYER)
    countries(live)
    live.close()
    live.path.write_bytes(b"not a database" * 1_000)
    with capture_logs() as logs:
        for _ in range(2):
            live.restart()
            assert countries(live).rows == (("(other)", 20, None),)
            installs = live.ask("installs", property=PLAYER, by="version,os")
            assert installs.rows == (("1.0", "(other)", 20),)
    assert [line["log_level"] for line in logs] == ["critical"]
    assert live.path.with_name("shown.sqlite.damaged").exists()
    live.put("countries", TOMORROW, "de", events=20)
    live.clock.at += DAY_S
    assert countries(live).rows == (("de", 20, 20),)
    assert live.ask("countries", by="country", to=TODAY).rows == (("(other)", 20, None),)


def test_damage_at_any_place_is_found_or_does_not_matter(live: Desk) -> None:
    shown = countries(live)
    live.put("countries", TODAY, "de", events=1)
    live.close()
    whole = live.path.read_bytes()
    dice = random.Random(1)
    for _ in range(300):
        at = dice.randrange(len(whole))
        live.path.write_bytes(whole[:at] + bytes([whole[at] ^ dice.randrange(1, 256)]) + whole[at + 1 :])
        live.restart()
        assert countries(live).rows in (shown.rows, (("(other)", 21, None),))
        live.close()
        for file in live.path.parent.glob("shown.sqlite*"):
            file.unlink()


def test_a_full_disk_answers_what_was_shown_before_and_nothing_that_is_not_kept(live: Desk) -> None:
    before = countries(live)
    live.put("platforms", TODAY, "linux", "desktop", events=20)
    live.put("countries", TODAY, "de", events=20)
    live.clock.at += 3_600
    live.restart()
    with file_size_limit(1):
        assert countries(live) == before
        with pytest.raises(Unavailable):
            live.ask("platforms")
    assert countries(live).rows == (("de", 40, 40),)
    assert live.ask("platforms", by="os").rows == (("linux", 20, None),)


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """No file grows beyond so many bytes: SQLite sees a disk that fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_day_is_sealed_with_what_was_shown_and_a_last_crowd_and_then_forgotten(live: Desk) -> None:
    countries(live)
    key = PartKey("countries", SITE, seconds(NOON) // DAY_S, 1)
    report = live.reading.declarations.reports["countries"]

    def sealed(networks: int) -> dict[str, int]:
        entries = [(("de",), 1, Counters(events=networks, networks=networks, firsts=networks))]
        return {row.values[0]: row.events for row in live.open_days.finish(key, report, entries, 10, networks)}

    assert sealed(29) == {"de": 20, "(other)": 9}
    assert sealed(30) == {"de": 30}
    live.open_days.forget(1, key.day)
    assert sealed(29) == {"de": 29}


def test_one_thread_may_seal_while_another_asks(live: Desk) -> None:
    report = live.reading.declarations.reports["countries"]
    entries = [(("de",), 1, Counters(events=20, networks=20, firsts=20))]
    node = 2**64 - 1

    def seal() -> None:
        for day in range(200):
            assert live.open_days.finish(PartKey("countries", SITE, day, node), report, entries, 10, 20)
            live.open_days.forget(node, day)

    with ThreadPoolExecutor(1) as sealing:
        done = sealing.submit(seal)
        for day in range(200):
            live.open_days.grown(PartKey("countries", SITE, day, node), report, entries, 0, 20)
        done.result()


def test_at_zero_seconds_every_answer_is_folded_anew() -> None:
    desk = Desk(live_fold_s=0)
    for seen in (20, 21):
        desk.put("countries", TODAY, "de", events=20 if seen == 20 else 1)
        assert countries(desk).totals["events"] == seen
    assert countries(desk).as_of == "2026-11-22T12:00:00Z"
