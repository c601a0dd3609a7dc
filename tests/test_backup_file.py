"""A backup that is damaged, cut, put together wrongly or of another version is refused before anything is touched."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from collector.errors import Corrupt, Misconfigured
from collector.warehouse.backup_file import Header, Reader, Writer
from collector.warehouse.restoring import refuse_foreign, whole
from collector.warehouse.tables import SEALED
from tests.backing_up import DAYS
from tests.loading import DECLARATIONS
from tests.sealing import DAY_S

HEADER = Header(
    made="2026-11-29T12:00:00Z",
    declarations=DECLARATIONS.digest,
    columns={name: kind for name, (kind, _) in SEALED.columns.items()},
    reports={report.name: list(report.by) for report in DECLARATIONS.reports.values()},
    through=[[7, DAYS[-1], ""]],
    rows=120,
)


class Made:
    """A backup of made-up rows, of two months."""

    def __init__(self, path: Path) -> None:
        dice = random.Random(5)
        writer = Writer()
        pieces = [writer.header(HEADER), writer.imported(b'{"files":[]}')]
        for month in (DAYS[:2], DAYS[2:]):
            rows = [
                [node, "pages", "www", day * DAY_S, f"/{dice.randrange(99)}", "", "", dice.randrange(9), 1, 10, 0, 0]
                for node in (7, 2**64 - 1)
                for day in month
                for _ in range(30)
            ]
            pieces.append(writer.chunk(rows))
        self.data = b"".join([*pieces, writer.end()])
        path.write_bytes(self.data)
        self.whole = whole(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made") / "backup")


def refused(data: bytes) -> str:
    with pytest.raises(Corrupt) as raised:
        for _ in Reader(BytesIO(data)).frames():
            pass
    return str(raised.value)


def test_every_flipped_bit_every_cut_and_everything_added_is_found(made: Made) -> None:
    dice = random.Random(3)
    data = made.data
    for at in [*range(64), *(dice.randrange(len(data)) for _ in range(250)), *range(len(data) - 64, len(data))]:
        damaged = bytearray(data)
        damaged[at] ^= 1 << dice.randrange(8)
        assert refused(bytes(damaged)), at
    for length in [*range(64), *(dice.randrange(len(data)) for _ in range(100)), len(data) - 1]:
        assert "cut short" in refused(data[:length])
    assert refused(data + b"\0") == "something stands after its end"


def frames_of(data: bytes) -> list[bytes]:
    return [frame.raw for frame in Reader(BytesIO(data)).frames()]


def test_whole_frames_that_are_missing_doubled_or_moved_are_found(made: Made) -> None:
    head, _, *chunks, end = frames = frames_of(made.data)
    assert len(chunks) > 1
    for wrong in (
        frames[:-2] + frames[-1:],
        [*frames[:-1], chunks[0], end],
        [head, *reversed(frames[1:-1]), end],
        [frames[1], head, *chunks, end],
        [head, *frames],
    ):
        assert refused(made.data[:8] + b"".join(wrong))


def test_a_length_that_is_no_length_takes_no_memory(made: Made) -> None:
    huge = bytearray(made.data)
    struct.pack_into("<II", huge, 9, 2**32 - 1, 2**32 - 1)
    assert refused(bytes(huge)) == "it is damaged at byte 17"


def test_a_damaged_file_is_refused_before_anything_is_touched(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    for data, why in (
        (made.data[:-9], "cut short"),
        (b"COLBACK2" + made.data[8:], "newer version"),
        (b"SQLite format 3\0", "no backup"),
        (b"", "cut short"),
    ):
        path.write_bytes(data)
        with pytest.raises(Misconfigured, match=f"{why}.*Nothing was inserted"):
            whole(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda header: replace(header, reports=header.reports | {"tomorrow": ["path"]}), "tomorrow.*upgrade first"),
        (lambda header: replace(header, reports=header.reports | {"pages": ["path", "country"]}), "pages"),
        (lambda header: replace(header, columns=header.columns | {"median": "UInt64"}), "another form of the table"),
    ],
)
def test_a_backup_this_version_cannot_answer_from_is_refused(
    made: Made, change: Callable[[Header], Header], why: str
) -> None:
    refuse_foreign(made.whole, DECLARATIONS)
    with pytest.raises(Misconfigured, match=why):
        refuse_foreign(replace(made.whole, header=change(made.whole.header)), DECLARATIONS)


def test_a_report_that_is_not_declared_any_more_does_not_matter(made: Made) -> None:
    reports = {name: by for name, by in made.whole.header.reports.items() if name != "pages"}
    refuse_foreign(replace(made.whole, header=replace(made.whole.header, reports=reports)), DECLARATIONS)
