"""The declared tables, as they are in ClickHouse: names, types, order, partitions, and how a batch is found in one.

One row of `hot`, the table of open days, is one cell of one insert; merges add up rows of the same key, so whoever
reads sums. A batch brings one row more in the same block, its marker, which is how it is found again:

    report ''   property ''   bucket = start of the day   d1 = name of the batch   events, amount = its events, rows

SummingMergeTree drops a row whose counters are all zero, so a batch has at least one event or one row.
`hot` has no TTL: an inserted row older than its TTL vanishes at once (measured); its days go by a verified seal only.

One row of `sealed`, the table of days that were folded (sealer.py), is one folded row of one node: `networks` is the
bound it was proven to stand for, firsts is 0. What comes late is folded by itself, and a merge adds it to an earlier
row of the same key: events, visitors and amount. Not networks: bounds may count the same networks twice, so of the two
an arbitrary one stays, and either is proven for the sum. The marker of a day's last batch is its *seal*:

    d2 = 'sealed'   d3 = the node that sealed it, '' for its own   visitors = epochs that counted the day's callers

The COMMENT of each table says which schema it is of; migrations.py brings earlier ones up to this one. On a cluster the
tables are the same but for `Replicated` before their engine, and for what makes a replica durable. Their path in Keeper
is made of names, not of a {uuid}: whoever repeats the statement for one replica more must get the same path.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

DAY_S = 86_400
MARKER = ""
SEAL = "sealed"
KEPT_MONTHS = 25
COUNTERS = ("events", "visitors", "networks", "firsts", "amount")
COLUMNS = ("node", "report", "property", "bucket", "d1", "d2", "d3", "epoch", *COUNTERS)
DIMENSIONS = ("d1", "d2", "d3")
SCHEMA = 3
VERSION = "collector schema"  # what a table's comment begins with, before the number

# fsync: without them a power loss takes parts that were reported as inserted. old_parts_lifetime: merged parts stay as
# long as their sum may not be on disk. The window makes a silent replay of one attempt harmless, nothing more.
_SETTINGS = {
    "non_replicated_deduplication_window": 1000,
    "fsync_after_insert": 1,
    "fsync_part_directory": 1,
    "min_rows_to_fsync_after_merge": 1,
    "old_parts_lifetime": 480,
}
# The windows hold as long as an attempt may still hang somewhere (insert_once.py); what is fetched is fsynced, too.
_REPLICATED_SETTINGS = {
    "replicated_deduplication_window": 100_000,
    "replicated_deduplication_window_seconds": 7 * DAY_S,
    "min_compressed_bytes_to_fsync_after_fetch": 1,
    **{name: value for name, value in _SETTINGS.items() if not name.startswith("non_replicated")},
}
_REPLICA = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}', "

_NUMBER = ("UInt64", "T64, ZSTD(1)")
_TEXT = ("LowCardinality(String)", "ZSTD(1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where tables are: in this database ('': the connection's own), on every server of this cluster ('': on one)."""

    database: str = ""
    cluster: str = ""

    def of(self, name: str) -> str:
        """What a statement calls that table or view."""
        return f"`{self.database}`.{name}" if self.database else name

    @property
    def on_cluster(self) -> str:
        """What makes a statement one of the whole cluster."""
        return f" ON CLUSTER `{self.cluster}`" if self.cluster else ""


HERE = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table batches go to. Every text is written as ClickHouse writes it back, so that the two can be compared.

    columns    name -> type, codec, in the order batches give them; a table has the columns of a marker (above)
    partition  how system.parts writes a partition, of {day} and {node}
    ttl        '' for none
    """

    name: str
    columns: Mapping[str, tuple[str, str]]
    engine: str
    partition_by: str
    partition: str
    order_by: str
    ttl: str = ""

    def ddl(self, place: Place = HERE) -> str:
        """The statement that makes the table if it is not there."""
        columns = ",\n".join(f"    {name} {kind} CODEC({codec})" for name, (kind, codec) in self.columns.items())
        engine = f"Replicated{self.engine.replace('(', f'({_REPLICA}', 1)}" if place.cluster else self.engine
        needed = self.settings(replicated=bool(place.cluster))
        settings = ", ".join(f"{name} = {value}" for name, value in needed.items())
        ttl = f"TTL {self.ttl}\n" if self.ttl else ""
        return (
            f"CREATE TABLE IF NOT EXISTS {place.of(self.name)}{place.on_cluster} (\n{columns}\n)\nENGINE = {engine}\n"
            f"PARTITION BY {self.partition_by}\nORDER BY ({self.order_by})\n{ttl}SETTINGS {settings}\n"
            f"COMMENT '{VERSION} {SCHEMA}'"
        )

    def settings(self, *, replicated: bool) -> Mapping[str, int]:
        """What must be written in the table: a server's defaults may change."""
        return _REPLICATED_SETTINGS if replicated else _SETTINGS

    def partition_of(self, day: int, node: int) -> str:
        """The partition of a day and node, as system.parts writes it."""
        return self.partition.format(day=datetime.fromtimestamp(day * DAY_S, UTC), node=node)

    @property
    def find_marker(self) -> str:
        """How often a batch's marker is there, and what it tells: parameters node, day_s and name."""
        return f"""
SELECT count(), sum(events), sum(amount) FROM {self.name}
WHERE node = {{node:UInt64}} AND report = '{MARKER}' AND property = '' AND bucket = toDateTime({{day_s:UInt32}}, 'UTC')
  AND d1 = {{name:String}}
"""

    def marker(
        self, node: int, day: int, name: str, *, events: int, rows: int, **seal: int | str
    ) -> tuple[int | str, ...]:
        """The row that says that this batch is there; `seal`: what makes it a seal."""
        said: dict[str, int | str] = {"node": node, "report": MARKER, "bucket": day * DAY_S, "d1": name}
        said |= {"events": events, "amount": rows, **seal}
        return tuple(said.get(column, "" if kind == _TEXT else 0) for column, kind in self.columns.items())


_KEY = {
    "node": _NUMBER,
    "report": _TEXT,
    "property": _TEXT,
    "bucket": ("DateTime('UTC')", "DoubleDelta, ZSTD(1)"),
    **dict.fromkeys(DIMENSIONS, _TEXT),
}

HOT = Table(
    name="hot",
    columns={**_KEY, "epoch": _NUMBER, **dict.fromkeys(COUNTERS, _NUMBER)},
    engine=f"SummingMergeTree(({', '.join(COUNTERS)}))",
    partition_by="(toDate(bucket), node)",
    partition="('{day:%Y-%m-%d}',{node})",
    order_by="report, property, bucket, d1, d2, d3, epoch",
)

SEALED = Table(
    name="sealed",
    columns={**_KEY, **dict.fromkeys(COUNTERS, _NUMBER)},
    engine="SummingMergeTree((events, visitors, amount))",
    partition_by="toYYYYMM(bucket)",
    partition="{day:%Y%m}",
    order_by="report, property, bucket, d1, d2, d3, node",
    ttl=f"bucket + toIntervalMonth({KEPT_MONTHS})",
)

TABLES = {table.name: table for table in (HOT, SEALED)}


def kept_after(now_s: float) -> int:
    """The latest day, since 1970-01-01, that the engine has let go of by then: sealed, it would vanish at once.

    The TTL counts months from the day on, and ends in the last day of a shorter month: so do up to four days at once.
    """
    today = datetime.fromtimestamp(now_s, UTC).date()
    year, month = divmod(12 * today.year + today.month - 1 - KEPT_MONTHS, 12)
    last = monthrange(year, month + 1)[1]
    ends_month = today.day == monthrange(today.year, today.month)[1]
    return (date(year, month + 1, last if ends_month else min(today.day, last)) - date(1970, 1, 1)).days
