"""Bodies sent to Plausible's address, read from data/plausible.json: each is a good hit but for what its row says.

{"$repeat": [head, text, times]} stands for a long text; % in it is the number of the repetition.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "plausible.json").read_text("utf-8"))
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
