"""Hits that name a referrer of the operator's list are not counted, and that is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from collector.errors import Misconfigured
from collector.named_files import spammers_of
from collector.settings import Settings, read_settings
from tests.calling import Reply
from tests.counting import gained_by
from tests.made_logs import AGENTS, SITE
from tests.stack import Stack

CONFIG = f'referrer_spam = "{{}}"\n[[site]]\nid = "{SITE}"\nhosts = ["{SITE}"]\n'


def settings_with(folder: Path, listed: bytes) -> Settings:
    file = folder / "spammers.txt"
    file.write_bytes(listed)
    (folder / "collector.toml").write_text(CONFIG.format(file))
    return read_settings({"config": str(folder / "collector.toml")}, {})


def hit(referrer: str | None) -> dict[str, str]:
    event = {"kind": "page_hit", "site": SITE, "url": f"https://{SITE}/"}
    return event | {"referrer": referrer} if referrer else event


def test_spam_is_answered_like_any_hit_and_left_out_by_its_reason(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    (tmp_path / "spammers.txt").write_text("# a list\n\nspam.example\nBÜCHER.example # seen in May\n")
    stack = start_stack(config=CONFIG.format(tmp_path / "spammers.txt"))
    spam = ["https://spam.example/", "http://www.spam.example/x", "https://xn--bcher-kva.example"]
    agent = {"User-Agent": AGENTS[0]}
    replies: list[Reply] = []

    def send() -> None:
        replies.extend(stack.post(hit(each), agent) for each in [*spam, "https://example.com/", None])

    gained = gained_by(stack, send, 5)
    assert gained["not_counted referrer_spam"] == 3
    assert gained["accepted page_hit"] == 2
    assert len({(reply.status, reply.body) for reply in replies}) == 1
    seen = f"/v1/what-you-see-of-me?kind=page_hit&site={SITE}&url=https://{SITE}/&referrer="
    told = [
        stack.request("GET", seen + quote(each), None, agent).json["reason"] for each in (*spam, "https://a.example/")
    ]
    assert told == ["referrer_spam"] * 3 + [None]


def test_the_list_is_read_as_domains_and_said_to_be_unreadable(tmp_path: Path) -> None:
    assert spammers_of(settings_with(tmp_path, b"Spam.example\r\n\n # none\n b.example. \n")) == {
        "spam.example",
        "b.example",
    }
    assert spammers_of(read_settings({}, {})) == frozenset()
    with pytest.raises(Misconfigured, match=r"referrer_spam: .* cannot be read as text"):
        spammers_of(settings_with(tmp_path, b"\xff\xfe"))
    (tmp_path / "spammers.txt").unlink()
    with pytest.raises(Misconfigured, match="referrer_spam: must be a file"):
        read_settings({"config": str(tmp_path / "collector.toml")}, {})
