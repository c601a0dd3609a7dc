"""Made-up visits as a table of raw events, in SQL: what a program that keeps every event would ask.

Every choice is a hash of the seed and the number of the visitor or hit, so the same events come again; values are
picked as 1/rank. The table has its order and partitions from a well-known program of that kind; its rows are fewer
than there (leaving a page is told in the row of the hit), which favours it. The collector keeps no such table.
"""

from __future__ import annotations

from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

DAY_S = 86_400
HITS = 3
SEED = 5

_PLACES = ("", "/docs", "/blog", "/help", "/download", "/forum")
PATHS = ["/", *(f"{_PLACES[number % 6]}/page-{number}" for number in range(1, 180))]
SOURCES = ["(direct)", "google", "bing", "duckduckgo", "facebook", "reddit", "youtube", "github"]
SOURCES += [f"site-{number}.example" for number in range(1, 33)]
CAMPAIGNS = [f"campaign-{number}" for number in range(1, 9)]
_COUNTRIES = (
    "DE US FR GB IN BR JP IT ES NL PL CA AU SE CH AT BE TR MX ID KR CZ DK NO FI PT GR RO HU UA AR CL CO "
    "TH VN MY PH ZA EG NG KE MA IL AE SA IR PK BD NZ IE "
)
COUNTRIES = _COUNTRIES.split()
SYSTEMS = ["windows", "android", "ios", "macos", "linux", "chromeos"]
DEVICES = ["desktop", "phone", "tablet", "tv"]
BROWSERS = ["chrome", "safari", "firefox", "edge", "samsung", "opera", "brave", "vivaldi"]
_LANGUAGES = "en de fr es pt ja it nl pl ru zh tr ko sv cs da fi el hu ro"
LANGUAGES = _LANGUAGES.split()

TABLE = """
CREATE TABLE IF NOT EXISTS raw (
    property LowCardinality(String), time DateTime('UTC') CODEC(Delta, ZSTD(1)), visitor UInt64, hit UInt8,
    path LowCardinality(String), entry UInt8, exit UInt8, seconds UInt16, scroll UInt8,
    source LowCardinality(String), campaign LowCardinality(String), country LowCardinality(String),
    os LowCardinality(String), device LowCardinality(String), browser LowCardinality(String),
    language LowCardinality(String)
)
ENGINE = MergeTree PARTITION BY toYYYYMM(time) ORDER BY (property, time)
"""


def make_events(client: Client, sites: Sequence[str], visitors: int, from_day: int, until_day: int) -> None:
    """Insert all events of these days, the last not included."""
    per_day = len(sites) * visitors
    client.command(f"""
INSERT INTO raw
WITH number % {HITS} AS n, intDiv(number, {HITS}) AS who, {from_day} + intDiv(who, {per_day}) AS day,
     cityHash64({SEED}, {from_day * per_day} + who) AS caller, caller % 4 = 0 AS returns
SELECT {_of(sites)}[who % {len(sites)} + 1], toDateTime(day * {DAY_S} + 3600 * (7 + toUInt32(15 * {_even("hour")}))
       + toUInt32(3400 * {_even("second")}) + 60 * n, 'UTC'), caller, n,
       {_pick(PATHS, "path", "caller, n")}, returns OR n = 0, returns OR n = {HITS - 1},
       toUInt16(600 * {_even("seconds", "caller, n")}), toUInt8(100 * {_even("scroll", "caller, n")}),
       {_pick(SOURCES, "source")}, if({_even("campaigns")} < 0.2, {_pick(CAMPAIGNS, "campaign")}, ''),
       {_pick(COUNTRIES, "country")}, {_pick(SYSTEMS, "os")}, {_pick(DEVICES, "device")},
       {_pick(BROWSERS, "browser")}, {_pick(LANGUAGES, "language")}
FROM numbers({(until_day - from_day) * per_day * HITS})
""")


def _even(what: str, of: str = "caller") -> str:
    """A number from 0 to 1."""
    return f"(cityHash64({of}, '{what}') / 18446744073709551616.)"


def _pick(values: Sequence[str], what: str, of: str = "caller") -> str:
    return f"{_of(values)}[least(toUInt32(pow({len(values) + 1}, {_even(what, of)})), {len(values)})]"


def _of(values: Sequence[str]) -> str:
    return f"{list(values)}"
