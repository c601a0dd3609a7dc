"""Whatever breaks, `collector doctor` has a line that says so, and what to do: each is broken here for real."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from collector.doctor import counts, machine
from collector.doctor.examine import Patient, Running, examine
from collector.doctor.line import Line, State, worst
from collector.named_files import region_of
from collector.settings import Settings, read_settings
from collector.warehouse.engine import Engine
from tests.doctoring import DAY_S, NODE, ShiftedClock, line, patient_of
from tests.failing_disk import FailingDisk
from tests.loading import ALL_NEW, Place, hit
from tests.stack import ROOT, Stack, eventually
from tests.stats_desk import declared
from tests.storing import open_engine
from tests.tiny_mmdb import database

NAMES = [
    *("version", "clock", "day key", "disk room", "disk sync", "limits", "files", "countries", "spool", "quarantine"),
    *("restore", "database", "database clock", "parts", "batches", "sealing"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("embedded", tmp_path_factory.mktemp("doctor")) as engine:
        yield engine


@pytest.fixture
def patient(engine: Engine, tmp_path: Path) -> Patient:
    """A collector in health."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return patient_of(engine, data)


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
    (patient.data / "spool").mkdir()
    (patient.data / "spool").chmod(0o755)  # whatever the umask is
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


# --- as it is typed ---------------------------------------------------------------------------------------------------


def test_it_says_the_same_of_a_running_collector_and_of_its_data(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack()
    eventually(lambda: stack.metrics()["collector_key_day"] > 0, "a worker says that there is a key")
    token = (stack.data / "operator.token").read_text().strip()
    told = {each["name"]: each for each in stack.analyst_request("/api/v1/doctor", token).json["lines"]}
    assert list(told) == NAMES
    assert told["day key"]["tells"].endswith("today's key is in force")
    told_by_command = orjson.loads(stack.command("doctor", "--json").stdout)["lines"]
    assert [each["name"] for each in told_by_command] == ["configuration", "receiving", *NAMES]
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
