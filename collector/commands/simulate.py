"""`collector simulate`: its options, and what is said while it works and at its end.

History (tools/simulate/history.py) holds the data directory; live (sending.py) needs only the address of a collector
that runs.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import click

from collector.commands.common import plainly, read, settings_options
from collector.data_folder import hold
from collector.errors import Misconfigured
from collector.log import configure
from collector.named_files import check_settings, region_of
from collector.settings import Settings
from collector.tools.simulate.days import Days
from collector.tools.simulate.history import fill
from collector.tools.simulate.sending import requests_of_today, send
from collector.tools.simulate.truth import Truth
from collector.tools.simulate.visitors import DAY_S

DAYS, VISITORS, SEED = 90, 700, 1
LONGEST_DAYS = 760  # what is sealed is kept 25 months
PEOPLE = "People a day on each site at first; a product has three times as many installations."
FILE = click.Path(dir_okay=False, path_type=Path)
LINES = 10  # told of a history where nobody watches a bar
_LENGTH = re.compile(r"(\d{1,6})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@click.command("simulate")
@click.option("--days", type=click.IntRange(1, LONGEST_DAYS), default=DAYS, show_default=True, help="How many days.")
@click.option("--last", metavar="DATE", help="The last of them, UTC. Default: today, up to now.")
@click.option("--visitors", type=click.IntRange(1, 1_000_000), default=VISITORS, show_default=True, help=PEOPLE)
@click.option("--seed", type=int, default=SEED, show_default=True, help="The same number makes the same events.")
@click.option("--truth", type=FILE, metavar="FILE", help="Write what the reports must say here, as JSON.")
@click.option("--to", metavar="URL", help="Send events of now to a running collector instead: its public port.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Events a second, with --to.")
@click.option("--for", "length", metavar="TIME", help="How long, with --to, as 30s, 10m or 2h. Default: until Ctrl-C.")
@settings_options("config", "data", "geoip_db", "clickhouse")
@plainly
def simulate(  # noqa: PLR0913 - one parameter an option
    *,
    days: int,
    last: str | None,
    visitors: int,
    seed: int,
    truth: Path | None,
    to: str | None,
    rate: float | None,
    length: str | None,
    **flags: str | None,
) -> None:
    """Make up the traffic of the configured sites and products: visits, downloads, installations, update checks.

    \b
    collector simulate --data ./made-up --days 90            90 days into an empty directory, no server needed
    collector simulate --to http://127.0.0.1:8080 --rate 20  events of now to a collector that runs

    Days of the past go the way of real events, but for the HTTP port: counted under a key of their day, loaded, and
    sealed when they were due. With --to every request names an address of its own in X-Forwarded-For: the collector
    must trust this machine (trusted_proxies = ["127.0.0.0/8"]), and it counts them for good: never a real one's.
    """  # noqa: D301 - click's sign for lines that stay as they are
    settings = read(flags)
    configure("warning")
    if to is not None:
        _live(settings, to, seed=seed, visitors=visitors, rate=rate, length=length, truth=truth)
        return
    if not (flags["data"] or os.environ.get("COLLECTOR_DATA")):
        raise Misconfigured("--data: name the directory to fill, or --to a collector to send to")
    if rate or length:
        raise Misconfigured("--rate and --for: are of --to only")
    until_s = time.time()
    last_day = int(until_s) // DAY_S if last is None else _day(last)
    if last_day > until_s // DAY_S:
        raise Misconfigured("--last: must not lie in the future")
    span = range(last_day - days + 1, last_day + 1)
    made = make_history(settings, span, seed=seed, visitors=visitors, truth=truth)
    config = f" --config {settings.config}" if settings.config else ""
    click.echo(f"Made {made.events:,} events of {days} days in {time.time() - until_s:.0f} s: {settings.data}")
    click.echo(f"Look at them:  collector serve --data {settings.data}{config}")


def make_history(settings: Settings, span: range, *, seed: int, visitors: int, truth: Path | None) -> Truth:
    """Fill the data directory with these days; raises Misconfigured if it is not empty, or in use."""
    check_settings(settings)
    folder = hold(settings.data, patience_s=0.0)
    try:
        country_of = region_of(settings).country
        days = Days(settings.registry, country_of, seed=seed, first=span[0], days=len(span), visitors=visitors)
        with _progress(len(span)) as tell:
            made = fill(settings, folder, days, span, time.time(), tell)
    finally:
        folder.release()
    if truth:
        made.write(truth, seed=seed, **{"from": _date(span[0]), "to": _date(span[-1])})
    return made


def _live(
    settings: Settings,
    to: str,
    *,
    seed: int,
    visitors: int,
    rate: float | None,
    length: str | None,
    truth: Path | None,
) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: what was sent is told
    requests = requests_of_today(settings.registry, region_of(settings).country, seed=seed, visitors=visitors)
    first = int(time.time()) // DAY_S
    sent = send(to, requests, rate=rate, for_s=None if length is None else _seconds(length))
    if truth:
        sent.write(truth, seed=seed, **{"from": _date(first), "to": _date(int(time.time()) // DAY_S)})
    click.echo(f"Sent {sent.events:,} events; in about ten seconds they are in the reports.")


@contextmanager
def _progress(days: int) -> Iterator[Callable[[int], None]]:
    """A bar where somebody watches, else a line for each tenth."""
    if sys.stderr.isatty():
        with click.progressbar(length=days, label="Days made", file=sys.stderr) as bar:
            yield bar.update
        return
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        before, done = done, done + more
        if done * LINES // days > before * LINES // days:
            click.echo(f"{done} of {days} days made", err=True)

    yield tell


def _day(text: str) -> int:
    try:
        return int(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC).timestamp()) // DAY_S
    except ValueError:
        raise Misconfigured("--last: must be a date, as 2026-11-28") from None


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


def _seconds(text: str) -> int:
    found = _LENGTH.fullmatch(text)
    if not found:
        raise Misconfigured("--for: must be a length of time, as 30s, 10m or 2h")
    return int(found[1]) * _SECONDS[found[2]]
