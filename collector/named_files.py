"""The files that settings name, opened; and what of the settings would stop a process that starts."""

from __future__ import annotations

import platform

from collector.built import COUNTRIES
from collector.disk import read_named
from collector.errors import Misconfigured
from collector.importing import imported
from collector.reduce.region import Region
from collector.reduce.url import canonical
from collector.settings import Settings


def check_settings(settings: Settings) -> None:
    """Say before anything starts what would stop a process that starts: raises Misconfigured."""
    for name in ("config", "data", "geoip_db", "referrer_spam"):  # handed to the children as text
        if not str(getattr(settings, name)).isprintable():
            raise Misconfigured(f"{name}: must be a path of printable UTF-8")
    region_of(settings)
    spammers_of(settings)
    if settings.strict_memory and platform.libc_ver()[0] != "glibc":
        raise Misconfigured("strict_memory: needs the GNU C library, which overwrites what is freed")
    if settings.clickhouse is not None:
        imported("collector.warehouse.server").Server(settings.clickhouse).close()


def region_of(settings: Settings) -> Region:
    """The countries of these settings' database, opened; raises Misconfigured if it cannot be used."""
    return Region(settings.geoip_db or (COUNTRIES if COUNTRIES.is_file() else None))


def spammers_of(settings: Settings) -> frozenset[str]:
    """The domains of these settings' list of referrer spammers, one a line; raises Misconfigured if it cannot be read.

    Empty lines and what stands after a # do not count.
    """
    if settings.referrer_spam is None:
        return frozenset()
    try:
        lines = read_named(settings.referrer_spam).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"referrer_spam: {settings.referrer_spam} cannot be read as text") from error
    return frozenset(canonical(line.partition("#")[0].strip()) for line in lines) - {""}
