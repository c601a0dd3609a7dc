"""`collector prove` finds nothing in the collector, and finds each of twelve leaks that were sown into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.tools.prove.forms import ADDRESS, KEY
from collector.tools.prove.report import in_full, in_short
from collector.tools.prove.run import Plan, Proof, prove
from tests.leaks import command

QUICK = 200


def proof(folder: Path, plan: Plan) -> Proof:
    """What is found; every search also finds what is planted for it."""
    found = prove(plan, folder, lambda doing, sent: None)
    assert found.failed_controls == []
    return found


def leaking(folder: Path, leak: str) -> Proof:
    """What is found of the collector with this leak, outside memory."""
    return proof(folder, Plan(requests=QUICK, quick=True, memory=False, command=command(leak)))


def leaks(folder: Path, leak: str) -> set[tuple[str, str]]:
    """The kinds of places of what is found of the collector with this leak, and what it is."""
    return {(hit.place.partition(":")[0], hit.what) for hit in leaking(folder, leak).leaks}


def test_nothing_is_found_outside_memory(tmp_path: Path) -> None:
    found = proof(tmp_path, Plan(requests=QUICK, quick=True, memory=False))
    assert found.leaks == {}
    assert {200, 204, 400, 404, 405, 413, 415} <= found.answers.keys()
    assert "Clean: nothing was found." in in_short(found)


def test_nothing_is_found_anywhere_under_strict_memory(tmp_path: Path) -> None:
    found = proof(tmp_path, Plan(requests=QUICK, quick=True, strict=True))
    assert found.leaks == found.remnants == {}
    assert "**Clean: nothing anywhere, memory included.**" in in_full(found)


# --- twelve leaks -----------------------------------------------------------------------------------------------------


def test_an_access_log_is_found(tmp_path: Path) -> None:
    assert {("log", ADDRESS), ("log", "agent")} & leaks(tmp_path, "access_log")


def test_a_column_of_addresses_is_found(tmp_path: Path) -> None:
    assert {("tables, decoded", ADDRESS), ("tables, decoded", "column address")} <= leaks(tmp_path, "address_column")


def test_a_printed_caller_is_found(tmp_path: Path) -> None:
    assert {("log", ADDRESS), ("log", "agent")} <= leaks(tmp_path, "repr_of_a_caller")


def test_an_address_in_the_spool_is_found(tmp_path: Path) -> None:
    assert ("spool, while events wait", ADDRESS) in leaks(tmp_path, "address_in_the_spool")


def test_a_sketch_of_callers_is_found_by_its_content_and_by_its_type(tmp_path: Path) -> None:
    assert {("tables, decoded", ADDRESS), ("tables, decoded", "column callers")} <= leaks(tmp_path, "sketch_column")


def test_packed_addresses_are_found_in_the_machines_own_byte_order(tmp_path: Path) -> None:
    found = leaking(tmp_path, "packed_little_endian").leaks
    assert {"packed, little endian"} == {hit.how for hit in found if hit.what == ADDRESS}


def test_a_packed_log_is_found(tmp_path: Path) -> None:
    assert ("data, while it runs", "agent") in leaks(tmp_path, "compressed_log")


def test_a_metrics_label_is_found(tmp_path: Path) -> None:
    assert ("metrics", "agent") in leaks(tmp_path, "metric_label")


def test_a_key_in_the_environment_is_found(tmp_path: Path) -> None:
    assert ("environment and arguments", KEY) in leaks(tmp_path, "key_in_environment")


def test_logged_locals_are_found(tmp_path: Path) -> None:
    assert {("log", ADDRESS), ("log", "agent"), ("log", "header")} <= leaks(tmp_path, "traceback_locals")


def test_a_saved_filter_is_found_by_its_key(tmp_path: Path) -> None:
    assert ("data, at the end", KEY) in leaks(tmp_path, "filter_dump")


def test_a_logged_query_is_found(tmp_path: Path) -> None:
    assert {("log", "query"), ("log", "path")} <= leaks(tmp_path, "query_in_a_log")


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_ten_thousand_requests_with_kills_leave_nothing(tmp_path: Path, strict: bool) -> None:  # noqa: FBT001 - a row
    found = proof(tmp_path, Plan(requests=10_000, strict=strict))
    assert found.leaks == {}
    assert bool(found.remnants) is not strict  # without it there are some: the search looks where freed memory is
    assert found.counted["quarantined"] > 0
    assert found.counted["duplicate"] > 0
    assert found.answers.total() >= 10_000
