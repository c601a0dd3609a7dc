"""The container image: its Dockerfile as it stands, and its steps in an empty environment."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from collector.settings import VARIABLES
from tests import installed
from tests.installed import Installed, install, is_let_through
from tests.stack import ROOT, eventually
from tests.test_repository import FILES, named

DOCKERFILE = installed.DOCKERFILE.read_text("utf-8")


def test_the_image_is_made_of_a_pinned_python_and_sets_what_the_collector_knows() -> None:
    assert re.search(r"^ARG PYTHON=3\.11\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:${PYTHON}"}
    assert set(re.findall(r"COLLECTOR_\w+(?==)", DOCKERFILE)) <= set(VARIABLES)


def test_what_is_copied_into_the_image_is_in_the_repository_and_let_through() -> None:
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert {"requirements.lock", "pyproject.toml", "schemas", "collector"} <= set(copied)
    for path in copied:
        assert (ROOT / path).exists(), path
        assert is_let_through(path), path
    for private in (
        ".git/config",
        ".venv/bin/python",
        "var/operator.token",
        ".env",
        "collector.toml",
        "tests/stack.py",
    ):
        assert not is_let_through(private), private


def test_the_image_runs_as_nobody_of_the_machine_with_python_only() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["999:999"]
    assert last.index("COPY --from=build") < last.index("USER 999")  # what it runs is not its own
    health = re.search(r"^HEALTHCHECK .*\\\n  CMD (\[.+\])$", last, re.MULTILINE)
    assert health
    assert yaml.safe_load(health[1])[0] == "/opt/collector/bin/python"


# --- built and installed as the image is, and run where there is no checkout ------------------------------------------

# What a person types after an installation, in an empty folder. Each must end with 0.
COMMANDS = {
    "check": "check",
    "reports": "reports",
    "dictionary": "dictionary",
    "simulate": "simulate --data made --days 2 --visitors 20 --truth truth.json",
    "import-log": "import-log access.log --site www.example.org --data imported",
    "query of what was imported": "query pages --property www.example.org --by path --period 28d --data imported",
    "prove": "prove",
}
LINE = '192.0.2.1 - - [{:%d/%b/%Y}:10:00:00 +0000] "GET / HTTP/1.1" 200 9 "-" "Mozilla/5.0 (X11; Linux x86_64)"\n'
DEVELOPMENT = {"pip", "pytest", "ruff", "mypy", "hypothesis", "playwright", "schemathesis", "hatchling", "velopack"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where wheels are kept between two installations."""
    return tmp_path_factory.mktemp("image")


@pytest.fixture(scope="module")
def programs(image: Path) -> Path:
    """The programs of the image with the engine inside."""
    return install(image, named(FILES), "[embedded]")


def installed_in(programs: Path) -> set[str]:
    return {path.name.partition("-")[0].lower() for path in programs.parent.glob("lib/*/site-packages/*.dist-info")}


@pytest.mark.slow
def test_the_image_holds_the_locked_versions_and_no_development_tool(programs: Path) -> None:
    held = installed_in(programs)
    assert {"collector", "chdb", "aiohttp"} <= held
    assert held & DEVELOPMENT == set()
    locked = set(re.findall(r"^(\S+)==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    for path in programs.parent.glob("lib/*/site-packages/*.dist-info"):
        name, version = path.stem.lower().replace("_", "-").rsplit("-", 1)
        assert name == "collector" or (name, version) in locked


@pytest.mark.slow
def test_without_the_engine_it_is_small_and_says_what_is_missing(programs: Path, image: Path, tmp_path: Path) -> None:
    slim = install(image, named(FILES), "")
    assert installed_in(programs) - installed_in(slim) >= {"chdb", "pandas", "pyarrow"}
    said = run(slim, tmp_path, "serve --data data --public 127.0.0.1:0 --analyst 127.0.0.1:0")
    assert said.returncode == 1
    assert "the embedded engine is not installed" in said.stderr


def run(programs: Path, folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "collector", *command.split()],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.slow
def test_every_command_tells_how_it_is_used(programs: Path, tmp_path: Path) -> None:
    listed = run(programs, tmp_path, "--help").stdout.partition("Commands:\n")[2]
    commands = re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)
    assert {"serve", "check", "query", "simulate", "prove", "import-log"} <= set(commands)
    for command in commands:
        told = run(programs, tmp_path, f"{command} --help")
        assert told.returncode == 0, told.stderr
        assert told.stdout.startswith(f"Usage: collector {command}")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_works_where_there_is_no_checkout(
    programs: Path, tmp_path_factory: pytest.TempPathFactory, command: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "no checkout"
    folder.mkdir(exist_ok=True)
    (folder / "access.log").write_text(LINE.format(datetime.now(UTC) - timedelta(days=4)), "utf-8")
    ran = run(programs, folder, command)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert str(ROOT) not in ran.stdout + ran.stderr


@pytest.mark.slow
def test_it_serves_everything_where_there_is_no_checkout(programs: Path, tmp_path: Path) -> None:
    stack = Installed(tmp_path, programs)
    try:
        hit = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"}
        assert stack.post(hit).status == 204
        stack.wait_loaded(1)
        assert stack.ask("traffic", property="www.example.org")["totals"]["events"] == 1
        for path in (
            "/b.js",
            "/privacy",
            "/v1/ledger.json",
            "/what-you-see-of-me",
            "/v1/pixel.gif?site=www.example.org",
        ):
            assert stack.request("GET", path).status == 200, path
        for path in ("/", "/docs", "/api/v1/openapi.json", "/api/v1/properties"):
            assert stack.analyst_request(path).status == 200, path
        assert b"<script" in stack.analyst_request("/").body  # the dashboard, not a word that it was not built
        health = re.search(r"urlopen\('http://127.0.0.1:8080/healthz', timeout=4\)", DOCKERFILE)
        assert health
        probe = f"import urllib.request as r; r.{health[0]}".replace("127.0.0.1:8080", stack.public)
        subprocess.run([programs / "python", "-c", probe], check=True)
        assert str(ROOT) not in "".join(Path(f"/proc/{pid}/maps").read_text() for pid in stack.children())
        stack.reload()
        assert stack.request("GET", "/healthz").status == 200
        stack.stop()
    finally:
        stack.sweep()


@pytest.mark.slow
def test_the_demonstration_begins_where_there_is_no_checkout(programs: Path, tmp_path: Path) -> None:
    ports = {"COLLECTOR_PUBLIC": "127.0.0.1:0", "COLLECTOR_ANALYST": "127.0.0.1:0"}
    with (tmp_path / "said").open("wb") as said:
        demo = subprocess.Popen(
            [programs / "python", "-m", "collector.demo"],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **ports},
            stdout=said,
            stderr=said,
        )
    try:
        told = tmp_path / "said"
        eventually(lambda: b"shows a dashboard at" in told.read_bytes(), "it serves its 90 days", patience_s=900)
    finally:
        demo.terminate()
        demo.wait(30)
