"""The collector's numbers about itself, as Prometheus reads them: GET /metrics on the analyst port.

Every series exists from the start, one child per closed label value, kept in a variable: no request can add one.
Each process writes its own file in PROMETHEUS_MULTIPROC_DIR, set by the supervisor before the process begins;
exposition() adds up the files of all of them, dead ones included, so that counters survive a killed worker.
By events, and at rest: received = accepted + refused + not_counted, and accepted + recovered = loaded + pending +
duplicate + quarantined. Adding costs about a microsecond: add a body's events at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from collector.metric_files import FOLDER_VARIABLE, AllProcesses, room_for_files

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Reason = Literal["bot", "referrer_spam", "opt_out", "test", "prefetch", "partial", "unmapped", "unavailable", "limited"]
REASONS: tuple[Reason, ...] = get_args(Reason)
FILTER_DAYS = ("today", "yesterday")
PROCESSES = ("worker", "warehouse")
BODY_STATUSES = (400, 404, 405, 408, 413, 415, 417, 421, 429, 500, 503)
OTHER_STATUS = "other"
# A fast disk takes 0.1 ms for an fdatasync, a poor one 5 ms, a dying one seconds.
LAG_BUCKETS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
WRITE_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Series(NamedTuple):
    """What one metric is: its name as it is declared, its HELP line, the names of its labels."""

    name: str
    tells: str
    labels: tuple[str, ...]


class Metrics:
    """The counters of one process; `kinds` and `codes` are the closed lists events are counted by.

    told  whether exposition() will add them up; not those of a process that began while the disk was full
    """

    def __init__(self, kinds: Iterable[str], codes: Iterable[str]) -> None:
        with room_for_files() as self.told:
            self._make(kinds, codes)

    def _make(self, kinds: Iterable[str], codes: Iterable[str]) -> None:
        registry = self._registry = CollectorRegistry()
        self._received = Counter("collector_events_received", "Events in bodies that could be read", registry=registry)
        accepted = Counter("collector_events_accepted", "Events spooled", ["kind"], registry=registry)
        refused = Counter("collector_events_refused", "Events that break a rule", ["code"], registry=registry)
        not_counted = Counter(
            "collector_events_not_counted", "Good events left out on purpose", ["reason"], registry=registry
        )
        bodies = Counter("collector_bodies_refused", "Requests refused whole", ["status"], registry=registry)
        self._accepted = {kind: accepted.labels(kind) for kind in kinds}
        self._refused = {str(code): refused.labels(str(code)) for code in codes}
        self._not_counted = {reason: not_counted.labels(reason) for reason in REASONS}
        self._bodies = {status: bodies.labels(str(status)) for status in BODY_STATUSES}
        self._other_bodies = bodies.labels(OTHER_STATUS)
        self._groups = Counter("collector_spool_groups", "Commit groups made durable", registry=registry)
        self._write_s = Histogram(
            "collector_spool_write_seconds",
            "Time to make a commit group durable",
            buckets=WRITE_BUCKETS_S,
            registry=registry,
        )
        self._count_loading(registry)
        starts = Counter("collector_process_starts", "Processes that began", ["process"], registry=registry)
        self._starts = {process: starts.labels(process) for process in PROCESSES}
        self._key_day = _gauge(registry, "collector_key_day", "Day whose key is in force, as days since 1970; 0: none")
        self._epoch = _gauge(registry, "collector_epoch", "The life of the keys and filters that runs now")
        fill = _gauge(registry, "collector_filter_fill_ratio", "Used share of a day's filter", "day")
        error = _gauge(
            registry, "collector_filter_error_ratio", "Share of callers new to a cell that a look-up misses", "day"
        )
        self._filters = {day: (fill.labels(day), error.labels(day)) for day in FILTER_DAYS}

    def _count_loading(self, registry: CollectorRegistry) -> None:
        self._loaded = Counter("collector_events_loaded", "Events verified in the database", registry=registry)
        self._verified = Counter("collector_batches_verified", "Batches verified in the database", registry=registry)
        self._load_failures = Counter("collector_load_failures", "Runs of the loader that failed", registry=registry)
        self._duplicate = Counter(
            "collector_events_duplicate", "Events whose id was counted before, left out", registry=registry
        )
        self._quarantined = Counter(
            "collector_events_quarantined",
            "Events set aside: damaged, of a kind that is not declared, or refused by the database",
            registry=registry,
        )
        self._recovered = Counter(
            "collector_events_recovered",
            "Events accepted before this start and found on disk, or taken back from quarantine",
            registry=registry,
        )
        self._aside = _gauge(registry, "collector_quarantine_files", "Files in quarantine: look at them")
        self._pending = _gauge(registry, "collector_events_pending", "Events in segments and unverified batches")
        self._segments = _gauge(registry, "collector_spool_segments", "Segments that wait to be frozen")
        self._frozen = _gauge(registry, "collector_frozen_batches", "Frozen batches that wait to be verified")
        self._ids = _gauge(registry, "collector_ids_remembered", "Event ids that a retry is known by")
        self._ids_early = _gauge(registry, "collector_ids_forgotten_early", "Ids forgotten early, for want of room")
        self._lag_s = Histogram(
            "collector_lag_seconds",
            "Time from the first event of a segment on disk to all its events verified in the database, by segment",
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )
        self._oldest_s = _gauge(
            registry, "collector_oldest_waiting_seconds", "For how long the oldest segment waits for the database"
        )
        self._detached = _gauge(registry, "collector_detached_parts", "Parts of the database that were put aside")
        self._late_days = _gauge(
            registry, "collector_days_unsealed_late", "Days not sealed though they ended 72 hours ago, of any node"
        )
        self._stopped = _gauge(
            registry,
            "collector_batches_stopped",
            "Frozen files that wait: a marker disagrees, or the disk does not give them",
        )

    def received(self, events: int) -> None:
        """Count events of a body that could be read, good or bad."""
        self._received.inc(events)

    def accepted(self, kind: str, events: int = 1) -> None:
        """Count events of one kind that are durable now."""
        self._accepted[kind].inc(events)

    def refused(self, code: str, events: int = 1) -> None:
        """Count events that broke the rule of that code."""
        self._refused[code].inc(events)

    def not_counted(self, reason: Reason, events: int = 1) -> None:
        """Count good events that are left out on purpose."""
        self._not_counted[reason].inc(events)

    def body_refused(self, status: int, bodies: int = 1) -> None:
        """Count requests refused whole, by the status they got; a status outside the closed list is "other"."""
        self._bodies.get(status, self._other_bodies).inc(bodies)

    def spooled(self, seconds: float) -> None:
        """Count a commit group that took so long to become durable."""
        self._groups.inc()
        self._write_s.observe(seconds)

    def verified(self, events: int) -> None:
        """Count a batch of so many events that was verified in the database."""
        self._verified.inc()
        self._loaded.inc(events)

    def lag(self, seconds: float) -> None:
        """Count a segment whose events are all in the database, so long after the first of them was on disk."""
        self._lag_s.observe(seconds)

    def oldest_waiting(self, seconds: float) -> None:
        """Say how long ago the first event came of what is not in the database yet; 0 if nothing waits."""
        self._oldest_s.set(seconds)

    def duplicate(self, events: int) -> None:
        """Count events that repeat one counted before."""
        self._duplicate.inc(events)

    def recovered(self, events: int) -> None:
        """Count events that no counter of this start has met, and that are to be loaded now."""
        self._recovered.inc(events)

    def load_failed(self, runs: int = 1) -> None:
        """Count runs of the loader that failed and will be tried again."""
        self._load_failures.inc(runs)

    def quarantined(self, events: int) -> None:
        """Count events that were accepted, cannot be counted, and were set aside."""
        self._quarantined.inc(events)

    def in_quarantine(self, files: int) -> None:
        """Say how many files lie in quarantine."""
        self._aside.set(files)

    def waiting(self, *, events: int, segments: int, frozen_batches: int, stopped: int) -> None:
        """Say how much waits to be loaded, and what is stopped."""
        self._pending.set(events)
        self._segments.set(segments)
        self._frozen.set(frozen_batches)
        self._stopped.set(stopped)

    def ids(self, *, remembered: int, forgotten_early: int) -> None:
        """Say how many event ids are remembered, and how many were forgotten before their time for want of room."""
        self._ids.set(remembered)
        self._ids_early.set(forgotten_early)

    def detached(self, parts: int) -> None:
        """Say how many parts of the database the engine or somebody has put aside: answers lack what they count."""
        self._detached.set(parts)

    def days_unsealed_late(self, days: int) -> None:
        """Say how many days of any node still lie unfolded 72 hours after their end."""
        self._late_days.set(days)

    def started(self, process: str) -> None:
        """Count the begin of a process (one of PROCESSES)."""
        self._starts[process].inc()

    def key_day(self, day: int) -> None:
        """Say of which day the key is in force; 0 if today has none."""
        self._key_day.set(day)

    def told_key_day(self) -> int:
        """What the workers said last of the key's day; 0 if none has said it."""
        name = b"collector_key_day "
        told = [line for line in self.exposition().splitlines() if line.startswith(name)]
        return int(float(told[0].removeprefix(name))) if told else 0

    def epoch(self, number: int) -> None:
        """Say which epoch runs."""
        self._epoch.set(number)

    def filter(self, day: str, *, fill: float, error: float) -> None:
        """Say how full the filter of a day (one of FILTER_DAYS) is, and how often it errs, between 0 and 1."""
        of_fill, of_error = self._filters[day]
        of_fill.set(fill)
        of_error.set(error)

    def series(self) -> list[Series]:
        """Every metric there is, for the ledger."""
        own = {"le"}  # the library's, of histograms
        return [
            Series(
                metric.name,
                metric.documentation,
                tuple(dict.fromkeys(label for each in metric.samples for label in each.labels if label not in own)),
            )
            for metric in self._registry.collect()
        ]

    def exposition(self) -> bytes:
        """The text Prometheus reads: all processes together under a supervisor, else this one alone."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if not folder:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        together.register(AllProcesses(Path(folder), self._registry))
        return generate_latest(together)


def _gauge(registry: CollectorRegistry, name: str, tells: str, *labels: str) -> Gauge:
    return Gauge(name, tells, labels, registry=registry, multiprocess_mode="mostrecent")


class LoaderMetrics(Protocol):
    """What of these the loader counts."""

    def recovered(self, events: int) -> None: ...
    def verified(self, events: int) -> None: ...
    def duplicate(self, events: int) -> None: ...
    def quarantined(self, events: int) -> None: ...
    def in_quarantine(self, files: int) -> None: ...
    def load_failed(self) -> None: ...
    def lag(self, seconds: float) -> None: ...
    def oldest_waiting(self, seconds: float) -> None: ...
    def waiting(self, *, events: int, segments: int, frozen_batches: int, stopped: int) -> None: ...
    def ids(self, *, remembered: int, forgotten_early: int) -> None: ...


class SealerMetrics(Protocol):
    """What of these the sealer tells."""

    def days_unsealed_late(self, days: int) -> None: ...
