-- 29 November 2026: the tables say their version
CREATE TABLE IF NOT EXISTS hot (
    node UInt64 CODEC(T64, ZSTD(1)),
    report LowCardinality(String) CODEC(ZSTD(1)),
    property LowCardinality(String) CODEC(ZSTD(1)),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    d1 LowCardinality(String) CODEC(ZSTD(1)),
    d2 LowCardinality(String) CODEC(ZSTD(1)),
    d3 LowCardinality(String) CODEC(ZSTD(1)),
    epoch UInt64 CODEC(T64, ZSTD(1)),
    events UInt64 CODEC(T64, ZSTD(1)),
    visitors UInt64 CODEC(T64, ZSTD(1)),
    networks UInt64 CODEC(T64, ZSTD(1)),
    firsts UInt64 CODEC(T64, ZSTD(1)),
    amount UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((events, visitors, networks, firsts, amount))
PARTITION BY (toDate(bucket), node)
ORDER BY (report, property, bucket, d1, d2, d3, epoch)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'collector schema 3';
CREATE TABLE IF NOT EXISTS sealed (
    node UInt64 CODEC(T64, ZSTD(1)),
    report LowCardinality(String) CODEC(ZSTD(1)),
    property LowCardinality(String) CODEC(ZSTD(1)),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    d1 LowCardinality(String) CODEC(ZSTD(1)),
    d2 LowCardinality(String) CODEC(ZSTD(1)),
    d3 LowCardinality(String) CODEC(ZSTD(1)),
    events UInt64 CODEC(T64, ZSTD(1)),
    visitors UInt64 CODEC(T64, ZSTD(1)),
    networks UInt64 CODEC(T64, ZSTD(1)),
    firsts UInt64 CODEC(T64, ZSTD(1)),
    amount UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((events, visitors, amount))
PARTITION BY toYYYYMM(bucket)
ORDER BY (report, property, bucket, d1, d2, d3, node)
TTL bucket + toIntervalMonth(25)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'collector schema 3';
