"""A collector that counted for some weeks before anybody looks: its past is made up, so its truth is known.

The past goes the real way (`collector simulate`) and ends with the last month that is over, so that it holds a whole
month of active installations and does not depend on the time of day.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import orjson

from tests.browser.told_truth import Truth
from tests.calling import call
from tests.stack import ROOT, Stack

SITE, PRODUCT, NEW_SITE, NEW_PRODUCT = "www.example.org", "player", "new.example.org", "new-player"
PASSWORD = "correct horse battery"
PEOPLE = {"vera": ["viewer", "--property", SITE], "anna": ["analyst"], "ada": ["admin"]}
DAYS, VISITORS, SEED = 35, 120, 5
RANGE_DAYS = 14
# What has no past is declared after the past was made.
NEW = f"""
[[site]]
id = "{NEW_SITE}"
hosts = ["{NEW_SITE}"]
routes = ["/**"]

[[product]]
id = "{NEW_PRODUCT}"
versions = ["1.0"]
"""


@dataclass
class Lived:
    """A collector that counted for some weeks, with the truth of these, and people who may look at it."""

    stack: Stack
    truth: Truth
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def range(self) -> dict[str, str]:
        """The last two weeks of the past, as the address of a view says it."""
        first, last = self.days(0)
        return {"from": first, "to": last}

    def days(self, before: int) -> tuple[str, str]:
        """The first and last day of that range, or of the one so many ranges before."""
        days = self.truth.days(SITE)[: -RANGE_DAYS * before or None][-RANGE_DAYS:]
        return days[0], days[-1]

    @property
    def origin(self) -> str:
        return f"http://{self.stack.analyst}"

    def cookie(self, name: str) -> str:
        """A session of that person; the same one next time."""
        if name not in self.cookies:
            self.cookies[name] = self.sign_in({"name": name, "password": PASSWORD})
        return self.cookies[name]

    def sign_in(self, proof: dict[str, str]) -> str:
        """A new session."""
        told = {"Content-Type": "application/json"}
        reply = call(self.stack.analyst, "POST", "/api/v1/session", orjson.dumps(proof), told)
        assert reply.status == 204, reply
        return SimpleCookie(reply.headers["set-cookie"])["collector"].value


def live(folder: Path, example: str) -> Path:
    """Have a past; the truth of it."""
    config, truth = folder / "past.toml", folder / "truth.json"
    config.write_text(example, "utf-8")
    options = ["--data", Stack.data_in(folder), "--config", config, "--truth", truth]
    options += ["--last", _month_end(), "--days", DAYS, "--visitors", VISITORS, "--seed", SEED]
    subprocess.run([sys.executable, "-m", "collector", "simulate", *map(str, options)], cwd=ROOT, check=True)
    return truth


def _month_end() -> date:
    """The last day of the month that is over: a past up to it holds a whole month of active installations."""
    return datetime.now(UTC).date().replace(day=1) - timedelta(days=1)


def let_in(stack: Stack, name: str, role: list[str]) -> None:
    command = ["user", "add", name, "--role", *role, "--password-stdin"]
    done = stack.command(*command, told=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
