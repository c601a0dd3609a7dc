"""The data dictionary: what an analyst must know to read the tables.

Made of the ledger and nothing else, once at start; the engine is not asked.

GET /api/v1/dictionary   as JSON, for readers
collector dictionary     as Markdown; needs no server
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from aiohttp import web

from collector.analyst.access import Route, Rule

COUNTERS = {"events": "sum(events)", "visitors": "sum(visitors)", "amount": "sum(amount)"}
SHOWN = ("name", "question", "kinds", "d1", "d2", "d3", "grain", "measures", "amount")


def dictionary_of(ledger: dict[str, Any]) -> dict[str, Any]:
    """Tables, reports with what their columns mean and an example each, dimensions, reserved values."""
    (*_, table) = ledger["tables"]  # the one that is kept longest
    return {
        "threshold": ledger["threshold"],
        "tables": ledger["tables"],
        "reports": [
            {name: report[name] for name in SHOWN} | {"sql": _example(report, table["name"])}
            for report in ledger["reports"]
        ],
        "dimensions": ledger["dimensions"],
        "reserved": ledger["reserved"],
    }


def dictionary_route(dictionary: dict[str, Any]) -> Route:
    """The route above."""
    body = orjson.dumps(dictionary)

    async def tell(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return Route("GET", "/api/v1/dictionary", Rule.READER, tell)


def as_markdown(dictionary: dict[str, Any]) -> str:
    """The dictionary for people."""
    theirs = {dimension["name"] for dimension in dictionary["dimensions"] if dimension["class"] == "theirs"}
    head = (
        f"A named value of theirs (*) stands for at least {dictionary['threshold']} networks of its day in every answer"
        " of the collector. Rows of a day that is not sealed are not folded yet: whoever reads `hot` sees small ones."
        " Counters are summed, always: a cell may lie in several rows. Visitors add up over no dimension and no day."
    )
    parts = [
        "# Data dictionary",
        head,
        "## Tables",
        *(_table(table) for table in dictionary["tables"]),
        "## Reports",
        _rows(
            ("Report", "Question", "d1", "d2", "d3", "Grain", "Measures"),
            (_report(report, theirs) for report in dictionary["reports"]),
        ),
        "## Dimensions",
        _rows(("Dimension", "Tells", "Whose", "May be"), map(_dimension, dictionary["dimensions"])),
        "## Reserved values",
        _rows(("Value", "Means"), ((f"`{each['name']}`", each["tells"]) for each in dictionary["reserved"])),
        "## Examples",
        *(f"{report['question']}\n\n```sql\n{report['sql']}\n```" for report in dictionary["reports"]),
    ]
    return "\n\n".join(parts) + "\n"


def _example(report: dict[str, Any], table: str) -> str:
    """The report of one property by its dimensions: sums, most events first."""
    names = [(place, report[place]) for place in ("d1", "d2", "d3") if report[place]]
    bucket = "bucket AS hour" if report["grain"] == "hour" else "toDate(bucket) AS day"
    columns = [bucket, *(f"{place} AS {name}" for place, name in names)]
    columns += [f"{COUNTERS[measure]} AS {measure}" for measure in report["measures"]]
    alias = bucket.rpartition(" ")[2]
    return (
        f"SELECT {', '.join(columns)}\nFROM {table}\n"
        f"WHERE report = '{report['name']}' AND property = {{property:String}}\n"
        f"GROUP BY {', '.join([alias, *(name for _, name in names)])}\nORDER BY {alias}, events DESC"
    )


def _table(table: dict[str, Any]) -> str:
    columns = ((f"`{each['name']}`", f"`{each['type']}`", each["tells"]) for each in table["columns"])
    head = f"### {table['name']}\n\n{table['holds']} {table['kept']}"
    return f"{head}\n\n{_rows(('Column', 'Type', 'Tells'), columns)}"


def _report(report: dict[str, Any], theirs: set[str]) -> list[str]:
    places = [report[place] or "" for place in ("d1", "d2", "d3")]
    marked = [f"{name}\\*" if name in theirs else name for name in places]
    measures = [f"amount ({report['amount']})" if name == "amount" else name for name in report["measures"]]
    return [f"`{report['name']}`", report["question"], *marked, report["grain"], ", ".join(measures)]


def _dimension(dimension: dict[str, Any]) -> tuple[str, str, str, str]:
    if dimension["values"]:
        may_be = ", ".join(dimension["values"])
    elif dimension["registered"]:
        may_be = f"the property's {dimension['registered']}"
    else:
        may_be = f"`{dimension['pattern']}`".replace("|", "\\|")
    return f"`{dimension['name']}`", dimension["tells"], dimension["class"], may_be


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
