"""Importing logs: their days are counted once, right, and sealed at once, whatever stands in them and is killed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from collector.errors import Misconfigured
from collector.tools.import_log.hits import Excluded, excluded_by
from collector.warehouse.engine import Engine
from tests.importing import TODAY, Importer, all_rows, hits_by
from tests.made_logs import BOT, DAY_S, SITE, Request, date_of, per_day, per_path, rotated, visits, written
from tests.memory_reading import OTHER_SITE, REGISTRY
from tests.sealing import KilledError, Steps, hot_days, named_under_k
from tests.storing import open_engine

DAY = TODAY - 5
NOON = DAY * DAY_S + 43_200


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("embedded", tmp_path_factory.mktemp("imports")) as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Client:
    return engine.writer()


@pytest.fixture
def importer(engine: Engine, tmp_path: Path) -> Importer:
    return Importer(engine, tmp_path / "data", chunk_lines=1_000)


# --- what is counted --------------------------------------------------------------------------------------------------


def test_rotated_and_packed_logs_are_one_and_their_days_are_sealed(
    importer: Importer, client: Client, tmp_path: Path
) -> None:
    made = visits(DAY, 3, 1_200)
    told = importer.counted(*reversed(rotated(tmp_path, made, 4)))
    assert (told.files, told.tally) == (4, {"counted": len(made)})
    assert told.days == [date_of(DAY + n) for n in range(3)]
    assert hits_by(client, (told.node,)) == per_path(made)
    assert hits_by(client, (told.node,), "toString(toDate(bucket))", "traffic") == per_day(made)
    assert hot_days(client, int(told.node, 16)) == []
    assert named_under_k(client) == 0
    assert importer.files() == ["imports/imported.json"]


def test_importing_twice_changes_nothing_also_under_another_name_or_packing(
    importer: Importer, client: Client, tmp_path: Path
) -> None:
    made = visits(DAY, 2, 50)
    log = written(tmp_path / "access.log", made)
    importer.counted(log, written(tmp_path / "copy.log", made))
    assert importer.notices == [f"{tmp_path / 'copy.log'}: holds the same as {log}"]
    before = all_rows(client), importer.files()
    assert importer.run(log) is None
    assert importer.run(written(tmp_path / "access.log.2.gz", made)) is None
    assert importer.notices[-1] == f"{tmp_path / 'access.log.2.gz'}: already imported on {date_of(TODAY)}"
    assert (all_rows(client), importer.files()) == before


def test_a_log_that_grew_is_imported_from_where_it_ended(importer: Importer, client: Client, tmp_path: Path) -> None:
    made = visits(DAY, 4, 40)
    log = tmp_path / "access.log"
    told = [importer.counted(written(log, made[:end])) for end in (70, 100, 160)]
    assert [each.tally["counted"] for each in told] == [70, 30, 60]
    assert hits_by(client, tuple(each.node for each in told)) == per_path(made)


def test_a_day_that_is_not_over_is_left_for_the_next_time(importer: Importer, client: Client, tmp_path: Path) -> None:
    made = visits(TODAY - 1, 3, 40)  # the last one of tomorrow
    log = written(tmp_path / "access.log", made)
    first = importer.counted(log)
    assert (first.tally, first.days) == ({"counted": 40, "not_over": 80}, [date_of(TODAY - 1)])
    again = importer.counted(log)
    assert (again.tally, again.days, again.files) == ({"not_over": 80}, [], 0)
    importer.clock.at += 2 * DAY_S
    then = importer.counted(log)
    assert (then.tally, then.days) == ({"counted": 80}, [date_of(TODAY), date_of(TODAY + 1)])
    assert hits_by(client, (first.node, then.node)) == per_path(made)
    assert importer.run(log) is None


def test_every_line_is_counted_or_left_out_for_a_reason(importer: Importer, client: Client, tmp_path: Path) -> None:
    importer.excluded = excluded_by(
        {"import_log": {"exclude_paths": ["/admin", "/x/"], "exclude_networks": ["203.0.113.0/24", "2001:db8::/32"]}}
    )
    good = [
        *(
            Request(at=NOON, path=path, address=f"198.51.{n}.7")
            for n, path in enumerate(("/", "/", "/", "/", "/", "/a?b=1", "/administrators", "/x", "/notes.txt", "/css"))
        ),
        Request(at=NOON, status=304),
        Request(at=NOON, status=206),
        Request(at=NOON, path=f"http://{SITE}/whole"),
        Request(at=NOON, address="2001:db9::1", referrer="-", agent="-"),
        Request(at=NOON - 20_000, zone="+0530"),
    ]
    left = {
        "status": [Request(at=NOON, status=status) for status in (301, 404, 403, 500, 101)],
        "method": [Request(at=NOON, method=method) for method in ("POST", "HEAD", "get", r"\x16\x03")],
        "static": [Request(at=NOON, path=path) for path in ("/a.css", "/x/y.JS?v=3", "/favicon.ico", "/robots.txt")],
        "excluded_path": [Request(at=NOON, path=path) for path in ("/admin", "/admin/x?y", "/%61dmin", "/x/y")],
        "excluded_network": [Request(at=NOON, address=address) for address in ("203.0.113.9", "2001:db8::9")],
        "other_host": [Request(at=NOON, host="elsewhere.example")],
        "bot": [Request(at=NOON, agent=BOT)],
        "refused": [Request(at=NOON, path=path) for path in ("/" + "x" * 3_000, "http://elsewhere.example/", "/a b")],
        "too_old": [Request(at=(TODAY - 800) * DAY_S)],
        "out_of_order": [Request(at=NOON - 2 * DAY_S)],
    }
    unreadable = (b"\n", b"\x00\xff\n", b'x "\n', b"y" * 200_000 + b"\n", b"the end")
    lines = [request for requests in (*left.values(), good) for request in requests]
    told = importer.counted(written(tmp_path / "access.log", lines[::-1], *unreadable))
    assert told.tally == {"counted": len(good), "unreadable": 5} | {reason: len(its) for reason, its in left.items()}
    paths = {"/": 9, "/a": 1, "/administrators": 1, "/x": 1, "/notes.txt": 1, "/css": 1, "/whole": 1}
    assert hits_by(client, (told.node,)) == paths


def test_a_list_that_excludes_says_what_is_no_network() -> None:
    with pytest.raises(Misconfigured, match="exclude_networks: must be networks"):
        excluded_by({"import_log": {"exclude_networks": ["localhost"]}})
    assert excluded_by({}) == Excluded()


def test_of_several_sites_a_line_tells_its_own_or_the_command_does(
    importer: Importer, client: Client, tmp_path: Path
) -> None:
    importer.registry = REGISTRY
    mixed = [Request(at=NOON, path=f"/{n % 2}", host=(SITE, f"{OTHER_SITE}:443")[n % 2]) for n in range(30)]
    told = importer.counted(written(tmp_path / "vhosts.log", mixed))
    assert hits_by(client, (told.node,), "property") == {SITE: 15, OTHER_SITE: 15}
    plain = written(tmp_path / "plain.log", [Request(at=NOON, path=f"/{n}") for n in range(20)])
    with pytest.raises(Misconfigured, match="say whose it is by --site"):
        importer.run(plain)
    importer.site = OTHER_SITE
    told = importer.counted(plain, written(tmp_path / "both.log", mixed[1:]))
    assert told.tally == {"counted": 35, "other_host": 14}
    assert hits_by(client, (told.node,), "property") == {OTHER_SITE: 35}
    importer.site = "nobody"
    with pytest.raises(Misconfigured, match="--site: must be"):
        importer.run(plain)


def test_a_damaged_gzip_is_said_and_nothing_of_it_counted(importer: Importer, client: Client, tmp_path: Path) -> None:
    before = all_rows(client)
    whole = written(tmp_path / "access.log.gz", visits(DAY, 1, 500)).read_bytes()
    for damaged in (whole[:-20], whole[:100] + b"\0" * 50 + whole[150:], gzip.compress(b"")[:5]):
        (tmp_path / "access.log.gz").write_bytes(damaged)
        with pytest.raises(Misconfigured, match=r"access\.log\.gz: is no whole gzip file"):
            importer.run(tmp_path / "access.log.gz")
    assert all_rows(client) == before
    assert importer.files() == []


def test_a_crowd_of_one_import_only_is_named(importer: Importer, client: Client, tmp_path: Path) -> None:
    """By k networks of this import: 12 of one browser are named, 3 of another are not, nor by the next import."""

    def some(path: str, networks: range, agent: str) -> list[Request]:
        return [Request(at=NOON, path=path, address=f"198.51.{n}.7", agent=agent) for n in networks]

    firefox, odd = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Opera/9.80 (X11; Linux)"
    for part in range(2):
        lines = [*some(f"/{part}", range(12), firefox), *some(f"/{part}", range(50, 53), odd)]
        told = importer.counted(written(tmp_path / f"{part}.log", lines))
        assert set(hits_by(client, (told.node,), report="browsers")) <= {"firefox", "(other)"}
    assert named_under_k(client) == 0


# --- killed -----------------------------------------------------------------------------------------------------------


def kill_and_resume(engine: Engine, folder: Path, at: int) -> list[str]:
    """Import while being killed before one step, then go on; returns the steps it took until it ended or was killed."""
    folder.mkdir()
    importer = Importer(engine, folder / "data", chunk_lines=25, steps=Steps(at))
    # Another content, another node. Of a day that a kill divides, one part must be a crowd: else its paths are (other).
    made = visits(DAY, 2, 40, seed=at + 1)
    logs = rotated(folder, made, 2)
    taken = importer.steps.taken
    with suppress(KilledError):
        importer.run(*logs)
    importer.begin()
    importer.run(*logs)
    client = engine.writer()
    assert [node for node in nodes_of(client) if hits_by(client, (node,)) == per_path(made)], taken
    assert importer.files() == ["imports/imported.json"], taken
    before = all_rows(client)
    assert importer.run(*logs) is None, taken
    assert all_rows(client) == before, taken
    client.close()
    return taken


def nodes_of(client: Client) -> list[str]:
    """Who ever sealed; killed after the last seal, an import is not told of again."""
    return [f"{node:016x}" for (node,) in client.query("SELECT DISTINCT node FROM sealed").result_rows]


def test_killed_before_some_steps_every_hit_is_counted_once(engine: Engine, tmp_path: Path) -> None:
    steps = kill_and_resume(engine, tmp_path / "0", 0)
    assert {"create", "sync", "rename", "unlink", "insert into sealed", "inserted into sealed"} <= set(steps)
    for at in range(4, len(steps) + 1, 12):
        kill_and_resume(engine, tmp_path / str(at), at)


@pytest.mark.slow
def test_killed_before_any_step_every_hit_is_counted_once(engine: Engine, tmp_path: Path) -> None:
    for at in range(1, len(kill_and_resume(engine, tmp_path / "0", 0)) + 1):
        kill_and_resume(engine, tmp_path / str(at), at)


def kill_after(importer: Importer, step: str, log: Path) -> None:
    """Import, killed right after the first such step; the next life is ready to begin then."""
    steps = importer.steps

    def kill() -> None:
        steps.at = len(steps.taken) + 1 if steps.taken and steps.taken[-1] == step else 0

    steps.between = kill
    with pytest.raises(KilledError):
        importer.run(log)
    steps.between = lambda: None
    importer.begin()


def test_who_comes_before_and_after_a_kill_makes_no_larger_crowd(
    importer: Importer, client: Client, tmp_path: Path
) -> None:
    """Six networks that come twice are six, though the second key knows nothing of the first."""
    importer.chunk_lines = 6
    six = [Request(at=NOON, path="/odd", address=f"198.51.{n}.7") for n in range(6)]
    log = written(tmp_path / "access.log", six * 2)
    kill_after(importer, "rename", log)
    told = importer.counted(log)
    assert told.tally == {"counted": 12}
    assert hits_by(client, (told.node,)) == {"(other)": 12}


@pytest.mark.parametrize(("after", "finished"), [("rename", False), ("insert into sealed", True)])
def test_an_import_that_another_one_follows_is_thrown_away_or_finished_first(
    importer: Importer, tmp_path: Path, after: str, *, finished: bool
) -> None:
    """Killed while it reads, nothing of it is counted, and all of it later; killed after that, it is finished first."""
    begun = written(tmp_path / "begun.log", visits(DAY, 1, 25, seed=100 + finished))
    kill_after(importer, after, begun)
    assert importer.counted(written(tmp_path / "next.log", visits(DAY + 1, 1, 25))).tally == {"counted": 25}
    again = importer.run(begun)
    assert again is None if finished else again and again.tally == {"counted": 25}
    assert importer.files() == ["imports/imported.json"]


def test_what_is_remembered_is_sizes_digests_and_days(importer: Importer, tmp_path: Path) -> None:
    importer.counted(written(tmp_path / "access.log", visits(DAY, 1, 20)))
    (file,) = orjson.loads((importer.data / "imports" / "imported.json").read_bytes())["files"]
    assert file.keys() == {"bytes", "sha256", "day"}
    assert file["day"] == date_of(TODAY)
