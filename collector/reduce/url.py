r"""Takes a web address apart the way browsers do (WHATWG URL), and never raises.

Only what the reduction needs: host, path, query. Credentials, port and fragment end here. urllib.parse is not used: it
raises on odd hosts, keeps backslashes, and reads `https://www.example.org\@evil.example/` as the other site.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(r"https?://([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_EDGES = "".join(map(chr, range(0x21)))
_DROPPED = str.maketrans("", "", "\t\n\r")
_PORT = re.compile(r":\d*\Z")
_MAX_HOST = 253  # RFC 1035, 2.3.4; also bounds the work of the idna codec


class Address(NamedTuple):
    """Host in lower case, without port, credentials and trailing dot; path and query as sent."""

    host: str
    path: str
    query: str


def split(url: str) -> Address | None:
    """The parts of an http or https address; None for anything else."""
    url = url.strip(_EDGES).translate(_DROPPED)
    if "\\" in url:
        end = min((place for mark in "?#" if (place := url.find(mark)) >= 0), default=len(url))
        url = url[:end].replace("\\", "/") + url[end:]
    found = _ADDRESS.match(url)
    if found is None:
        return None
    authority, path, query = found.groups("")
    host = canonical(_PORT.sub("", authority.rpartition("@")[2]))
    return Address(host, path, query) if host else None


def canonical(host: str) -> str:
    """The host as DNS spells it (punycode, lower case, no trailing dot); empty if it cannot be one."""
    host = host.removesuffix(".")
    if len(host) > _MAX_HOST:
        return ""
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return host.lower()
