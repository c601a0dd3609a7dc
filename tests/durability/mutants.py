"""Each guard taken out of the code, one at a time: the tests must turn red, or they would not notice its loss.

A mutant is a copy of the package and its tests in a folder of its own, with one piece of text replaced. The tests that
stand for the guard run there; as they are they pass, with the mutant they must fail. A piece of text that is not in
its file any more fails, too: the guard has moved, and its mutant must follow.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.durability.outcome import Outcome
from tests.durability.progress import rounds_of
from tests.stack import ROOT

NAME = "guards taken out (mutants)"
TIMEOUT_S = 300
MODEL = ("tests/test_durability.py::test_nothing_is_lost_and_nothing_doubled[model]",)


class Mutant(NamedTuple):
    """A guard, the text that is it, what stands there instead, and the tests that must notice."""

    guard: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "an answer waits for the sync",
        "collector/spool/appender.py",
        "        self._disk.sync(self._fd)\n        self.size_bytes += len(frame)",
        "        self.size_bytes += len(frame)",
        ("tests/test_spool.py::test_bytes_are_synced_before_the_answer",),
    ),
    Mutant(
        "a sync reaches the disk",
        "collector/disk.py",
        "        os.fdatasync(fd)",
        "        del fd",
        ("tests/test_disk.py",),
    ),
    Mutant(
        "a frame is whole only by its checksum",
        "collector/spool/frame.py",
        "    if _crc(name, bytes(data[at : at + HEADER.size]), payload) != crc:",
        "    if not crc and not payload:",
        ("tests/test_frame.py",),
    ),
    Mutant(
        "a frame belongs to its segment",
        "collector/spool/frame.py",
        "google_crc32c.value(name.encode() + head[_CRC_START:_CRC_END])",
        "google_crc32c.value(head[_CRC_START:_CRC_END])",
        ("tests/test_frame.py::test_a_frame_of_another_segment_is_not_taken",),
    ),
    Mutant(
        "what a failed write left is cut before the answer",
        "collector/spool/appender.py",
        "            self._disk.truncate(self._fd, self.size_bytes)\n",
        "",
        ("tests/test_spool.py",),
    ),
    Mutant(
        "a success is not believed without the marker",
        "collector/warehouse/insert_once.py",
        "    if _is_there(client, batch):\n        return True\n",
        "    if refusal is None or _is_there(client, batch):\n        return True\n",
        ("tests/test_warehouse.py::test_a_reported_success_without_rows_is_not_believed",),
    ),
    Mutant(
        "a batch that is there is not inserted again",
        "collector/warehouse/insert_once.py",
        "    if _is_whole_there(client, batch, known):\n        return False\n",
        "",
        ("tests/test_warehouse.py::test_a_batch_that_is_there_is_not_inserted_again",),
    ),
    Mutant(
        "every attempt has a token of its own",
        "collector/warehouse/insert_once.py",
        "    refusal = attempt(client, batch, secrets.token_hex(16))\n",
        "    refusal = attempt(client, batch, batch.name)\n",
        ("tests/test_warehouse.py::test_every_attempt_has_a_token_of_its_own",),
    ),
    Mutant(
        "segments go only when their batches are verified",
        "collector/loader.py",
        "        refused: list[Batch] = []\n",
        "        refused: list[Batch] = []\n        self._reader.delete(frozen.segments)\n"
        "        self._disk.unlink(frozen.path)\n",
        MODEL,
    ),
    Mutant(
        "the frozen file goes last",
        "collector/loader.py",
        "        self._reader.delete(frozen.segments)\n"
        "        self._disk.unlink(frozen.path)  # if it is still there\n",
        "        self._disk.unlink(frozen.path)\n        self._reader.delete(frozen.segments)\n",
        MODEL,
    ),
    Mutant(
        "removals are durable before the frozen file goes",
        "collector/spool/reader.py",
        "            if folder in touched:\n                self.disk.sync_folder(folder)\n",
        "            del folder\n",
        MODEL,
    ),
    Mutant(
        "a part is believed only if it is whole on disk",
        "collector/warehouse/insert_once.py",
        "    drop_broken(client, batch, fresh_parts(client, batch) - known)\n",
        "",
        ("tests/test_parts.py",),
    ),
    Mutant(
        "a retry is known by its id",
        "collector/spool/gather.py",
        "    if repeats:\n",
        "    if not records:\n",
        ("tests/test_loader_ids.py",),
    ),
    Mutant(
        "ids are remembered by the segment that counts them",
        "collector/spool/seen.py",
        "        owners.update(known)\n",
        "        owners.update(dict.fromkeys(known, -1))\n",
        ("tests/test_loader_ids.py",),
    ),
    Mutant(
        "what the disk did not give is tried again",
        "collector/stopped.py",
        "self._clock.now() if is_unread else None",
        "None",
        ("tests/test_loader_bad_sector.py",),
    ),
    Mutant(
        "a header that the disk did not give is not taken for a damaged one",
        "collector/loader.py",
        "            elif isinstance(frozen, Unreadable):\n",
        "            elif not frozen:\n",
        ("tests/test_loader_bad_sector.py",),
    ),
)


def mutants(folder: Path, rounds: int, seed: int) -> Outcome:
    """Take out `rounds` guards, drawn by the seed; `lost` is how many of them nobody missed.

    Raises AssertionError if a guard has moved.
    """
    moved = [each.guard for each in MUTANTS if (ROOT / each.file).read_text("utf-8").count(each.text) != 1]
    assert not moved, f"guards have moved: {'; '.join(moved)}"
    unnoticed: list[str] = []
    chosen = random.Random(seed).sample(MUTANTS, min(rounds, len(MUTANTS)))
    copy = _copied(folder / "copy")
    assert _passes(copy, sorted({test for mutant in chosen for test in mutant.tests})), "red without any mutant"
    for number in rounds_of(NAME, len(chosen)):
        mutant = chosen[number]
        file = copy / mutant.file
        source = file.read_text("utf-8")
        file.write_text(source.replace(mutant.text, mutant.instead), "utf-8")
        if _passes(copy, mutant.tests):
            unnoticed.append(mutant.guard)
        file.write_text(source, "utf-8")
    note = f"not noticed: {'; '.join(unnoticed)}" if unnoticed else "every one turned its tests red"
    return Outcome(
        fault=NAME, rounds=len(chosen), acknowledged=len(chosen), lost=len(unnoticed), doubled=0, seed=seed, note=note
    )


def _copied(folder: Path) -> Path:
    left_out = shutil.ignore_patterns("__pycache__", "_web*", "_schemas")
    for name in ("collector", "schemas", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _passes(folder: Path, tests: Iterable[str]) -> bool:
    """Whether these tests pass there; raises if they could not be run at all."""
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert run.returncode in (0, 1), run.stdout[-2000:] + run.stderr[-2000:]
    return run.returncode == 0
