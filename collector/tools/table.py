"""An answer as a table for people: aligned, thousands apart, totals below, notes last.

And other lists, such as that of the reports that can be asked. Nothing here knows what a number means; the commands
print it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NOT_KNOWN = "–"  # noqa: RUF001 - an en dash is what a table shows for no value
NOTHING_YET = "Nothing counted here yet. Events appear some twelve seconds after they were sent (see --segment-s)."
_GAP = "  "


def render(answer: Mapping[str, Any]) -> str:
    """The whole answer of the API as lines of text, ending in a line break."""
    columns: list[str] = list(answer["columns"])
    totals: Mapping[str, Any] = answer["totals"]
    lines = [f"{answer['report']} of {answer['property']}, {answer['from']} to {answer['to']}", ""]
    lines += _table(columns, answer["rows"], totals) if answer["rows"] else [NOTHING_YET]
    apart = [name for name in totals if totals[name] is not None and not (answer["rows"] and name in columns)]
    also = "in total also" if answer["rows"] else "in total"
    lines += [f"{also}: {', '.join(f'{name} {_shown(totals[name])}' for name in apart)}"] if apart else []
    lines += _earlier(answer["earlier"]) if "earlier" in answer else []
    lines += ["", *(f"* {note}" for note in answer.get("notes", ()))] if answer.get("notes") else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _earlier(earlier: Mapping[str, Any]) -> list[str]:
    """The totals of the days it is compared with, and what is to be said about them."""
    totals = [f"{name} {_shown(value)}" for name, value in earlier["totals"].items() if value is not None]
    notes = [f"* {note}" for note in earlier.get("notes", ())]
    return ["", f"{earlier['from']} to {earlier['to']}, in total: {', '.join(totals)}", *notes]


def render_reports(reports: Iterable[tuple[str, Sequence[str], str]]) -> str:
    """Name, dimensions and question of each report, aligned, ending in a line break."""
    return render_rows(
        ("report", "by", "question"), [(name, ",".join(by) or NOT_KNOWN, question) for name, by, question in reports]
    )


def render_rows(columns: Sequence[str], values: Iterable[Sequence[object]]) -> str:
    """Columns with their names, numbers to the right, ending in a line break."""
    values = list(values)
    rows = [[_shown(value) for value in row] for row in values]
    to_the_right = [any(isinstance(row[i], int) for row in values) for i in range(len(columns))]
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return "".join(f"{_line(row, widths, to_the_right).rstrip()}\n" for row in (columns, *rows))


def _table(columns: list[str], values: Sequence[Sequence[Any]], known: Mapping[str, Any]) -> list[str]:
    """The columns, rows and totals between rules."""
    rows = [[_shown(value) for value in row] for row in values]
    totals = [_shown(known[name]) if name in known else "" for name in columns]
    if columns and not totals[0]:
        totals[0] = "total"
    to_the_right = [any(isinstance(row[i], int | float) for row in values) for i in range(len(columns))]
    to_the_right = [right or name in known for right, name in zip(to_the_right, columns, strict=True)]
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, totals, strict=True)]
    rule = ["─" * width for width in widths]
    return [_line(cells, widths, to_the_right) for cells in (columns, rule, *rows, rule, totals)]


def _shown(value: object) -> str:
    if value is None:
        return NOT_KNOWN
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else _printable(str(value))


def _printable(text: str) -> str:
    """Stored values are bounded patterns; still, no answer may steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _line(cells: Sequence[str], widths: Sequence[int], to_the_right: Sequence[bool]) -> str:
    return _GAP.join(
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, to_the_right, strict=True)
    )
