"""The memory of event ids under kills, damage and a full disk: what it answered stays true, or it says what is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from collector.spool.seen import Seen
from tests.requires import REQUIRE_ALL, needs
from tests.seeing import NOW_S, Ids, group_of, id_of, left_by_a_kill, name_of

ROOT = Path(__file__).parent.parent
KILLS = 5
ASKS = """
import sys
from pathlib import Path
from collector.spool.seen import Seen
from tests.seeing import NOW_S, group_of

seen = Seen(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    print("asks", number, flush=True)
    seen.repeats(group_of(number), NOW_S)
    print("answered", number, flush=True)
"""


def asking(path: Path, first: int, end: int, *under: str) -> subprocess.Popen[str]:
    """A process that asks about one group after the other, and says so."""
    command = [*under, sys.executable, "-c", ASKS, str(path), str(first), str(end)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def again(group: Ids) -> Ids:
    """The same ids in another segment."""
    return {name.replace("-0-1-", "-1-1-"): ids for name, ids in group.items()}


def all_of(group: Ids) -> dict[str, set[int]]:
    return {name: set(range(len(ids))) for name, ids in group.items()}


def none_of(group: Ids) -> dict[str, set[int]]:
    return {name: set() for name in group}


def test_what_was_answered_survives_kills_in_the_middle_of_commits(tmp_path: Path) -> None:
    """A segment that was asked about when the kill came keeps its events; ids of those answered before are repeats."""
    chance = random.Random(11)
    path = tmp_path / "ids.sqlite"
    last = 0
    with capture_logs() as logs:
        for _ in range(KILLS):
            first = last + 1
            process = asking(path, first, first + 1000)
            assert process.stdout
            with process, process.stdout as said:
                lines = [said.readline() for _ in range(chance.randrange(1, 30))]
                process.kill()
                lines += said.readlines()
            told = [line.split() for line in lines if line.endswith("\n")]
            last = int(told[-1][1])
            seen = Seen(path)
            for number in range(last, first - 1, -1):
                assert seen.repeats(group_of(number), NOW_S) == none_of(group_of(number))
                assert seen.repeats(again(group_of(number)), NOW_S) == all_of(again(group_of(number)))
            assert seen.size == last * 2000
            seen.close()
    assert logs == []


def test_an_answer_goes_after_its_ids_and_the_name_of_their_file_are_synced(tmp_path: Path) -> None:
    """A kill cannot show it, the page cache survives it: so the calls themselves are watched."""
    needs("strace")
    folder = tmp_path / "data"
    folder.mkdir()
    calls = "trace=write,pwrite64,fsync,fdatasync,rename"
    asked = asking(folder / "ids.sqlite", 1, 4, "strace", "-f", "-y", "-e", calls, "-o", str(tmp_path / "trace"))
    with asked:
        assert asked.stdout
        assert asked.stdout.read().count("answered") == 3
    waiting: set[str] = set()
    answers = 0
    for line in (tmp_path / "trace").read_text().splitlines():
        call, file = re.findall(r"^\d+ +(\w*)(?:\(\d+<([^>]*)>)?", line)[0]
        if call == "rename":
            waiting.add(str(folder))
        elif call == "write" and "answered" in line:
            answers += 1
            assert waiting == set()
        elif call in ("fsync", "fdatasync"):
            waiting.discard(file)
        elif file.startswith(str(folder)):
            waiting.add(file)
    assert answers == 3


def overwritten(at: int, data: bytes) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(data)

    return damage


def another_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE ids (id TEXT)")
    db.close()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(random.Random(1).randbytes(50_000)),
    "text": lambda path: path.write_text("not a database\n" * 1000),
    "nothing left": lambda path: path.write_bytes(b""),
    "half of it": lambda path: os.truncate(path, path.stat().st_size // 2),
    "fifty bytes of it": lambda path: os.truncate(path, 50),
    "no header": overwritten(0, bytes(100)),
    "a page of zeros": overwritten(4096, bytes(4096)),
    "a page of garbage": overwritten(8 * 4096, random.Random(2).randbytes(4096)),
    "another database": another_database,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The closed file of a memory with some thousand ids."""
    made = tmp_path / "ids.sqlite"
    seen = Seen(made)
    for number in range(3):
        seen.repeats(group_of(number), NOW_S)
    seen.close()
    return made


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_set_aside_and_said_once(path: Path, damage: Callable[[Path], object]) -> None:
    damage(path)
    with capture_logs() as logs:
        seen = Seen(path)
        assert seen.repeats(again(group_of(0)), NOW_S) == none_of(again(group_of(0))), "begun anew"
        assert seen.repeats(group_of(0), NOW_S) == all_of(group_of(0)), "and remembered from now on"
        seen.close()
        seen = Seen(path)
        assert seen.repeats(group_of(0), NOW_S) == all_of(group_of(0))
        seen.close()
    assert [line["log_level"] for line in logs] == ["critical"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["ids.sqlite", "ids.sqlite.damaged"]


def test_damage_that_nobody_asks_for_is_found_at_the_start(path: Path) -> None:
    overwritten(8 * 4096, bytes(4096))(path)
    with capture_logs() as logs:
        seen = Seen(path)
        seen.repeats({name_of(4): [id_of(1_000_000)]}, NOW_S)
        assert seen.size == 1
        seen.close()
    assert [line["log_level"] for line in logs] == ["critical"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.9999), st.integers(1, 255)), min_size=1, max_size=20), st.booleans())
def test_flipped_bytes_never_stop_it(flips: list[tuple[float, int]], wal: bool) -> None:  # noqa: FBT001 - drawn
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        seen = Seen(Path(one) / "ids.sqlite")
        seen.repeats({name_of(1): [id_of(each) for each in range(500)]}, NOW_S)
        if not wal:
            seen.close()
        seen = left_by_a_kill(seen, Path(one), Path(other))
        damaged = Path(other) / ("ids.sqlite-wal" if wal else "ids.sqlite")
        data = bytearray(damaged.read_bytes())
        for share, by in flips:
            data[int(share * len(data))] ^= by
        damaged.write_bytes(data)
        fresh: Ids = {name_of(2): [id_of(each) for each in range(500, 1000)]}
        with capture_logs() as logs:
            assert seen.repeats(fresh, NOW_S) == none_of(fresh)
            assert seen.repeats(again(fresh), NOW_S) == all_of(again(fresh))
            seen.forget(NOW_S)
            seen.close()
        assert len(logs) == len(list(Path(other).glob("*.damaged")))


def test_a_missing_wal_takes_what_it_held_and_no_more(path: Path) -> None:
    with tempfile.TemporaryDirectory() as other:
        seen = Seen(path)
        seen.repeats(group_of(7), NOW_S)
        seen = left_by_a_kill(seen, path.parent, Path(other))
        (Path(other) / "ids.sqlite-wal").unlink()
        assert seen.repeats(again(group_of(0)), NOW_S) == all_of(again(group_of(0)))
        assert seen.repeats(again(group_of(7)), NOW_S) == none_of(again(group_of(7)))
        seen.close()


def test_a_wal_without_its_file_is_not_taken_for_that_of_a_new_one(path: Path) -> None:
    with tempfile.TemporaryDirectory() as other:
        seen = Seen(path)
        seen.repeats(group_of(7), NOW_S)
        seen = left_by_a_kill(seen, path.parent, Path(other))
        (Path(other) / "ids.sqlite").unlink()
        assert seen.repeats(again(group_of(7)), NOW_S) == none_of(again(group_of(7)))
        seen.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], check=False, capture_output=True)
    if mounted.returncode:
        said = "needs the right to mount a small disk"
        (pytest.fail if os.environ.get(REQUIRE_ALL) else pytest.skip)(said)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def ask_on(seen: Seen, first: int) -> None:
    """Ask about new ids until the disk says no; room in a WAL that is there already lasts for some."""
    for number in range(first, first + 50):
        seen.repeats(group_of(number), NOW_S)


def test_a_full_disk_is_an_error_of_the_disk_and_nothing_is_forgotten(small_disk: Path) -> None:
    seen = Seen(small_disk / "ids.sqlite")
    seen.repeats(group_of(0), NOW_S)
    for round_ in range(1, 6):
        filler = fill(small_disk)
        number = 100 * round_
        with pytest.raises(OSError, match="SQLITE_FULL") as failed:
            ask_on(seen, number)
        assert failed.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="SQLITE"):
            ask_on(seen, number)
        filler.unlink()
        assert seen.repeats(group_of(number), NOW_S) == none_of(group_of(number))
        assert seen.repeats(again(group_of(number)), NOW_S) == all_of(again(group_of(number)))
        assert seen.repeats(again(group_of(0)), NOW_S) == all_of(again(group_of(0)))
    seen.close()


def test_a_full_disk_at_the_start_is_an_error_of_the_disk(small_disk: Path) -> None:
    filler = fill(small_disk)
    seen = Seen(small_disk / "ids.sqlite")
    with pytest.raises(OSError, match=r"SQLITE|No space"):
        seen.repeats(group_of(0), NOW_S)
    filler.unlink()
    assert seen.repeats(group_of(0), NOW_S) == none_of(group_of(0))
    seen.close()


def test_a_second_owner_has_to_wait(path: Path) -> None:
    with asking(path, 50, 10_000) as first:
        assert first.stdout
        while not first.stdout.readline().startswith("answered"):
            pass
        with pytest.raises(OSError, match="SQLITE_BUSY"):
            Seen(path).repeats(group_of(9), NOW_S)
        first.kill()
    seen = Seen(path)
    assert seen.repeats(group_of(9), NOW_S) == none_of(group_of(9))
    seen.close()
