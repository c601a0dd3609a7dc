"""An id counts once, whatever order, grouping, kill or restart its segments are read in, for as long as it is kept."""

from __future__ import annotations

import random
import stat
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from collector.spool.seen import Seen
from tests.seeing import DAY_S, HOUR_S, NOW_S, Ids, Model, held_in, id_of, left_by_a_kill, name_of

A, B, C = name_of(1), name_of(2), name_of(3)
ONE, TWO, THREE, FOUR = map(id_of, range(4))


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    memory = Seen(tmp_path / "ids.sqlite")
    yield memory
    memory.close()


def test_an_id_known_from_another_segment_is_a_repeat(seen: Seen) -> None:
    assert seen.repeats({A: [ONE, TWO]}, NOW_S) == {A: set()}
    assert seen.repeats({B: [THREE, ONE, TWO]}, NOW_S) == {B: {1, 2}}
    assert seen.size == 3


def test_a_segment_read_again_is_no_repeat_of_itself(seen: Seen) -> None:
    group = {A: [ONE, TWO, ONE], B: [TWO, THREE]}
    assert seen.repeats(group, NOW_S) == seen.repeats(group, NOW_S) == {A: {2}, B: {0}}
    assert seen.repeats({C: [FOUR, THREE], B: group[B]}, NOW_S) == {C: {1}, B: {0}}


def test_case_does_not_make_another_id(seen: Seen) -> None:
    assert seen.repeats({A: [ONE.upper(), ONE.lower()], B: [ONE.title()]}, NOW_S) == {A: {1}, B: {0}}


def test_events_without_an_id_are_never_repeats_and_keep_their_places(seen: Seen) -> None:
    assert seen.repeats({A: [None, ONE, None, ONE], B: [None], C: []}, NOW_S) == {A: {3}, B: set(), C: set()}


def test_a_group_without_ids_touches_nothing(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "ids.sqlite")
    assert seen.repeats({A: [None, None], B: []}, NOW_S) == {A: set(), B: set()}
    seen.forget(NOW_S)
    assert list(tmp_path.iterdir()) == []
    seen.repeats({A: [ONE]}, NOW_S)
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()}
    assert seen.repeats({B: [None]}, NOW_S + DAY_S) == {B: set()}
    assert seen.repeats({B: [ONE]}, NOW_S + DAY_S) == {B: {0}}, "a group with nothing new"
    seen.forget(NOW_S + DAY_S)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()} == before
    seen.close()


def test_only_its_user_can_read_the_files_and_no_id_is_in_them(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "ids.sqlite")
    seen.repeats({A: [ONE]}, NOW_S)
    files = list(tmp_path.iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
    held = b"".join(file.read_bytes() for file in files)
    assert ONE.encode() not in held
    assert bytes.fromhex(ONE.replace("-", "")) not in held
    seen.close()


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    for number in range(5):
        seen = Seen(tmp_path / "ids.sqlite")
        assert seen.repeats({name_of(number): [id_of(number), *map(id_of, range(number))]}, NOW_S) == {
            name_of(number): set(range(1, number + 1))
        }
        assert seen.size == number + 1
        seen.close()


def test_an_id_counts_again_when_its_segment_was_met_48_hours_ago(seen: Seen) -> None:
    seen.repeats({A: [ONE]}, NOW_S)
    seen.repeats({B: [TWO]}, NOW_S + 24 * HOUR_S)
    assert seen.repeats({C: [ONE, TWO]}, NOW_S + 48 * HOUR_S - 1) == {C: {0, 1}}
    assert seen.repeats({C: [ONE, TWO]}, NOW_S + 48 * HOUR_S) == {C: {1}}
    assert seen.size == 2
    assert seen.forgotten_early == 0


def test_beyond_the_limit_the_oldest_segments_are_forgotten_and_counted(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "ids.sqlite", limit=4)
    seen.repeats({A: [ONE, TWO]}, NOW_S)
    seen.repeats({B: [THREE, FOUR]}, NOW_S)
    assert seen.forgotten_early == 0
    seen.repeats({C: [id_of(5)]}, NOW_S)
    assert (seen.size, seen.forgotten_early) == (3, 2)
    assert seen.repeats({name_of(4): [ONE, THREE, FOUR, id_of(5)]}, NOW_S) == {name_of(4): {1, 2, 3}}
    seen.close()


def test_a_group_larger_than_the_limit_is_remembered_until_the_next(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "ids.sqlite", limit=2)
    group: Ids = {A: [ONE, TWO, THREE], B: [ONE, FOUR]}
    assert seen.repeats(group, NOW_S) == seen.repeats(group, NOW_S) == {A: set(), B: {0}}
    assert (seen.size, seen.forgotten_early) == (4, 0)
    seen.close()


@pytest.mark.parametrize("wrong_s", [-HOUR_S, -NOW_S, 30 * 365 * DAY_S])
def test_a_clock_that_is_wrong_for_an_hour_forgets_nothing_of_the_last_day(tmp_path: Path, wrong_s: float) -> None:
    seen = Seen(tmp_path / "ids.sqlite")
    seen.repeats({A: [ONE]}, NOW_S)
    seen.repeats({B: [ONE, TWO]}, NOW_S + wrong_s)
    seen.close()
    seen = Seen(tmp_path / "ids.sqlite")
    seen.forget(NOW_S + wrong_s + HOUR_S)
    assert seen.repeats({C: [ONE, TWO]}, NOW_S + 2 * HOUR_S) == {C: {0, 1}}
    for hours in range(3, 80):
        seen.forget(NOW_S + hours * HOUR_S)
    assert seen.size == 0, "nor are ids kept until a date that was wrong"
    seen.close()


def test_forgotten_hashes_are_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ids.sqlite"
    seen = Seen(path)
    chance = random.Random(7)
    gone: list[str | None] = [id_of(chance.getrandbits(128)) for _ in range(30_000)]
    seen.repeats({A: gone}, NOW_S)
    seen.close()
    seen = Seen(path)
    seen.repeats({B: [ONE]}, NOW_S + 20 * HOUR_S)
    assert held_in(path, gone) > 29_000
    for hours in range(40, 52):
        seen.forget(NOW_S + hours * HOUR_S)
    seen.close()
    assert held_in(path, gone) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["ids.sqlite"]


def test_forgetting_is_over_when_everything_old_is_gone(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "ids.sqlite")
    seen.repeats({A: [ONE, TWO, THREE]}, NOW_S)
    for hours in range(1, 50):
        assert (seen.size == 3) == (hours <= 49), "a while after the 48 hours, to save commits"
        seen.forget(NOW_S + hours * HOUR_S)
    seen.repeats({B: [ONE, FOUR]}, NOW_S + 50 * HOUR_S)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    for hours in range(50, 90):
        seen.forget(NOW_S + hours * HOUR_S)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    assert seen.size == 2
    seen.close()


def test_an_old_id_that_comes_again_is_not_swept_out_with_the_old(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "ids.sqlite")
    many: list[str | None] = [id_of(each) for each in range(1000)]
    seen.repeats({A: many}, NOW_S)
    seen.repeats({B: [id_of(2000)]}, NOW_S + 24 * HOUR_S)
    assert seen.repeats({C: many[:500]}, NOW_S + 48 * HOUR_S) == {C: set()}
    for second in range(100):
        seen.forget(NOW_S + 48 * HOUR_S + second)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    seen.forget(NOW_S + 49 * HOUR_S)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    assert seen.repeats({A: many}, NOW_S + 49 * HOUR_S) == {A: set(range(500))}
    seen.close()


class Loading(RuleBasedStateMachine):
    """A loader that is killed between what it remembers and what it freezes, and begins again with any segments."""

    def __init__(self) -> None:
        super().__init__()
        self.folders = [tempfile.TemporaryDirectory()]
        self.seen = Seen(Path(self.folders[-1].name) / "ids.sqlite")
        self.numbers = count(1)
        self.waiting: dict[str, list[str | None]] = {}
        self.counted: list[str | None] = []
        self.sent: list[str | None] = []

    @rule(ids=st.lists(st.one_of(st.none(), st.integers(0, 12).map(id_of)), max_size=8))
    def close_a_segment(self, ids: list[str | None]) -> None:
        self.waiting[name_of(next(self.numbers))] = ids
        self.sent += ids

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), freezes=st.booleans())
    def load(self, data: st.DataObject, freezes: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        names = data.draw(st.lists(st.sampled_from(sorted(self.waiting)), min_size=1, max_size=4, unique=True))
        repeats = self.seen.repeats({name: self.waiting[name] for name in names}, NOW_S)
        if freezes:
            self.freeze(names, repeats)
        else:
            self.kill()

    @rule()
    def kill(self) -> None:
        found = tempfile.TemporaryDirectory()
        self.seen = left_by_a_kill(self.seen, Path(self.folders[-1].name), Path(found.name))
        self.folders.append(found)

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        with_id = [id_ for id_ in self.counted if id_]
        assert len(with_id) == len(set(with_id))

    def teardown(self) -> None:
        for name in list(self.waiting):
            self.freeze([name], self.seen.repeats({name: self.waiting[name]}, NOW_S))
        self.nothing_is_counted_twice()
        assert set(self.counted) == set(self.sent)
        assert self.counted.count(None) == self.sent.count(None)
        self.seen.close()
        for folder in self.folders:
            folder.cleanup()

    def freeze(self, names: list[str], repeats: dict[str, set[int]]) -> None:
        for name in names:
            ids = self.waiting.pop(name)
            self.counted += [id_ for position, id_ in enumerate(ids) if position not in repeats[name]]


class Remembering(RuleBasedStateMachine):
    """The memory against a dict: what it answers and how much it holds, with time, a limit and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.seen = self.new()
        self.model = Model(limit=12, keep_s=100)
        self.now_s = NOW_S
        self.once = count(1000)

    def new(self) -> Seen:
        return Seen(Path(self.folder.name) / "ids.sqlite", limit=12, keep_s=100)

    @rule(
        group=st.dictionaries(
            st.integers(1, 30).map(name_of),
            st.lists(st.one_of(st.none(), st.integers(0, 20).map(id_of)), min_size=1, max_size=6),
            min_size=1,
            max_size=3,
        ),
        pass_s=st.integers(0, 50),
    )
    def ask(self, group: dict[str, list[str | None]], pass_s: int) -> None:
        self.now_s += pass_s
        self.seen.forget(self.now_s)  # as the loader does all the time: long gaps count in part only
        assert self.seen.repeats(group, self.now_s) == self.model.repeats(group, self.now_s)
        assert self.seen.size == self.model.size or not any(map(any, group.values()))

    @rule()
    def restart(self) -> None:
        self.ask({name_of(next(self.once)): [id_of(next(self.once))]}, 0)  # what time it is is kept with what is new
        self.seen.close()
        early, self.seen = self.seen.forgotten_early, self.new()
        self.seen.forgotten_early = early

    @invariant()
    def tells_what_it_forgot_early(self) -> None:
        assert self.seen.forgotten_early == self.model.forgotten_early

    def teardown(self) -> None:
        self.seen.close()
        self.folder.cleanup()


TestLoading = Loading.TestCase
TestRemembering = Remembering.TestCase
TestLoading.settings = TestRemembering.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
