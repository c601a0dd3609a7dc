"""A small file of page hits, made here: the same columns as the recorded ones, for where these are absent.

It has what real traffic has little of: crowds of exactly 9 and 10 networks, several people in a network, IPv6, hits of
a foreign host. Every run makes the same file. Called by test_real_traffic.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

SITE = "https://www.example.org"
HEADER = "epoch_s\taddress\turl\treferrer\tuser_agent"

_IOS = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"
AGENTS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) {_IOS}",
    f"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) {_IOS}",
    f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
    "",
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_PAGES = (
    "/",
    "/blog/a-title-with-words/",
    "/blog/a-title-with-words/?page=2#comments",
    "/blog/tags/open%20source",
    "/docs/2015-05-17-release.html",
    "/docs/player-1.4.2.tar.gz",
    "/orders/20260517",
    "/orders/7f3de1b2-9a55-4a0e-8d5c-0123456789ab",
    "/?utm_source=Feed&utm_medium=rss&utm_campaign=autumn",
    "/?utm_source=Feed&utm_medium=mail%20of%20ours&utm_campaign=autumn",
)
_REFERRERS = (
    "",
    "",
    f"{SITE}/",
    "https://www.google.com/search?q=player",
    "https://www.google.co.uk/",
    "https://news.example.net/item?id=1",
    "no address at all",
    "http://192.0.2.7/",
)


def write_hits(file: Path) -> None:
    rows = [*_everyday()]
    rows += _crowd("ten-networks.net", 10, first=1)
    rows += _crowd("nine-networks.net", 9, first=101)
    rows += _crowd("five-networks.net", 5, first=201)  # with the nine a crowd of their own: the ten are not needed
    random.Random(7).shuffle(rows)
    lines = ("\t".join(("1431857114", *row)) for row in rows)
    file.write_text("\n".join((HEADER, *lines, "")), "utf-8")


def _everyday() -> Iterator[tuple[str, str, str, str]]:
    """Six hundred hits from 90 networks; one address in six of IPv6, one hit in twelve a bot's."""
    chance = random.Random(20261122)
    agents = chance.choices(AGENTS, weights=(60, 30, 20, 20, 10, 2, 12, 4), k=600)
    for turn, agent in enumerate(agents):
        network, person = chance.randrange(90), chance.randrange(1, 4)
        address = f"2a00:{network:x}:1::{person}:1" if network % 6 == 0 else f"{20 + network}.7.{network}.{person}"
        page, referrer = chance.choice(_PAGES), chance.choice(_REFERRERS)
        yield address, SITE + page, referrer, agent if turn % 12 else BOT
        if turn % 100 == 0:
            yield address, f"https://elsewhere.example{page}", referrer, agent


def _crowd(domain: str, networks: int, first: int) -> Iterator[tuple[str, str, str, str]]:
    """Three hits from two people in each of so many networks, all coming from one domain."""
    for network in range(first, first + networks):
        for person in (1, 1, 2):
            yield f"193.0.{network}.{person}", f"{SITE}/landing", f"https://{domain}/", AGENTS[0]
