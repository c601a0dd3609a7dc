"""GET /b.js: the same bytes for everybody, small, kept by browsers for a day, and nothing to recognise one by."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import make_mocked_request

from collector.door.beacon import PATH, Beacon
from tests.open_door import open_door
from tests.requires import lacks
from tests.stack import ROOT

MOST_BYTES = 1536
AT_S = 1_800_000_000


@pytest.fixture
def built() -> bytes:
    """The script as the build made it."""
    file = ROOT / "collector" / "_web" / "b.js"
    if not file.is_file():
        lacks("needs the beacon, which `make` builds where npm answers")
    return file.read_bytes()


async def test_everybody_gets_the_same_small_script_without_anything_to_recognise_them_by(
    built: bytes, tmp_path: Path
) -> None:
    async with open_door(tmp_path / "data", AT_S) as door, ClientSession(auto_decompress=False) as browser:
        before = door.traces()
        told = []
        for taken in ("gzip, deflate, br", "GZIP;q=0.5", "br", "gzip;q=0, br", ""):
            async with browser.get(door.url + PATH, headers={"Accept-Encoding": taken}) as answer:
                told.append((answer.headers.get("Content-Encoding", ""), await answer.read()))
                assert answer.status == 200
                assert {*answer.headers} == {
                    *("Access-Control-Allow-Origin", "Cross-Origin-Resource-Policy", "Cache-Control", "Vary"),
                    *("Content-Type", "Content-Length", "X-Content-Type-Options"),
                    *(["Content-Encoding"] if "Content-Encoding" in answer.headers else []),
                }
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert answer.headers["Cache-Control"] == "public, max-age=86400"
                assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        async with browser.head(door.url + PATH) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        assert door.traces() == before
    zipped = told[0][1]
    assert told == [("gzip", zipped)] * 2 + [("", built)] * 3
    assert gzip.decompress(zipped) == built
    assert len(zipped) <= MOST_BYTES


async def test_where_the_web_files_were_not_built_it_says_so(tmp_path: Path) -> None:
    give = Beacon(tmp_path / "b.js").routes()[PATH]["GET"]
    answer = await give(make_mocked_request("GET", PATH))
    assert answer.status == 404
