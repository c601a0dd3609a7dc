"""An answer as a table for people: aligned, thousands apart, totals below, notes last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOT_KNOWN = "–"  # noqa: RUF001 - an en dash is what a table shows for no value
_GAP = "  "


def render(answer: Mapping[str, Any]) -> str:
    """The whole answer of the API as lines of text, ending in a line break."""
    columns: list[str] = list(answer["columns"])
    rows = [[_shown(value) for value in row] for row in answer["rows"]]
    totals = [_shown(answer["totals"][name]) if name in answer["totals"] else "" for name in columns]
    if columns and not totals[0]:
        totals[0] = "total"
    to_the_right = [any(isinstance(row[i], int | float) for row in answer["rows"]) for i in range(len(columns))]
    to_the_right = [right or name in answer["totals"] for right, name in zip(to_the_right, columns, strict=True)]
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, totals, strict=True)]
    rule = ["─" * width for width in widths]
    lines = [f"{answer['report']} of {answer['property']}, {answer['from']} to {answer['to']}", ""]
    lines += [_line(cells, widths, to_the_right) for cells in (columns, rule, *rows, rule, totals)]
    others = [f"{name} {_shown(value)}" for name, value in answer["totals"].items() if name not in columns]
    lines += [f"in total also: {', '.join(others)}"] if others else []
    lines += ["", *(f"* {note}" for note in answer.get("notes", ()))] if answer.get("notes") else []
    lines += [f"* as of {answer['as_of']}"] if answer.get("as_of") else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


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
