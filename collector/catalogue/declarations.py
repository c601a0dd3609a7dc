"""Finds and reads schemas/: the one place that knows where the declarations lie.

A checkout has them beside the package, a wheel carries them in collector/_schemas. Whoever needs a declared thing
(kinds, reports, vocabularies, configuration) is handed one Declarations, read once at start.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from collector.catalogue.buckets import Dimension, read_cap, read_dimensions
from collector.catalogue.layout import Layout, layouts_of
from collector.catalogue.reports import Report, read_reports
from collector.errors import Misconfigured

_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """Everything declared in schemas/.

    cap     values of an open dimension that a property may name on one UTC day
    digest  16 hex digits over reports and vocabularies: marks have a meaning only under the digest they were made with
    """

    threshold: int
    cap: int
    reports: dict[str, Report]
    dimensions: dict[str, Dimension]
    kinds: dict[str, dict[str, Any]]
    layouts: dict[str, Layout]
    digest: str

    def sorts_of(self, report: Report) -> tuple[str, ...]:
        """Which sorts of property it counts, "site", "product" or both: no product has pages."""
        fields = [self.kinds[kind]["properties"] for kind in report.kinds]
        return tuple(sort for sort in ("site", "product") if any(sort in each for each in fields))


def schemas_folder() -> Path:
    """Where schemas/ lies: inside an installed wheel, or beside the package in a checkout."""
    for folder in (_PACKAGE / "_schemas", _PACKAGE.parent / "schemas"):
        if (folder / "reports.toml").is_file():
            return folder
    raise Misconfigured("the declarations (schemas/) are missing: reinstall the collector")


def read_declarations(folder: Path | None = None) -> Declarations:
    """Read every declaration below `folder`; raises Misconfigured with the file and the rule that is broken."""
    folder = folder or schemas_folder()
    buckets_text = (folder / "buckets.toml").read_bytes()
    reports_text = (folder / "reports.toml").read_bytes()
    kinds = {path.stem: orjson.loads(path.read_bytes()) for path in sorted((folder / "events").glob("*.json"))}
    try:
        buckets = tomllib.loads(buckets_text.decode())
        dimensions, cap = read_dimensions(buckets), read_cap(buckets)
        threshold, reports = read_reports(tomllib.loads(reports_text.decode()), dimensions)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise Misconfigured(f"the declarations cannot be read: {error}") from error
    return Declarations(
        threshold=threshold,
        cap=cap,
        reports=reports,
        dimensions=dimensions,
        kinds=kinds,
        layouts=layouts_of(reports, kinds, dimensions),
        digest=hashlib.sha256(buckets_text + b"\0" + reports_text).hexdigest()[:16],
    )
