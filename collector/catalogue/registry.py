"""The registered properties: what the operator's configuration says may be counted, and for whom.

Built once from the parsed TOML (schemas/configuration.json says what may stand in it) and never changed. Kinds looks up
ids and names here, reduce/ hosts and routes, the redirects their targets. Here alone may an error show what was
written: it is the operator's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, cast

import jsonschema_rs
import orjson

from collector.catalogue.declarations import schemas_folder
from collector.errors import Misconfigured

LONGEST_SHOWN = 120  # characters of what was written, in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A registered website: `hosts` are its names in lower case, `routes` the patterns that vouch for its paths."""

    id: str
    hosts: tuple[str, ...]
    routes: tuple[str, ...]
    goals: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A registered program and the names it may tell."""

    id: str
    versions: frozenset[str]
    channels: frozenset[str]
    origins: frozenset[str]
    slots: frozenset[str]
    items: frozenset[str]
    features: frozenset[str]
    platforms: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A counted outbound link of one property."""

    id: str
    property: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A counted file of one version of a product."""

    product: str
    version: str
    file: str
    url: str

    @property
    def event(self) -> dict[str, Any]:
        """The event that fetching it is."""
        return {"kind": "download", "product": self.product, "version": self.version, "file": self.file}


@dataclass(frozen=True, slots=True, kw_only=True)
class AptabaseApp:
    """An app with an SDK of Aptabase: its key, and per name of its events the fields that these have here always."""

    key: str
    events: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What happened to a property on a day (ISO), for who looks at its curves."""

    property: str
    day: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Every property, link and download, by id; a site and a product never share one."""

    sites: dict[str, Site]
    products: dict[str, Product]
    links: dict[str, Link]
    downloads: tuple[Download, ...]
    annotations: tuple[Annotation, ...] = ()
    aptabase: tuple[AptabaseApp, ...] = ()

    @property
    def properties(self) -> tuple[str, ...]:
        """The ids of all sites and products."""
        return (*self.sites, *self.products)

    def knows(self, property_id: str) -> bool:
        """Whether there is such a site or product."""
        return property_id in self.sites or property_id in self.products

    @cached_property
    def files(self) -> dict[str, frozenset[str]]:
        """The files declared for download, per product, of whatever version."""
        return {
            product: frozenset(download.file for download in self.downloads if download.product == product)
            for product in self.products
        }


def read_registry(parsed_toml: dict[str, Any]) -> Registry:
    """Build the registry of a parsed configuration; raises Misconfigured naming the key, what it holds and the rule."""
    schema = check_form(parsed_toml, "configuration")
    sites = [_site(entry, schema) for entry in parsed_toml.get("site", ())]
    products = [_product(entry, schema) for entry in parsed_toml.get("product", ())]
    links = [Link(**entry) for entry in parsed_toml.get("link", ())]
    downloads = tuple(Download(**entry) for entry in parsed_toml.get("download", ()))
    annotations = tuple(Annotation(**entry) for entry in parsed_toml.get("annotation", ()))

    def place(table: str, index: int, key: str) -> str:
        return f"{table}[{index}].{key}"

    ids = [(place("site", index, "id"), site.id) for index, site in enumerate(sites)]
    ids += [(place("product", index, "id"), product.id) for index, product in enumerate(products)]
    _once(ids, "must be unique among sites and products")
    _once([(place("link", index, "id"), link.id) for index, link in enumerate(links)], "must be unique among links")
    hosts = [(place("site", index, "hosts"), host) for index, site in enumerate(sites) for host in site.hosts]
    _once(hosts, "must be a host of one site only")
    files = [
        (place("download", index, "file"), f"{download.product}/{download.version}/{download.file}")
        for index, download in enumerate(downloads)
    ]
    _once(files, "must be declared once for a version of a product")

    registry = Registry(
        sites={site.id: site for site in sites},
        products={product.id: product for product in products},
        links={link.id: link for link in links},
        downloads=downloads,
        annotations=annotations,
        aptabase=_apps(parsed_toml, schema, {product.id: product for product in products}),
    )
    owners = [(place("link", index, "property"), link.property) for index, link in enumerate(links)]
    _all(owners, registry.knows, "must be the id of a site or product")
    owners = [(place("download", index, "product"), download.product) for index, download in enumerate(downloads)]
    _all(owners, registry.products.__contains__, "must be the id of a product")
    owners = [(place("annotation", index, "property"), each.property) for index, each in enumerate(annotations)]
    _all(owners, registry.knows, "must be the id of a site or product")
    days = [(place("annotation", index, "day"), each.day) for index, each in enumerate(annotations)]
    _all(days, _is_day, "must be a day of the calendar, as 2026-11-01")
    return registry


def quoted(value: object) -> str:
    """What an operator wrote, as it may stand in a message: in quotes, on one line, not endless."""
    return _bounded(json.dumps(value, ensure_ascii=False, default=str))  # orjson refuses what is no UTF-8


def _bounded(text: str) -> str:
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def check_form(parsed_toml: dict[str, Any], name: str) -> dict[str, Any]:
    """Check a whole file of the operator's against schemas/NAME.json, and return the schema.

    Raises Misconfigured with every problem there is.
    """
    schema: dict[str, Any] = orjson.loads((schemas_folder() / f"{name}.json").read_bytes())
    try:
        errors = list(jsonschema_rs.validator_for(schema, offline=True).iter_errors(parsed_toml))
    except ValueError:
        # A value JSON does not know; tomllib gives dates, times, nan and inf.
        raise Misconfigured(f"{name}: holds a value of a type that no key takes") from None
    refuse(name, list(dict.fromkeys(told for error in errors for told in _told(error, schema))))
    return schema


def refuse(name: str, problems: list[str]) -> None:
    """Raise Misconfigured with all of the problems, if there are any."""
    if len(problems) == 1:
        raise Misconfigured(f"{name}: {problems[0]}")
    if problems:
        raise Misconfigured("\n  ".join([f"{name}: {len(problems)} problems", *problems]))


def _told(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> list[str]:
    """What is wrong at one place, in words; a line for each unknown key."""
    path, broken = _path(error.instance_path), error.kind.as_dict()
    place = path or "top level"
    if path == "clickhouse":  # the one setting that may hold a password is never shown
        return [f"{place}: does not fit its declaration"]
    if error.kind.name == "additionalProperties":
        too_late = " (a top-level key: it must stand before the first table)"
        return [
            f"{place}: unknown key {_bounded(key)}{too_late if path and key in schema['properties'] else ''}"
            for key in broken["unexpected"]
        ]
    if error.kind.name == "required":
        return [f"{place}: the key {broken['property']} is missing"]
    if error.kind.name == "pattern":
        return [f"{place}: {quoted(error.instance)} does not fit. What is wanted: {_description(error, schema)}"]
    return [f"{place}: {_bounded(error.message)}"]


def _description(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> str:
    """What the key that an error is about is declared to mean: the innermost description on the way to its rule."""
    described, here = "", cast("Any", schema)
    for step in error.schema_path[:-1]:
        here = here[step]
        told = here.get("description", described)
        described = told if isinstance(told, str) else described  # a key may itself be called description
    return described


def _path(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _site(entry: dict[str, Any], schema: dict[str, Any]) -> Site:
    given = _defaults(schema, "site") | entry
    return Site(
        id=given["id"], hosts=tuple(given["hosts"]), routes=tuple(given["routes"]), goals=frozenset(given["goals"])
    )


def _product(entry: dict[str, Any], schema: dict[str, Any]) -> Product:
    given = _defaults(schema, "product") | entry
    names = {key: frozenset(values) for key, values in given.items() if key != "id"}
    return Product(id=given["id"], **names)


def _apps(parsed_toml: dict[str, Any], schema: dict[str, Any], products: dict[str, Product]) -> tuple[AptabaseApp, ...]:
    """Every app of Aptabase; its key is its own, its events have one meaning and name what its product declares."""
    entries = [_defaults(schema, "aptabase") | entry for entry in parsed_toml.get("aptabase", ())]
    places = [f"aptabase[{index}]" for index in range(len(entries))]
    keys = [(f"{place}.key", entry["key"]) for place, entry in zip(places, entries, strict=True)]
    _once(keys, "must be the key of one app only")
    owners = [(f"{place}.product", entry["product"]) for place, entry in zip(places, entries, strict=True)]
    _all(owners, products.__contains__, "must be the id of a product")
    apps = []
    for place, entry in zip(places, entries, strict=True):
        product = products[entry["product"]]
        told = [(f"{place}.event[{index}]", event) for index, event in enumerate(entry["event"])]
        _once([(f"{at}.name", event["name"]) for at, event in told], "must be told once of an app")
        features = [(f"{at}.feature", event["feature"]) for at, event in told if "feature" in event]
        _all(features, product.features.__contains__, "must be a feature of the product")
        channels = [(f"{place}.channel", entry["channel"]) for _, event in told if event["kind"] != "feature_use"]
        _all(channels, product.channels.__contains__, "must be a channel of the product")
        apps.append(AptabaseApp(key=entry["key"], events={event["name"]: _means(entry, event) for _, event in told}))
    return tuple(apps)


def _means(app: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The fields of our event that one of an app's has without its telling."""
    always = {"kind": event["kind"], "product": app["product"]}
    if event["kind"] == "feature_use":
        return always | {"feature": event["feature"], "count": event.get("count", 1)}
    outcome = {"outcome": event.get("outcome", "ok")} if event["kind"] == "install" else {}
    return always | {"channel": app["channel"]} | outcome


def _defaults(schema: dict[str, Any], table: str) -> dict[str, Any]:
    keys = schema["properties"][table]["items"]["properties"]
    return {name: key["default"] for name, key in keys.items() if "default" in key}


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _once(places: Iterable[tuple[str, str]], rule: str) -> None:
    met: set[str] = set()
    for place, value in places:
        if value in met:
            raise Misconfigured(f"configuration: {place}: {rule}, and {quoted(value)} stands twice")
        met.add(value)


def _all(places: Iterable[tuple[str, str]], holds: Callable[[str], bool], rule: str) -> None:
    for place, value in places:
        if not holds(value):
            raise Misconfigured(f"configuration: {place}: {rule}, not {quoted(value)}")
