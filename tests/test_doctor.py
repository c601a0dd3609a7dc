"""Whatever breaks, `collector doctor` has a line that says so, and what to do: each is broken here for real."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from collector.disk import DISK, Disk
from collector.doctor import counts, machine
from collector.doctor.examine import Patient, Running, examine
from collector.doctor.line import Line, State, worst
from collector.settings import Settings, read_settings
from collector.spool.reader import SpoolReader
from collector.warehouse.engine import Engine
from collector.warehouse.seals import Seals
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing
from collector.worker import region_of
from tests.failing_disk import FailingDisk
from tests.loading import ALL_NEW, DECLARATIONS, Place, hit
from tests.stack import ROOT, Stack, eventually
from tests.stats_desk import declared
from tests.storing import batch_of, open_engine, pages
from tests.tiny_mmdb import database

DAY_S = 86_400
NODE = 77
NAMES = [
    *("version", "clock", "day key", "disk room", "disk sync", "limits", "files", "countries", "spool", "quarantine"),
    *("restore", "database", "database clock", "parts", "batches", "sealing"),
]


@dataclass
class ShiftedClock:
    """The machine's clock, set by so many seconds."""

    by_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.by_s


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("embedded", tmp_path_factory.mktemp("doctor")) as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    client = engine.writer()
    yield client
    for table in ("hot", "sealed"):
        client.command(f"TRUNCATE TABLE {table}")


@pytest.fixture
def patient(engine: Engine, tmp_path: Path) -> Patient:
    """A collector in health."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return patient_of(engine, data)


def patient_of(engine: Engine, data: Path, disk: Disk = DISK) -> Patient:
    now_s = time.time()
    return Patient(
        data=data,
        quota_bytes=10**9,
        clock=ShiftedClock(),
        began_s=now_s - time.monotonic(),
        declarations=DECLARATIONS,
        country=lambda: 1,
        reader=SpoolReader(disk, data / "spool", DECLARATIONS.layouts, DECLARATIONS.digest),
        seals=Seals(Writing(engine)),
        node=NODE,
        running=Running(epoch=3, key_day=lambda: int(now_s) // DAY_S),
    )


def line(patient: Patient, name: str) -> Line:
    """What is said of one thing, which is there once."""
    (found,) = [each for each in examine(patient) if each.name == name]
    assert found.todo or found.state is State.OK
    return found


# --- the machine ------------------------------------------------------------------------------------------------------


def test_in_health_every_line_is_there_once_and_ok(patient: Patient) -> None:
    told = examine(patient)
    assert [each.name for each in told] == NAMES
    assert {each.name for each in told if each.state is not State.OK} <= {
        "clock",
        "limits",
        "disk sync",
    }  # of this machine
    assert worst([]) is State.OK


@pytest.mark.parametrize("by_s", [-3700, 3, 90_000])
def test_a_clock_that_was_set(patient: Patient, by_s: int) -> None:
    told = line(replace(patient, clock=ShiftedClock(by_s)), "clock")
    assert (told.state, told.tells) == (State.WARN, f"it was set by {by_s:+,} s since this process began")


def test_a_clock_that_nothing_keeps_is_told_where_the_kernel_says_so() -> None:
    now_s = time.time()
    told = machine.clock(now_s, now_s - time.monotonic(), is_kept=False)
    assert (told.state, told.todo) == (State.WARN, "Run an NTP client on this machine.")
    assert machine.clock(now_s, now_s - time.monotonic(), is_kept=None).state is State.OK
    assert machine.kernel_keeps_time() in (True, False, None)


@pytest.mark.parametrize(("days", "state"), [(0, State.OK), (1, State.WARN), (None, State.FAIL)])
def test_a_day_key_of_another_day_or_none(patient: Patient, days: int | None, state: State) -> None:
    day = 0 if days is None else int(patient.clock.now()) // DAY_S - days
    assert line(replace(patient, running=Running(epoch=3, key_day=lambda: day)), "day key").state is state
    assert "no collector runs" in line(replace(patient, running=None), "day key").tells


def test_a_disk_without_room_and_a_spool_beyond_its_quota(engine: Engine, tmp_path: Path) -> None:
    disk = FailingDisk()
    patient = patient_of(engine, tmp_path, disk)
    Place(tmp_path, NODE).write([(hit(), ALL_NEW)] * 50)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.segment"))
    for quota, state in ((size * 10, State.OK), (size + 1, State.WARN), (size, State.FAIL)):
        assert line(replace(patient, quota_bytes=quota), "disk room").state is state
    disk.failing = {"free_bytes"}
    assert line(patient, "disk room").state is State.FAIL


def test_a_disk_that_is_slow_or_fails(tmp_path: Path) -> None:
    disk = FailingDisk()
    assert machine.sync_time(disk, tmp_path).state is not State.FAIL
    disk.hold.clear()
    threading.Timer(0.1, disk.hold.set).start()
    assert machine.sync_time(disk, tmp_path).state is State.WARN
    disk.failing, disk.error = {"sync"}, errno.EIO
    assert "nothing can be made durable" in machine.sync_time(disk, tmp_path).tells
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def limited(limit: int, value: int, *, runs: bool = True) -> Line:
    """What is said under another soft limit."""
    before = resource.getrlimit(limit)
    resource.setrlimit(limit, (value, before[1]))
    try:
        return machine.limits(runs=runs)
    finally:
        resource.setrlimit(limit, before)


def test_limits_that_are_too_low_and_cores_that_could_be_written() -> None:
    core = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, core[1]))
    try:
        assert "256 open files" in limited(resource.RLIMIT_NOFILE, 256).tells
        assert "may be swapped" in limited(resource.RLIMIT_MEMLOCK, 4096).todo
        if core[1] == resource.RLIM_INFINITY:
            assert limited(resource.RLIMIT_CORE, 4096).state is State.FAIL
            assert limited(resource.RLIMIT_CORE, 4096, runs=False).state is not State.FAIL
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, core)


def test_files_that_others_can_read(patient: Patient) -> None:
    path = patient.data / "users.json"
    path.write_bytes(b"{}")
    path.chmod(0o640)
    told = line(patient, "files")
    assert (told.state, told.todo) == (State.FAIL, f"chmod -R go= {patient.data}")
    assert told.tells == "others on this machine can get at users.json"
    path.chmod(0o600)
    (patient.data / "spool").mkdir(mode=0o755)
    assert "spool" in line(patient, "files").tells
    (patient.data / "spool").chmod(0o700)
    assert line(patient, "files").state is State.OK
    patient.data.chmod(0o711)
    assert line(patient, "files").state is State.FAIL


def test_a_country_database_that_is_old_absent_or_none(patient: Patient, tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "country.mmdb")
    patient = replace(patient, country=lambda: region_of(settings).age_days)
    (tmp_path / "country.mmdb").write_bytes(database({}, build_epoch=int(time.time()) - 400 * DAY_S))
    assert line(patient, "countries").tells == "the database is 400 days old"
    (tmp_path / "country.mmdb").write_bytes(b"none")
    told = line(patient, "countries")
    assert (told.state, "none in MaxMind's format" in told.tells) == (State.FAIL, True)
    assert counts.country_database(None).state is State.WARN


def settings_with(geoip_db: Path) -> Settings:
    geoip_db.write_bytes(b"")
    return read_settings({"geoip_db": str(geoip_db)}, {})


def test_declarations_on_disk_that_are_not_those_in_force(patient: Patient) -> None:
    told = line(replace(patient, declarations=replace(declared(), digest="0" * 16)), "version")
    assert (told.state, told.todo[:6]) == (State.WARN, "Reload")


# --- what waits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_s", "state"), [(0, State.OK), (400, State.WARN), (4000, State.FAIL)])
def test_a_spool_that_waits_long(patient: Patient, age_s: int, state: State) -> None:
    Place(patient.data, NODE).write([(hit(), ALL_NEW)] * 3)
    told = line(replace(patient, clock=ShiftedClock(age_s)), "spool")
    assert (told.state, told.tells.partition(",")[0]) == (state, "3 events in 1 segments")


def test_files_in_quarantine_and_a_restore_that_did_not_end(patient: Patient) -> None:
    (patient.data / "quarantine").mkdir()
    (patient.data / "quarantine" / f"{NODE:016x}-0-1-1.3-of-9.segment").write_bytes(b"")
    assert line(patient, "quarantine").tells == "1 files are set aside"
    (patient.data / "restoring").write_bytes(b'{"backup":"0123"}')
    assert "did not end" in line(patient, "restore").tells
    (patient.data / "restoring").write_bytes(b"{")
    assert "damaged" in line(patient, "restore").tells


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_database_that_is_not_as_it_must_be(patient: Patient, client: Client) -> None:
    client.command("ALTER TABLE hot MODIFY SETTING fsync_after_insert = 0")
    told = line(patient, "database")
    assert told.state is State.FAIL
    assert "setting fsync_after_insert is 0, and must be 1" in told.tells
    client.command("ALTER TABLE hot MODIFY SETTING fsync_after_insert = 1")
    assert line(patient, "database").state is State.OK


def test_a_database_that_is_away_is_the_last_that_is_said(patient: Patient) -> None:
    nowhere = replace(patient, seals=Seals(Writing(Server("http://u:secret@127.0.0.1:9/none"))))
    told = examine(nowhere)[-1]
    assert (told.name, told.state) == ("database", State.FAIL)
    assert "secret" not in told.tells


def test_clocks_that_are_apart_and_days_of_the_future(
    patient: Patient, engine: Engine, client: Client, tmp_path: Path
) -> None:
    now_s = patient.clock.now()
    for behind_s, state in ((1, State.OK), (30, State.WARN), (3600, State.FAIL)):
        assert line(replace(patient, clock=ShiftedClock(-behind_s)), "database clock").state is state
    place = Place(tmp_path / "future", NODE)
    place.write([(hit(hour=(int(now_s) // DAY_S + 4) * 24), ALL_NEW)])
    place.loader(engine).load_ready()
    assert "up to 4 days ahead" in line(patient, "database clock").tells


def test_parts_that_are_put_aside(patient: Patient, engine: Engine, client: Client, tmp_path: Path) -> None:
    place = Place(tmp_path / "other", NODE)
    place.write([(hit(), ALL_NEW)])
    place.loader(engine).load_ready()
    client.command("ALTER TABLE hot DETACH PARTITION ALL")
    told = line(patient, "parts")
    assert (told.state, told.tells.split()[0]) == (State.FAIL, "1")
    found = client.query("SELECT name FROM system.detached_parts WHERE table = 'hot'").result_rows
    for (name,) in found:
        client.command(f"ALTER TABLE hot DROP DETACHED PART '{name}'", settings={"allow_drop_detached": 1})
    assert line(patient, "parts").state is State.OK


def test_a_marker_that_tells_other_counts_and_a_frozen_file_that_is_damaged(
    patient: Patient, engine: Engine, client: Client, tmp_path: Path
) -> None:
    frozen = patient.data / "frozen"
    frozen.mkdir()
    batch = batch_of(frozen, NODE, pages(3))
    assert line(patient, "batches").state is State.OK
    Writing(engine).insert_once(batch)
    assert line(patient, "batches").state is State.OK
    client.command("TRUNCATE TABLE hot")
    (tmp_path / "x").mkdir()
    Writing(engine).insert_once(batch_of(tmp_path / "x", NODE, pages(4)))
    assert line(patient, "batches").state is State.FAIL
    client.command("TRUNCATE TABLE hot")
    damaged = bytearray(batch.path.read_bytes())
    damaged[20] ^= 1
    batch.path.write_bytes(damaged)
    assert line(patient, "batches").state is State.FAIL


def test_days_that_are_not_sealed_in_time_and_whose_they_are(
    patient: Patient, engine: Engine, client: Client, tmp_path: Path
) -> None:
    today = int(patient.clock.now()) // DAY_S
    place = Place(tmp_path / "mine", NODE)
    place.write([(hit(hour=(today - 5) * 24), ALL_NEW)] * 12)
    place.loader(engine).load_ready()
    assert "1 days are not sealed" in line(patient, "sealing").tells
    place.sealer(patient.clock).seal_due()
    assert line(patient, "sealing").tells == "all is sealed up to 5 days ago, and no day is late"
    gone = Place(tmp_path / "gone", 0xABC)
    gone.write([(hit(hour=(today - 5) * 24), ALL_NEW)])
    gone.loader(engine).load_ready()
    assert line(patient, "sealing").todo.endswith("collector seal --node 0000000000000abc")


# --- as it is typed ---------------------------------------------------------------------------------------------------


def test_it_says_the_same_of_a_running_collector_and_of_its_data(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack()
    eventually(lambda: stack.metrics()["collector_key_day"] > 0, "a worker says that there is a key")
    token = (stack.data / "operator.token").read_text().strip()
    told = {each["name"]: each for each in stack.analyst_request("/api/v1/doctor", token).json["lines"]}
    assert list(told) == NAMES
    assert told["day key"]["tells"].endswith("today's key is in force")
    told_by_command = orjson.loads(stack.command("doctor", "--json").stdout)["lines"]
    assert [each["name"] for each in told_by_command] == ["configuration", *NAMES]
    stack.stop()
    (stack.data / "users.json").write_bytes(b"{}")
    (stack.data / "users.json").chmod(0o644)
    done = stack.command("doctor")
    assert done.returncode == 2, done.stderr
    lines = done.stdout.splitlines()
    assert [each[6:22].strip() for each in lines] == ["configuration", "collector", *NAMES]
    assert any(each.startswith("FAIL  files           others on this machine can get at users.json") for each in lines)


def test_a_configuration_that_is_wrong_is_a_line_not_an_end(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[[site]]\nid = 7\n")
    command = [sys.executable, "-m", "collector", "doctor", "--json", "--config", str(tmp_path / "wrong.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    (only,) = orjson.loads(done.stdout)["lines"]
    assert (only["name"], only["state"]) == ("configuration", "FAIL")
