"""Another commit of this repository, checked out beside it and ready to run, for as long as it is measured.

It runs with this Python and its libraries if its requirements.lock is the same, else in an environment of its own
(about a minute to install). Called by command.py.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from collector.tools.bench.contender import PACKAGE, Version

_LOCK = "requirements.lock"
_HERE = PACKAGE.parent


class NoSuchVersion(Exception):
    """It cannot be checked out or installed; says why."""


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Version]:
    """That commit as a version to be measured; its folder is removed afterwards."""
    name = _run("git", "rev-parse", "--short", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="collector-then-") as folder:
        tree = Path(folder) / "tree"
        _run("git", "worktree", "add", "--detach", str(tree), name)
        try:
            yield Version(name=name, python=_python_for(tree, Path(folder) / "venv"), tree=tree)
        finally:
            _run("git", "worktree", "remove", "--force", str(tree))


def _python_for(tree: Path, venv: Path) -> str:
    if (tree / _LOCK).read_bytes() == (_HERE / _LOCK).read_bytes():
        return sys.executable
    click.echo(f"its {_LOCK} is another one: installing that into {venv} ...")
    _run(sys.executable, "-m", "venv", str(venv))
    python = str(venv / "bin" / "python")
    locked = ("--require-hashes", "--requirement", str(tree / _LOCK))
    _run(python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *locked)
    return python


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=_HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoSuchVersion(f"{command[0]} says: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
