"""What an answer says about itself in plain English, so that no number is taken for what it is not.

Sentences are made of declarations, dates and thresholds. Pure: answer.py says what is the case, here it is worded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from collector.stats.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is the case with an answer.

    visitors      the column visitors are given in, if the report counts them
    whole         the undimensioned report that counts the visitors of the same kinds, if there is one
    as_of         since when the oldest part of it is shown, as text
    rows          how many there were before the limit
    """

    threshold: int
    today: date
    fits: bool
    visitors: str | None
    whole: str | None
    other: bool
    counted_again: bool
    nodes: int
    as_of: str | None
    rows: int


def notes_on(question: Question, found: Findings) -> list[str]:
    """Everything a reader of the answer must know, most important first."""
    if not found.fits:
        kinds = ", ".join(question.report.kinds)
        return [
            f"This property is not of the sort that {question.report.name} counts ({kinds}): there is nothing here."
        ]
    notes = []
    if found.as_of:
        notes.append(
            f"Rows and totals are as of {found.as_of}: what describes callers is counted up once an hour at most,"
            f" and by crowds of {found.threshold} networks at least. Who came since the last crowd is in (other)."
            " Totals up to this moment: reports without a dimension of callers, such as traffic."
        )
    if question.first <= found.today <= question.last:
        notes.append(f"{found.today} (UTC) is not over: its numbers still grow.")
    if found.other:
        notes.append(
            f"(other) holds what fewer than {found.threshold} networks stand for, and what is not declared."
            " Totals include it."
        )
    if found.visitors:
        notes += _on_visitors(question, found)
    if found.nodes > 1:
        notes.append(
            f"{found.nodes} collectors counted this: the threshold of {found.threshold} networks holds on each of them."
        )
    if found.rows > question.limit:
        notes.append(f"These are {question.limit} of {found.rows} rows; totals are of all of them.")
    return notes


def _on_visitors(question: Question, found: Findings) -> list[str]:
    notes = []
    if not question.names_every_dimension:
        notes.append(
            "Visitors cannot be added up over dimensions. Ask by="
            + ",".join(question.report.by)
            + (f", or {found.whole} for all of the property." if found.whole else ".")
        )
        return notes
    if found.visitors == "visitor_days":
        notes.append("visitor_days: whoever came on two days counts twice, for nobody is recognised the next day.")
    elif found.visitors == "new_visitors":
        notes.append("new_visitors: callers in the hour they first came that day.")
    if question.report.by:
        notes.append("Visitors of different rows overlap: there is no total of them, and none for (other).")
    if found.counted_again:
        notes.append("The collector was restarted on a day of this range: visitors of that day may be counted again.")
    return notes
