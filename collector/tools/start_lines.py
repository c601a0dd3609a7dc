"""What `collector serve` tells a person who starts it: where everything is, how to begin, and what to be warned about.

Sentences only, made of values that commands/serve.py hands over; printed on stderr before the first event arrives.
"""

from __future__ import annotations

import ipaddress
import shlex
import shutil
import sys
from pathlib import Path

from collector.catalogue.registry import Registry
from collector.catalogue.releases import Releases
from collector.tools.client import OPERATOR_TOKEN, reachable

NOTHING_TO_COUNT = "Warning: no [[site]] and no [[product]] is configured: the collector refuses every event."


def where_everything_is(public: str, analyst: str, data: Path, config: Path | None, *, token_given: bool) -> list[str]:
    """Addresses, token, data and configuration of one start."""
    or_given = "COLLECTOR_ANALYST_TOKEN or " if token_given else ""
    lines = [
        f"collector: receives events at  http://{public}",
        f"           answers analysts at http://{analyst}  (token: {or_given}{data / OPERATOR_TOKEN})",
        f"           keeps its data in   {data}",
    ]
    return [*lines, f"           configured by       {config}"] if config else lines


def how_to_sign_in(analyst: str, link: str | None, data: Path, *, is_built: bool) -> list[str]:
    """Where the dashboard is, and the way in: a link of this start, or else how to come by one."""
    where = f"http://{reachable(analyst)}/"
    lines = [
        f"           shows a dashboard at {where}" if is_built else f"           has no dashboard built: see {where}"
    ]
    another = f"{_own_name()} user link{_found_by(data)}"
    if link:
        return [*lines, f"           sign in once: {link}  (within 24 hours; another: {another})"]
    return [*lines, f"           sign in there with name and password, or a link of: {another}"]


def how_to_begin(public: str, data: Path, example: Path) -> list[str]:
    """With the built-in example: the commands that send the first event and see it counted."""
    event = '{"kind":"page_hit","site":"www.example.org","url":"https://www.example.org/"}'
    return [
        f"           configured by       the built-in example ({example}): give your own with --config",
        "Try it: send an event, and see it counted within seconds",
        f"  curl -A Mozilla/5.0 http://{reachable(public)}/v1/events -d '{event}'",  # curl's own agent is a bot's
        f"  {_own_name()} query traffic --property www.example.org{_found_by(data)}",
    ]


def warnings_of(registry: Registry, releases: Releases) -> list[str]:
    """What is well-formed and hardly meant: nothing can be counted, or versions that are offered are not told apart."""
    return [
        *([] if registry.sites or registry.products else [NOTHING_TO_COUNT]),
        *(
            f"Warning: {version} is released, and not among the versions of its [[product]]: it is counted as (other)."
            for version in releases.unknown_versions(registry)
        ),
    ]


def warning_of_analyst(host: str, address: str) -> list[str]:
    """Said where the analyst port can be reached from elsewhere: it speaks plain HTTP, the tokens with it."""
    if host == "localhost":
        return []
    try:
        if ipaddress.ip_address(host).is_loopback:
            return []
    except ValueError:
        pass  # a name: nobody here knows whose
    return [
        f"Warning: analysts are answered at {address}, not on this machine only: put TLS in front, tokens are sent."
    ]


def _found_by(data: Path) -> str:
    """What other commands must be told to speak of the same data."""
    return "" if data == Path("var").absolute() else f" --data {shlex.quote(str(data))}"


def _own_name() -> str:
    """How this command is called again from the same shell."""
    called = sys.argv[0]
    if called.endswith("__main__.py"):
        return f"{shlex.quote(sys.executable)} -m collector"
    return "collector" if shutil.which("collector") == called else shlex.quote(called)
