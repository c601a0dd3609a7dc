"""The loader's way into the database: connects when there is something to write, and again after every failure.

On contact it makes the tables, or brings them to this version, asserts that tables and insert settings are what
exactly-once rests on (in_force.py), and looks for detached parts: counts that the engine has put aside and answers no
longer hold. Used by one thread.

Where a batch of `hot` goes is decided here, at every attempt: once the seal of its day is there, `hot` takes none of
that day any more, for it would be dropped with the day, and the batch is folded into `sealed` instead (folding.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from clickhouse_connect.driver.client import Client

from collector.errors import Misconfigured, Unavailable
from collector.log import log
from collector.warehouse.batch import Batch
from collector.warehouse.engine import FAILURES, Engine, away
from collector.warehouse.folding import Folding
from collector.warehouse.in_force import (
    check_insert_settings,
    check_tables,
    detached_parts,
    make_tables,
    replicated_tables,
)
from collector.warehouse.insert_once import PINNED, NotInsertable, insert_once
from collector.warehouse.parts import Part, undo_broken_merges
from collector.warehouse.quorum import insert_in_quorum
from collector.warehouse.tables import DAY_S, HOT, MARKER, SEAL, SEALED, TABLES, kept_after

LOOK_EVERY_S = 3600.0
MERGES_EVERY_S = 60.0  # well within old_parts_lifetime (tables.py)


# What a marker says: MARKER, no property; its bucket is the day.
_SEALED_THROUGH = f"""
SELECT intDiv(toUnixTimestamp(max(bucket)), {DAY_S}), countIf(d3 != ''), count()
FROM {SEALED.name}
WHERE report = '{MARKER}' AND property = '' AND node = {{node:UInt64}} AND d2 = '{SEAL}'
"""
_NOW = "SELECT toUnixTimestamp(now())"


class Writing:
    """Brings batches into the database of one engine.

    folding   what a batch becomes whose day is sealed
    detached  is told how many parts lie detached, on contact and about hourly
    makes     whether tables are made, and brought to this version; who only looks is told by NotMade instead
    """

    def __init__(
        self,
        engine: Engine,
        *,
        folding: Folding | None = None,
        detached: Callable[[int], None] = lambda _: None,
        makes: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self.folding = folding or Folding()
        self._detached = detached
        self._prepare = make_tables if makes else check_tables
        self._now = now
        self._client: Client | None = None
        self._looked = 0.0
        self._away_until = 0.0
        self._looked_at_merges = 0.0
        self._whole: dict[str, set[Part]] = {}
        self._replicated: frozenset[str] = frozenset()

    def insert_once(self, batch: Batch) -> bool:
        """Return once the batch is in its table, verified; True if this call brought it there (insert_once.py).

        Raises Unavailable, NotInsertable, Corrupt, and Misconfigured if the database is not as it must be.
        """
        client = self._connected()
        placed = self._placed(batch)
        try:
            into = insert_in_quorum if placed.table in self._replicated else insert_once
            inserted = into(client, placed)
        except Unavailable:
            self.disconnect()
            raise
        if self._now() - self._looked >= LOOK_EVERY_S:
            self._look_for_detached(client)
        return inserted

    def look_at_merges(self, *, at_once: bool = False) -> None:
        """Undo merges that the engine did not write as it said. Call it often: it looks about once a minute."""
        if self._client is None or (not at_once and self._now() - self._looked_at_merges < MERGES_EVERY_S):
            return
        self._looked_at_merges = self._now()
        with suppress(Unavailable):  # in a minute, then
            for name, table in TABLES.items():
                seen = self._whole.get(name, set())
                self._whole[name] = undo_broken_merges(self._client, table, seen, replicated=name in self._replicated)

    def sealed_through(self, node: int) -> int:
        """The latest day of this node whose seal is there, -1 if none is; days after it are still in `hot`.

        Raises Unavailable, and Misconfigured if another collector has sealed days of this node.
        """
        ((day, by_others, seals),) = self.ask(_SEALED_THROUGH, node=node)
        if by_others:
            raise Misconfigured("its days were sealed by another collector: start with a new data directory")
        return int(day) if seals else -1

    def kept_after(self) -> int:
        """The latest day that the engine has let go of, by its own clock (tables.py). Raises Unavailable."""
        ((now_s,),) = self.ask(_NOW)
        return kept_after(now_s)

    def ask(self, statement: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        """The rows a statement of this package answers; raises Unavailable."""
        client = self._connected()
        try:
            return client.query(statement, parameters=parameters).result_rows
        except FAILURES as error:
            self.disconnect()
            raise away("the database does not answer", error) from error

    def command(self, statement: str) -> None:
        """Run a statement made of declared names and numbers only; raises Unavailable."""
        client = self._connected()
        try:
            client.command(statement)
        except FAILURES as error:
            self.disconnect()
            raise away("the database did not do it", error) from error

    def detached(self) -> tuple[int, list[str]]:
        """How many parts are put aside, and the reasons the engine gives; raises Unavailable."""
        try:
            return detached_parts(self._connected())
        except FAILURES as error:
            raise away("detached parts cannot be looked for", error) from error

    def connect(self) -> None:
        """Make sure now that the database is there and as it must be; raises Unavailable or Misconfigured."""
        self._connected()

    def disconnect(self) -> None:
        """Begin anew with the next batch."""
        if self._client is not None:
            client, self._client = self._client, None
            with suppress(*FAILURES):
                client.close()

    def _placed(self, batch: Batch) -> Batch:
        """What of a batch is to be inserted, and where."""
        if batch.table != HOT.name or batch.day > self.sealed_through(batch.node):
            return batch
        if batch.day <= self.kept_after():
            raise NotInsertable(batch.name, None)
        return self.folding.late(batch)

    def _connected(self) -> Client:
        if self._client is None:
            if self._now() < self._away_until:
                raise Unavailable("the database was away a moment ago")
            began = self._now()
            try:
                self._client = self._contact()
            except Unavailable:
                # As long again: many batches may wait, and each would wait for a host that does not answer.
                self._away_until = 2 * self._now() - began
                raise
        return self._client

    def _contact(self) -> Client:
        client = self._engine.writer()
        try:
            self._prepare(client)
            self._replicated = replicated_tables(client)
            check_insert_settings(client, PINNED)
        except FAILURES as error:
            raise away("the database cannot be used", error) from error
        self._look_for_detached(client)
        return client

    def _look_for_detached(self, client: Client) -> None:
        """Count them. What fails here keeps no batch out: a user may not be allowed to look."""
        self._looked = self._now()
        try:
            parts, reasons = detached_parts(client)
        except FAILURES as error:
            log.warning("detached parts cannot be looked for", reason=str(away("system.detached_parts", error)))
            return
        self._detached(parts)
        if parts:
            log.critical("parts of the database are detached: answers lack what they count", parts=parts, why=reasons)
