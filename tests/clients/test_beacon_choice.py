"""Whom the beacon leaves alone: who refuses, by browser, by header or on the page, and pages that are no site's."""

from __future__ import annotations

import pytest

from tests.clients.beaconed import Beaconed, Counts, close, dwell, go_to, sent, troubles

REFUSES = {
    "the browser says so (Global Privacy Control)": "globalPrivacyControl', {value: true}",
    "the browser says so (Do Not Track)": "doNotTrack', {value: '1'}",
}


@pytest.mark.parametrize("said", REFUSES.values(), ids=REFUSES.keys())
def test_a_browser_that_refuses_sends_nothing_and_its_links_stay_plain(beaconed: Beaconed, said: str) -> None:
    forum = beaconed.websites.put("forum.example.net/", "forum")
    address = beaconed.page("shy", "/", f'<a id=forum href="{forum}" data-link=forum data-goal=signup>forum</a>')
    page = beaconed.visitor(f"Object.defineProperty(navigator, '{said});").new_page()
    asked = sent(page)
    page.goto(address)
    page.evaluate("collector.goal('signup')")
    page.evaluate("history.pushState(null, '', '/more')")
    go_to(page, "#forum")
    close(page)
    assert asked == [f"{beaconed.base}/b.js"]


def test_a_browser_that_says_so_in_a_header_is_not_counted(beaconed: Beaconed) -> None:
    page = beaconed.visitor(extra_http_headers={"Sec-GPC": "1"}).new_page()
    asked = sent(page)
    page.goto(beaconed.page("header", "/"))
    page.evaluate("collector.goal('signup')")
    close(page)
    assert asked[1:3] == [f"{beaconed.base}/v1/events"] * 2
    beaconed.assert_cells("header", {"traffic": {}, "goals by goal": {}})


def test_after_opting_out_a_page_sends_nothing_more_and_stores_nothing(beaconed: Beaconed) -> None:
    forum = beaconed.websites.put("forum.example.net/", "forum")
    context = beaconed.visitor()
    page = context.new_page()
    asked = sent(page)
    page.goto(beaconed.page("out", "/", f'<a id=forum href="{forum}" data-link=forum>forum</a>'))
    page.evaluate("collector.optOut()")
    dwell(page, 5000)
    page.evaluate("collector.goal('signup')")
    go_to(page, "#forum")
    assert context.storage_state(indexed_db=True) == {"cookies": [], "origins": []}
    close(page)
    assert asked == [f"{beaconed.base}/b.js", f"{beaconed.base}/v1/events"]
    beaconed.assert_cells("out", {"traffic": {"": Counts(1, 1)}, "page_time by path": {}, "goals by goal": {}})


def test_a_page_that_names_no_site_or_has_another_collector_is_left_alone(beaconed: Beaconed) -> None:
    page = beaconed.visitor().new_page()
    wrong, asked = troubles(page), sent(page)
    page.goto(beaconed.websites.put("nobody.example.org/", f'<script defer src="{beaconed.base}/b.js"></script>'))
    assert page.evaluate("window.collector === undefined")
    close(page)
    assert (wrong, asked) == ([], [f"{beaconed.base}/b.js"])
