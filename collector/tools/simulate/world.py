"""Who calls, from where and with what: countries by the people who use desktop software there, systems, sources.

Addresses are real networks of their country, looked for at run time in the country database the collector itself uses;
none is in any file. Without a database every country is "(unknown)". Everything is drawn from one seed.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

from collector.cell import DIRECT, UNKNOWN
from collector.tools.simulate.requests import Person

Value = TypeVar("Value")

NETWORKS_TRIED = 120_000  # half a second; the smallest country below then has some ten
RETURNING = 0.12  # of visits are somebody's second that day
ENGLISH = 0.1  # of people prefer English wherever they are

# country: weight, language
COUNTRIES = {
    "US": (140, "en"),
    "DE": (90, "de"),
    "IN": (80, "en"),
    "BR": (60, "pt"),
    "FR": (55, "fr"),
    "GB": (50, "en"),
    "RU": (40, "ru"),
    "JP": (40, "ja"),
    "CN": (36, "zh"),
    "IT": (36, "it"),
    "ES": (32, "es"),
    "PL": (28, "pl"),
    "CA": (28, "en"),
    "NL": (24, "nl"),
    "TR": (22, "tr"),
    "MX": (22, "es"),
    "ID": (20, "id"),
    "UA": (18, "uk"),
    "AU": (18, "en"),
    "AR": (14, "es"),
    "SE": (13, "sv"),
    "VN": (13, "vi"),
    "KR": (12, "ko"),
    "CH": (12, "de"),
    "AT": (11, "de"),
    "CZ": (11, "cs"),
    "BE": (10, "nl"),
    "RO": (9, "ro"),
    "TH": (9, "th"),
    "CO": (9, "es"),
    "EG": (8, "ar"),
    "HU": (8, "hu"),
    "GR": (8, "el"),
    "PT": (8, "pt"),
    "PH": (8, "en"),
    "TW": (7, "zh"),
    "DK": (7, "da"),
    "FI": (7, "fi"),
    "NO": (6, "nb"),
    "ZA": (6, "en"),
    "CL": (6, "es"),
    "SA": (5, "ar"),
    "MY": (5, "ms"),
    "IL": (5, "he"),
    "IR": (5, "fa"),
    "SK": (4, "sk"),
    "BG": (4, "bg"),
    "PK": (4, "ur"),
    "IE": (4, "en"),
    "NG": (4, "en"),
    "BD": (3, "bn"),
    "NZ": (3, "en"),
    "HR": (3, "hr"),
    "SG": (2, "en"),
    "LT": (2, "lt"),
    "SI": (2, "sl"),
    "KE": (2, "en"),
    "MA": (2, "fr"),
    "EE": (1, "et"),
    "LV": (1, "lv"),
}

_MOZILLA = "Mozilla/5.0"
_KIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1"
_WINDOWS, _MAC = f"{_MOZILLA} (Windows NT 10.0; Win64; x64", f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7"
_IOS = f"like Mac OS X) {_APPLE} Mobile/15E148 Safari/604.1"
_LINUX, _ANDROID = f"{_MOZILLA} (X11; Linux x86_64", f"{_MOZILLA} (Linux; Android 10; K"

# what the collector makes of an agent, its weight, the agent
AGENTS = (
    (("windows", "desktop", "chrome"), 34, f"{_WINDOWS}) {_KIT} Safari/537.36"),
    (("windows", "desktop", "edge"), 11, f"{_WINDOWS}) {_KIT} Safari/537.36 Edg/142.0.0.0"),
    (("windows", "desktop", "firefox"), 9, f"{_WINDOWS}; rv:145.0) Gecko/20100101 Firefox/145.0"),
    (("windows", "desktop", "opera"), 3, f"{_WINDOWS}) {_KIT} Safari/537.36 OPR/124.0.0.0"),
    (("android", "mobile", "chrome"), 14, f"{_ANDROID}) {_KIT} Mobile Safari/537.36"),
    (("ios", "mobile", "safari"), 8, f"{_MOZILLA} (iPhone; CPU iPhone OS 18_7 {_IOS}"),
    (("ios", "tablet", "safari"), 1, f"{_MOZILLA} (iPad; CPU OS 18_7 {_IOS}"),
    (("macos", "desktop", "safari"), 6, f"{_MAC}) {_APPLE} Safari/605.1.15"),
    (("macos", "desktop", "chrome"), 5, f"{_MAC}) {_KIT} Safari/537.36"),
    (("linux", "desktop", "firefox"), 5, f"{_LINUX}; rv:145.0) Gecko/20100101 Firefox/145.0"),
    (("linux", "desktop", "chrome"), 3, f"{_LINUX}) {_KIT} Safari/537.36"),
)

# what a visit's referrer says (None: a direct visit), its source, weight: few sources send most visits
SOURCES = (
    (None, DIRECT, 37),
    ("https://www.google.com/", "google.com", 30),
    ("https://www.bing.com/", "bing.com", 7),
    ("https://duckduckgo.com/", "duckduckgo.com", 5),
    ("https://www.reddit.com/", "reddit.com", 4),
    ("https://github.com/", "github.com", 3),
    ("https://en.wikipedia.org/", "wikipedia.org", 3),
    ("https://www.youtube.com/", "youtube.com", 3),
    ("https://news.ycombinator.com/item", "ycombinator.com", 2),
    ("https://search.yahoo.com/", "yahoo.com", 1.5),
    ("https://www.ecosia.org/", "ecosia.org", 1.2),
    ("https://m.facebook.com/", "facebook.com", 1),
    ("https://yandex.ru/", "yandex.ru", 1),
    ("https://alternativeto.net/software/", "alternativeto.net", 0.8),
    ("https://t.co/", "t.co", 0.6),
    ("https://mastodon.social/", "mastodon.social", 0.4),
    ("https://www.heise.de/download/", "heise.de", 0.4),
    ("android-app://com.google.android.gm/", UNKNOWN, 0.3),
)

# source, medium, campaign; weight
CAMPAIGNS = (
    (("newsletter", "email", "whats-new"), 5),
    (("search", "cpc", "player-brand"), 4),
    (("social", "post", "community"), 2),
    (("partner", "banner", "bundle"), 1),
)


class Weighted(Generic[Value]):
    """Values to draw from, each as often as its weight says."""

    def __init__(self, choices: Iterable[tuple[Value, float]]) -> None:
        chosen = list(choices)
        self.values = [value for value, _ in chosen]
        self._upto = list(accumulate(weight for _, weight in chosen))

    def draw(self, dice: Random) -> Value:
        return self.values[bisect(self._upto, dice.random() * self._upto[-1])]


def zipf(values: Iterable[Value], exponent: float = 1.0) -> Weighted[Value]:
    """The first most often, the n-th 1/n as often."""
    return Weighted((value, 1 / rank**exponent) for rank, value in enumerate(values, start=1))


class World:
    """Where people are drawn from; `country_of` tells the country of a packed address as the collector does."""

    def __init__(self, seed: int, country_of: Callable[[bytes], str]) -> None:
        dice = Random(f"{seed} world")
        found: dict[str, list[bytes]] = {}
        for _ in range(NETWORKS_TRIED):
            network = dice.getrandbits(24).to_bytes(3, "big")
            found.setdefault(country_of(network + b"\0"), []).append(network)
        known = [country for country in COUNTRIES if country in found]
        self._networks = {country: found[country] for country in known} or {UNKNOWN: found[UNKNOWN]}
        self._country = Weighted((country, COUNTRIES.get(country, (1, ""))[0]) for country in self._networks)
        self._agent = Weighted(((words, agent), weight) for words, weight, agent in AGENTS)

    def visitor(self, dice: Random) -> Person:
        """Somebody with a browser."""
        (os, device, browser), agent = self._agent.draw(dice)
        country = self._country.draw(dice)
        language = "en" if dice.random() < ENGLISH or country == UNKNOWN else COUNTRIES[country][1]
        wanted = f"{language}-{country},{language};q=0.9" if country != UNKNOWN else language
        return Person(self._address(country, dice), agent, wanted, country, os, device, browser, language)

    def machine(self, dice: Random, agent: str, os: str) -> Person:
        """Somebody's computer, on which a program calls."""
        country = self._country.draw(dice)
        return Person(self._address(country, dice), agent, "", country, os, "", "", "")

    def _address(self, country: str, dice: Random) -> bytes:
        return dice.choice(self._networks[country]) + bytes((dice.randrange(1, 255),))
