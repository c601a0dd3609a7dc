"""How `make test` deals the tests out to processes (pytest-xdist), so that they share what is dear and end together.

A hand of tests that one process runs is a file, or a package whose tests share a fixture: a process that ran a part of
it would make that fixture again. The longest hands are dealt first, or one of them could be left alone at the end.
In one process (plain `pytest`) the order stays as it is. tests/conftest.py makes the hooks known.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

PACKAGES = ("tests/browser/", "tests/clients/")
# Those that take longest, in about that order. It only makes the end even: a wrong or missing name costs seconds.
LONGEST = (
    "tests/browser/",
    "tests/test_durability.py",
    "tests/test_reload.py",
    "tests/test_server_stack.py",
    "tests/test_processes.py",
    "tests/test_prove.py",
    "tests/test_quarantine_retry.py",
    "tests/test_seal_command.py",
    "tests/test_sign_in.py",
    "tests/test_sealing_killed.py",
    "tests/test_commands.py",
    "tests/test_sealing.py",
    "tests/test_metrics.py",
    "tests/test_simulate.py",
    "tests/test_server.py",
    "tests/test_ledger.py",
    "tests/test_shown.py",
    "tests/test_hostile_questions.py",
    "tests/test_ledger_complete.py",
    "tests/test_quarantine_killed.py",
    "tests/test_quarantine.py",
    "tests/test_openapi.py",
    "tests/test_live.py",
    "tests/test_parts.py",
)


def hand_of(nodeid: str) -> str:
    """What the test is dealt out with: the package it shares fixtures with, or its file."""
    package = next((package for package in PACKAGES if nodeid.startswith(package)), None)
    return package or nodeid.partition("::")[0]


class Dealing(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist ships no types
    """Hands in the order in which they were collected, each to the process that is nearly done."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by number of tests: says little of how long they take

    def _split_scope(self, nodeid: str) -> str:
        return hand_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Dealing:
    """Every run with -n is dealt like this."""
    return Dealing(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Longest first, where the tests are dealt out."""
    if hasattr(config, "workerinput"):
        place = {hand: number for number, hand in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(hand_of(item.nodeid), len(place)))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """What a test said goes to the first process as UTF-8: half a character in it would end the run, not the test."""
    return _whole((yield))


def _whole(told: object) -> object:
    match told:
        case str():
            return told.encode("utf-8", "backslashreplace").decode()
        case list() | tuple():
            return type(told)(map(_whole, told))
        case dict():
            return {name: _whole(value) for name, value in told.items()}
    return told
