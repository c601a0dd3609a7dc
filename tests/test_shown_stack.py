"""What is shown outlives whoever shows it: the warehouse process of a whole collector, and that collector itself."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from tests.stack import Stack, eventually

CONFIG = """
trusted_proxies = ["127.0.0.0/8"]

[[site]]
id = "www.example.org"
hosts = ["www.example.org"]
routes = ["/**"]
"""
HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ASKED = {"property": "www.example.org", "by": "browser"}


def send(stack: Stack, network: int) -> None:
    reply = stack.post(HIT, {"User-Agent": AGENT, "X-Forwarded-For": f"203.0.{network}.77"})
    assert reply.status in (200, 204)


def test_what_is_shown_outlives_a_killed_process_and_is_what_commands_show(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(config=CONFIG, environ={"COLLECTOR_LIVE_FOLD_S": "3600"})
    for network in range(12):
        send(stack, network)
    stack.wait_loaded(12)
    before = stack.ask("browsers", **ASKED)
    assert before["rows"] == [["firefox", 12, 12]]
    send(stack, 12)
    stack.wait_loaded(13)
    stack.kill("warehouse")
    eventually(lambda: stack.ask_raw("browsers", **ASKED).status == 200, "it answers again")
    assert stack.ask("browsers", **ASKED) == before
    stack.stop()
    told = stack.command("query", "browsers", "--property", "www.example.org", "--by", "browser", "--format", "json")
    assert orjson.loads(told.stdout)["rows"] == before["rows"]
