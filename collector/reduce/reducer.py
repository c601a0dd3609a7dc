"""From a validated event and its sender to a reduced Event: one getter per fact, compiled from the declarations.

`read` takes what the event itself says and may refuse it; `reduce` adds what its sender is. The two are apart because
an answer must not depend on the sender: who opted out gets the same refusals as everybody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collector.catalogue.declarations import Declarations
from collector.catalogue.registry import Registry
from collector.cell import OTHER, UNKNOWN
from collector.event import Event, Fact
from collector.reduce.moment import hour_of
from collector.reduce.page import Page, Pages, campaign_value
from collector.reduce.sender import Sender, Senders
from collector.reduce.source import Source, Sources

Fields = dict[str, Any]

FIRST_LETTERS = {"day": "d", "week": "w", "month": "m", "ever": "e"}


@dataclass(slots=True)
class Told:
    """What an event says of the property itself: enough to refuse it. `source`: read by `is_spam`, for `reduce`."""

    fields: Fields
    property: str
    page: Page | None
    source: Source | None = None


Getter = Callable[[Told, Sender], Fact]


class Reducer:
    """Reduces events; one per worker."""

    def __init__(
        self,
        declarations: Declarations,
        registry: Registry,
        senders: Senders,
        spammers: frozenset[str] = frozenset(),
    ) -> None:
        self.sender = senders.of
        self._products = registry.products
        self._languages = declarations.dimensions["language"].values or frozenset()
        self._pages = Pages(registry)
        self._sources = Sources(registry, spammers)
        self._getters = {
            kind: tuple(
                self._getter(name, declarations.kinds[kind]["properties"], role)
                for name, role in zip(layout.facts, layout.roles, strict=True)
            )
            for kind, layout in declarations.layouts.items()
        }

    def read(self, fields: Fields) -> Told:
        """What the event says of its page, scrubbed. Raises Refused for a page of another host."""
        site = fields.get("site")
        url = fields.get("url")
        if site is None or url is None:
            return Told(fields, site or fields["product"], None)
        return Told(fields, site, self._pages.read(site, url))

    def is_spam(self, told: Told) -> bool:
        """Whether a page hit names a referrer of the list of spammers."""
        fields = told.fields
        if told.page and fields["kind"] == "page_hit":
            told.source = self._sources.of(told.property, fields.get("referrer"))
            return told.source.spam
        return False

    def reduce(self, told: Told, sender: Sender, now_s: float) -> Event:
        """The event as it goes on: buckets, flags and numbers in its kind's order; of the sender only buckets.

        `is_spam` comes before, for it reads the source.
        """
        fields = told.fields
        kind = fields["kind"]
        return Event(
            kind,
            told.property,
            hour_of(now_s, fields.get("age_s", 0)),
            tuple([getter(told, sender) for getter in self._getters[kind]]),
            fields.get("id"),
        )

    def _getter(self, name: str, schema: dict[str, Any], role: str) -> Getter:
        own = self._special(name)
        if name not in schema or name in _REDUCED:
            return own or _from_page(name, given=name in schema)
        if role == "flag":
            return lambda told, sender: told.fields.get(name, False)
        if role == "number":
            return lambda told, sender: told.fields.get(name)
        return lambda told, sender: told.fields.get(name, UNKNOWN)

    def _special(self, name: str) -> Getter | None:
        languages = self._languages
        return {
            "version": self._version,
            "first": _first,
            "country": lambda told, sender: sender.country,
            "language": lambda told, sender: sender.language(languages),
            "os": lambda told, sender: sender.platform.os,
            "device": lambda told, sender: sender.platform.device,
            "browser": lambda told, sender: sender.platform.browser,
            "source": lambda told, sender: told.source.source if told.source else UNKNOWN,
            "entry": lambda told, sender: told.source is not None and told.source.entry,
        }.get(name)

    def _version(self, told: Told, sender: Sender) -> Fact:
        version: str = told.fields["version"]
        return version if version in self._products[told.property].versions else OTHER


_REDUCED = {"version", "first", "utm_source", "utm_medium", "utm_campaign"}  # fields not kept as they were sent


def _first(told: Told, sender: Sender) -> Fact:
    return "".join(FIRST_LETTERS[period] for period in told.fields.get("first", ())) or UNKNOWN


def _from_page(name: str, *, given: bool) -> Getter:
    """`path`, or a utm value: the field's if given, else the one in the page's query."""
    place = Page._fields.index(name)

    def get(told: Told, sender: Sender) -> Fact:
        if given and name in told.fields:
            return campaign_value(told.fields[name])
        value = told.page[place] if told.page else None
        return UNKNOWN if value is None else value

    return get
