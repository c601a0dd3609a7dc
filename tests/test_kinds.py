"""What every kind accepts and refuses, and that a refusal is made of declarations only."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import collector
from collector.catalogue.declarations import Declarations, read_declarations
from collector.catalogue.kinds import Kinds
from collector.catalogue.registry import Registry, read_registry
from collector.errors import Code, Refused
from tests.example_events import BadEvent, bad_events, good_events

EXAMPLE = Path(collector.__file__).parent / "example.toml"
SIX_WAYS = {"unknown key", "wrong type", "out of bounds", "not declared", "bad pattern", "missing"}
ALL_KINDS = {
    *("page_hit", "page_leave", "goal", "link_click", "download"),
    *("install", "uninstall", "update_check", "recommendation", "feature_use"),
}
GOOD = good_events()
BAD = bad_events()
PERIODS = {"day", "week", "month", "ever"}

DECLARATIONS: Declarations = read_declarations()
REGISTRY: Registry = read_registry(tomllib.loads(EXAMPLE.read_text("utf-8")))
KINDS = Kinds(DECLARATIONS, REGISTRY)


def refusal(event: object) -> Refused:
    with pytest.raises(Refused) as caught:
        KINDS.parse(event)
    return caught.value


def changed(kind: str, **fields: Any) -> dict[str, Any]:
    return GOOD[kind] | fields


def test_the_declared_kinds_are_those_of_the_product() -> None:
    assert set(DECLARATIONS.kinds) == ALL_KINDS == set(GOOD)


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_good_event_is_handed_on_as_it_is(kind: str) -> None:
    event = GOOD[kind]
    before = dict(event)
    assert KINDS.parse(event) is event
    assert event == before


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_the_example_in_a_schema_is_accepted_under_the_example_configuration(kind: str) -> None:
    for event in DECLARATIONS.kinds[kind]["examples"]:
        assert KINDS.parse(event) is event


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_every_kind_has_a_bad_event_of_each_of_the_six_ways(kind: str) -> None:
    assert {bad.why for bad in BAD if bad.event.get("kind") == kind} >= SIX_WAYS


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_event_is_refused_with_code_and_field_and_without_what_was_sent(bad: BadEvent) -> None:
    refused = refusal(bad.event)
    assert (refused.code, refused.field) == (bad.code, bad.field)
    for text in set(bad.sent) - PERIODS - {""}:
        # A whole word or number: 0 is not shown by "from 1 to 1000".
        assert not re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w.-])", refused.rule)
        assert "canary" not in refused.rule.lower()
    # Nor does the exception carry it anywhere else.
    assert refused.args == (refused.code.value,)
    assert refused.__cause__ is None


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_field_that_is_named_in_a_refusal_is_a_declared_one(bad: BadEvent) -> None:
    refused = refusal(bad.event)
    assert refused.field is None or refused.field in DECLARATIONS.kinds[bad.event["kind"]]["properties"]


def nested(levels: int) -> dict[str, Any]:
    """An event that is so many levels deep."""
    inner: Any = 1
    for _ in range(levels - 1):
        inner = [inner]
    return changed("goal", canary=inner)


SHAPES: list[tuple[object, Code, str | None]] = [
    (None, Code.WRONG_TYPE, None),
    (True, Code.WRONG_TYPE, None),
    (1, Code.WRONG_TYPE, None),
    ("kind", Code.WRONG_TYPE, None),
    ([], Code.WRONG_TYPE, None),
    ([{}], Code.WRONG_TYPE, None),
    ({}, Code.MISSING, "kind"),
    ({"site": "www.example.org"}, Code.MISSING, "kind"),
    ({"kind": None}, Code.WRONG_TYPE, "kind"),
    ({"kind": ["goal"]}, Code.WRONG_TYPE, "kind"),
    ({"kind": {"goal": 1}}, Code.WRONG_TYPE, "kind"),
    ({"kind": "canary"}, Code.UNKNOWN_KIND, "kind"),
    ({"kind": "Goal"}, Code.UNKNOWN_KIND, "kind"),
    ({"kind": ""}, Code.UNKNOWN_KIND, "kind"),
    (GOOD["goal"] | {f"canary{number}": 1 for number in range(27)}, Code.UNKNOWN_KEY, None),
    (GOOD["goal"] | {f"canary{number}": 1 for number in range(28)}, Code.TOO_MANY, None),
    ({str(number): 1 for number in range(10_000)}, Code.TOO_MANY, None),
    (nested(8), Code.UNKNOWN_KEY, None),
    (nested(9), Code.TOO_DEEP, None),
    (nested(1_000), Code.TOO_DEEP, None),
    (nested(100_000), Code.TOO_DEEP, None),
    (changed("update_check", first=[[[[[[[["canary"]]]]]]]]), Code.TOO_DEEP, None),
]


@pytest.mark.parametrize(("event", "code", "field"), SHAPES, ids=range(len(SHAPES)))
def test_what_has_not_the_shape_of_an_event_is_refused(event: object, code: Code, field: str | None) -> None:
    refused = refusal(event)
    assert (refused.code, refused.field) == (code, field)
    assert "canary" not in refused.rule


@pytest.mark.parametrize(
    ("event", "code", "field"),
    [
        (changed("feature_use", count=0, canary=1), Code.UNKNOWN_KEY, None),
        ({"kind": "feature_use", "product": 1, "feature": "canary"}, Code.MISSING, "count"),
        (changed("feature_use", count=0, feature=1), Code.WRONG_TYPE, "feature"),
        (changed("feature_use", count=2.0, age_s=-1), Code.WRONG_TYPE, "count"),
        (changed("feature_use", count=0, id="canary"), Code.OUT_OF_BOUNDS, "count"),
        (changed("install", version="canary", os="canary"), Code.BAD_PATTERN, "version"),
        (changed("install", os="canary", product="canary"), Code.NOT_DECLARED, "os"),
        (changed("install", channel="canary", product="canary"), Code.UNKNOWN_PROPERTY, "product"),
        (changed("link_click", product="player", link="canary"), Code.INCONSISTENT, None),
    ],
)
def test_an_event_that_breaks_several_rules_always_gets_the_same_answer(
    event: dict[str, Any], code: Code, field: str
) -> None:
    for order in (event, dict(reversed(event.items()))):
        refused = refusal(order)
        assert (refused.code, refused.field) == (code, field)


@pytest.mark.parametrize("kind", ["download", "install", "uninstall", "update_check"])
@pytest.mark.parametrize("version", ["0.0", "9999.99999.99999.99999", "77.1-rc", "1.4.2-beta.999"])
def test_a_version_that_is_not_declared_is_accepted(kind: str, version: str) -> None:
    assert KINDS.parse(changed(kind, version=version))["version"] == version


@pytest.mark.parametrize(
    "first",
    [[], ["day"], ["day", "week"], ["day", "month"], ["day", "week", "month"], ["day", "week", "month", "ever"]],
)
def test_the_six_combinations_of_first_are_accepted(first: list[str]) -> None:
    assert KINDS.parse(changed("update_check", first=first))["first"] == first


@pytest.mark.parametrize("age_s", [0, 172_799, 172_800, 172_801, 2**53])
def test_any_whole_age_is_accepted(age_s: int) -> None:
    assert KINDS.parse(changed("goal", age_s=age_s))["age_s"] == age_s


@pytest.mark.parametrize("fields", [{"shown": 1}, {"clicked": 1}, {"dismissed": 1000}, {"shown": 0, "dismissed": 1}])
def test_one_action_of_a_recommendation_is_enough(fields: dict[str, int]) -> None:
    event = {"kind": "recommendation", "product": "player", "slot": "side", "item": "skin-pack"} | fields
    assert KINDS.parse(event) is event


@pytest.mark.parametrize(
    "referrer", ["", "javascript:x", "data:,x", "https://user:pass@[::1]/", "not an address", "\0"]
)
def test_an_unreadable_referrer_is_no_reason_to_refuse(referrer: str) -> None:
    assert KINDS.parse(changed("page_hit", referrer=referrer))["referrer"] == referrer


@pytest.mark.parametrize(
    ("event", "code", "field"),
    [
        (changed("goal", **{"\ud800": 1}), Code.UNKNOWN_KEY, None),
        (changed("goal", site="\ud800"), Code.UNKNOWN_PROPERTY, "site"),
        (changed("goal", goal="\ud800"), Code.NOT_DECLARED, "goal"),
        (changed("install", os="\ud800"), Code.NOT_DECLARED, "os"),
        (changed("page_hit", url="https://www.example.org/\ud800"), Code.BAD_PATTERN, "url"),
        ({"kind": "\ud800"}, Code.UNKNOWN_KIND, "kind"),
    ],
)
def test_text_that_is_not_unicode_is_refused_like_any_other(event: dict[str, Any], code: Code, field: str) -> None:
    refused = refusal(event)
    assert (refused.code, refused.field) == (code, field)


TEXT = st.text(st.characters(), max_size=60)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5))
FIELDS = st.sampled_from(sorted({name for schema in DECLARATIONS.kinds.values() for name in schema["properties"]}))
DECLARED = st.sampled_from(["day", "week", "windows", "player", "www.example.org", "forum", "ok", "3", 1, 1000, True])


@given(JSON)
def test_whatever_is_sent_nothing_but_a_refusal_is_raised(value: object) -> None:
    refusal(value)


@given(
    kind=st.sampled_from(sorted(GOOD)),
    put_in=st.dictionaries(FIELDS, JSON | DECLARED | st.lists(DECLARED, max_size=4), max_size=3),
    left_out=st.sets(FIELDS, max_size=2),
)
def test_a_mangled_event_is_accepted_or_refused_for_a_declared_rule(
    kind: str, put_in: dict[str, Any], left_out: set[str]
) -> None:
    event = {name: value for name, value in (GOOD[kind] | put_in).items() if name not in left_out}
    try:
        KINDS.parse(event)
    except Refused as caught:
        refused = caught
    else:
        return
    # The rules are the schema: what it refuses, one of them names. Only both properties at once has no field to name.
    assert refused.code is not Code.INCONSISTENT or refused.field or {"site", "product"} <= event.keys()
