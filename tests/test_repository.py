"""The repository keeps its own promises: sizes, layers, locks, and nothing of the machine it was made on."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.requires import needs

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
LONGEST_PAGES = {"README.md": 150, "ARCHITECTURE.md": 250}
# Put together here, so that this file does not hold what it looks for.
HOSTS = ["registry." + "npmjs", "registry." + "yarnpkg", "pypi." + "org", "python" + "hosted", "npmmirror" + ".com"]
PATHS = ["/" + "root", "/" + "work", "/" + "tmp/x", "/" + "opt/pypi", "/" + "Users", "/" + "home"]
MACHINE = re.compile(
    "|".join(re.escape(host) for host in HOSTS) + r"|(?<![\w.~)\]}*>-])(?:" + "|".join(map(re.escape, PATHS)) + r")/",
)


def files() -> list[Path]:
    """Every file of the repository: what git tracks or would, or without git all but what .gitignore names."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        ignored = {line.strip("/\n") for line in (ROOT / ".gitignore").open(encoding="utf-8")} | {".git"}
        inside = (path for path in ROOT.rglob("*") if path.is_file())
        return [path for path in inside if not ignored & set(_parts(path))]
    return [path for name in listed.split(b"\0") if name and (path := ROOT / os.fsdecode(name)).is_file()]


def _parts(path: Path) -> Iterator[str]:
    relative = path.relative_to(ROOT)
    yield from relative.parts
    yield from (parent.as_posix() for parent in relative.parents)


FILES = files()
MODULES = [path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("collector", "tests")]


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_npm_is_given_a_patience_it_accepts() -> None:
    """With a maximum under its minimum npm installs nothing and says nothing (seen with an empty cache only)."""
    hook = (ROOT / "collector" / "analyst" / "ui" / "hatch_build.py").read_text("utf-8")
    least, most = (int(ms) for ms in re.findall(r"--fetch-retry-(?:min|max)timeout=(\d+)", hook))
    assert least <= most


def test_no_module_is_longer_than_300_lines() -> None:
    assert named([path for path in MODULES if lines_of(path) > LONGEST_MODULE]) == []


def test_no_function_is_longer_than_50_lines() -> None:
    long = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}: {node.name} has {length} lines")
    assert long == []


def test_an_init_module_holds_a_docstring_only() -> None:
    for path in MODULES:
        if path.name == "__init__.py":
            body = ast.parse(path.read_bytes()).body
            assert len(body) == 1, path
            assert isinstance(body[0], ast.Expr), path
            assert isinstance(body[0].value, ast.Constant), path


@pytest.mark.parametrize(("page", "longest"), LONGEST_PAGES.items())
def test_a_page_is_short_enough_to_be_read(page: str, longest: int) -> None:
    if not (ROOT / page).exists():
        pytest.skip(f"there is no {page} yet")
    assert lines_of(ROOT / page) <= longest


def test_imports_point_down_only() -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_silenced_lint_or_type_error_gives_its_reason() -> None:
    silent = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?:: ?[A-Z0-9, ]+|\[[a-z, -]+\])?\s*$")
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if silent.search(line) and path != Path(__file__)
    ]
    rule = re.compile(r'^\s*"[A-Z]+[0-9]+",?\s*$')
    bare += [line for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines() if rule.match(line)]
    assert bare == []


def test_no_file_names_a_package_host_or_a_path_of_the_machine_it_was_made_on() -> None:
    found = []
    for path in FILES:
        relative = path.relative_to(ROOT)
        if relative.parts[:2] == ("tests", "data"):
            continue  # corpora hold made-up addresses and paths
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{relative}:{text.count(chr(10), 0, hit.start()) + 1}" for hit in MACHINE.finditer(text)]
    assert found == []


def test_every_locked_package_has_a_version_and_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    assert entries
    pinned = re.compile(r"[a-z0-9][a-z0-9-]*==\S+( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [entry[:60] for entry in entries if not pinned.fullmatch(entry)] == []


def test_every_declared_dependency_is_locked() -> None:
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
    assert declared() - locked == set()


def declared(*, extras: bool = True) -> set[str]:
    project = PYPROJECT["project"]
    texts = [*project["dependencies"]]
    for extra, dependencies in project["optional-dependencies"].items():
        texts += dependencies if extras or extra == "embedded" else []
    return {re.split(r"[\[<>=!~; ]", text)[0].lower().replace("_", "-") for text in texts}


def test_the_package_imports_only_what_it_declares() -> None:
    distributions = packages_distributions()
    undeclared = set()
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] != "collector" or path.name == "hatch_build.py":
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {name.split(".")[0] for name in names} - {"collector"} - sys.stdlib_module_names:
                owners = {owner.lower().replace("_", "-") for owner in distributions.get(top, [top])}
                if not owners & (declared(extras=False) | {"chdb-core"}):
                    undeclared.add(top)
    assert undeclared == set()


def test_the_npm_lock_has_hashes_and_no_hosts() -> None:
    lock = json.loads((ROOT / "collector/analyst/ui/package-lock.json").read_bytes())
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages)


def test_make_help_names_every_target() -> None:
    needs("make")
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets
    assert [target for target in targets if not re.search(rf"^  {target}\s+\S", told, re.MULTILINE)] == []


@pytest.mark.slow
def test_the_wheel_carries_the_package_and_its_declarations(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "COLLECTOR_SKIP_UI": "1"},
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    ours = {path.relative_to(ROOT) for path in FILES}
    schemas = {f"collector/_schemas/{path.relative_to('schemas')}" for path in ours if path.parts[0] == "schemas"}
    modules = {
        str(path)
        for path in ours
        if path.parts[0] == "collector" and path.parts[1:3] != ("analyst", "ui") and path.parts[1] != "deploy"
    }
    assert schemas | modules <= carried
    assert not [name for name in carried if name.startswith(("tests/", "collector/analyst/ui/", "collector/deploy/"))]
