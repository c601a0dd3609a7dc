"""Whatever breaks in the database, `collector doctor` says so, and what to do: each is broken here for real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from collector.doctor.examine import Patient, examine
from collector.doctor.line import State
from collector.warehouse.engine import Engine
from collector.warehouse.seals import Seals
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing
from tests.doctoring import DAY_S, NODE, ShiftedClock, line, patient_of
from tests.loading import ALL_NEW, Place, hit
from tests.storing import batch_of, open_engine, pages


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
