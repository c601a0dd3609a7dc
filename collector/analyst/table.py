"""An answer as CSV (RFC 4180): header line, then the rows, null as an empty cell.

A cell that a spreadsheet would run as a formula gets a quote mark in front: values of open vocabularies, such as paths
and campaigns, come from outside. Totals and notes are in the JSON only. Called by the analyst port.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

RUNS_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(columns: Iterable[str], rows: Iterable[Iterable[str | int | None]]) -> bytes:
    """The table as UTF-8 bytes with CRLF line ends."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: str | int | None) -> str | int | None:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(RUNS_AS_FORMULA) else cell
