"""A collector at rest: everything on its disk is loaded; then what it counted, and whether its counters add up.

The counts come from the reports an analyst would ask, one row a path; the counters from /metrics.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from tests.durability.bodies import CROWD, CROWD_PATH, REPORTS, SITES
from tests.durability.ledger import Ledger, Verdict
from tests.stack import Stack, eventually

LOAD_PATIENCE_S = 60.0
MOST_ROWS = 100_000


def judged(stack: Stack, ledger: Ledger) -> Verdict:
    """Wait until everything on disk is loaded, then compare what is counted with what was sent."""
    wait_at_rest(stack)
    return ledger.judge(counts(stack))


def wait_at_rest(stack: Stack, patience_s: float = LOAD_PATIENCE_S) -> None:
    """Wait until nothing waits on disk: no segment, no frozen batch."""
    eventually(lambda: not waiting(stack), "everything on disk is loaded", patience_s)


def waiting(stack: Stack) -> list[str]:
    """Files with events that are on their way; those that were set aside are not."""
    found = [*stack.data.glob("spool/*/*.open"), *stack.data.glob("spool/*/*.segment")]
    return [path.name for path in [*found, *stack.data.glob("frozen/*.batches")]]


def counts(stack: Stack) -> Counter[str]:
    """How often each path is counted, over all sites and kinds, but for the crowd's, which is no scenario's."""
    today = datetime.now(UTC).date()
    days = {"from_": str(today - timedelta(days=1)), "to": str(today)}
    found: Counter[str] = Counter()
    for site in SITES:
        for report in REPORTS.values():
            answer = stack.ask(report, property=site, by="path", limit=MOST_ROWS, **days)
            assert len(answer["rows"]) < MOST_ROWS, "more paths than an answer has rows"
            for path, events, *_ in answer["rows"]:
                found[path] += events
    assert found.pop(CROWD_PATH) == CROWD * len(SITES)
    return found


def assert_adds_up(stack: Stack) -> None:
    """The counters tell the same story at both ends; only where no process was killed: a kill takes some with it.

    A worker hands its counters on ten times a second, so they are waited for.
    """
    try:
        eventually(lambda: _adds_up(_counters(stack)), "the counters add up", 5)
    except AssertionError:
        raise AssertionError(f"the counters do not add up: {_counters(stack)}") from None


def _counters(stack: Stack) -> Counter[str]:
    parts = ("received", "accepted", "refused", "not_counted", "recovered", "loaded", "duplicate", "quarantined")
    found = Counter({part: stack.counted(f"events_{part}") for part in parts})
    found["pending"] = int(stack.metrics().get("collector_events_pending", 0))
    return found


def _adds_up(seen: Counter[str]) -> bool:
    door = seen["received"] == seen["accepted"] + seen["refused"] + seen["not_counted"]
    loaded = seen["loaded"] + seen["pending"] + seen["duplicate"] + seen["quarantined"]
    return door and seen["accepted"] + seen["recovered"] == loaded
