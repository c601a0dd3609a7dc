"""Events of all kinds, good, odd and bad, from all sorts of callers: a seed gives the same ones every time.

Every event can also be spelled out in a query, so that the same may be asked and sent. Meant for the built-in example.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any

from tests.example_events import good_events
from tests.made_hits import AGENTS, BOT

Sent = tuple[dict[str, Any], dict[str, str]]

_SITE = "https://www.example.org"
_WHOLE = (0, 1, 2, 7, 100, 999, 1000, 1001, 86_400, 86_401, -1, 2**53, "many", "", "1.5")
_VALUES: dict[str, tuple[Any, ...]] = {
    "url": (
        *(f"{_SITE}{path}" for path in ("/", "/pricing", "/docs/a/b/", "/users/jane", "/a@b.example/x", "/%2e%2e/é")),
        f"{_SITE}/orders/20260517?utm_source=Feed&utm_medium=a%20b&utm_campaign=autumn",
        f"{_SITE}/?utm_source=news+letter#top",
        *("https://example.org/pricing", "http://www.example.org:8080/", "https://evil.example/", "javascript:1", ""),
    ),
    "referrer": (
        *(
            "",
            f"{_SITE}/docs",
            "https://www.google.co.uk/search?q=x",
            "https://news.example.net/i",
            "http://192.0.2.7/",
        ),
        *("no address", "https://xn--bcher-kva.example.com/", "android-app://com.example"),
    ),
    "utm_source": ("newsletter", "Feed", "a b", "x" * 41, "203.0.113.77"),
    "utm_medium": ("mail", "cpc", ""),
    "utm_campaign": ("spring-2026", "0123456789abcdef", "é"),
    "version": ("1.4.2", "1.4.1", "9.9.9", "2.0.0-beta.1", "1", "latest"),
    "channel": ("stable", "beta", "nightly", "canary"),
    "os": ("windows", "macos", "linux", "other", "beos"),
    "arch": ("x86_64", "aarch64", "sparc"),
    "age": ("0", "3", "13", "52", "14"),
    "first": ([], ["day"], ["day", "week"], ["day", "month"], ["day", "week", "month", "ever"], ["week"]),
    "outcome": ("ok", "failed", "cancelled", "odd"),
    "reason": ("crashes", "other", "none"),
    "goal": ("signup", "contact", "win"),
    "link": ("forum", "equalizer-shop", "nowhere"),
    "file": ("player-setup.exe", "player.dmg", "virus.exe"),
    "origin": ("website", "forum", "moon"),
    "slot": ("side", "start", "top"),
    "item": ("equalizer-pack", "skin-pack", "odd"),
    "feature": ("subtitles", "casting", "odd"),
    "site": ("www.example.org", "player", "nobody"),
    "product": ("player", "www.example.org", "nobody"),
    "age_s": (0, 60, 3_600, 7_200, 86_400, 172_800, 172_801, 10**15, -1),
    "test": (True, False, "perhaps"),
    "entry": (True, False),
    "exit": (True, False),
    **dict.fromkeys(("seconds", "scroll", "shown", "clicked", "dismissed", "count"), _WHOLE),
}
_ADDRESSES = ("203.0.113.77", "198.51.100.23", "192.0.2.200", "2001:db8:5ca1:ab1e::77", "::ffff:203.0.113.9", "nowhere")
_LANGUAGES = ("en-GB,en;q=0.9", "de", "xx, fr;q=0.5", "*", "")
_REASONS = ({"Sec-GPC": "1"}, {"DNT": "1"}, {"Sec-Purpose": "prefetch;prerender"}, {"Range": "bytes=9-"})
_HINTS = ({"Sec-CH-UA-Platform": '"Windows"', "Sec-CH-UA-Mobile": "?0"}, {"Sec-CH-UA-Mobile": "?1"}, {"DNT": "0"})


def odd_events(number: int, seed: int) -> Iterator[Sent]:
    """So many events, each with the headers of its caller."""
    chance = random.Random(seed)
    good = good_events()
    kinds = sorted(good)
    for turn in range(number):
        yield _event(good[kinds[turn % len(kinds)]], chance), _headers(chance)


def as_query(event: dict[str, Any]) -> dict[str, str]:
    """The same event as what-you-see-of-me takes it."""
    return {name: _spelled(value) for name, value in event.items()}


def _event(good: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Nearly half of them can be counted."""
    event = {name: value for name, value in good.items() if name not in ("id", "age_s", "test")}
    for name in [*event][2:]:
        if name != "url" and chance.random() < 0.1:
            del event[name]
        elif name in _VALUES and chance.random() < 0.2:
            event[name] = chance.choice(_VALUES[name])
    for name in ("age_s", "test", "site", "product"):
        if chance.random() < (0.3 if name == "age_s" else 0.03):
            event[name] = chance.choice(_VALUES[name])
    if chance.random() < 0.5:
        event["id"] = str(uuid.UUID(int=chance.getrandbits(128)))
    if chance.random() < 0.03:
        event[chance.choice(("canary", "__proto__", "country"))] = "canary"
    if chance.random() < 0.02:
        event["kind"] = "nothing"
    return event


def _headers(chance: random.Random) -> dict[str, str]:
    agent = BOT if chance.random() < 0.08 else chance.choice(AGENTS)
    headers = {"User-Agent": agent, "X-Forwarded-For": chance.choice(_ADDRESSES)}
    headers["Accept-Language"] = chance.choice(_LANGUAGES)
    for more, share in ((_REASONS, 0.12), (_HINTS, 0.3)):
        if chance.random() < share:
            headers |= chance.choice(more)
    return headers


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, list) else str(value)
