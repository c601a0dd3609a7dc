"""What people do on one site: come from somewhere, read some pages, reach goals, follow links, download.

Pages are taken from the site's routes. Every page view sends a hit when it opens and a leave when it is hidden, which
goes together with the next hit, as the beacon does. Called by days.py, once a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from collector.catalogue.registry import Registry, Site
from collector.cell import OTHER
from collector.tools.simulate.releases import Releases
from collector.tools.simulate.requests import Happening, Person, Request
from collector.tools.simulate.world import CAMPAIGNS, RETURNING, SOURCES, Weighted, World, zipf

DAY_S = 86_400
WORDS = ("tour", "first-steps", "playlists", "subtitles", "codecs", "skins", "shortcuts", "radio", "audio", "faq")
PAGES_A_VISIT = Weighted(((1, 46), (2, 24), (3, 14), (4, 9), (7, 7)))
# of a day, UTC: most of it in the evening of Europe
HOURS = Weighted(enumerate((4, 3, 2, 2, 2, 3, 4, 6, 8, 9, 10, 10, 10, 10, 10, 10, 10, 12, 14, 15, 15, 14, 10, 7)))
LEFT, SCROLLED = 0.96, 0.9  # of page views that say they are left, of those that say how far
CAMPAIGN, GOAL, LINK, DOWNLOAD = 0.08, 0.05, 0.04, 0.07  # of visits
MAIN_ORIGIN = 0.8  # of downloads


@dataclass(slots=True)
class Offer:
    """The product a site's visitors download, and who did today."""

    product: str
    releases: Releases
    files: dict[str, list[str]]
    origins: list[str]
    downloaders: list[Person] = field(default_factory=list)


class Visitors:
    """The visitors of one site; the same seed makes the same days."""

    def __init__(self, site: Site, registry: Registry, world: World, seed: int, offer: Offer | None) -> None:
        self._site = site
        self._world = world
        self._offer = offer
        self._dice = Random(f"{seed} {site.id}")
        self._pages = zipf(_pages(site), 1.1)
        self._source = Weighted(((told, source), weight) for told, source, weight in SOURCES)
        self._campaign = Weighted(CAMPAIGNS)
        self._goals = zipf(sorted(site.goals)) if site.goals else None
        links = [link.id for link in registry.links.values() if link.property == site.id]
        self._links = zipf(links) if links else None

    def day(self, day: int, people: float) -> Iterator[Request]:
        """The requests of a day on which about so many people come."""
        dice = self._dice
        today: list[Person] = []
        for _ in range(int(people * dice.gauss(1, 0.04) + dice.random())):
            is_back = today and dice.random() < RETURNING
            person = dice.choice(today) if is_back else self._world.visitor(dice)
            today.append(person)
            at = day * DAY_S + HOURS.draw(dice) * 3600 + dice.randrange(3600)
            yield from self._visit(person, at, (day + 1) * DAY_S - 1)

    def _visit(self, person: Person, at: int, latest: int) -> Iterator[Request]:
        dice, site = self._dice, self._site.id
        referrer, source = self._source.draw(dice)
        count = PAGES_A_VISIT.draw(dice)
        left: tuple[Happening, ...] = ()
        for place in range(count):
            url, path = self._pages.draw(dice)
            hit: dict[str, Any] = {"kind": "page_hit", "site": site, "url": url}
            if referrer:
                hit["referrer"] = referrer
            if not place and dice.random() < CAMPAIGN:
                hit["utm_source"], hit["utm_medium"], hit["utm_campaign"] = self._campaign.draw(dice)
            does = self._else(person, at) if place == count - 1 else ()
            opened = Happening(hit, path, "" if place else source)
            yield Request(min(at, latest), person, (*left, opened, *does))
            at += 1 + (seconds := min(int(dice.expovariate(1 / 55)), 1800))
            left = self._leave(url, path, seconds, entry=not place, last=place == count - 1)
            referrer = url
        if left:
            yield Request(min(at, latest), person, left)

    def _leave(self, url: str, path: str, seconds: int, *, entry: bool, last: bool) -> tuple[Happening, ...]:
        if self._dice.random() > LEFT:
            return ()
        told = {"kind": "page_leave", "site": self._site.id, "url": url, "seconds": seconds, "entry": entry}
        told["exit"] = last
        if self._dice.random() < SCROLLED:
            told["scroll"] = min(100, 20 + seconds // 2)
        return (Happening(told, path),)

    def _else(self, person: Person, at: int) -> Iterator[Happening]:
        """What else somebody does who has found what they came for."""
        dice, site = self._dice, self._site.id
        if self._goals and dice.random() < GOAL:
            yield Happening({"kind": "goal", "site": site, "goal": self._goals.draw(dice)})
        if self._links and dice.random() < LINK:
            yield Happening({"kind": "link_click", "site": site, "link": self._links.draw(dice)})
        offer = self._offer
        if offer and dice.random() < DOWNLOAD:
            version = offer.releases.offered(at // DAY_S, offer.files)
            told = {"kind": "download", "product": offer.product, "version": version}
            told["file"] = dice.choice(offer.files[version])
            if offer.origins:
                told["origin"] = offer.origins[0] if dice.random() < MAIN_ORIGIN else dice.choice(offer.origins)
            offer.downloaders.append(person)
            yield Happening(told)


def _pages(site: Site) -> Iterator[tuple[str, str]]:
    """Addresses of pages with the path that is stored of each: those of the routes, one more for "(other)"."""
    for route in site.routes:
        for word in ("", *WORDS) if route.endswith("/**") else WORDS if "*" in route else WORDS[:1]:
            path = route.replace("**", word).replace("*", word)
            yield f"https://{site.hosts[0]}{path}", path
    if not {"/**", "/*"} & set(site.routes):
        yield f"https://{site.hosts[0]}/nowhere", OTHER
