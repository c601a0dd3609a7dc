"""The client kit against schemas/vectors: both clients ask exactly what a vector says, byte for byte the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.client_vectors import CppDriver, Driver, PythonDriver, ScriptedServer, compiled, scripted, vectors
from tests.test_repository import lines_of

from tests.stack import ROOT  # isort: skip

CHECKS, EVENTS = vectors("checks.json"), vectors("events.json")
Make = Callable[..., Driver]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("cpp"))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted() as server:
        yield server


@pytest.fixture(params=["python", "cpp"])
def make(request: pytest.FixtureRequest, server: ScriptedServer) -> Iterator[Make]:
    """Makes clients of one language."""
    made: list[CppDriver] = []

    def new(folder: Path, *, test: bool = False) -> Driver:
        if request.param == "python":
            return PythonDriver(server.endpoint, folder, test=test)
        made.append(CppDriver(request.getfixturevalue("program"), server.endpoint, folder, test=test))
        return made[-1]

    yield new
    for each in made:
        each.close()


def counted(folder: Path) -> str:
    file = folder / "counted.txt"
    return file.read_text("utf-8") if file.exists() else ""


def begin(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    if text:
        (folder / "counted.txt").write_text(text, "utf-8")


def test_every_check_asks_and_keeps_what_its_vector_says(make: Make, server: ScriptedServer, tmp_path: Path) -> None:
    assert len(CHECKS) > 40
    for number, vector in enumerate(CHECKS):
        folder = tmp_path / str(number)
        begin(folder, vector["counted"])
        client = make(folder)
        wall_s = int(datetime.fromisoformat(vector["clock"]).replace(tzinfo=UTC).timestamp())
        client.do("clock", str(wall_s), "500")
        server.answers = [*vector["answers"]]
        client.do("check")
        assert server.told() == vector["requests"], vector["name"]
        assert counted(folder) == vector["after"], vector["name"]


def test_every_step_of_waiting_events_is_what_its_vector_says(
    make: Make, server: ScriptedServer, tmp_path: Path
) -> None:
    assert len(EVENTS) > 20
    for number, vector in enumerate(EVENTS):
        folder = tmp_path / str(number)
        begin(folder, vector["counted"])
        client = make(folder, test=vector.get("test", False))
        for step in vector["steps"]:
            take(client, server, step)
            assert server.told() == step.get("requests", []), vector["name"]
            if "after" in step:
                assert counted(folder) == step["after"], vector["name"]


def take(client: Driver, server: ScriptedServer, step: dict[str, Any]) -> None:
    if "clock" in step:
        client.do("clock", *map(str, step["clock"]))
    server.answers = [*step.get("answers", [])]
    client.do(step["do"], *(str(step[name]) for name in ARGUMENTS.get(step["do"], ())))


ARGUMENTS = {
    "feature": ("feature", "count"),
    "install": ("outcome",),
    "recommendation": ("slot", "item", "shown"),
    "uninstall": ("reason",),
}


def test_both_clients_send_the_same_bytes_and_keep_the_same_files(
    program: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    for number, vector in enumerate(EVENTS):
        told: list[tuple[list[bytes], dict[str, str]]] = []
        for kind in ("python", "cpp"):
            folder = tmp_path / f"{number}-{kind}"
            begin(folder, vector["counted"])
            python = PythonDriver(server.endpoint, folder, test=vector.get("test", False))
            client = (
                python
                if kind == "python"
                else CppDriver(program, server.endpoint, folder, test=vector.get("test", False))
            )
            for step in vector["steps"]:
                take(client, server, step)
            if isinstance(client, CppDriver):
                client.close()
            files = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
            told.append(([*server.requests], files))
            server.requests.clear()
        assert told[0] == told[1], vector["name"]


def test_what_was_sent_is_shown_exactly_as_it_was(make: Make, server: ScriptedServer, tmp_path: Path) -> None:
    client = make(tmp_path / "state")
    day = {"status": 204, "day": "2026-11-29"}
    for _ in range(20):
        server.answers = [day, day, {"status": 503}]
        client.do("feature", "subtitles", "3")
        client.do("check")
    sent = [request.decode().replace("\r", "").strip().replace("\n\n", "\n") for request in server.requests]
    shown = client.do("sent").split("\n\n")
    assert [each.rpartition("\n-> ")[0] for each in shown] == sent[-50:]
    assert [each.rpartition("\n-> ")[2] for each in shown[-3:]] == ["204", "204", "503"]


def test_a_release_is_told_and_anything_else_is_none(make: Make, server: ScriptedServer, tmp_path: Path) -> None:
    client = make(tmp_path / "state")
    bodies = {
        '{"version": "2.0.0", "url": "https://d.example/x", "notes": "a \\"url\\": \\"b\\""}': "2.0.0 https://d.example/x",
        '{"version":"2.0.0"}': "none",
        "<html>sign in</html>": "none",
        "": "none",
    }
    for body, expected in bodies.items():
        answer = {"status": 200, "day": "2026-11-29", "body": body}
        server.answers = [{**answer, "body": ""}, answer]
        assert client.do("check") == expected


def test_checks_are_spread_and_never_more_than_a_day_apart(make: Make, server: ScriptedServer, tmp_path: Path) -> None:
    client = make(tmp_path / "state")
    server.answers = [{"status": 204, "day": "2026-11-29"}] * 2
    client.do("check")
    due = [float(client.do("next")) for _ in range(200)]
    assert 12 * 3600 <= min(due) < 14 * 3600
    assert 22 * 3600 < max(due) <= 24 * 3600
    client.do("check")
    assert 600 <= float(client.do("next")) <= 1800
    server.answers = [{"status": 503, "retry_after": 7000}]
    client.do("check")
    assert float(client.do("next")) >= 7000


def test_where_nothing_can_be_kept_nothing_is_counted_twice(make: Make, server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    client = make(tmp_path / "state")
    for _ in range(3):
        server.answers = [{"status": 204, "day": "2026-11-29"}] * 2
        client.do("feature", "subtitles", "1")
        client.do("check")
    assert not [line for line in server.told() if "first=" in line]


def test_the_header_is_short_enough_to_be_read() -> None:
    assert lines_of(ROOT / "collector" / "client" / "collector_client.hpp") <= 400
