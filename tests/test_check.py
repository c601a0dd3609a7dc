"""What `collector check` refuses: each rule broken in a copy of schemas/."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.catalogue.declarations import read_declarations, schemas_folder
from collector.catalogue.lint import LOCK, READ_AT_THE_DOOR, REDUCED_TO, check_declarations, is_bounded, write_lock
from collector.errors import Misconfigured

REPORTS = "reports.toml"
BUCKETS = "buckets.toml"


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """A copy of the declarations that a test may break."""
    return Path(shutil.copytree(schemas_folder(), tmp_path / "schemas"))


def problems(folder: Path) -> list[str]:
    """What is wrong with the declarations in `folder`, whether it is found while reading or afterwards."""
    try:
        return check_declarations(read_declarations(folder), folder)
    except Misconfigured as error:
        return [str(error)]


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) >= 1
    file.write_text(text.replace(old, new, 1), "utf-8")


def edit(schemas: Path, kind: str, change: Callable[[dict[str, Any]], object]) -> None:
    file = schemas / "events" / f"{kind}.json"
    schema = json.loads(file.read_text("utf-8"))
    change(schema)
    file.write_text(json.dumps(schema), "utf-8")


def test_the_declarations_have_no_problem() -> None:
    assert problems(schemas_folder()) == []


BROKEN_REPORTS = [
    (REPORTS, 'by = ["slot", "item", "action"]', 'by = ["slot", "item", "version", "action"]', "at most 3 different"),
    (REPORTS, 'by = ["source"]\ngrain = "day"', 'by = ["source"]\ngrain = "hour"', "hour grain"),
    (REPORTS, 'question = "Where do visits come from?"\n', "", "sources: has no question"),
    (REPORTS, 'by = ["source"]', 'by = ["country"]', "sources and countries count one kind by country"),
    (REPORTS, 'by = ["version", "os", "age"]', 'by = ["version", "os", "arch"]', "arch is wanted of uninstall"),
    (REPORTS, 'by = ["goal"]', 'by = ["path"]', "path is wanted of goal"),
    (REPORTS, 'kind = "goal"', 'kind = "wish"', "goals: counts an undeclared kind: wish"),
    (REPORTS, 'of = "seconds"', 'of = "minutes"', "minutes is wanted of page_leave"),
    (REPORTS, 'each = "shown,clicked,dismissed as action"', 'each = "shown,clicked as action"', "fields of each"),
    (REPORTS, "threshold = 10", "threshold = 4", "at least 5"),
    (REPORTS, 'by = ["version", "channel"]', 'by = ["channel", "version"]', "its dimensions were version, channel"),
    (REPORTS, "[report.goals]", "[report.aims]", "aims: is not locked yet"),
    (REPORTS, 'by = ["language"]', "by = []", "language: no report uses it"),
    (REPORTS, 'by = ["language"]', 'by = ["mood"]', "mood is not in buckets.toml"),
    (BUCKETS, "cap = 5000", "cap = 0", "cap must be a whole number"),
    (BUCKETS, "cap = 5000", "", "cap must be a whole number"),
    (BUCKETS, '"aarch64", ', "", "arch: its values are not those of buckets.toml"),
    (BUCKETS, '"dwme"]', '"dwme", "dwe"]', "first: its values are not those of buckets.toml"),
    (BUCKETS, "'^[a-z0-9._-]{1,40}$'", "'^[a-z0-9._-]{1,50}$'", "utm_source: its pattern is not that of buckets.toml"),
    (BUCKETS, 'registered = "features"', 'registered = "items"', "feature: it is not registered where"),
    (BUCKETS, 'values = ["ok", ', 'values = ["good", ', "outcome: its values are not those"),
    (BUCKETS, 'class = "theirs"\ntells = "device class"', 'tells = "device class"', "needs class"),
]


@pytest.mark.parametrize(("file", "old", "new", "told"), BROKEN_REPORTS)
def test_a_broken_report_or_vocabulary_is_refused(
    schemas: Path, file: str, old: str, new: str, told: str | None
) -> None:
    replace(schemas / file, old, new)
    found = problems(schemas)
    if told is None:
        assert found == []
    else:
        assert any(told in problem for problem in found), found


def set_field(name: str, **keywords: Any) -> Callable[[dict[str, Any]], object]:
    return lambda schema: schema["properties"][name].update(keywords)


def without(name: str, *keywords: str) -> Callable[[dict[str, Any]], object]:
    return lambda schema: [schema["properties"][name].pop(keyword) for keyword in keywords]


def added(name: str, **keywords: Any) -> Callable[[dict[str, Any]], object]:
    return lambda schema: schema["properties"].update({name: keywords})


def top(**keywords: Any) -> Callable[[dict[str, Any]], object]:
    return lambda schema: schema.update(keywords)


BROKEN_KINDS: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("page_hit", without("referrer", "maxLength"), "referrer: an unbounded string"),
    ("page_hit", without("url", "maxLength"), "url: an unbounded string"),
    ("install", set_field("version", pattern="^[0-9.]+$"), "version: an unbounded string"),
    ("goal", without("goal", "maxLength"), "goal: an unbounded string"),
    ("page_leave", without("seconds", "maximum"), "seconds: a whole number without minimum and maximum"),
    ("update_check", without("first", "enum", "maxItems"), "first: an unbounded list"),
    ("goal", set_field("age_s", type="number"), "age_s: its type is none of integer"),
    ("update_check", set_field("first", items={"enum": ["day"]}), "first: its type is none of integer"),
    ("goal", set_field("goal", format="email"), "goal: format is not used here"),
    ("goal", added("mood", type="boolean", description="How it felt."), "mood: no report or reduction reads it"),
    ("goal", added("url", type="string", maxLength=9, description="Where."), "url: no report or reduction reads it"),
    ("goal", without("goal", "description"), "goal: has no description"),
    ("goal", top(additionalProperties=True), "goal.json: is not closed"),
    ("goal", top(title=""), "goal.json: has no title"),
    ("goal", top(examples=[{"kind": "goal"}]), "goal.json: has no example, or one that is not valid"),
    ("goal", top(required=["kind", "site", "aim"]), "aim: is required but not declared"),
    ("goal", top(anyOf=[{}]), "anyOf is not used here"),
    ("goal", top(allOf=[{"required": ["id"]}]), "every member of allOf has x-code"),
    ("goal", set_field("kind", const="page_hit"), "kind: its const is the name of the file"),
    ("goal", set_field("goal", **{"x-registered": "links"}), "goal: it is not registered where buckets.toml says"),
    ("install", set_field("os", enum=["windows", "macos"]), "os: its values are not those of buckets.toml"),
    ("uninstall", set_field("age", enum=["0", "1"]), "age: its values are not those of buckets.toml"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "told"), BROKEN_KINDS)
def test_a_broken_event_schema_is_refused(
    schemas: Path, kind: str, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    edit(schemas, kind, change)
    found = problems(schemas)
    assert any(told in problem for problem in found), found


def test_more_reports_of_a_kind_than_its_marks_hold_are_refused(schemas: Path) -> None:
    more = "".join(
        f'[report.more_{number}]\nquestion = "?"\nby = ["path"]\ngrain = "day"\n'
        'counts = [{ kind = "page_hit", add = "events" }]\n'
        for number in range(13)
    )
    (schemas / REPORTS).write_text((schemas / REPORTS).read_text("utf-8") + more, "utf-8")
    with pytest.raises(Misconfigured, match="page_hit enters reports in 22 ways"):
        read_declarations(schemas)


def test_a_field_whose_report_is_gone_is_no_longer_accepted(schemas: Path) -> None:
    text = (schemas / REPORTS).read_text("utf-8")
    start, end = text.index("[report.page_scroll]"), text.index("[report.sources]")
    (schemas / REPORTS).write_text(text[:start] + text[end:], "utf-8")
    assert any("page_leave.json: scroll: no report or reduction reads it" in problem for problem in problems(schemas))


def test_every_field_that_no_report_names_is_listed_with_its_reader() -> None:
    declarations = read_declarations()
    dimensions_and_facts = {fact for layout in declarations.layouts.values() for fact in layout.facts}
    fields = {name for schema in declarations.kinds.values() for name in schema["properties"]}
    assert fields - dimensions_and_facts == READ_AT_THE_DOOR.keys() | REDUCED_TO.keys()


@pytest.mark.parametrize(
    ("pattern", "bounded"),
    [
        ("^[a-z]{1,40}$", True),
        ("^[*+]{1,3}$", True),
        (r"^[\]*]{2}$", True),
        (r"^\*\+$", True),
        ("^[0-9]{1,4}(-[a-z]{1,10})?$", True),
        ("", False),
        ("[a-z]{1,40}", False),
        ("^[a-z]{1,40}", False),
        ("^[a-z]*$", False),
        ("^[a-z]{3,}$", False),
        (r"^[\]*]+$", False),
        ("^a$|b", False),
    ],
)
def test_only_a_pattern_that_bounds_the_length_counts_as_bounded(pattern: str, bounded: bool) -> None:  # noqa: FBT001  # a table's column
    assert is_bounded(pattern) is bounded


def test_a_new_report_is_added_to_the_lock_and_nothing_else_changes(schemas: Path) -> None:
    before = (schemas / LOCK).read_text("utf-8")
    write_lock(read_declarations(schemas), schemas)
    assert (schemas / LOCK).read_text("utf-8") == before
    with (schemas / REPORTS).open("a", encoding="utf-8") as file:
        file.write('\n[report.wishes]\nquestion = "Which?"\nby = ["goal"]\ngrain = "day"\n')
        file.write('counts = [{ kind = "goal", add = "events" }]\n')
    assert problems(schemas) == [f"{LOCK}: wishes: is not locked yet: run collector check --lock"]
    write_lock(read_declarations(schemas), schemas)
    assert problems(schemas) == []
    assert tomllib.loads((schemas / LOCK).read_text("utf-8")) == tomllib.loads(before) | {"wishes": ["goal"]}


def test_a_changed_report_is_not_let_into_the_lock(schemas: Path) -> None:
    replace(schemas / REPORTS, 'by = ["version", "channel"]', 'by = ["channel"]')
    before = (schemas / LOCK).read_bytes()
    with pytest.raises(Misconfigured, match="update_checks"):
        write_lock(read_declarations(schemas), schemas)
    assert (schemas / LOCK).read_bytes() == before


def test_the_name_of_a_report_that_is_gone_stays_taken(schemas: Path) -> None:
    replace(schemas / REPORTS, "[report.update_checks]", "[report.checks]")
    write_lock(read_declarations(schemas), schemas)
    replace(schemas / REPORTS, "[report.exit_pages]", "[report.update_checks]")
    assert any("update_checks: its dimensions were version, channel" in problem for problem in problems(schemas))
