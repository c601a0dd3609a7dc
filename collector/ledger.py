"""The ledger: one list of everything that is counted and kept, for anyone to read and for programs to check.

Made of schemas/ and of what the code declares about itself (tables, metrics), never written by hand twice. The
public pages (door/open_book.py) and the analysts' dictionary (analyst/dictionary.py) are made from it.
Pure but for reading schemas/ledger.toml; whoever assembles a process makes it once and hands it on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collector.catalogue.buckets import Dimension
from collector.catalogue.declarations import Declarations, schemas_folder
from collector.catalogue.layout import names_read
from collector.catalogue.lint import READ_AT_THE_DOOR, REDUCED_TO
from collector.catalogue.reports import Report
from collector.cell import DIRECT, OTHER, UNKNOWN
from collector.errors import Misconfigured
from collector.metrics import Series
from collector.warehouse.tables import DIMENSIONS, TABLES

Ledger = dict[str, Any]

RESERVED = {
    OTHER: "too few networks stand for it, or it is not declared, or one value too many",
    UNKNOWN: "not given, or not to be found out",
    DIRECT: "no referrer was sent",
}


def ledger_of(declarations: Declarations, series: Iterable[Series], folder: Path | None = None) -> Ledger:
    """Everything that is counted and kept, as lists and texts; raises Misconfigured for words that are missing."""
    words = read_words(folder)
    try:
        return {
            "version": words["version"],
            "declarations": declarations.digest,
            "threshold": declarations.threshold,
            "caps": {"open_values": declarations.cap},
            **{name: words[name] for name in ("keeping", "opt_out", "erasure", "never", "caller")},
            "kinds": [_kind(kind, schema, declarations) for kind, schema in declarations.kinds.items()],
            "dimensions": [_dimension(dimension) for dimension in declarations.dimensions.values()],
            "reserved": [{"name": name, "tells": tells} for name, tells in RESERVED.items()],
            "reports": [_report(report) for report in declarations.reports.values()],
            "places": words["place"],
            "tables": [
                {
                    "name": table.name,
                    **words["table"][table.name],
                    "columns": [
                        {"name": name, "type": kind, "tells": words["columns"][name]}
                        for name, (kind, _) in table.columns.items()
                    ],
                }
                for table in TABLES.values()
            ],
            "metrics": [
                {"name": each.name, "labels": words["metrics"][each.name], "tells": each.tells} for each in series
            ],
            "log": [{"name": name, "tells": tells} for name, tells in words["log"].items()],
            "answers": [{"name": name, "tells": tells} for name, tells in words["answers"].items()],
        }
    except KeyError as missing:
        raise Misconfigured(f"ledger.toml: says nothing of {missing}") from None


def read_words(folder: Path | None = None) -> dict[str, Any]:
    """The parsed ledger.toml; raises Misconfigured if it cannot be read."""
    try:
        return tomllib.loads(((folder or schemas_folder()) / "ledger.toml").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"ledger.toml: cannot be read: {error}") from error


def _kind(kind: str, schema: dict[str, Any], declarations: Declarations) -> dict[str, Any]:
    reads = {name: names_read(report, kind) for name, report in declarations.reports.items() if kind in report.kinds}
    return {
        "name": kind,
        "tells": schema["description"],
        "fields": [
            {
                "name": name,
                "type": field.get("type", "string"),
                "required": name in schema["required"],
                "tells": field["description"],
                **_becomes(name, reads),
            }
            for name, field in schema["properties"].items()
        ],
    }


def _becomes(name: str, reads: dict[str, list[str]]) -> dict[str, Any]:
    """The facts a field becomes and the reports that read them; or what the door itself reads it for.

    `reads` are the facts that each report reads of the field's kind.
    """
    if name in READ_AT_THE_DOOR:
        return {"becomes": [], "used_for": READ_AT_THE_DOOR[name], "reports": []}
    facts = {fact for read in reads.values() for fact in read}.intersection(REDUCED_TO.get(name, (name,)))
    reports = [report for report, read in reads.items() if not facts.isdisjoint(read)]
    return {"becomes": sorted(facts), "used_for": "counting", "reports": reports}


def _dimension(dimension: Dimension) -> dict[str, Any]:
    return {
        "name": dimension.name,
        "class": dimension.whose,
        "tells": dimension.tells,
        "values": sorted(dimension.values) if dimension.values is not None else None,
        "registered": dimension.registered,
        "pattern": dimension.pattern.pattern if dimension.pattern else None,
    }


def _report(report: Report) -> dict[str, Any]:
    by = list(report.by)
    return {
        "name": report.name,
        "question": report.question,
        "kinds": list(report.kinds),
        "by": by,
        **dict(zip(DIMENSIONS, [*by, None, None, None], strict=False)),
        "grain": report.grain,
        "measures": list(report.measures),
        "amount": report.amount,
    }
