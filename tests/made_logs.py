"""Access logs of made-up visits, as nginx and Apache write them, and who did what when: what an import must find."""

from __future__ import annotations

import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

DAY_S = 86_400
SITE = "www.example.org"
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari",
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
REFERRERS = ("-", "https://news.example.com/item?id=1", "https://duckduckgo.com/", f"https://{SITE}/blog/")
UTC_ZONE = "+0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One line, before it is written."""

    at: int
    path: str = "/"
    address: str = "198.51.100.7"
    agent: str = AGENTS[0]
    referrer: str = "-"
    method: str = "GET"
    status: int = 200
    host: str = ""
    zone: str = UTC_ZONE

    @property
    def line(self) -> str:
        """As the servers write it."""
        minutes = int(self.zone[1:3]) * 60 + int(self.zone[3:])
        zone = timezone(timedelta(minutes=-minutes if self.zone[0] == "-" else minutes))
        when = datetime.fromtimestamp(self.at, UTC).astimezone(zone)
        said = f"{self.host} " if self.host else ""
        return (
            f"{said}{self.address} - - [{when:%d/%b/%Y:%H:%M:%S} {self.zone}]"
            f' "{self.method} {self.path} HTTP/1.1" {self.status} 2326 "{self.referrer}" "{self.agent}"\n'
        )


def visits(first_day: int, days: int, hits_a_day: int, seed: int = 1, people: int = 600) -> list[Request]:
    """Page hits of people who come on most of these days, in order; some of them share a network."""
    dice = random.Random(seed)
    made = []
    for day in range(first_day, first_day + days):
        for _ in range(hits_a_day):
            person = int(people * dice.random() ** 2)
            made.append(
                Request(
                    at=day * DAY_S + dice.randrange(DAY_S),
                    path=f"/blog/page-{int(40 * dice.random() ** 3)}",
                    address=f"{1 + person % 200}.{person // 200}.7.{person % 250}",
                    agent=AGENTS[person % len(AGENTS)],
                    referrer=dice.choice(REFERRERS),
                )
            )
    return sorted(made, key=lambda request: request.at)


def written(path: Path, requests: Iterable[Request], *more: bytes) -> Path:
    """A log of these requests, and of lines as they are; packed if its name says so."""
    text = b"".join([*(request.line.encode() for request in requests), *more])
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def rotated(folder: Path, requests: Sequence[Request], parts: int) -> list[Path]:
    """The same requests as so many files that share days; every second one packed."""
    size = -(-len(requests) // parts)
    portions = [requests[at : at + size] for at in range(0, len(requests), size)]
    names = [f"access.log.{parts - n}{'.gz' if n % 2 else ''}" for n in range(parts)]
    return [written(folder / name, portion) for name, portion in zip(names, portions, strict=True)]


def per_path(requests: Iterable[Request]) -> Counter[str]:
    """How many hits each path has."""
    return Counter(request.path for request in requests)


def per_day(requests: Iterable[Request]) -> Counter[str]:
    """How many hits each day has."""
    return Counter(date_of(request.at // DAY_S) for request in requests)


def visitors(requests: Iterable[Request]) -> dict[str, int]:
    """How many visitors each day has: addresses with what they browse with."""
    met: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for request in requests:
        met[date_of(request.at // DAY_S)].add((request.address, request.agent))
    return {day: len(people) for day, people in met.items()}


def date_of(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()
