"""Counts recorded page hits a second time, straight from their file, the way the design notes say and no other.

Nothing of the package is imported here: it is the other witness. It reads every line, keeps what the collector must
forget (addresses, agents), and holds it all in memory, so that sets say what a collector may only estimate. Libraries
that are tables (agents, crawlers, public suffixes, countries) are asked directly; whatever is judgment is judged anew,
as plainly as the real traffic allows. Called by test_real_traffic.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import crawleruseragents
import maxminddb
import ua_parser
from publicsuffixlist import PublicSuffixList

OTHER, UNKNOWN, DIRECT = "(other)", "(unknown)", "(direct)"

_SUFFIXES = PublicSuffixList(accept_unknown=False)
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_CAMPAIGN = re.compile(r"[a-z0-9._-]{1,40}")
_SPELLED = re.compile(r'[ %?#"<>`{}]')

# privacy.md D2: a segment is one of these as a whole, whatever its file extension. A date in a file's name is none.
_PERSONAL = re.compile(
    r"(?:[^@]+@[^@]+"  # mail address
    r"|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # UUID
    r"|[0-9a-fA-F]{16,}"
    r"|\d{6,}"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"  # JWT
    r"|(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=\D*\d)[A-Za-z0-9+_]{20,}"  # base64; words with dashes between are a title
    r"|\+[\d-]{7,}|[\d-]{9,}"  # phone
    r"|[A-Z]{2}\d{2}[A-Z0-9]{11,30}"  # IBAN
    r"|\d{1,3}(\.\d{1,3}){3})"  # address
    r"(\.[a-z]{1,4})?"
)

_LINUX = {"Linux", "Ubuntu", "Debian", "Fedora", "CentOS", "Gentoo", "Mageia", "Linux Mint", "Kubuntu", "SUSE"}
_SYSTEMS = {
    "Windows": "windows",
    "Mac OS X": "macos",
    "Android": "android",
    "iOS": "ios",
    "Chrome OS": "chromeos",
    **dict.fromkeys(_LINUX, "linux"),
}
# The first family of an agent's name that begins like this decides.
_BROWSERS = {
    "Firefox": "firefox",
    "Iceweasel": "firefox",
    "Chrom": "chrome",
    "Mobile Safari": "safari",
    "Safari": "safari",
    "Opera": "opera",
    "Edge": "edge",
    "IE": "ie",
    "Samsung Internet": "samsung",
}
_BASE_SYSTEMS = ("windows", "macos", "linux", "chromeos")


class Row(NamedTuple):
    """A line of the file."""

    address: str
    url: str
    referrer: str
    agent: str


class Hit(NamedTuple):
    """A page hit that must be counted, with all that tells its caller."""

    path: str
    source: str
    entry: bool
    country: str
    os: str
    device: str
    browser: str
    language: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    network: str
    visitor: tuple[str, str, str, str]

    def values(self, dimensions: Iterable[str]) -> tuple[str, ...]:
        return tuple(getattr(self, dimension) for dimension in dimensions)


class Expected(NamedTuple):
    """What must become of the lines of a file."""

    sent: int
    hits: list[Hit]
    bots: int
    refused: int


def read_rows(file: Path) -> list[Row]:
    lines = file.read_text("utf-8", "replace").split("\n")[1:]
    return [Row(*line.split("\t")[1:5]) for line in lines if line]


def count(rows: list[Row], site: str, hosts: set[str], countries: Path | None) -> Expected:
    """Tell refused hits, bots and hits to be counted apart.

    A hit is sent to the site named like its host, so that one of another host is for nobody. `countries` is a database
    in MaxMind's format; None where there is none.
    """
    country_of = _countries(countries)
    hits: list[Hit] = []
    bots = refused = 0
    for row in rows:
        if urlsplit(row.url).hostname != site:
            refused += 1
        elif _is_bot(row.agent[:400]):
            bots += 1
        else:
            hits.append(_hit(row, hosts, country_of))
    return Expected(len(rows), hits, bots, refused)


def visitors(hits: Iterable[Hit]) -> int:
    return len({hit.visitor for hit in hits})


def networks(hits: Iterable[Hit]) -> int:
    return len({hit.network for hit in hits})


def fallen_into(rows: set[tuple[str, ...]], hits: Iterable[Hit], by: list[str]) -> dict[tuple[str, ...], list[Hit]]:
    """Every hit under the row that names the most of it, from the outside in: what is not named is (other).

    Hits no row is for are under the values they have, which no row can have then.
    """
    fallen: dict[tuple[str, ...], list[Hit]] = {}
    for hit in hits:
        values = hit.values(by)
        named = (values[:depth] + (OTHER,) * (len(by) - depth) for depth in range(len(by), -1, -1))
        fallen.setdefault(next((row for row in named if row in rows), values), []).append(hit)
    return fallen


def count_by(hits: Iterable[Hit], by: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(hit.values(by) for hit in hits)


def _hit(row: Row, hosts: set[str], country_of: Callable[[str], str]) -> Hit:
    address = ip_address(row.address)
    network, person = (24, 32) if address.version == 4 else (48, 64)
    os, device, browser = _platform(row.agent[:400])
    source, entry = _source(row.referrer, hosts)
    path, query = _path_and_query(row.url)
    return Hit(
        path=path,
        source=source,
        entry=entry,
        country=country_of(row.address),
        os=os,
        device=device,
        browser=browser,
        language=UNKNOWN,  # the file has none
        **_campaign(query),
        network=_prefix(row.address, network),
        visitor=(_prefix(row.address, person), os, device, browser),
    )


@cache
def _prefix(address: str, bits: int) -> str:
    return str(ip_network(f"{address}/{bits}", strict=False))


def _path_and_query(url: str) -> tuple[str, str]:
    """The path with decoded, scrubbed segments; white space around a word makes no other page of it."""
    rest = url.partition("#")[0].partition("://")[2]
    path, _, query = rest.partition("?")
    segments = [" ".join(unquote(segment).split()) for segment in path.split("/")[1:]]
    kept = (":id" if _PERSONAL.fullmatch(segment) else _SPELLED.sub(_escape, segment) for segment in segments)
    return "/" + "/".join(kept), query


def _escape(sign: re.Match[str]) -> str:
    return f"%{ord(sign[0]):02X}"


def _campaign(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for key, value in parse_qsl(query):
        given.setdefault(key, value.lower() if _CAMPAIGN.fullmatch(value.lower()) else OTHER)
    return {key: given.get(key, UNKNOWN) for key in ("utm_source", "utm_medium", "utm_campaign")}


@cache
def _is_bot(agent: str) -> bool:
    return bool(crawleruseragents.is_crawler(agent))


def _source(referrer: str, hosts: set[str]) -> tuple[str, bool]:
    """The registrable domain, and whether a visit begins here."""
    if not referrer:
        return DIRECT, True
    host = urlsplit(referrer).hostname or "" if referrer.startswith(("http://", "https://")) else ""
    known = _DOMAIN.fullmatch(host) and not re.fullmatch(r"[\d.]+", host)
    return (_SUFFIXES.privatesuffix(host) or UNKNOWN if known else UNKNOWN), host not in hosts


@cache
def _platform(agent: str) -> tuple[str, str, str]:
    parsed = ua_parser.parse(agent)
    system = parsed.os.family if parsed.os else ""
    os = _SYSTEMS.get(system, "other" if system else UNKNOWN)
    family = parsed.user_agent.family if parsed.user_agent else ""
    names = (word for begin, word in _BROWSERS.items() if family.startswith(begin))
    return os, _device(os, agent), next(names, "other" if family else UNKNOWN)


def _device(os: str, agent: str) -> str:
    if os == "ios":
        return "tablet" if "iPad" in agent else "mobile"
    if os == "android":
        is_app = not agent.startswith("Mozilla/")  # these say neither, and are mostly used on phones
        return "mobile" if is_app or ("Mobile" in agent and "Tablet" not in agent) else "tablet"
    if os in _BASE_SYSTEMS or "BSD" in agent:
        return "desktop"
    if re.search(r"Mobile|MIDP|Opera Mini", agent):
        return "mobile"
    return UNKNOWN if os == UNKNOWN else "other"


def _countries(database: Path | None) -> Callable[[str], str]:
    if database is None:
        return lambda address: UNKNOWN
    reader = maxminddb.open_database(database)

    @cache
    def country_of(address: str) -> str:
        bits = 24 if ":" not in address else 48
        record: Any = reader.get(_prefix(address, bits).partition("/")[0])
        return str(record["country_code"]) if record else UNKNOWN

    return country_of
