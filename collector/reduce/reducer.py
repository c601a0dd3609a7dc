"""From a validated event and its sender to a reduced Event: what is read of it, compiled from the declarations.

`read` takes what the event itself says and may refuse it; `reduce` adds what its sender is. The two are apart because
an answer must not depend on the sender: who opted out gets the same refusals as everybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from collector.catalogue.declarations import Declarations
from collector.catalogue.layout import ABSENT, Layout
from collector.catalogue.registry import Registry
from collector.cell import OTHER, UNKNOWN
from collector.event import Event, Fact
from collector.reduce.moment import hour_of
from collector.reduce.page import Page, Pages, campaign_value
from collector.reduce.sender import SENDER_FACTS, Sender, Senders
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


Reader = Callable[[Told, Sender], Iterable[Fact]]


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
        self._facts = {
            kind: self._facts_of(layout, declarations.kinds[kind]["properties"])
            for kind, layout in declarations.layouts.items()
        }

    def read(self, fields: Fields) -> Told:
        """What the event says of its page, scrubbed. Raises Refused for a page of another host."""
        site = fields.get("site")
        url = fields.get("url")
        if site is None or url is None:
            return Told(fields, site or fields["product"], None)
        page = self._pages.read(site, url)
        if not _CAMPAIGN_FIELDS.isdisjoint(fields):
            page = page._replace(**{name: campaign_value(fields[name]) for name in _CAMPAIGN_FIELDS & fields.keys()})
        return Told(fields, site, page)

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
            self._facts[kind](told, sender),
            fields.get("id"),
        )

    def _facts_of(self, layout: Layout, schema: dict[str, Any]) -> Callable[[Told, Sender], tuple[Fact, ...]]:
        """What makes the facts of a kind: they are read group by group, then put into the layout's order.

        A fact is read as the event says it if its kind has such a field, else told by page, source or sender.
        """
        own = [name for name in layout.facts if name in schema and name not in _REDUCED]
        absent = [(name, ABSENT[layout.roles[layout.facts.index(name)]]) for name in own]
        groups: tuple[tuple[Sequence[str], Reader], ...] = (
            (own, lambda told, sender: [told.fields.get(name, instead) for name, instead in absent]),
            (("version",), self._version),
            (("first",), _first),
            (Page._fields, lambda told, sender: told.page or _NO_PAGE),
            (Source._fields, lambda told, sender: told.source or _NO_SOURCE),
            (SENDER_FACTS, lambda told, sender: sender.facts(self._languages)),
        )
        order: list[str] = []
        readers: list[Reader] = []
        for names, read in groups:
            if (set(layout.facts) - set(order)).intersection(names):
                order += names
                readers.append(read)
        return _ordered(readers, [order.index(name) for name in layout.facts])

    def _version(self, told: Told, sender: Sender) -> Iterable[Fact]:
        version: str = told.fields["version"]
        return (version if version in self._products[told.property].versions else OTHER,)


_CAMPAIGN_FIELDS = frozenset(Page._fields[1:])
_REDUCED = _CAMPAIGN_FIELDS | {"version", "first"}  # fields not kept as they were sent
_NO_PAGE = Page(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
_NO_SOURCE = Source(UNKNOWN, entry=False)


def _first(told: Told, sender: Sender) -> Iterable[Fact]:
    return ("".join(FIRST_LETTERS[period] for period in told.fields.get("first", ())) or UNKNOWN,)


def _ordered(readers: list[Reader], places: list[int]) -> Callable[[Told, Sender], tuple[Fact, ...]]:
    def facts(told: Told, sender: Sender) -> tuple[Fact, ...]:
        read: list[Fact] = []
        for reader in readers:
            read += reader(told, sender)
        return tuple([read[place] for place in places])

    return facts
