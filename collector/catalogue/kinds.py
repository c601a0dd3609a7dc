"""Does an event satisfy its kind's schema, and name only what is registered? The only judge of what was sent.

Built once per worker from schemas/events/ and the registry; the door and the adapters call parse. A good event costs
one call of the compiled schema and a few look-ups. Why a bad one is bad is found out afterwards (catalogue/rules.py).
Two things are left to reduce/: whether a url is of the site's hosts, and whether a version is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import jsonschema_rs

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Registry
from collector.catalogue.rules import Rule, compile_schema, rules_of
from collector.errors import Code, Refused

MAX_KEYS = 30
MAX_DEPTH = 8  # the event itself is the first level

# Per field the names it may hold; None among them where the field may be absent.
Names = tuple[tuple[str, frozenset[str | None]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One compiled kind: `sites` and `products` say per property what its events may name."""

    schema: jsonschema_rs.Validator
    rules: tuple[Rule, ...]
    sites: dict[str, Names]
    products: dict[str, Names]


class Kinds:
    """Every declared kind, ready to judge events."""

    def __init__(self, declarations: Declarations, registry: Registry) -> None:
        """Compile the kinds; raises Misconfigured for a schema that says what no rule stands for."""
        self._registry = registry
        self._kinds = {kind: _compile(kind, schema, registry) for kind, schema in declarations.kinds.items()}
        self._says_kind = f"kind is one of {', '.join(self._kinds)}"

    def parse(self, value: object) -> dict[str, Any]:
        """The same object, if it is a good event of a declared kind and a registered property; else raises Refused."""
        try:
            event: dict[str, Any] = value  # type: ignore[assignment]  # whatever is no object raises in the next lines
            kind = self._kinds[event["kind"]]
            # No schema has a field for fractions, but JSON Schema takes 1.0 for a whole number.
            good = kind.schema.is_valid(event) and float not in map(type, event.values())
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            self._refuse(value)
        site = event.get("site")
        names = kind.products.get(event["product"]) if site is None else kind.sites.get(site)
        if names is None:
            raise _unknown_property("product" if site is None else "site")
        for name, allowed in names:
            if event.get(name) not in allowed:
                self._refuse_name(name, event[name])
        return event

    def _refuse(self, value: object) -> NoReturn:
        """Raise Refused for the first rule of the schema that is broken."""
        if not isinstance(value, dict):
            raise Refused(Code.WRONG_TYPE, None, "an event is an object")
        if len(value) > MAX_KEYS:
            raise Refused(Code.TOO_MANY, None, f"an event has at most {MAX_KEYS} fields")
        if _is_deeper(value, MAX_DEPTH):
            raise Refused(Code.TOO_DEEP, None, f"an event is nested at most {MAX_DEPTH} levels deep")
        if "kind" not in value:
            raise Refused(Code.MISSING, "kind", "kind must be given")
        if not isinstance(value["kind"], str):
            raise Refused(Code.WRONG_TYPE, "kind", self._says_kind)
        if value["kind"] not in self._kinds:
            raise Refused(Code.UNKNOWN_KIND, "kind", self._says_kind)
        for rule in self._kinds[value["kind"]].rules:
            if not rule.holds(value):
                raise Refused(rule.code, rule.field, rule.says)
        raise Refused(Code.INCONSISTENT, None, "the event satisfies its kind's schema")

    def _refuse_name(self, field: str, name: str) -> NoReturn:
        """Raise Refused for a name that the event's property does not declare."""
        if field == "link" and name in self._registry.links:
            raise Refused(Code.INCONSISTENT, field, "link is a link of the given property")
        raise Refused(Code.NOT_DECLARED, field, f"{field} is one of the {field}s that the property declares")


def _compile(kind: str, schema: dict[str, Any], registry: Registry) -> _Kind:
    fields: dict[str, Any] = schema["properties"]
    registered = {
        name: (field["x-registered"], name in schema["required"])
        for name, field in fields.items()
        if "x-registered" in field and name not in ("site", "product")
    }

    def names_of(property_id: str) -> Names:
        return tuple(
            (name, _registered(registry, property_id, what) | (frozenset() if required else {None}))
            for name, (what, required) in registered.items()
        )

    return _Kind(
        schema=compile_schema(schema),
        rules=rules_of(kind, schema),
        sites={site: names_of(site) for site in registry.sites} if "site" in fields else {},
        products={product: names_of(product) for product in registry.products} if "product" in fields else {},
    )


def _registered(registry: Registry, property_id: str, what: str) -> frozenset[str | None]:
    """What the property declares under that name of its table, or has links or files of."""
    if what == "links":
        return frozenset(link.id for link in registry.links.values() if link.property == property_id)
    if what == "files":
        return frozenset(registry.files.get(property_id, ()))
    owner = registry.sites.get(property_id) or registry.products.get(property_id)
    return frozenset(getattr(owner, what, ()))


def _unknown_property(field: str) -> Refused:
    return Refused(Code.UNKNOWN_PROPERTY, field, f"{field} is the id of a registered {field}")


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects are nested in each other more than so many levels deep."""
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(outer, dict | list) for outer in level)
