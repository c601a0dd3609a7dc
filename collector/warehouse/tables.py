"""The declared tables, as they are in ClickHouse: names, types, order, partitions, and how a batch is found in one.

One row of `hot`, the table of open days, is one cell of one insert; merges add up rows of the same key, so whoever
reads sums. A batch brings one row more in the same block, its marker, which is how it is found again:

    report ''   property ''   bucket = start of the day   d1 = name of the batch   events, amount = its events, rows

SummingMergeTree drops a row whose counters are all zero, so a batch has at least one event or one row.
The table has no TTL: an inserted row older than its TTL vanishes at once (measured); days go by a verified seal only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAY_S = 86_400
MARKER = ""
COUNTERS = ("events", "visitors", "networks", "firsts", "amount")
COLUMNS = ("node", "report", "property", "bucket", "d1", "d2", "d3", "epoch", *COUNTERS)
DIMENSIONS = ("d1", "d2", "d3")

# fsync: without them a power loss takes parts that were reported as inserted. old_parts_lifetime: merged parts stay as
# long as their sum may not be on disk. The window makes a silent replay of one attempt harmless, nothing more.
_SETTINGS = {
    "non_replicated_deduplication_window": 1000,
    "fsync_after_insert": 1,
    "fsync_part_directory": 1,
    "min_rows_to_fsync_after_merge": 1,
    "old_parts_lifetime": 480,
}

_NUMBER = ("UInt64", "T64, ZSTD(1)")
_TEXT = ("LowCardinality(String)", "ZSTD(1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table batches go to. Every text is written as ClickHouse writes it back, so that the two can be compared.

    columns  name -> type, codec, in the order batches give them; a table has the columns of a marker (above)
    """

    name: str
    columns: Mapping[str, tuple[str, str]]
    engine: str
    partition_by: str
    order_by: str
    settings: Mapping[str, int]

    @property
    def ddl(self) -> str:
        """The statement that makes the table if it is not there."""
        columns = ",\n".join(f"    {name} {kind} CODEC({codec})" for name, (kind, codec) in self.columns.items())
        settings = ", ".join(f"{name} = {value}" for name, value in self.settings.items())
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} (\n{columns}\n)\nENGINE = {self.engine}\n"
            f"PARTITION BY {self.partition_by}\nORDER BY ({self.order_by})\nSETTINGS {settings}"
        )

    @property
    def find_marker(self) -> str:
        """How often a batch's marker is there, and what it tells: parameters node, day_s and name."""
        return f"""
SELECT count(), sum(events), sum(amount) FROM {self.name}
WHERE node = {{node:UInt64}} AND report = '{MARKER}' AND property = '' AND bucket = toDateTime({{day_s:UInt32}}, 'UTC')
  AND d1 = {{name:String}}
"""

    def marker(self, node: int, day: int, name: str, *, events: int, rows: int) -> tuple[int | str, ...]:
        """The row that says that this batch is there."""
        said: dict[str, int | str] = {"node": node, "report": MARKER, "bucket": day * DAY_S, "d1": name}
        said |= {"events": events, "amount": rows}
        return tuple(said.get(column, "" if kind == _TEXT else 0) for column, kind in self.columns.items())


HOT = Table(
    name="hot",
    columns={
        "node": _NUMBER,
        "report": _TEXT,
        "property": _TEXT,
        "bucket": ("DateTime('UTC')", "DoubleDelta, ZSTD(1)"),
        **dict.fromkeys(DIMENSIONS, _TEXT),
        "epoch": _NUMBER,
        **dict.fromkeys(COUNTERS, _NUMBER),
    },
    engine=f"SummingMergeTree(({', '.join(COUNTERS)}))",
    partition_by="(toDate(bucket), node)",
    order_by="report, property, bucket, d1, d2, d3, epoch",
    settings=_SETTINGS,
)

TABLES = {table.name: table for table in (HOT,)}
