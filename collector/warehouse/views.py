"""One view per declared report, for whoever asks the database itself: its sealed days, in declared words.

    pages(property, day, path, events, visitors)        traffic(property, hour, events, visitors, amount)

Rows of markers, bounds (`networks`, `firsts`) and nodes do not come out, and nothing of a day that is not sealed. A
view reads with the rights of DEFINER (access.py), who may read these columns only, so that whoever asks it needs none
on the table. Made by `collector migrate`; nothing of the collector asks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collector.catalogue.reports import Report
from collector.warehouse.tables import DIMENSIONS, SEALED, Place

DEFINER = "collector_views"
READ = ("report", "property", "bucket", *DIMENSIONS, "events", "visitors", "amount")
"""The columns of `sealed` that views read."""

_BUCKETS = {"hour": "bucket AS hour", "day": "toDate(bucket) AS day"}


def view_statements(reports: Iterable[Report], place: Place) -> Iterator[str]:
    """What makes, or makes again, every view."""
    for report in reports:
        named = [f"{column} AS {name}" for name, column in zip(report.by, DIMENSIONS, strict=False)]
        sums = [f"sum({measure}) AS {measure}" for measure in report.measures]
        tells = f"{report.question} amount: {report.amount}" if report.amount else report.question
        yield (
            f"CREATE OR REPLACE VIEW {place.of(report.name)}{place.on_cluster}\n"
            f"DEFINER = {DEFINER} SQL SECURITY DEFINER\nCOMMENT {_quoted(tells)}\n"
            f"AS SELECT {', '.join(['property', _BUCKETS[report.grain], *named, *sums])}\n"
            f"FROM {place.of(SEALED.name)} WHERE report = '{report.name}'\n"
            f"GROUP BY {', '.join(['property', report.grain, *report.by])}"
        )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
