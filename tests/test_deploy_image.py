"""The container image: its Dockerfile as it stands, and its steps in an empty environment."""

from __future__ import annotations

import fnmatch
import re

import yaml

from collector.settings import VARIABLES
from tests.proxying import DEPLOY
from tests.stack import ROOT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")


def test_the_image_is_made_of_a_pinned_python_and_sets_what_the_collector_knows() -> None:
    assert re.search(r"^ARG PYTHON=3\.11\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:${PYTHON}"}
    assert set(re.findall(r"COLLECTOR_\w+(?==)", DOCKERFILE)) <= set(VARIABLES)


def test_what_is_copied_into_the_image_is_in_the_repository_and_let_through() -> None:
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert {"requirements.lock", "pyproject.toml", "schemas", "collector"} <= set(copied)
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    for path in copied:
        assert (ROOT / path).exists(), path
        let_through = True
        for rule in rules:
            if fnmatch.fnmatchcase(path, rule.lstrip("!")):
                let_through = rule[0] == "!"
        assert let_through, path
    assert rules[0] == "*"  # data, secrets and virtual environments are not sent


def test_the_image_runs_as_nobody_of_the_machine_with_python_only() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["999:999"]
    assert last.index("COPY --from=build") < last.index("USER 999")  # what it runs is not its own
    health = re.search(r"^HEALTHCHECK .*\\\n  CMD (\[.+\])$", last, re.MULTILINE)
    assert health
    assert yaml.safe_load(health[1])[0] == "/opt/collector/bin/python"
