"""Our own clients, Python and C++, against a running collector: what they say is what it counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from time import time

from tests.client_vectors import CppDriver, Driver, PythonDriver, compiled
from tests.counting import days, events_seen, load
from tests.stack import Stack


def use(client: Driver) -> None:
    """One installation's day: installed, checked twice, used a little, and removed."""
    now_s = int(time())
    client.do("clock", str(now_s), "500")
    client.do("install", "ok")
    client.do("feature", "subtitles", "3")
    client.do("recommendation", "side", "skin-pack", "4")
    client.do("check")
    client.do("check")
    client.do("uninstall", "switched")


def test_a_day_of_both_clients_is_counted_exactly_and_what_opted_out_is_not(stack: Stack, tmp_path: Path) -> None:
    endpoint = f"http://{stack.public}"
    program = compiled(tmp_path)
    cpp = CppDriver(program, endpoint, tmp_path / "cpp")
    ids = PythonDriver(endpoint, tmp_path / "python")
    ids.made = 100  # ids of the vectors: the other client's are 1 to 3
    for client in (ids, cpp):
        use(client)
    cpp.close()
    silent = PythonDriver(endpoint, tmp_path / "silent")
    silent.do("opt_out")
    use(silent)
    use(PythonDriver(endpoint, tmp_path / "test", test=True))
    load(stack)
    seen = events_seen(stack)
    assert {name: count for name, count in seen.items() if count and name.startswith("accepted ")} == {
        "accepted install": 2,
        "accepted feature_use": 2,
        "accepted recommendation": 2,
        "accepted update_check": 4,
        "accepted uninstall": 2,
    }
    assert seen["refused"] == 0
    asked = {"property": "player", **days()}
    said = Counter({row[0]: row[1] for row in stack.ask("active", **asked, by="first")["rows"]})
    assert said == {"dwme": 2}
    assert stack.ask("features", **asked)["totals"]["amount"] == 6
