"""What may be kept of an event, as the declarations say it: every fact from a closed form, nothing that is an address.

Written anew, not taken from the code that reduces: an oracle that asks the accused is none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote

from collector.catalogue.declarations import read_declarations, schemas_folder
from collector.catalogue.registry import Registry
from collector.errors import Code, Refused
from collector.event import Event
from tests.fuzz.target import CANARY

DECLARATIONS = read_declarations()
RESERVED = frozenset(tomllib.loads((schemas_folder() / "buckets.toml").read_text("utf-8"))["reserved"])
MOST_FLAG = 2**53
_DOTTED = re.compile(r"[0-9.]+")
_MAIL = re.compile(r"[^\s@/]@[^\s@/]")
_COLONS = re.compile(r"(?<![0-9a-z:])[0-9a-f]*:[0-9a-f:.]*(?![0-9a-z:])", re.IGNORECASE)
_QUAD, _PLACES, _BYTE = 4, 3, 255


def addresses_in(text: str) -> Iterator[str]:
    """Every IPv4, IPv6 or mail address in plain spelling; of a path, as it is read: without its escapes."""
    spelled = unquote(text)
    if _MAIL.search(spelled):
        yield "a mail address"
    for run in _DOTTED.findall(spelled):
        parts = run.split(".")
        quads = (parts[at : at + _QUAD] for at in range(len(parts) - _QUAD + 1))
        if any(all(part and len(part) <= _PLACES and int(part) <= _BYTE for part in quad) for quad in quads):
            yield "an IPv4 address"
    for run in _COLONS.findall(spelled):
        try:
            IPv6Address(run.strip("."))
        except AddressValueError:
            continue
        yield "an IPv6 address"


def assert_closed(event: Event, registry: Registry) -> None:
    """Whether nothing of this event is anything but declared."""
    layout = DECLARATIONS.layouts[event.kind]
    assert registry.knows(event.property)
    for name, role, fact in zip(layout.facts, layout.roles, event.facts, strict=True):
        if role == "bucket":
            assert isinstance(fact, str), name
            assert is_of(name, fact, registry, event.property), f"{name} holds what is not declared"
        elif role == "flag":
            assert isinstance(fact, bool), name
        else:
            assert fact is None or (type(fact) is int and abs(fact) <= MOST_FLAG), name
    assert event.id is None or re.fullmatch(r"[0-9a-fA-F-]{36}", event.id)


def is_of(name: str, value: str, registry: Registry, property_id: str) -> bool:
    """Whether a dimension may hold a value."""
    dimension = DECLARATIONS.dimensions[name]
    if value in RESERVED or value in (dimension.values or ()):
        return True
    if dimension.registered:
        return value in _registered(registry, property_id, dimension.registered)
    return dimension.pattern is not None and bool(dimension.pattern.fullmatch(value)) and not [*addresses_in(value)]


def _registered(registry: Registry, property_id: str, what: str) -> set[str]:
    if what == "links":
        return {link.id for link in registry.links.values() if link.property == property_id}
    if what == "files":
        return set(registry.files.get(property_id, ()))
    owner = registry.sites.get(property_id) or registry.products.get(property_id)
    return set(getattr(owner, what, ()))


def assert_refusal(refused: Refused) -> None:
    """Whether a refusal is made of declarations only."""
    assert isinstance(refused.code, Code)
    assert refused.field is None or any(refused.field in kind["properties"] for kind in DECLARATIONS.kinds.values())
    assert CANARY not in refused.rule
