"""`collector prove` finds nothing in the collector, and finds each of twelve leaks that were sown into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from collector.tools.prove.forms import ADDRESS, KEY, Canaries
from collector.tools.prove.report import in_full, in_short
from collector.tools.prove.run import Plan, Proof, prove
from collector.tools.prove.scan import Scan
from collector.tools.prove.watched import status_of
from tests.leaks import LEAKS, command
from tests.stack import ROOT

QUICK = 240  # every odd request at least once


def proof(folder: Path, plan: Plan) -> Proof:
    """What is found; every search also finds what is planted for it."""
    found = prove(plan, folder, lambda doing, sent: None)
    assert found.failed_controls == []
    return found


def test_nothing_is_found_outside_memory(tmp_path: Path) -> None:
    found = proof(tmp_path, Plan(requests=QUICK, quick=True, memory=False))
    assert found.leaks == {}
    assert {200, 204, 400, 404, 405, 413, 415} <= found.answers.keys()
    assert "Clean: nothing was found." in in_short(found)


@pytest.mark.slow
def test_nothing_is_found_anywhere_under_strict_memory(tmp_path: Path) -> None:
    found = proof(tmp_path, Plan(requests=QUICK, quick=True, strict=True))
    assert found.leaks == found.remnants == {}
    assert "**Clean: nothing anywhere, memory included.**" in in_full(found)


def test_a_leak_and_a_search_that_finds_nothing_planted_are_told_by_the_exit_status() -> None:
    found = Proof(Plan(requests=QUICK))
    assert status_of(found) == 0
    found.scans.append(Scan("memory", "memory"))
    found.scans[-1].search("worker 1: [heap]", ADDRESS.encode(), Canaries())
    assert status_of(found) == 0
    assert found.remnants
    found.scans.append(Scan("log", "files"))
    found.scans[-1].search("collector.log", ADDRESS.encode(), Canaries())
    assert status_of(found) == 1
    assert f"LEAK  {ADDRESS} as text in log: collector.log" in in_short(found)
    found.failed_controls.append("files")
    assert status_of(found) == 2
    assert "NOTHING IS PROVEN" in in_short(found)


def test_a_key_in_memory_is_a_leak_in_every_mode() -> None:
    found = Proof(Plan(requests=QUICK), scans=[Scan("memory", "memory")])
    key = bytes(range(32))
    found.scans[0].search("worker 1: [heap]", key, Canaries(keys=[key]))
    assert {hit.what for hit in found.leaks} == {KEY}


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    words = [sys.executable, "-m", "collector", "prove", "--keep", str(tmp_path)]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert said.stderr == f"Error: {tmp_path} is not empty\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# --- twelve leaks -----------------------------------------------------------------------------------------------------
# Each collector has several, of which each leaves something that no other one of them leaves.

SOWN: tuple[dict[str, set[tuple[str, str]]], ...] = (
    {
        "access_log": {("log", "agent")},
        "address_column": {("tables, decoded", ADDRESS), ("tables, decoded", "column address")},
        "metric_label": {("metrics", "agent")},
        "filter_dump": {("data, at the end", KEY)},
    },
    {
        "packed_little_endian": {("data, while it runs", ADDRESS)},
        "compressed_log": {("data, while it runs", "agent")},
        "key_in_environment": {("environment and arguments", KEY)},
    },
    {
        "repr_of_a_caller": {("log", ADDRESS), ("log", "agent")},
        "address_in_the_spool": {("spool, while events wait", ADDRESS)},
        "query_in_a_log": {("log", "query"), ("log", "path")},
    },
    {
        "traceback_locals": {("log", ADDRESS), ("log", "agent"), ("log", "header")},
        "sketch_column": {("tables, decoded", ADDRESS), ("tables, decoded", "column callers")},
    },
)


def test_every_leak_there_is_is_sown_once_and_beside_none_that_looks_like_it() -> None:
    assert sorted(name for together in SOWN for name in together) == sorted(LEAKS)
    for together in SOWN:
        assert len(set().union(*together.values())) == sum(map(len, together.values()))


@pytest.mark.parametrize("sown", SOWN, ids=" ".join)
def test_what_leaks_is_found(tmp_path: Path, sown: dict[str, set[tuple[str, str]]]) -> None:
    found = proof(tmp_path, Plan(requests=QUICK, quick=True, memory=False, command=command(*sown))).leaks
    places = {(hit.place.partition(":")[0], hit.what) for hit in found}
    assert {leak: searched - places for leak, searched in sown.items() if not searched <= places} == {}
    if "packed_little_endian" in sown:  # in the machine's own byte order
        assert {hit.how for hit in found if hit.what == ADDRESS} == {"packed, little endian"}


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_ten_thousand_requests_with_kills_leave_nothing(tmp_path: Path, strict: bool) -> None:  # noqa: FBT001 - a row
    found = proof(tmp_path, Plan(requests=10_000, strict=strict))
    assert found.leaks == {}
    assert bool(found.remnants) is not strict  # without it there are some: the search looks where freed memory is
    assert found.counted["quarantined"] > 0
    assert found.counted["duplicate"] > 0
    assert found.answers.total() >= 10_000
