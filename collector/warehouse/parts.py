"""Looks whether the parts that the engine reported as written are whole on disk, and sets aside those that are not.

The engine takes no notice of a write() that fails in the middle of a part, as on a full disk: it reports the insert as
done and answers from memory, or from then on fails every question about that day, and its next start finds the part
broken and sets it aside (chDB 4.4, engine 26.9: measured at every write of a part, and with a full tmpfs). So what was
just written is checked before it is believed, and what is broken is set aside now, while its batch is still there.
Only parts of one insert are looked at: what was merged has been read and written again. Called by insert_once.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.errors import Unavailable
from collector.log import log
from collector.warehouse.batch import Batch
from collector.warehouse.tables import DAY_S, HOT

_PARTS_OF_ONE_INSERT = f"""
SELECT name, path FROM system.parts
WHERE database = currentDatabase() AND table = '{HOT}' AND active AND partition = {{partition:String}}
  AND min_block_number = max_block_number
"""

# The files of a part that its checksums do not tell, so that the engine's own check passes them over. Each is at least
# one byte and written at once: it is whole or empty.
_UNSUMMED = ("columns_substreams.txt", "metadata_version.txt", "default_compression_codec.txt")


def fresh_parts(client: Client, batch: Batch) -> dict[str, Path]:
    """The parts in the batch's partition that are one insert each, and where they lie. Raises Unavailable."""
    partition = f"('{datetime.fromtimestamp(batch.day * DAY_S, UTC):%Y-%m-%d}',{batch.node})"
    try:
        rows = client.query(_PARTS_OF_ONE_INSERT, parameters={"partition": partition}).result_rows
    except Error as error:
        raise Unavailable("the database cannot be asked for its parts") from error
    return {name: Path(path) for name, path in rows}


def set_broken_aside(client: Client, parts: dict[str, Path]) -> bool:
    """Take those of these parts that are not whole out of the table; whether there were any. Raises Unavailable."""
    broken = [name for name, path in parts.items() if not _is_whole(client, name, path)]
    for name in broken:
        log.critical("a part is broken on disk and was set aside", part=name)
        try:
            client.command(f"ALTER TABLE {HOT} DETACH PART '{name}'")
        except Error as error:
            raise Unavailable("a broken part cannot be set aside") from error
    return bool(broken)


def _is_whole(client: Client, name: str, path: Path) -> bool:
    try:
        passed = client.command(f"CHECK TABLE {HOT} PART '{name}'", settings={"check_query_single_value_result": 1})
    except Error as error:
        raise Unavailable("a part cannot be checked") from error
    if path.is_dir():  # the engine runs on this machine
        return passed == 1 and all((path / file).stat().st_size for file in _UNSUMMED if (path / file).exists())
    return passed == 1
