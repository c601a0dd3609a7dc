"""The loader's way into the database: connects when there is something to write, and again after every failure.

On contact it makes the tables, asserts that tables and insert settings are what exactly-once rests on (in_force.py),
and looks for detached parts: counts that the engine has put aside and answers no longer hold. Used by one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from clickhouse_connect.driver.client import Client

from collector.errors import Unavailable
from collector.log import log
from collector.warehouse.batch import Batch
from collector.warehouse.engine import FAILURES, Engine, away
from collector.warehouse.in_force import check_insert_settings, detached_parts, make_tables
from collector.warehouse.insert_once import PINNED, insert_once
from collector.warehouse.parts import Part, undo_broken_merges
from collector.warehouse.tables import TABLES

LOOK_EVERY_S = 3600.0
MERGES_EVERY_S = 60.0  # well within old_parts_lifetime (tables.py)


class Writing:
    """Brings batches into the database of one engine.

    detached  is told how many parts lie detached, on contact and about hourly
    """

    def __init__(
        self,
        engine: Engine,
        *,
        detached: Callable[[int], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._detached = detached
        self._now = now
        self._client: Client | None = None
        self._looked = 0.0
        self._away_until = 0.0
        self._looked_at_merges = 0.0
        self._whole: dict[str, set[Part]] = {}

    def insert_once(self, batch: Batch) -> bool:
        """Return once the batch is in its table, verified; True if this call brought it there (insert_once.py).

        Raises Unavailable, NotInsertable, Corrupt, and Misconfigured if the database is not as it must be.
        """
        client = self._connected()
        try:
            inserted = insert_once(client, batch)
        except Unavailable:
            self.disconnect()
            raise
        if self._now() - self._looked >= LOOK_EVERY_S:
            self._look_for_detached(client)
        return inserted

    def look_at_merges(self) -> None:
        """Undo merges that the engine did not write as it said. Call it often: it looks about once a minute."""
        if self._client is None or self._now() - self._looked_at_merges < MERGES_EVERY_S:
            return
        self._looked_at_merges = self._now()
        with suppress(Unavailable):  # in a minute, then
            for name, table in TABLES.items():
                self._whole[name] = undo_broken_merges(self._client, table, self._whole.get(name, set()))

    def connect(self) -> None:
        """Make sure now that the database is there and as it must be; raises Unavailable or Misconfigured."""
        self._connected()

    def disconnect(self) -> None:
        """Begin anew with the next batch."""
        if self._client is not None:
            client, self._client = self._client, None
            with suppress(*FAILURES):
                client.close()

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
            make_tables(client)
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
