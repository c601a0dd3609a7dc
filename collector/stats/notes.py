"""What an answer says about itself in plain English, so that no number is taken for what it is not.

Sentences are made of declarations, dates and thresholds. Pure: answer.py says what is the case, here it is worded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from collector.stats.period import first_kept
from collector.stats.question import Question, visitors_column


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is the case with an answer.

    whole           the undimensioned report that counts the visitors of the same kinds, if there is one
    other           whether a row tells of (other); left_out_other: whether filters left such a row out
    epochs          the days on which visitors may be counted again, and in how many epochs
    as_of           since when the oldest part of it is shown, as text
    rows            how many there were before the limit
    """

    threshold: int
    today: date
    fits: bool
    whole: str | None
    other: bool
    left_out_other: bool
    epochs: dict[str, int]
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
    notes += _on_days(question, found.today)
    if found.other:
        notes.append(
            f"(other) holds what fewer than {found.threshold} networks stand for, and what is not declared."
            " Totals include it."
        )
    if found.left_out_other:
        notes.append(
            "Filters pick among the rows as they are told: what became (other) is left out, whatever it was before,"
            " unless (other) is asked for."
        )
    if question.report.visitors:
        notes += _on_visitors(question, found)
    if found.nodes > 1:
        notes.append(
            f"{found.nodes} collectors or imports counted this: the threshold of {found.threshold} networks is of each."
        )
    if found.rows and (question.offset or found.rows > question.limit):
        notes.append(_on_page(question.offset, question.limit, found.rows))
    return notes


def _on_days(question: Question, today: date) -> list[str]:
    notes = []
    if question.first <= today <= question.last:
        notes.append(f"{today} (UTC) is not over: its numbers still grow.")
        if question.compare:
            notes.append("The days it is compared with are over, so the comparison is not of equal times yet.")
    if question.first < (kept := first_kept(today)):
        notes.append(f"Days before {kept} are not kept any more.")
    return notes


def _on_page(offset: int, limit: int, rows: int) -> str:
    if offset >= rows:
        return f"There are {rows} rows, and offset skips all of them; totals are of all of them."
    return f"These are rows {offset + 1} to {min(offset + limit, rows)} of {rows}; totals are of all of them."


def _on_visitors(question: Question, found: Findings) -> list[str]:
    notes = []
    if not question.names_every_dimension:
        notes.append(
            "Visitors cannot be added up over dimensions. Ask by="
            + ",".join(question.report.by)
            + (f", or {found.whole} for all of the property." if found.whole else ".")
        )
        return notes
    column = visitors_column(question.report, question.interval, one_day=question.is_of_one_day)
    if column == "visitor_days":
        notes.append("visitor_days: whoever came on two days counts twice, for nobody is recognised the next day.")
    elif column == "new_visitors":
        notes.append("new_visitors: callers in the hour they first came that day.")
    if question.report.by:
        notes.append("Visitors of different rows overlap: there is no total of them, and none for (other).")
    if found.epochs:
        notes.append("The collector was restarted on a day of this range: visitors of that day may be counted again.")
    return notes
