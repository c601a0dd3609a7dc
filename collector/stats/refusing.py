"""How a question is refused: by the parameter and the rule it breaks, both made of declarations only.

Nothing that was sent is ever in a rule. The modules that read a question (question.py, period.py, filters.py) raise
this; the analyst port and the commands say it.
"""

from __future__ import annotations

from collections.abc import Iterable

from collector.catalogue.reports import Report


class BadQuestion(Exception):
    """A question that breaks a rule. `parameter` is a declared name, or None where what was sent is none."""

    def __init__(self, parameter: str | None, rule: str) -> None:
        super().__init__(rule)
        self.parameter = parameter
        self.rule = rule


class NoSuchReport(BadQuestion):
    """The question is about a report that is not declared."""


def one_of(parameter: str, text: str, allowed: Iterable[str]) -> str:
    """The text, if it is one of those that are allowed."""
    if text not in allowed:
        raise BadQuestion(parameter, f"must be one of: {', '.join(allowed)}")
    return text


def whole_number(parameter: str, text: str, least: int, most: int) -> int:
    """The number, if it lies between these two, both allowed."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) else least - 1
    if not least <= number <= most:
        raise BadQuestion(parameter, f"must be a whole number from {least} to {most}")
    return number


def not_of(parameter: str, rule: str, dimension: str, report: Report, reports: Iterable[Report]) -> BadQuestion:
    """Of a dimension that the report does not have: the rule, and which of these reports to ask about it instead."""
    having = [other.name for other in reports if dimension in other.by]
    if having:
        rule += f". {report.name} is not counted by {dimension}: ask one of: {', '.join(having)}"
    return BadQuestion(parameter, rule)
