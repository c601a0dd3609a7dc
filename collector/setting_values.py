"""How one setting is read: from a value and its source to what the program uses, or a sentence about what is wrong.

Every reader takes a source ("--workers", "collector.toml: workers") and a value as flag, variable or TOML had it, and
raises Misconfigured with both; a token is never shown. settings.py says which setting is read by which.
"""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from collector.catalogue.registry import quoted
from collector.errors import Misconfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_WORKERS = 64  # what the shared memory has room for (count/filter.py)
MAX_DEFAULT_WORKERS = 8
TOKEN_CHARACTERS = range(32, 201)
MAX_PORT = 65_535


class Address(NamedTuple):
    """Where a port listens. Port 0 means any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _breaks(source: str, rule: str, value: object) -> Misconfigured:
    """What to raise for a value that may be shown: it is the operator's own."""
    return Misconfigured(f"{source}: {rule}, not {quoted(value)}")


def as_path(source: str, value: object) -> Path:
    del source
    return Path(str(value)).expanduser().absolute()


def as_file(source: str, value: object) -> Path:
    path = as_path(source, value)
    if not path.is_file():
        raise Misconfigured(f"{source}: must be a file, and there is no {path}")
    return path


def as_address(source: str, value: object) -> Address:
    host, colon, port = str(value).rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise _breaks(source, "must have its IPv6 address in brackets, as [::1]:8080", value)
    if not (host and colon and port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise _breaks(source, "must be HOST:PORT, as 127.0.0.1:8080 or [::1]:8080", value)
    return Address(host, int(port))


def as_workers(source: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_WORKERS):
        raise _breaks(source, f"must be a whole number from 1 to {MAX_WORKERS}", value)
    return int(text)


def number(lowest: float, highest: float, unit: str) -> Callable[[str, object], float]:
    def read(source: str, value: object) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not lowest <= number <= highest:
            raise _breaks(source, f"must be a number of {unit} from {lowest:g} to {highest:.9g}", value)
        return number

    return read


def as_token(source: str, value: object) -> str:
    text = str(value)
    if len(text) not in TOKEN_CHARACTERS or not text.isascii() or not text.isprintable():
        first, last = TOKEN_CHARACTERS[0], TOKEN_CHARACTERS[-1]
        raise Misconfigured(f"{source}: must be {first} to {last} printable ASCII characters")  # and is not shown
    return text


def as_log_level(source: str, value: object) -> str:
    level = str(value).lower()
    if level not in LOG_LEVELS:
        raise _breaks(source, f"must be one of: {', '.join(LOG_LEVELS)}", value)
    return level


def as_flag(source: str, value: object) -> bool:
    said = {"true": True, "false": False}.get(str(value).lower())
    if said is None:
        raise _breaks(source, "must be true or false", value)
    return said


def as_networks(source: str, value: object) -> tuple[Network, ...]:
    networks = []
    for text in as_texts(source, value):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise _breaks(source, "must be a list of networks, as 10.0.0.0/8 or 2001:db8::/32", text) from error
    return tuple(networks)


def as_text(source: str, value: object) -> str:
    del source
    return str(value)


def as_texts(source: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _breaks(source, "must be a list of strings", value)
    return tuple(str(each) for each in value)


def default_workers() -> int:
    """One core is left to the warehouse process; beyond eight workers an operator should have measured."""
    return max(1, min(len(os.sched_getaffinity(0)) - 1, MAX_DEFAULT_WORKERS))
