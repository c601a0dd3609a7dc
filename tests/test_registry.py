"""What the configuration may declare: the example, the defaults, and every rule broken in a copy of the example."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import collector
from collector.catalogue.declarations import read_declarations, schemas_folder
from collector.catalogue.registry import Annotation, Registry, read_registry
from collector.errors import Misconfigured

EXAMPLE = Path(collector.__file__).parent / "example.toml"


def example() -> dict[str, Any]:
    return copy.deepcopy(tomllib.loads(EXAMPLE.read_text("utf-8")))


def read_with(change: Callable[[dict[str, Any]], object]) -> Registry:
    text = example()
    change(text)
    return read_registry(text)


def test_the_example_declares_one_site_and_one_product_with_everything_they_can_have() -> None:
    registry = read_registry(example())
    assert registry.sites.keys() == {"www.example.org"}
    assert registry.sites["www.example.org"].hosts == ("www.example.org", "example.org")
    assert registry.sites["www.example.org"].routes == ("/**",)
    player = registry.products["player"]
    assert player.channels == {"stable", "beta", "nightly"}
    assert all((player.versions, player.origins, player.slots, player.items, player.features))
    assert {link.property for link in registry.links.values()} == {"www.example.org", "player"}
    assert registry.files == {"player": {"player-setup.exe", "player.dmg"}}
    assert registry.knows("player")
    assert registry.knows("www.example.org")
    assert not registry.knows("forum")


def test_what_is_not_given_has_its_documented_default() -> None:
    registry = read_registry({"site": [{"id": "s", "hosts": ["s.example"]}], "product": [{"id": "p"}]})
    assert registry.sites["s"].routes == ()
    assert registry.sites["s"].goals == frozenset()
    assert registry.products["p"].channels == {"stable", "beta", "nightly"}
    assert registry.products["p"].versions == registry.products["p"].platforms == frozenset()
    assert registry.files == {"p": frozenset()}
    empty = read_registry({})
    assert (empty.sites, empty.products, empty.links, empty.downloads) == ({}, {}, {}, ())


def test_every_key_of_the_configuration_is_described_and_required_or_has_a_default() -> None:
    schema = json.loads((schemas_folder() / "configuration.json").read_text("utf-8"))
    tables = [schema, *tables_in(schema)]
    assert len(tables) == 8
    for table in tables:
        assert table["additionalProperties"] is False
        for name, key in table["properties"].items():
            assert key["description"], name
            assert name in table.get("required", ()) or key.keys() & {"default", "x-default"}, name


def tables_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of the arrays of tables in a table, at any depth."""
    for key in schema["properties"].values():
        if "properties" in key.get("items", {}):
            yield key["items"]
            yield from tables_in(key["items"])


def test_a_version_has_the_same_pattern_wherever_it_stands() -> None:
    tables = json.loads((schemas_folder() / "configuration.json").read_text("utf-8"))["properties"]
    kinds = read_declarations().kinds.values()
    patterns = {schema["properties"]["version"]["pattern"] for schema in kinds if "version" in schema["properties"]}
    patterns.add(tables["product"]["items"]["properties"]["versions"]["items"]["pattern"])
    patterns.add(tables["download"]["items"]["properties"]["version"]["pattern"])
    assert len(patterns) == 1


def put(table: str, key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda text: text[table][0].update({key: value})


def more(table: str, **entry: object) -> Callable[[dict[str, Any]], object]:
    return lambda text: text[table].append(entry)


def note(**changed: object) -> Callable[[dict[str, Any]], object]:
    """An annotation that is good but for what is changed."""
    return lambda text: text.update(annotation=[NOTE | changed])


def app(**changed: object) -> Callable[[dict[str, Any]], object]:
    """An app of Aptabase that is good but for what is changed."""
    return lambda text: text.update(aptabase=[APP | changed])


APP: dict[str, Any] = {
    "key": "A-SH-0000000001",
    "product": "player",
    "event": [{"name": "started", "kind": "update_check"}],
}
NOTE = {"property": "player", "day": "2024-02-29", "text": "a new version"}

BROKEN_CONFIGURATIONS = [
    (lambda text: text.update(colour="red"), "top level", "colour"),
    (lambda text: text.update(trusted_proxies="10.0.0.0/8"), "trusted_proxies", "10.0.0.0/8"),
    (lambda text: text.update(keepalive_s=-1), "keepalive_s", "-1"),
    (put("site", "colour", "red"), "site[0]", "colour"),
    (put("site", "id", "Example"), "site[0].id", "Example"),
    (put("site", "id", "-example"), "site[0].id", "-example"),
    (put("site", "id", "e" * 65), "site[0].id", "eee"),
    (put("site", "id", "player"), "product[0].id", "player"),
    (put("site", "hosts", []), "site[0].hosts", "[]"),
    (put("site", "hosts", ["WWW.example.org"]), "site[0].hosts[0]", "WWW.example.org"),
    (put("site", "hosts", ["https://www.example.org"]), "site[0].hosts[0]", "https"),
    (put("site", "routes", ["blog/*"]), "site[0].routes[0]", "blog/*"),
    (put("site", "routes", ["/blog?page"]), "site[0].routes[0]", "/blog?page"),
    (put("site", "goals", ["sign up"]), "site[0].goals[0]", "sign up"),
    (put("product", "items", ["(other)"]), "product[0].items[0]", "(other)"),
    (put("product", "versions", ["1"]), "product[0].versions[0]", "1"),
    (put("product", "versions", ["1.0", "1.0"]), "product[0].versions", "1.0"),
    (put("product", "channels", "stable"), "product[0].channels", "stable"),
    (more("site", id="www.example.org", hosts=["b.example"]), "site[1].id", "www.example.org"),
    (more("site", id="b", hosts=["example.org"]), "site[1].hosts", "example.org"),
    (more("site", id="b"), "site[1]", "hosts"),
    (more("link", id="forum", property="player", url="https://b.example/"), "link[2].id", "forum"),
    (put("link", "property", "elsewhere"), "link[0].property", "elsewhere"),
    (put("link", "url", "/relative"), "link[0].url", "/relative"),
    (put("link", "url", "javascript:alert(1)"), "link[0].url", "javascript"),
    (put("link", "url", "https:///path"), "link[0].url", "https:///path"),
    (put("link", "url", "https://b.example/a\r\nSet-Cookie: b"), "link[0].url", "Set-Cookie"),
    (put("download", "product", "www.example.org"), "download[0].product", "www.example.org"),
    (put("download", "url", "ftp://b.example/"), "download[0].url", "ftp"),
    (put("download", "file", "../setup.exe"), "download[0].file", "../setup.exe"),
    (put("download", "file", "player.dmg"), "download[1].file", "player/1.4.2/player.dmg"),
    (note(property="elsewhere"), "annotation[0].property", "elsewhere"),
    (note(day="2026-02-29"), "annotation[0].day", "2026-02-29"),
    (note(day="2026-11-31"), "annotation[0].day", "2026-11-31"),
    (note(day="yesterday"), "annotation[0].day", "yesterday"),
    (note(text=""), "annotation[0].text", ""),
    (note(text="x" * 201), "annotation[0].text", "xxx"),
    (note(colour="red"), "annotation[0]", "colour"),
    *((app(key=key), "aptabase[0].key", key) for key in ("A-XX-0000000001", "A-SH-1", "a-sh-0000000001", "")),
    (app(product="www.example.org"), "aptabase[0].product", "www.example.org"),
    (app(channel="canary"), "aptabase[0].channel", "canary"),
    (app(colour="red"), "aptabase[0]", "colour"),
    (app(event=[]), "aptabase[0].event", "[]"),
    (lambda text: text.update(aptabase=[APP, APP]), "aptabase[1].key", "A-SH-0000000001"),
    (app(event=[*APP["event"], *APP["event"]]), "aptabase[0].event[1].name", "started"),
    (app(event=[{"name": "x" * 61, "kind": "install"}]), "aptabase[0].event[0].name", "xxx"),
    (app(event=[{"name": "x", "kind": "uninstall"}]), "aptabase[0].event[0].kind", "uninstall"),
    (app(event=[{"name": "x"}]), "aptabase[0].event[0]", "kind"),
    (app(event=[{"name": "x", "kind": "feature_use"}]), "aptabase[0].event[0]", "feature"),
    (app(event=[{"name": "x", "kind": "feature_use", "feature": "odd"}]), "aptabase[0].event[0].feature", "odd"),
    (app(event=[{"name": "x", "kind": "install", "feature": "casting"}]), "aptabase[0].event[0].kind", "feature_use"),
    (app(event=[{"name": "x", "kind": "update_check", "count": 2}]), "aptabase[0].event[0].kind", "feature_use"),
    (app(event=[{"name": "x", "kind": "update_check", "outcome": "ok"}]), "aptabase[0].event[0].kind", "install"),
    (app(event=[{"name": "x", "kind": "install", "outcome": "odd"}]), "aptabase[0].event[0].outcome", "odd"),
]


def test_annotations_are_of_a_property_and_of_a_day_that_exists() -> None:
    assert read_with(note()).annotations == (Annotation(property="player", day="2024-02-29", text="a new version"),)
    assert read_registry({}).annotations == ()


def test_events_of_an_app_have_what_their_kind_needs_and_a_channel_that_is_not_needed_may_be_anything() -> None:
    events = [{"name": "a", "kind": "install"}, {"name": "b", "kind": "update_check"}]
    events.append({"name": "c", "kind": "feature_use", "feature": "casting"})
    (read,) = read_with(app(event=events)).aptabase
    assert read.events == {
        "a": {"kind": "install", "product": "player", "channel": "stable", "outcome": "ok"},
        "b": {"kind": "update_check", "product": "player", "channel": "stable"},
        "c": {"kind": "feature_use", "product": "player", "feature": "casting", "count": 1},
    }
    assert read_with(app(event=events[2:], channel="none")).aptabase[0].events.keys() == {"c"}
    assert read_registry({}).aptabase == ()


@pytest.mark.parametrize(("change", "key", "shown"), BROKEN_CONFIGURATIONS)
def test_a_broken_configuration_is_refused_with_key_and_value(
    change: Callable[[dict[str, Any]], object], key: str, shown: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_with(change)
    assert str(caught.value).startswith(f"configuration: {key}: ")
    assert shown in str(caught.value).removeprefix(f"configuration: {key}: ")


def test_every_problem_is_told_at_once_on_one_line_each_and_without_a_regular_expression() -> None:
    links = [{"id": "A\nB", "property": "p" * 500, "url": "x"}]
    with pytest.raises(Misconfigured) as caught:
        read_registry({"site": [{"id": "s", "description": 1}], "link": links, "colour": 1})
    first, *problems = str(caught.value).split("\n")
    assert first == "configuration: 6 problems"
    assert len(problems) == 6
    assert not any("^" in problem or len(problem) > 300 for problem in problems)


def test_the_address_of_a_server_is_never_shown_because_a_password_may_be_in_it() -> None:
    with pytest.raises(Misconfigured) as caught:
        read_registry({"clickhouse": "https://user:secret@db.example" * 100})
    assert "secret" not in str(caught.value)


def test_a_value_that_json_does_not_know_is_refused_and_raises_nothing_else() -> None:
    for toml in ("keepalive_s = nan", "data = 2026-01-01", "[[site]]\nid = 12:00:00\nhosts = ['a']"):
        with pytest.raises(Misconfigured):
            read_registry(tomllib.loads(toml))
