"""Which lines of a log are page hits of a registered site, and the event the door would have been sent for one.

A page hit is a GET answered 2xx or 304, of anything but what pages are made of (STATIC), from anywhere and of any path
but what `[import_log]` excludes. Whether it is a bot's, and everything else, is for the judge. Called by run.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import unquote

from collector.catalogue.registry import Registry
from collector.errors import Misconfigured
from collector.metrics import Reason
from collector.tools.import_log.lines import Line

Left = (
    Reason
    | Literal[
        "unreadable",
        "not_over",
        "too_old",
        "out_of_order",
        "status",
        "method",
        "static",
        "excluded_path",
        "excluded_network",
        "other_host",
        "refused",
    ]
)
"""Why a line is not counted."""

TELLS: dict[Left, str] = {
    "unreadable": "lines that are not of the combined format, or longer than 64 KB",
    "not_over": "of a day that is not over, UTC, and whatever follows it in its file: import them once it is",
    "too_old": "of days longer ago than counts are kept",
    "out_of_order": "of a day that the log had left a day before: sort it, or give its parts as files",
    "status": "answered neither 2xx nor 304",
    "method": "not GET",
    "static": "files that pages are made of: style, scripts, images, fonts, robots.txt",
    "excluded_path": "of paths that [import_log] excludes",
    "excluded_network": "from networks that [import_log] excludes",
    "other_host": "of a host that is none of the site's",
    "bot": "sent by bots",
    "referrer_spam": "with a referrer of the list of spammers",
    "refused": "refused as the door refuses them: an address too long, or of another host",
}

STATIC = frozenset(
    (
        *("css", "js", "mjs", "map", "json", "webmanifest", "woff", "woff2", "ttf", "otf", "eot"),
        *("ico", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "bmp"),
    )
)
"""What the last name of a path ends in, of files that a page brings along."""
STATIC_NAMES = frozenset(("robots.txt", "ads.txt", "sitemap.xml"))

_ADDRESS_BYTES = {4: 4, 6: 16}
_WHOLE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # what a client sends to a proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """What `[import_log]` leaves out: paths with all below them, networks as (bytes of an address, value, mask)."""

    paths: tuple[str, ...] = ()
    networks: tuple[tuple[int, int, int], ...] = ()

    def left_out(self, path: str, address: bytes) -> Left | None:
        """Why a request for this path from a packed address is left out, if it is."""
        path = unquote(path) if self.paths else ""
        if any(path == each or path.startswith(each.rstrip("/") + "/") for each in self.paths):
            return "excluded_path"
        number = int.from_bytes(address, "big") if self.networks else 0
        if any(len(address) == size and number & mask == network for size, network, mask in self.networks):
            return "excluded_network"
        return None


def excluded_by(text: Mapping[str, Any]) -> Excluded:
    """What a parsed configuration excludes; raises Misconfigured for what is no network."""
    table = text.get("import_log", {})
    networks = []
    for each in table.get("exclude_networks", ()):
        try:
            network = ipaddress.ip_network(each)
        except ValueError as error:
            raise Misconfigured(
                f"import_log.exclude_networks: must be networks, as 10.0.0.0/8, not {each!r}"
            ) from error
        networks.append((_ADDRESS_BYTES[network.version], int(network.network_address), int(network.netmask)))
    return Excluded(paths=tuple(table.get("exclude_paths", ())), networks=tuple(networks))


class Hits:
    """Tells page hits. A line with a host is of the site it belongs to, one without of `site`, or of the only one."""

    def __init__(self, registry: Registry, site: str | None, excluded: Excluded) -> None:
        """Raises Misconfigured for a site that is not registered."""
        if site is not None and site not in registry.sites:
            raise Misconfigured("--site: must be the id of a site of the configuration")
        sites = [registry.sites[site]] if site else list(registry.sites.values())
        self._of_host = {host: each for each in sites for host in each.hosts}
        self._only = sites[0] if len(sites) == 1 else None
        self._excluded = excluded

    def of(self, line: Line) -> dict[str, Any] | Left:
        """The event of a line, or why it is not counted. Raises Misconfigured where it tells no site."""
        if not (HTTPStatus.OK <= line.status < HTTPStatus.MULTIPLE_CHOICES or line.status == HTTPStatus.NOT_MODIFIED):
            return "status"
        if line.method != "GET":
            return "method"
        site = self._of_host.get(line.host) if line.host else self._only
        if site is None:
            if line.host:
                return "other_host"
            raise Misconfigured("the log names no hosts, and there are several sites: say whose it is by --site ID")
        found = _WHOLE.match(line.target)
        path = line.target[found.end() if found else 0 :].partition("?")[0].partition("#")[0] or "/"
        if is_static(path):
            return "static"
        if left := self._excluded.left_out(path, line.address):
            return left
        url = line.target if found else f"https://{line.host or site.hosts[0]}{line.target}"
        hit = {"kind": "page_hit", "site": site.id, "url": url}
        return hit | {"referrer": line.referrer} if line.referrer else hit


def is_static(path: str) -> bool:
    """Whether it is a file that pages are made of."""
    name = path.rpartition("/")[2].lower()
    return name in STATIC_NAMES or ("." in name and name.rpartition(".")[2] in STATIC)
