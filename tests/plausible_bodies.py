"""Bodies sent to Plausible's address, read from data/plausible.json: each is a good hit but for what its row says.

{"$repeat": [head, text, times]} stands for a long text; % in it is the number of the repetition.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson

from collector.adapters.plausible import PATH
from collector.tools.wire import Said, request, say
from tests.open_door import OpenDoor

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "plausible.json").read_text("utf-8"))
SITES = """
[[site]]
id = "shop"
hosts = ["shop.example.org"]
routes = ["/**"]
goals = ["signup"]

[[site]]
id = "blog"
hosts = ["blog.example.org", "news.example.org"]
routes = ["/**"]

[[site]]
id = "all"
hosts = ["all.example.org"]
routes = ["/pricing"]
goals = ["signup"]

[[link]]
id = "forum"
property = "shop"
url = "https://forum.example.net/"

[[link]]
id = "meeting"
property = "blog"
url = "https://forum.example.net/"

[[product]]
id = "player"

[[download]]
product = "player"
version = "1.4.2"
file = "setup.exe"
url = "https://files.example.net/setup.exe"
"""
NOW = 1_795_600_000
BROWSER = {"User-Agent": "Mozilla/5.0", "Content-Type": "text/plain"}
HIT = {"n": "pageview", "u": "https://www.example.org/pricing", "d": "www.example.org", "r": None}


def body_of(case: dict[str, Any]) -> bytes:
    if "raw" in case:
        return str(spelled_out(case["raw"])).encode()
    if "body" in case:
        return orjson.dumps(case["body"])
    put_in = {key: spelled_out(value) for key, value in case.get("set", {}).items()}
    return orjson.dumps({key: value for key, value in (HIT | put_in).items() if key not in case.get("drop", ())})


def spelled_out(value: Any) -> Any:
    if isinstance(value, dict) and "$repeat" in value:
        head, text, times = value["$repeat"]
        return head + "".join(text.replace("%", str(number)) for number in range(times))
    return value


async def post(door: OpenDoor, body: object, **headers: str) -> Said:
    whole = body if isinstance(body, bytes) else orjson.dumps(body)
    given = BROWSER | {name.replace("_", "-"): text for name, text in headers.items()}
    return await asyncio.to_thread(say, door.url[7:], request(whole, given, path=PATH))
