"""What the operator may set, and where each value comes from: flag, else environment, else TOML, else default.

Read once, in cli.py; the supervisor hands the result to its children as JSON through a memfd, so that all of them run
under the same settings whatever becomes of the files. Unknown keys and bad values are refused with the key and the
rule. The analyst token and the password of a ClickHouse server are in it, and in no message and no representation.
"""

from __future__ import annotations

import ipaddress
import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from collector.catalogue.registry import Registry, quoted, read_registry
from collector.catalogue.releases import Releases, read_releases, releases_of
from collector.errors import Misconfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EXAMPLE = Path(__file__).parent / "example.toml"
PREFIX = "COLLECTOR_"
VARIABLES = {
    PREFIX + name.upper(): name
    for name in (
        *("config", "data", "public", "analyst", "workers", "segment_s", "segment_mb", "spool_mb", "live_fold_s"),
        *("analyst_token", "geoip_db", "log_level", "clickhouse", "strict_memory"),
    )
}
# Read by the build and by the tests, not here.
VARIABLES_OF_OTHERS = {"COLLECTOR_SKIP_UI", "COLLECTOR_TEST_CLICKHOUSE"}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, read and checked; schemas/configuration.json gives the meaning of each.

    config   the file they came from, None for the built-in example
    referrer_spam  list of domains, one a line, whose referrers make a page hit spam; None: no list
    unknown  COLLECTOR_* variables that mean nothing, to be warned about
    clickhouse  address of a server (warehouse/server.py checks it), None: the embedded engine
    text     the parsed TOML, from which `registry` was built
    releases what update checks are answered with
    """

    config: Path | None
    data: Path
    public: Address
    analyst: Address
    workers: int
    segment_s: float
    segment_mb: float
    spool_mb: float
    live_fold_s: float
    analyst_token: str | None = field(repr=False)
    geoip_db: Path | None
    referrer_spam: Path | None
    log_level: str
    clickhouse: str | None = field(repr=False)
    strict_memory: bool
    trusted_proxies: tuple[Network, ...]
    forwarded_header: str
    public_hosts: tuple[str, ...]
    keepalive_s: float
    unknown: tuple[str, ...]
    text: dict[str, Any] = field(repr=False)
    registry: Registry
    releases: Releases

    def to_json(self) -> bytes:
        """All of it for a child process; from_json reads it."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "registry"}
        return orjson.dumps(values | {"releases": self.releases.text}, default=_plain)

    @classmethod
    def from_json(cls, text: bytes) -> Settings:
        """Exactly what to_json was called on."""
        values = orjson.loads(text)
        for name in ("config", "geoip_db", "referrer_spam"):
            values[name] = Path(values[name]) if values[name] else None
        return cls(
            **values
            | {
                "data": Path(values["data"]),
                "public": Address(*values["public"]),
                "analyst": Address(*values["analyst"]),
                "trusted_proxies": tuple(ipaddress.ip_network(each) for each in values["trusted_proxies"]),
                "public_hosts": tuple(values["public_hosts"]),
                "unknown": tuple(values["unknown"]),
                "registry": read_registry(values["text"]),
                "releases": releases_of(values["releases"]),
            }
        )


def read_settings(flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Put the settings together; raises Misconfigured naming the flag, variable or key and the rule it breaks.

    `flags` are named like the fields; one that is None was not given. An empty variable was not given either.
    """
    given = {name: (f"--{name.replace('_', '-')}", value) for name, value in flags.items() if value is not None}
    for variable, name in VARIABLES.items():
        if environ.get(variable):
            given.setdefault(name, (variable, environ[variable]))
    config = _path(*given["config"]) if "config" in given else None
    text, registry = _configuration(config or EXAMPLE)
    for name in _READERS:
        if name in text:
            given.setdefault(name, (f"{(config or EXAMPLE).name}: {name}", text[name]))
    values = {name: read(*given[name]) if name in given else _DEFAULTS[name]() for name, read in _READERS.items()}
    if values["public"] == values["analyst"] and values["public"].port:
        raise Misconfigured("public and analyst must listen at different addresses")
    releases = read_releases(text.get("releases"), (config or EXAMPLE).parent, registry)
    return Settings(config=config, unknown=_unknown(environ), text=text, registry=registry, releases=releases, **values)


def _configuration(path: Path) -> tuple[dict[str, Any], Registry]:
    try:
        text = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: must be TOML: {error}") from error
    try:
        return text, read_registry(text)
    except Misconfigured as error:
        raise Misconfigured(f"{path}: {str(error).removeprefix('configuration: ')}") from error


def _unknown(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = VARIABLES.keys() | VARIABLES_OF_OTHERS
    return tuple(sorted(name for name in environ if name.startswith(PREFIX) and name not in known))


def _plain(value: object) -> object:
    if isinstance(value, Address):
        return list(value)
    if isinstance(value, Path | ipaddress.IPv4Network | ipaddress.IPv6Network):
        return str(value)
    raise TypeError(type(value).__name__)


def _breaks(source: str, rule: str, value: object) -> Misconfigured:
    """What to raise for a value that may be shown: it is the operator's own."""
    return Misconfigured(f"{source}: {rule}, not {quoted(value)}")


def _path(source: str, value: object) -> Path:
    del source
    return Path(str(value)).expanduser().absolute()


def _file(source: str, value: object) -> Path:
    path = _path(source, value)
    if not path.is_file():
        raise Misconfigured(f"{source}: must be a file, and there is no {path}")
    return path


def _address(source: str, value: object) -> Address:
    host, colon, port = str(value).rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise _breaks(source, "must have its IPv6 address in brackets, as [::1]:8080", value)
    if not (host and colon and port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise _breaks(source, "must be HOST:PORT, as 127.0.0.1:8080 or [::1]:8080", value)
    return Address(host, int(port))


def _workers(source: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_WORKERS):
        raise _breaks(source, f"must be a whole number from 1 to {MAX_WORKERS}", value)
    return int(text)


def _number(lowest: float, highest: float, unit: str) -> Callable[[str, object], float]:
    def read(source: str, value: object) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not lowest <= number <= highest:
            raise _breaks(source, f"must be a number of {unit} from {lowest:g} to {highest:.9g}", value)
        return number

    return read


def _token(source: str, value: object) -> str:
    text = str(value)
    if len(text) not in TOKEN_CHARACTERS or not text.isascii() or not text.isprintable():
        first, last = TOKEN_CHARACTERS[0], TOKEN_CHARACTERS[-1]
        raise Misconfigured(f"{source}: must be {first} to {last} printable ASCII characters")  # and is not shown
    return text


def _log_level(source: str, value: object) -> str:
    level = str(value).lower()
    if level not in LOG_LEVELS:
        raise _breaks(source, f"must be one of: {', '.join(LOG_LEVELS)}", value)
    return level


def _flag(source: str, value: object) -> bool:
    said = {"true": True, "false": False}.get(str(value).lower())
    if said is None:
        raise _breaks(source, "must be true or false", value)
    return said


def _networks(source: str, value: object) -> tuple[Network, ...]:
    networks = []
    for text in _texts(source, value):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise _breaks(source, "must be a list of networks, as 10.0.0.0/8 or 2001:db8::/32", text) from error
    return tuple(networks)


def _text(source: str, value: object) -> str:
    del source
    return str(value)


def _texts(source: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _breaks(source, "must be a list of strings", value)
    return tuple(str(each) for each in value)


def _default_workers() -> int:
    """One core is left to the warehouse process; beyond eight workers an operator should have measured."""
    return max(1, min(len(os.sched_getaffinity(0)) - 1, MAX_DEFAULT_WORKERS))


_READERS: dict[str, Callable[[str, object], Any]] = {
    "data": _path,
    "public": _address,
    "analyst": _address,
    "workers": _workers,
    "segment_s": _number(0.05, 3600, "seconds"),
    "segment_mb": _number(0.1, 64, "megabytes"),
    "spool_mb": _number(1, 100_000_000, "megabytes"),
    "live_fold_s": _number(0, 86_400, "seconds"),
    "analyst_token": _token,
    "geoip_db": _file,
    "referrer_spam": _file,
    "log_level": _log_level,
    "clickhouse": _text,
    "strict_memory": _flag,
    "trusted_proxies": _networks,
    "forwarded_header": _text,
    "public_hosts": _texts,
    "keepalive_s": _number(1, 15, "seconds"),
}

_DEFAULTS: dict[str, Callable[[], Any]] = {
    "data": lambda: Path("var").absolute(),
    "public": lambda: Address("127.0.0.1", 8080),
    "analyst": lambda: Address("127.0.0.1", 8081),
    "workers": _default_workers,
    "segment_s": lambda: 10.0,
    "segment_mb": lambda: 64.0,
    "spool_mb": lambda: 4096.0,
    "live_fold_s": lambda: 3600.0,
    "analyst_token": lambda: None,
    "geoip_db": lambda: None,
    "referrer_spam": lambda: None,
    "log_level": lambda: "info",
    "clickhouse": lambda: None,
    "strict_memory": lambda: False,
    "trusted_proxies": tuple,
    "forwarded_header": lambda: "X-Forwarded-For",
    "public_hosts": tuple,
    "keepalive_s": lambda: 15.0,
}
