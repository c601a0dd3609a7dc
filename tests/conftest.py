"""Fixtures that several files of tests use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dealing import (
    pytest_collection_modifyitems,
    pytest_report_to_serializable,
    pytest_xdist_make_scheduler,
)
from tests.offered import offering as start_offering
from tests.stack import Stack

# Hooks of pytest.
__all__ = ["pytest_collection_modifyitems", "pytest_report_to_serializable", "pytest_xdist_make_scheduler"]


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Starts stacks with options of the test's own, each in its own folder; nothing of them outlives the test."""
    stacks: list[Stack] = []

    def start(**options: Any) -> Stack:
        folder = tmp_path / f"stack{len(stacks)}"
        folder.mkdir(exist_ok=True)  # a test may have put data there
        stack = Stack(folder, **options)
        stacks.append(stack)
        return stack

    yield start
    for stack in stacks:
        stack.sweep()


@pytest.fixture
def stack(start_stack: Callable[..., Stack]) -> Stack:
    """A running collector of the test's own, with the built-in example and one worker."""
    return start_stack()


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running collector for all tests that only send and ask; none of them may stop it or expect it empty."""
    stack = Stack(tmp_path_factory.mktemp("shared"))
    yield stack
    try:
        stack.stop()
    finally:
        stack.sweep()


@pytest.fixture(scope="session")
def offering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running collector that has releases (tests/offered.py); tests that look at counts have their own product."""
    stack = start_offering(tmp_path_factory.mktemp("offering"))
    yield stack
    try:
        stack.stop()
    finally:
        stack.sweep()
