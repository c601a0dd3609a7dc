"""Where a visit came from: the registrable domain of its referrer, nothing finer.

Path, query and host name of the referrer are dropped; so is every referrer that names a machine instead of a published
domain (addresses in any spelling, localhost, names of an intranet). The list of public suffixes is the one shipped with
publicsuffixlist; nothing is fetched.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from publicsuffixlist import PublicSuffixList

from collector.catalogue.registry import Registry
from collector.cell import DIRECT, UNKNOWN
from collector.reduce.memo import Memo
from collector.reduce.scrub import is_id_like
from collector.reduce.url import canonical, split

_REMEMBERED = 16_384
_LOOKED_AT = 4_096  # characters, as the schema allows

# A last label that is a number makes the whole host an IPv4 address: 3232235777, 0xc0a80101, 192.168.257 (WHATWG URL).
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_LABELS = 8
_REVERSE = ".arpa"  # 4.3.2.1.in-addr.arpa is an address, too
_PUNYCODE = "xn--"


class Source(NamedTuple):
    """The registrable domain, "(direct)" or "(unknown)"; entry: the visit begins here, not coming from this site.

    spam  whether the referrer is on the operator's list of spammers
    """

    source: str
    entry: bool
    spam: bool = False


_DIRECT = Source(DIRECT, entry=True)
_UNREADABLE = Source(UNKNOWN, entry=True)


class Sources:
    """Tells sources; one per worker."""

    def __init__(self, registry: Registry, spammers: frozenset[str] = frozenset()) -> None:
        """`spammers`: domains as DNS spells them; what is below them is meant, too."""
        self._hosts = {site.id: frozenset(map(canonical, site.hosts)) for site in registry.sites.values()}
        self._spammers = spammers
        self._suffixes = PublicSuffixList(accept_unknown=False)
        self._memo: Memo[Source] = Memo(_REMEMBERED)

    def of(self, site_id: str, referrer: str | None) -> Source:
        """The source of a visit to a site; never refuses: what cannot be read is "(unknown)"."""
        if not referrer:
            return _DIRECT
        hashed = hash((site_id, referrer))
        return self._memo.get(hashed) or self._memo.put(hashed, self._source(site_id, referrer))

    def _source(self, site_id: str, referrer: str) -> Source:
        if referrer.isspace():
            return _DIRECT
        address = split(referrer[:_LOOKED_AT])
        if address is None:
            return _UNREADABLE
        entry = address.host not in self._hosts[site_id]
        return Source(self._domain(address.host), entry, self._is_spam(address.host))

    def _is_spam(self, host: str) -> bool:
        labels = host.split(".") if self._spammers else []
        return any(".".join(labels[place:]) in self._spammers for place in range(len(labels)))

    def _domain(self, host: str) -> str:
        labels = host.split(".")
        if _NUMBER.match(labels[-1]) or host.endswith(_REVERSE):
            return UNKNOWN
        domain = self._suffixes.privatesuffix(host)
        if domain is None:
            return UNKNOWN
        labels = domain.split(".")
        if len(labels) > _MAX_LABELS or not all(map(_LABEL.fullmatch, labels)):
            return UNKNOWN
        return UNKNOWN if is_id_like(_readable(labels[0])) else domain


def _readable(label: str) -> str:
    """A label as people read it: out of punycode, whose code letters look like a token."""
    if not label.startswith(_PUNYCODE):
        return label
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label
