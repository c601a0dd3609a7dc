"""What the operator may set, and where each value comes from: flag, else environment, else TOML, else default.

Read once, by a command; the supervisor hands the result to its children as JSON through a memfd, so that all of them
run under the same settings whatever becomes of the files. Unknown keys and bad values are refused with the key and the
rule. The analyst token and the password of a ClickHouse server are in it, and in no message and no representation.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from collector.catalogue.registry import Registry, read_registry
from collector.catalogue.releases import Releases, read_releases, releases_of
from collector.disk import read_named
from collector.errors import Misconfigured
from collector.setting_values import (
    Address,
    Network,
    as_address,
    as_file,
    as_flag,
    as_log_level,
    as_networks,
    as_path,
    as_text,
    as_texts,
    as_token,
    as_workers,
    default_workers,
    number,
)

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
VARIABLES_OF_OTHERS = {"COLLECTOR_SKIP_UI", "COLLECTOR_TEST_CLICKHOUSE", "COLLECTOR_TEST_ENGINE"}


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
    network_requests_per_s: float
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
    config = as_path(*given["config"]) if "config" in given else None
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
        text = tomllib.loads(read_named(path).decode())
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


_READERS: dict[str, Callable[[str, object], Any]] = {
    "data": as_path,
    "public": as_address,
    "analyst": as_address,
    "workers": as_workers,
    "segment_s": number(0.05, 3600, "seconds"),
    "segment_mb": number(0.1, 64, "megabytes"),
    "spool_mb": number(1, 100_000_000, "megabytes"),
    "live_fold_s": number(0, 86_400, "seconds"),
    "analyst_token": as_token,
    "geoip_db": as_file,
    "referrer_spam": as_file,
    "log_level": as_log_level,
    "clickhouse": as_text,
    "strict_memory": as_flag,
    "trusted_proxies": as_networks,
    "forwarded_header": as_text,
    "public_hosts": as_texts,
    "keepalive_s": number(1, 15, "seconds"),
    "network_requests_per_s": number(0, 1_000_000, "requests"),
}

_DEFAULTS: dict[str, Callable[[], Any]] = {
    "data": lambda: Path("var").absolute(),
    "public": lambda: Address("127.0.0.1", 8080),
    "analyst": lambda: Address("127.0.0.1", 8081),
    "workers": default_workers,
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
    "network_requests_per_s": lambda: 1000.0,
}
