"""Checkouts of their own for tests that need other declarations or another version."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.stack import ROOT


def copied_code(folder: Path) -> Path:
    """A checkout of its own that a test may edit, for Stack's `code`."""
    left_out = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in ("collector", "schemas"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    return folder


def edit(file: Path, old: str, new: str) -> None:
    """Put one text in the place of another, which must be there."""
    text = file.read_text("utf-8")
    assert old in text, f"{file.name}: no {old}"
    file.write_text(text.replace(old, new), "utf-8")
