CREATE DATABASE IF NOT EXISTS `counts` ON CLUSTER `main`;

CREATE TABLE IF NOT EXISTS `counts`.hot ON CLUSTER `main` (
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
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', (events, visitors, networks, firsts, amount))
PARTITION BY (toDate(bucket), node)
ORDER BY (report, property, bucket, d1, d2, d3, epoch)
SETTINGS replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, min_compressed_bytes_to_fsync_after_fetch = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'collector schema 3';

CREATE TABLE IF NOT EXISTS `counts`.sealed ON CLUSTER `main` (
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
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', (events, visitors, amount))
PARTITION BY toYYYYMM(bucket)
ORDER BY (report, property, bucket, d1, d2, d3, node)
TTL bucket + toIntervalMonth(25)
SETTINGS replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, min_compressed_bytes_to_fsync_after_fetch = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'collector schema 3';

CREATE ROLE IF NOT EXISTS collector_write ON CLUSTER `main`;

CREATE ROLE IF NOT EXISTS collector_read ON CLUSTER `main`;

CREATE ROLE IF NOT EXISTS collector_analyse ON CLUSTER `main`;

CREATE SETTINGS PROFILE OR REPLACE collector_read ON CLUSTER `main` SETTINGS readonly = 1 CONST, max_memory_usage = 1000000000 CONST, max_execution_time = 10 CONST, select_sequential_consistency = 1 TO collector_read;

CREATE SETTINGS PROFILE OR REPLACE collector_analyse ON CLUSTER `main` SETTINGS readonly = 2 CONST, max_memory_usage = 1000000000 CONST, max_execution_time = 10 MIN 1 MAX 60 TO collector_analyse;

CREATE QUOTA OR REPLACE collector_analyse ON CLUSTER `main` KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 600, execution_time = 120 TO collector_analyse;

CREATE USER IF NOT EXISTS collector_views ON CLUSTER `main` IDENTIFIED WITH sha256_hash BY '(hash random)' SALT '(salt random)' HOST NONE;

GRANT ON CLUSTER `main` SELECT(report, property, bucket, d1, d2, d3, events, visitors, amount) ON `counts`.sealed TO collector_views;

CREATE OR REPLACE VIEW `counts`.traffic ON CLUSTER `main`
DEFINER = collector_views SQL SECURITY DEFINER
COMMENT 'How many hits, visits and visitors? amount: visits'
AS SELECT property, bucket AS hour, sum(events) AS events, sum(visitors) AS visitors, sum(amount) AS amount
FROM `counts`.sealed WHERE report = 'traffic'
GROUP BY property, hour;

CREATE OR REPLACE VIEW `counts`.pages ON CLUSTER `main`
DEFINER = collector_views SQL SECURITY DEFINER
COMMENT 'Which pages are read?'
AS SELECT property, toDate(bucket) AS day, d1 AS path, sum(events) AS events, sum(visitors) AS visitors
FROM `counts`.sealed WHERE report = 'pages'
GROUP BY property, day, path;

CREATE OR REPLACE VIEW `counts`.campaigns ON CLUSTER `main`
DEFINER = collector_views SQL SECURITY DEFINER
COMMENT 'Which campaigns bring hits?'
AS SELECT property, toDate(bucket) AS day, d1 AS utm_source, d2 AS utm_medium, d3 AS utm_campaign, sum(events) AS events, sum(visitors) AS visitors
FROM `counts`.sealed WHERE report = 'campaigns'
GROUP BY property, day, utm_source, utm_medium, utm_campaign;

GRANT ON CLUSTER `main` SELECT, INSERT, ALTER DELETE, CHECK ON `counts`.hot, SELECT, INSERT, ALTER DELETE, CHECK ON `counts`.sealed, SELECT ON system.columns, SELECT ON system.databases, SELECT ON system.detached_parts, SELECT ON system.parts, SELECT ON system.processes, SELECT ON system.settings, SELECT ON system.tables TO collector_write;

GRANT ON CLUSTER `main` SELECT ON `counts`.hot, SELECT ON `counts`.sealed, SELECT ON system.parts, SELECT ON system.settings TO collector_read;

GRANT ON CLUSTER `main` ... TO collector_analyse;

CREATE USER IF NOT EXISTS collector_writer ON CLUSTER `main` IDENTIFIED WITH sha256_hash BY '(hash random)' SALT '(salt random)' HOST NONE;

GRANT ON CLUSTER `main` collector_write TO collector_writer;

CREATE USER IF NOT EXISTS collector_reader ON CLUSTER `main` IDENTIFIED WITH sha256_hash BY '(hash random)' SALT '(salt random)' HOST NONE;

GRANT ON CLUSTER `main` collector_read TO collector_reader;

CREATE USER IF NOT EXISTS analyst ON CLUSTER `main` IDENTIFIED WITH sha256_hash BY '(hash random)' SALT '(salt random)' HOST NONE;

GRANT ON CLUSTER `main` collector_analyse TO analyst;

ALTER USER analyst ON CLUSTER `main` IDENTIFIED WITH sha256_hash BY '(hash of CLICKHOUSE_ANALYST_PASSWORD)' SALT '(salt of CLICKHOUSE_ANALYST_PASSWORD)' HOST ANY;

