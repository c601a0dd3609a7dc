"""All that is sent of all properties, day by day: visitors of the sites, and the fleets of what they download.

People come less on weekends, a little more from week to week, and more after a release. Called by history.py and
sending.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from collector.catalogue.registry import Registry
from collector.tools.simulate.fleet import Fleet
from collector.tools.simulate.releases import Releases
from collector.tools.simulate.requests import Request
from collector.tools.simulate.visitors import Offer, Visitors
from collector.tools.simulate.world import World

WEEK = (1.04, 1.08, 1.06, 1.04, 0.98, 0.84, 0.88)  # the days of a week from Monday, over 1 on average in between
GROWTH = 1.0014  # a day
INSTALLATIONS = 3  # for each daily visitor


class Days:
    """The days from the first one on; the same seed, configuration and country database make the same requests."""

    def __init__(
        self, registry: Registry, country_of: Callable[[bytes], str], *, seed: int, first: int, days: int, visitors: int
    ) -> None:
        world = World(seed, country_of)
        self._first = first
        self._visitors = visitors
        self.releases = {each.id: Releases(each.versions, first, days) for each in registry.products.values()}
        self._offers: dict[str, Offer] = {}
        offered: dict[str, list[Offer]] = {product: [] for product in registry.products}
        for place, site in enumerate(registry.sites):
            if registry.products:
                product = list(registry.products)[place % len(registry.products)]
                files: dict[str, list[str]] = {}
                for download in registry.downloads:
                    if download.product == product:
                        files.setdefault(download.version, []).append(download.file)
                if files:
                    origins = sorted(registry.products[product].origins)
                    offer = Offer(product, self.releases[product], files, origins)
                    self._offers[site] = offer
                    offered[product].append(offer)
        self._offered = offered
        self._sites = {
            site.id: Visitors(site, registry, world, seed, self._offers.get(site.id))
            for site in registry.sites.values()
        }
        self._fleets = {
            each.id: Fleet(each, registry, world, seed, self.releases[each.id], visitors * INSTALLATIONS)
            for each in registry.products.values()
        }
        for fleet in self._fleets.values():
            fleet.begin(first)

    def day(self, day: int) -> Iterator[Request]:
        """Every request of a day, in no order; ask for the days one after the other."""
        people = self._visitors * WEEK[(day + 3) % 7] * GROWTH ** (day - self._first)
        for site, visitors in self._sites.items():
            offer = self._offers.get(site)
            yield from visitors.day(day, people * (offer.releases.freshness(day) if offer else 1))
        for product, fleet in self._fleets.items():
            offers = self._offered[product]
            yield from fleet.day(day, [person for offer in offers for person in offer.downloaders])
            for offer in offers:
                offer.downloaders.clear()
