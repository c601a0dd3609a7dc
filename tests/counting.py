"""What the collector counted between two moments, read from /metrics when everything sent has arrived there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from tests.stack import Stack, eventually

PARTS = ("accepted", "refused", "not_counted")


def gained_by(stack: Stack, send: Callable[[], object], events: int) -> Counter[str]:
    """What the metrics gained by sending so many events, when all of them have arrived there."""
    settle(stack)
    before = events_seen(stack)
    send()
    eventually(lambda: sum((events_seen(stack) - before)[part] for part in PARTS) >= events, f"{events} events seen")
    settle(stack)
    gained = events_seen(stack) - before
    assert gained.pop("received") == events == sum(gained[part] for part in PARTS)
    return gained


def events_seen(stack: Stack) -> Counter[str]:
    """Events received, accepted, refused and not counted; also by kind, code and reason: "refused not_json"."""
    return events_in(stack.metrics())


def events_in(metrics: Mapping[str, float]) -> Counter[str]:
    """The same of series by their names."""
    found: Counter[str] = Counter()
    for series, value in metrics.items():
        name, _, label = series.partition("{")
        part = name.removeprefix("collector_events_").removesuffix("_total")
        if part in ("received", *PARTS):
            found[part] += int(value)
            if label:
                found[f"{part} {label.partition('=')[2].strip(chr(34) + '}')}"] += int(value)
    return found


def settle(stack: Stack) -> None:
    """Wait until everything sent before is in the metrics: a body that is refused whole comes last."""
    series = 'collector_bodies_refused_total{status="415"}'
    before = stack.metrics().get(series, 0)
    stack.post(b"", {"Content-Type": "application/xml"})
    eventually(lambda: stack.metrics().get(series, 0) > before, "the last body is counted")


def load(stack: Stack) -> None:
    """Wait until everything accepted before is in the database."""
    settle(stack)
    stack.wait_loaded(stack.counted("events_accepted"))


def days() -> dict[str, str]:
    """`from_` and `to` of a question about all days an event sent now can count for."""
    return {**today(), "from_": str(datetime.now(UTC).date() - timedelta(days=3))}


def today() -> dict[str, str]:
    """`from_` and `to` of a question about this day alone."""
    day = str(datetime.now(UTC).date())
    return {"from_": day, "to": day}
