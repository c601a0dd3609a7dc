r"""Filters: which of the folded rows an answer is made of.

    dim==a,b   any of these        dim!=a,b   none of these        dim~prefix   begins with this

A comma inside a value is written `\,` and a backslash `\\`. They pick among rows that may be told anyhow, after the
fold, so they tell nothing new; and no value of them ever reaches a statement. Pure, read by question.py, applied by
merging.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

from collector.catalogue.reports import Report
from collector.stats.refusing import BadQuestion, not_of

Op = Literal["==", "!=", "~"]

MAX_FILTERS = 10

_FILTER = re.compile(r"([a-z0-9_]*)(==|!=|~)(.*)", re.DOTALL)
_VALUES = re.compile(r"(?:[^\\,]|\\[\\,])+(?:,(?:[^\\,]|\\[\\,])+)*", re.DOTALL)
_VALUE = re.compile(r"(?:[^\\,]|\\[\\,])+", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\,])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition on one dimension of the report; `~` has a single value."""

    dimension: str
    op: Op
    values: tuple[str, ...]
    _among: frozenset[str] = field(init=False, repr=False, compare=False)  # thousands may be given, for many rows

    def __post_init__(self) -> None:
        object.__setattr__(self, "_among", frozenset(self.values))

    def holds(self, value: str) -> bool:
        """Whether a row with this value of the dimension is picked."""
        if self.op == "~":
            return value.startswith(self.values)
        return (value in self._among) is (self.op == "==")


def read_filters(texts: Iterable[str], report: Report, reports: Iterable[Report]) -> tuple[Filter, ...]:
    """The filters on this report, which all hold together; raises BadQuestion, naming those of `reports` to ask."""
    texts = tuple(texts)
    if len(texts) > MAX_FILTERS:
        raise BadQuestion("filter", f"must be given at most {MAX_FILTERS} times")
    return tuple(_filter(text, report, reports) for text in texts)


def _filter(text: str, report: Report, reports: Iterable[Report]) -> Filter:
    if not report.by:
        dimensions = f"{report.name} has no dimensions, so it takes no filter"
    else:
        dimensions = f"must begin with a dimension of {report.name}: {', '.join(report.by)}"
    parts = _FILTER.fullmatch(text)
    if not parts:
        raise BadQuestion("filter", f"{dimensions}; then ==, != or ~, then the values")
    dimension, op, values = parts.groups()
    if dimension not in report.by:
        raise not_of("filter", dimensions, dimension, report, reports)
    if not _VALUES.fullmatch(values):
        raise BadQuestion("filter", r"must have values, with a comma between two; inside of one write \, and \\")
    if op == "~" and not _VALUE.fullmatch(values):
        raise BadQuestion("filter", r"must have one value after ~; inside of it write a comma as \,")
    read = tuple(_ESCAPED.sub(r"\1", value) for value in _VALUE.findall(values))
    return Filter(dimension=dimension, op=cast("Op", op), values=read)
