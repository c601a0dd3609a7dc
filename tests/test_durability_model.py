"""The model of a node holds for whatever is drawn, finds what is wrong on purpose, and remembers what it found.

The runs themselves are a scenario of tests/durability/ (scenarios.py); here are its controls and the cases it found.
"""

from __future__ import annotations

import pytest

from collector.disk import Disk
from collector.loader import Loader
from collector.spool.appender import Appender
from collector.spool.frame import Record
from collector.warehouse.batch import Frozen
from tests.durability.model import Model, explore
from tests.durability.simulated_disk import KEEP_ALL, LOSE_ALL, SimulatedDisk
from tests.durability.simulated_node import SimulatedNode, Step
from tests.durability.simulated_processes import Parts

ENOUGH = 2_000  # runs within which a control is found; most are within a hundred
SEED = 5

FOUND: dict[str, list[Step]] = {
    "segments removed by a pass whose sync failed came back after the frozen file had gone": [
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("load", 1),
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("fail", "sync_folder", 1, "EIO"),
        ("load", 3),
        ("lose_power", LOSE_ALL),
    ],
    "a folder that was never made durable went, and what was acknowledged in it": [
        ("append", 0, 1, 0),
        ("lose_power", LOSE_ALL),
    ],
    "a segment that could not be recovered at the start of a worker waited for the next start": [
        ("append", 0, 2, 0),
        ("kill", 0),
        ("fail", "rename", 0, "EIO"),
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("load", 1),
    ],
    "a segment that could not be read once was not read again": [
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("load", 1),
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("fail", "read", 0, "EIO"),
        ("load", 1),
        ("wait", 5),
    ],
    "a recovery that ended between its copy and its cut left the copy for good": [
        ("append", 0, 1, 1),
        ("kill", 0),
        ("die", "sync", 3, "before", None),
        ("resend", 0, 0, 1),
        ("flip", 1, 0.0, 0),
        ("kill", 0),
        ("append", 1, 1, 0),
        ("load", 1),
    ],
    "what a frozen file left out was not counted when its folder could not be synced": [
        ("append", 1, 1, 0),
        ("rotate", 1),
        ("load", 1),
        ("database", False, ["lost"]),
        ("append", 1, 1, 1),
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("flip", 0, 0.0, 0),
        ("fail", "sync_folder", 9, "EIO"),
        *[step for _ in range(2) for step in (("append", 0, 1, 0), ("rotate", 0), ("load", 1))],
        ("resend", 1, 0, 1),
        ("append", 1, 1, 0),
        ("rotate", 1),
        ("load", 1),
        ("load", 2),
    ],
    "a segment that was given up waited for the one after the next": [
        ("append", 0, 1, 0),
        ("fail", "append", 0, "EIO"),
        ("fail", "rename", 0, "EIO"),
        ("fail", "rename", 0, "EIO"),
        ("append", 0, 1, 0),
        ("append", 0, 1, 0),
    ],
    "an id was remembered for a frame that was never synced, and the acknowledged retry was left out": [
        ("append", 0, 1, 0),
        ("die", "append", 0, "after", None),
        ("append", 0, 1, 1),
        ("resend", 1, 0, 1),
        ("rotate", 1),
        ("append", 0, 1, 0),
        ("forget", "after"),
        ("load", 1),
        ("lose_power", LOSE_ALL),
    ],
    "a frozen file was relied on before its name was durable, and its segments went": [
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("load", 1),
        ("append", 0, 2, 0),
        ("rotate", 0),
        ("fail", "sync_folder", 0, "EIO"),
        ("load", 1),
        ("database", False, ["good", "lost"]),
        ("load", 2),
        ("append", 1, 2, 0),
        ("rotate", 1),
        ("lose_power", LOSE_ALL),
    ],
    "events were told as set aside, and counted after all": [
        ("append", 0, 2, 0),
        ("rotate", 0),
        ("database", False, ["denied"]),
        ("fail", "sync_folder", 6, "EIO"),
        ("load", 1),
        ("load", 1),
        ("load", 2),
    ],
    "a frozen file that could not be read once was stopped until the next start": [
        ("append", 0, 1, 0),
        ("kill", 0),
        ("fail", "read", 3, "EIO"),
        ("append", 0, 1, 0),
        ("rotate", 0),
        ("load", 1),
    ],
    "the power is lost in the middle of everything, with all or nothing kept": [
        ("append", 0, 3, 2),
        ("append", 1, 2, 0),
        ("resend", 1, 0, 2),
        ("lose_power", KEEP_ALL),
        ("append", 0, 1, 1),
        ("die", "append", 0, "half", LOSE_ALL),
        ("append", 0, 2, 0),
        ("load", 2),
    ],
}


@pytest.mark.parametrize("steps", FOUND.values(), ids=FOUND)
def test_what_was_found_stays_found(steps: list[Step]) -> None:
    node = SimulatedNode()
    node.run(steps)
    node.come_to_rest()


class SyncsNothing(SimulatedDisk):
    """Says that bytes are safe, and does nothing."""

    def sync(self, fd: int) -> None:
        """Skipped."""


class DeletesBeforeItVerifies(Loader):
    """Lets go of segments and frozen file as soon as an insert was tried."""

    def _load(self, frozen: Frozen) -> None:
        self._reader.delete(frozen.segments)
        self._disk.unlink(frozen.path)
        super()._load(frozen)


class AnswersBeforeTheWrite(Appender):
    """Loses what a write that fails was to bring, and says that it is safe."""

    def append(self, records: list[Record]) -> int:
        try:
            return super().append(records)
        except Exception:  # noqa: BLE001 - wrong on purpose
            return 0


CONTROLS = {
    "skipped fsync": Parts(disk=SyncsNothing),
    "delete before verify": Parts(loader=DeletesBeforeItVerifies),
    "a failed write is acknowledged": Parts(appender=AnswersBeforeTheWrite),
}


@pytest.mark.parametrize("parts", CONTROLS.values(), ids=CONTROLS)
def test_a_node_that_is_wrong_on_purpose_is_found(parts: Parts) -> None:
    class Wrong(Model):
        """A node with one part that is wrong."""

    Wrong.parts = parts
    with pytest.raises(AssertionError):
        explore(Wrong, ENOUGH, SEED, shrink=False)


def test_the_simulated_disk_answers_everything_by_itself() -> None:
    own = {name for name, member in vars(SimulatedDisk).items() if callable(member)}
    real = {name for name, member in vars(Disk).items() if callable(member) and not name.startswith("_")}
    built_of_others = {"write_durably", "tidy"}
    assert real - own == built_of_others
