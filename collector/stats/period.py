"""The days a question is about: from two dates or a period, and the earlier days it is compared with.

    from=DATE to=DATE | period=today|yesterday|Nd|Nw|Nm|month|last-month|year|last-year|all      compare=previous|year

Days are UTC days, and a range includes both ends. Periods end today, but for yesterday and the last- ones. Pure
functions, called by question.py.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

from collector.stats.refusing import BadQuestion
from collector.warehouse.tables import DAY_S, kept_after

Compare = Literal["previous", "year"]
Range = tuple[date, date]

COMPARISONS = ("previous", "year")
MAX_DAYS = 3_653  # ten years
# The engine's DateTime holds 1970 to 2105.
FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(2100, 12, 31)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BACK = re.compile(r"([0-9]{1,4})([dwm])")
_DAY = timedelta(days=1)
_PERIOD = (
    "must be one of: today, yesterday, Nd, Nw, Nm (so many days, weeks or months up to today, at most ten years),"
    " month, last-month, year, last-year, all"
)


def read_range(given: Mapping[str, str], today: date) -> Range:
    """The first and the last day these parameters ask about; raises BadQuestion."""
    if "period" in given:
        if "from" in given or "to" in given:
            raise BadQuestion("period", "must be left out where from or to is given")
        first, last = _period(given["period"], today)
        return _bounded("period", _PERIOD, first, last)
    last = _date("to", given["to"]) if "to" in given else today
    first = _date("from", given["from"]) if "from" in given else last
    if first > last:
        raise BadQuestion("from", "must not be after to (without to: today, in UTC)")
    return _bounded("from", "must be at most ten years before to", first, last)


def earlier(first: date, last: date, compare: Compare) -> Range:
    """As many days right before, or the same dates of the year before; raises BadQuestion before there was time."""
    if compare == "previous":
        begins, ends = first - _DAY - (last - first), first - _DAY
    else:
        begins, ends = months_before(first, 12), months_before(last, 12)
    if begins < FIRST_DAY:
        raise BadQuestion("compare", f"must be left out where the earlier days begin before {FIRST_DAY}")
    return begins, ends


def months_before(day: date, months: int) -> date:
    """The same day so many months ago or, in a shorter month, its last."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def first_kept(today: date) -> date:
    """The oldest day of which anything is kept."""
    return FIRST_DAY + timedelta(days=kept_after((today - FIRST_DAY).days * DAY_S) + 1)


def _period(text: str, today: date) -> Range:
    month = today.replace(day=1)
    year = month.replace(month=1)
    named = {
        "today": (today, today),
        "yesterday": (today - _DAY, today - _DAY),
        "month": (month, today),
        "last-month": (months_before(month, 1), month - _DAY),
        "year": (year, today),
        "last-year": (months_before(year, 12), year - _DAY),
        "all": (first_kept(today), today),
    }
    if text in named:
        return named[text]
    back = _BACK.fullmatch(text)
    if not back or not int(back[1]):
        raise BadQuestion("period", _PERIOD)
    count, unit = int(back[1]), back[2]
    if unit == "m":
        if count > MAX_DAYS // 30:
            raise BadQuestion("period", _PERIOD)
        return months_before(today, count) + _DAY, today
    return today - timedelta(days=count * (7 if unit == "w" else 1) - 1), today


def _date(parameter: str, text: str) -> date:
    rule = f"must be a UTC date YYYY-MM-DD from {FIRST_DAY} to {LAST_DAY}"
    if not _DATE.fullmatch(text):
        raise BadQuestion(parameter, rule)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadQuestion(parameter, rule) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise BadQuestion(parameter, rule)
    return day


def _bounded(parameter: str, rule: str, first: date, last: date) -> Range:
    if first < FIRST_DAY or (last - first).days >= MAX_DAYS:
        raise BadQuestion(parameter, rule)
    return first, last
