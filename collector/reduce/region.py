"""The country of an address, looked up by its network only.

The database is a local file in MaxMind's format; nothing is asked over the wire. It is copied into memory of our own
(memfd) before the C reader maps it: an operator may overwrite the file while we run, and reading a mapped file that
shrank kills the process (SIGBUS). A look-up costs about 1 us; there is no Memo in front, which would be a list of the
day's networks.
"""

from __future__ import annotations

import os
import time
import tomllib
from pathlib import Path
from socket import AF_INET6, inet_ntop
from typing import Any

import maxminddb

from collector.catalogue.buckets import read_dimensions
from collector.catalogue.declarations import schemas_folder
from collector.cell import UNKNOWN
from collector.disk import read_named
from collector.errors import Misconfigured

_MAPPED = bytes(10) + b"\xff\xff"  # an IPv4 address spelled as IPv6 (RFC 4291, 2.5.5.2)
_V4_BYTES = 4
_DAY_S = 86_400


class Region:
    """Looks up countries; without a database every answer is "(unknown)".

    age_days  how old the database's data were when it was opened; None without one
    """

    def __init__(self, path: Path | None) -> None:
        """Open the database; raises Misconfigured if there is a path but no readable database."""
        dimensions = read_dimensions(tomllib.loads((schemas_folder() / "buckets.toml").read_text()))
        self._known = dimensions["country"].values or frozenset()
        self._reader = None if path is None else _opened(path)
        self.age_days: int | None = None
        if self._reader is not None:
            self.age_days = max(0, int(time.time() - self._reader.metadata().build_epoch) // _DAY_S)

    def country(self, address: bytes) -> str:
        """Country of a packed address (4 or 16 bytes), by its /24 or /48; "(unknown)" if it is not a declared one."""
        if self._reader is None:
            return UNKNOWN
        if address.startswith(_MAPPED):
            address = address[12:]
        if len(address) == _V4_BYTES:
            network = f"{address[0]}.{address[1]}.{address[2]}.0"  # quicker than inet_ntop of a new bytes object
        else:
            network = inet_ntop(AF_INET6, address[:6] + bytes(10))
        try:
            code = _code(self._reader.get(network))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return UNKNOWN  # an IPv6 address and a database that holds IPv4 only; a damaged record
        return code if code in self._known else UNKNOWN


def _code(record: Any) -> str:
    """The country code in one of the three shapes records come in."""
    if not isinstance(record, dict):
        return UNKNOWN
    code = record.get("country_code") or record.get("country")
    if isinstance(code, dict):
        code = code.get("iso_code")
    return code if isinstance(code, str) else UNKNOWN


def _opened(path: Path) -> maxminddb.Reader:
    try:
        content = read_named(path)
    except OSError as error:
        raise Misconfigured(f"the country database {path} cannot be read: {error.strerror}") from error
    memory = os.memfd_create("country", os.MFD_CLOEXEC)
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(content)
        return maxminddb.open_database(f"/proc/self/fd/{memory}", maxminddb.MODE_MMAP_EXT)
    except (ValueError, maxminddb.InvalidDatabaseError) as error:
        raise Misconfigured(f"the country database {path} is none in MaxMind's format") from error
    finally:
        os.close(memory)  # the mapping lives on
