"""The table of open days, `hot`, as it is in ClickHouse: names, types, order, partitions.

One row is one cell of one insert; merges add up rows of the same key, so whoever reads sums. A batch brings one row
more in the same block, its marker, which is how it is found again:

    report ''   property ''   bucket = start of the day   d1 = name of the batch   events, amount = its events, rows

SummingMergeTree drops a row whose counters are all zero, so a batch has at least one event or one row.
The table has no TTL: an inserted row older than its TTL vanishes at once (measured); days go by a verified seal only.
"""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

DAY_S = 86_400
HOT = "hot"
MARKER = ""
COUNTERS = ("events", "visitors", "networks", "firsts", "amount")
COLUMNS = ("node", "report", "property", "bucket", "d1", "d2", "d3", "epoch", *COUNTERS)
DIMENSIONS = ("d1", "d2", "d3")

# fsync: without them a power loss takes parts that were reported as inserted. old_parts_lifetime: merged parts stay as
# long as their sum may not be on disk. The window makes a client's silent replay of one attempt harmless, nothing more.
_SETTINGS = """
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480"""

_HOT_DDL = f"""
CREATE TABLE IF NOT EXISTS {HOT} (
    node      UInt64                 CODEC(T64, ZSTD(1)),
    report    LowCardinality(String) CODEC(ZSTD(1)),
    property  LowCardinality(String) CODEC(ZSTD(1)),
    bucket    DateTime('UTC')        CODEC(DoubleDelta, ZSTD(1)),
    d1        LowCardinality(String) CODEC(ZSTD(1)),
    d2        LowCardinality(String) CODEC(ZSTD(1)),
    d3        LowCardinality(String) CODEC(ZSTD(1)),
    epoch     UInt64                 CODEC(T64, ZSTD(1)),
    events    UInt64                 CODEC(T64, ZSTD(1)),
    visitors  UInt64                 CODEC(T64, ZSTD(1)),
    networks  UInt64                 CODEC(T64, ZSTD(1)),
    firsts    UInt64                 CODEC(T64, ZSTD(1)),
    amount    UInt64                 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree(({", ".join(COUNTERS)}))
PARTITION BY (toDate(bucket), node)
ORDER BY (report, property, bucket, d1, d2, d3, epoch)
SETTINGS{_SETTINGS}
"""


def create_tables(client: Client) -> None:
    """Make the tables that are not there yet."""
    client.command(_HOT_DDL)
