"""Plausible's events API where an event names several sites, a click, or a route in its fragment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.open_door import open_door
from tests.plausible_bodies import NOW, SITES, post
from tests.spooling import events_kept, named_facts


async def kept_of(folder: Path, bodies: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """What is kept of these bodies: kind and property, and what a page's or a click's event says; and each answer."""
    (folder / "sites.toml").write_text(SITES, "utf-8")
    async with open_door(folder / "data", NOW, config=folder / "sites.toml") as door:
        said = [await post(door, body) for body in bodies]
    names = ("path", "source", "entry", "utm_source", "seconds", "scroll", "goal", "link", "file")
    kept = [
        {"kind": event.kind, "property": event.property, **{name: facts[name] for name in names if name in facts}}
        for event in events_kept(folder / "data" / "spool")
        for facts in [named_facts(event)]
    ]
    answers = [f"{each.status}{' dropped' if b'x-plausible-dropped: 1' in each.head else ''}" for each in said]
    return kept, answers


async def test_a_page_counts_once_for_every_site_that_is_named_with_its_own(tmp_path: Path) -> None:
    page = {"n": "pageview", "u": "https://blog.example.org/pricing?utm_source=letter#x"}
    kept, answers = await kept_of(
        tmp_path,
        [
            {**page, "d": "blog, all,news.example.org", "r": "https://www.google.com/search?q=x"},
            {**page, "d": "blog,all", "r": "https://news.example.org/"},
            {**page, "d": "all,blog", "n": "engagement", "e": 1500, "sd": 70},
            {**page, "d": "shop,all"},
            {**page, "d": "all"},
        ],
    )
    page_hit = {"kind": "page_hit", "path": "/pricing", "utm_source": "letter"}
    left = {"kind": "page_leave", "path": "/pricing", "seconds": 2, "scroll": 70, "entry": False}
    assert kept == [
        {**page_hit, "property": "blog", "source": "google.com", "entry": True},
        {**page_hit, "property": "all", "source": "google.com", "entry": True},
        {**page_hit, "property": "blog", "source": "example.org", "entry": False},
        {**page_hit, "property": "all", "source": "example.org", "entry": False},
        {**left, "property": "all"},
        {**left, "property": "blog"},
    ]
    assert answers == ["202", "202", "202", "400", "400"]  # on no host of a site that is named


async def test_a_click_counts_once_and_a_goal_for_who_declares_it(tmp_path: Path) -> None:
    page = {"u": "https://blog.example.org/", "d": "shop,blog,all"}
    click = {"n": "Outbound Link: Click", "p": {"url": "https://forum.example.net/"}}
    kept, answers = await kept_of(
        tmp_path,
        [
            {**page, **click, "d": "blog"},
            {**page, **click, "d": "shop"},
            {**page, **click, "d": "all"},
            {**page, **click, "d": "shop,blog"},
            {**page, "d": "blog", "n": "File Download", "p": '{"url":"https://files.example.net/setup.exe"}'},
            {**page, "n": "signup"},
            {**page, "d": "shop,all", "n": "signup"},
        ],
    )
    of = [(each["kind"], each["property"], each.get("link")) for each in kept]
    meeting, forum = ("link_click", "blog", "meeting"), ("link_click", "shop", "forum")
    signed_up = [("goal", "shop", None), ("goal", "all", None)]
    assert of == [meeting, forum, forum, meeting, ("download", "player", None), *signed_up, *signed_up]
    assert answers == ["202", "202", "202 dropped", "202", "202", "202 dropped", "202"]


async def test_a_route_in_the_fragment_keeps_the_campaign_of_the_query(tmp_path: Path) -> None:
    urls = {
        "/?utm_source=letter#/one": ("/one", "letter"),
        "/app?utm_source=letter#!/two?utm_source=other": ("/app/two", "letter"),
        "/#/three?utm_source=other": ("/three", "other"),
        "?utm_source=letter#four": ("/four", "letter"),
        "/five?utm_source=letter#": ("/five", "letter"),
        "/#//blog.example.org/six": ("/blog.example.org/six", "(unknown)"),
        "/#access_token=0123456789abcdef&x=y": ("/:id", "(unknown)"),
    }
    hit = {"n": "pageview", "d": "shop", "h": 1}
    kept, answers = await kept_of(tmp_path, [{**hit, "u": f"https://shop.example.org{url}"} for url in urls])
    assert answers == ["202"] * len(urls)
    assert [(each["path"], each["utm_source"]) for each in kept] == [*urls.values()]
