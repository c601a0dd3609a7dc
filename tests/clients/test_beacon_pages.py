"""The beacon on pages of every kind: what it takes for a goal, a visit, an end, and that it never disturbs a page."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chromium import OPTIONS
from tests.clients.beaconed import AGENT, CROWD, Beaconed, Counts, close, dwell, go_to, sent, site_of, troubles
from tests.clients.websites import NAMES
from tests.counting import days, load
from tests.stack import eventually

NO_NAVIGATION = "delete window.navigation; delete Window.prototype.navigation;"


def one_view(path: str, seconds: int = 0) -> dict[str, dict[str, Counts]]:
    """A visit that is one view."""
    return {
        "traffic": {"": Counts(1, 1)},
        "bounces by path": {path: Counts(1, 1)},
        "page_time by path": {path: Counts(1, seconds)},
    }


# --- goals, links, downloads ------------------------------------------------------------------------------------------


def test_goals_links_and_downloads_are_counted_where_the_page_says_so(beaconed: Beaconed) -> None:
    forum = beaconed.websites.put("forum.example.net/", "forum")
    setup = beaconed.websites.put("files.example.net/setup.exe", "setup")
    address = beaconed.page(
        "reached",
        "/",
        "<button data-goal=newsletter><b id=button>yes</b></button>"
        f'<a id=forum href="{forum}" data-link=forum>forum</a>'
        f'<a id=file href="{setup}" data-download="player/1.4.2/setup.exe" data-origin=website>file</a>'
        '<form data-goal=signup onsubmit="event.preventDefault()"><input id=name><button id=send>send</button></form>',
    )
    context = beaconed.visitor()
    page = context.new_page()
    wrong, asked = troubles(page), sent(page)
    page.goto(address)
    page.click("#button")
    page.click("#name")  # touching a form is no goal yet
    page.click("#send")
    page.press("#name", "Enter")
    page.evaluate("collector.goal('newsletter')")
    with context.expect_page() as opened:
        page.click("#forum", button="middle")
    opened.value.wait_for_url(forum)
    assert page.get_attribute("#forum", "href") == forum
    page.focus("#forum")
    with page.expect_navigation(url=forum):
        page.keyboard.press("Enter")
    page.goto(address)
    with page.expect_navigation(url=setup):
        page.click("#file")
    own = beaconed.base.replace("count.example.org", site_of("reached"))  # the collector on a host of the site
    page.goto(beaconed.page("reached", "/own", f'<a id=forum href="{forum}" data-link=forum>forum</a>', base=own))
    with page.expect_navigation(url=forum):
        page.click("#forum")
    assert wrong == []
    assert sum(f"{beaconed.base}/dl/player/1.4.2/setup.exe?origin=website" == url for url in asked) == 1
    beaconed.assert_cells(
        "reached",
        {
            "goals by goal": {"newsletter": Counts(2), "signup": Counts(2)},
            "links by link": {"forum": Counts(3)},
            "bounces by path": {"/": Counts(2, 2), "/own": Counts(1, 1)},
        },
    )
    file = {"kind": "download", "product": "player", "version": "1.4.2", "file": "setup.exe"}
    for address in CROWD:
        beaconed.stack.post(file, {"X-Forwarded-For": address})
    load(beaconed.stack)
    downloads = beaconed.stack.ask("downloads", property="player", by="origin", **days())
    assert sorted(downloads["rows"]) == [["(unknown)", len(CROWD)], ["website", 1]]


# --- pages of every kind ----------------------------------------------------------------------------------------------


def test_a_page_that_loads_it_twice_is_counted_once(beaconed: Beaconed) -> None:
    page = beaconed.visitor().new_page()
    page.goto(beaconed.page("twice", "/", f"{beaconed.tag('twice')}<div id=collector></div>"))
    dwell(page, 4000)
    close(page)
    beaconed.assert_cells("twice", one_view("/", 4))


def test_a_policy_that_allows_the_collector_is_enough_and_one_that_does_not_breaks_nothing(beaconed: Beaconed) -> None:
    allows = f"default-src 'none'; script-src {beaconed.base}; connect-src {beaconed.base}"
    refuses = f"default-src 'none'; script-src {beaconed.base}; connect-src 'self'"
    for path, policy in (("/open", allows), ("/shut", refuses)):
        page = beaconed.visitor().new_page()
        wrong = troubles(page)
        page.goto(beaconed.page("fenced", path, content_security_policy=policy))
        dwell(page, 3000)
        close(page)
        assert wrong == []
    beaconed.assert_cells("fenced", one_view("/open", 3))


def test_a_page_loaded_again_goes_on_with_the_visit(beaconed: Beaconed) -> None:
    page = beaconed.visitor().new_page()
    page.goto(beaconed.page("again", "/"))
    page.reload()
    dwell(page, 1000)
    close(page)
    beaconed.assert_cells(
        "again",
        {
            "traffic": {"": Counts(2, 1)},
            "bounces by path": {"/": Counts(1, 1)},  # the browser's own button looks like leaving
            "page_time by path": {"/": Counts(2, 1)},
        },
    )


def test_who_fetches_a_file_of_the_site_does_not_go_on(beaconed: Beaconed) -> None:
    links = '<a id=named href="/paper.pdf" download>paper</a> <a id=sent href="/sent.pdf">sent</a>'
    address = beaconed.page("filed", "/", links)
    for path in ("/paper.pdf", "/sent.pdf"):
        beaconed.websites.put(site_of("filed") + path, "paper", content_disposition="attachment")
    for link, seconds in (("#named", 1), ("#sent", 11)):
        page = beaconed.visitor().new_page()
        page.goto(address)
        with page.expect_download():
            page.click(link)
        dwell(page, seconds * 1000)
        close(page)
    expected = {"bounces by path": {"/": Counts(2, 2)}, "page_time by path": {"/": Counts(2, 12)}}
    beaconed.assert_cells("filed", expected)


def test_errors_of_the_beacon_and_of_what_it_calls_stay_inside(beaconed: Beaconed) -> None:
    breaks = "Navigator.prototype.sendBeacon = () => { throw new Error('gone'); };"
    page = beaconed.visitor(breaks).new_page()
    wrong = troubles(page)
    page.goto(beaconed.page("broken", "/", "<button data-goal=signup>yes</button>"))
    page.click("button")
    page.evaluate("window.collector?.goal('signup'); history.pushState(null, '', '/more')")
    assert page.evaluate("location.pathname") == "/more"
    close(page)
    assert wrong == []


@pytest.mark.parametrize("beacon", ["undefined", "() => false"], ids=["missing", "full"])
def test_where_the_browser_takes_no_beacon_it_is_a_request_that_outlives_the_page(
    beaconed: Beaconed, beacon: str
) -> None:
    name = "fetching" if beacon == "undefined" else "refusing"
    page = beaconed.visitor(f"Navigator.prototype.sendBeacon = {beacon};").new_page()
    page.goto(beaconed.page(name, "/"))
    dwell(page, 2000)
    close(page)
    beaconed.assert_cells(name, one_view("/", 2))


def test_a_browser_without_the_navigation_api_tells_by_clicks_where_somebody_goes(beaconed: Beaconed) -> None:
    mail = '<a id=mail href="mailto:a@example.org" onclick="event.preventDefault()">mail</a>'
    links = f'<a id=next href="/next">next</a> <a id=part href="#part">part</a> {mail}'
    page = beaconed.visitor(NO_NAVIGATION).new_page()
    page.goto(beaconed.page("plain", "/", links))
    beaconed.page("plain", "/next", links)
    assert page.evaluate("typeof navigation") == "undefined"
    go_to(page, "#next")
    page.click("#mail")
    page.click("#part")
    close(page)
    beaconed.assert_cells(
        "plain",
        {
            "traffic": {"": Counts(2, 1)},
            "bounces by path": {"/": Counts(1, 0)},
            "exit_pages by path": {"/next": Counts(1)},
        },
    )


def test_forms_and_scripts_go_on_within_the_site_and_over_its_other_hosts(beaconed: Beaconed) -> None:
    site = site_of("formed")
    more = f'data-hosts="shop-{site}"'
    shop = beaconed.websites.put(f"shop-{site}/buy", beaconed.tag("formed", f'data-hosts="{site}"'))
    form = '<form action="/found"><button id=find>find</button></form>'
    page = beaconed.visitor().new_page()
    page.goto(beaconed.websites.put(f"{site}/", beaconed.tag("formed", more) + form))
    beaconed.websites.put(f"{site}/found", beaconed.tag("formed", more))
    go_to(page, "#find")
    with page.expect_navigation(wait_until="load"):
        page.evaluate("address => { setTimeout(() => { location.href = address; }); }", shop)
    close(page)
    beaconed.assert_cells(
        "formed",
        {
            "traffic": {"": Counts(3, 1)},
            "bounces by path": {"/": Counts(1, 0)},
            "exit_pages by path": {"/buy": Counts(1)},
        },
    )


def test_going_on_in_a_new_window_is_one_visit(beaconed: Beaconed) -> None:
    context = beaconed.visitor()
    page = context.new_page()
    page.goto(beaconed.page("several", "/", '<a id=next href="/next" target=_blank>next</a>'))
    beaconed.page("several", "/next")
    with context.expect_page() as opened:
        page.click("#next")
    opened.value.wait_for_load_state("load")
    page.evaluate("switchAway()")  # as the new window hides this one
    close(opened.value)
    close(page)
    beaconed.assert_cells(
        "several",
        {
            "traffic": {"": Counts(2, 1)},
            "bounces by path": {"/": Counts(1, 0)},
            "exit_pages by path": {"/next": Counts(1)},
        },
    )


def test_without_scripts_the_pixel_counts_the_hit(beaconed: Beaconed) -> None:
    image = f'<noscript><img src="{beaconed.base}/v1/pixel.gif?site={site_of("pixel")}&p=/quiet" alt=""></noscript>'
    page = beaconed.visitor(java_script_enabled=False).new_page()
    page.goto(beaconed.page("pixel", "/quiet", image))
    close(page)
    beaconed.assert_cells("pixel", {"pages by path": {"/quiet": Counts(1)}, "page_time by path": {}})


def test_a_page_made_ready_in_advance_counts_once_somebody_opens_it(beaconed: Beaconed, tmp_path: Path) -> None:
    """Playwright forbids prerendering: this Chromium is steered by the pages themselves."""
    rules = '{"prerender": [{"urls": ["/opened", "/unopened"], "eagerness": "immediate"}]}'
    beaconed.page("ready", "/opened")
    beaconed.page("ready", "/unopened")
    address = beaconed.page(
        "ready", "/", f'<script type="speculationrules">{rules}</script>' + _open_on_a_sign("/opened")
    )
    origin = address.removesuffix("/")
    command = [str(shutil.which("chromium")), *OPTIONS, NAMES, AGENT, f"--user-data-dir={tmp_path}"]
    command += [f"--unsafely-treat-insecure-origin-as-secure={origin}", "--remote-debugging-port=0", address]
    site = site_of("ready")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            asked = beaconed.websites.asked
            made = {f"{site}{path} (prefetch;prerender)" for path in ("/opened", "/unopened")}
            eventually(lambda: made <= {*asked}, "both pages are made ready", patience_s=30)
            beaconed.websites.put(f"{site}/sign", "now")
            beaconed.assert_cells(
                "ready",
                {
                    "traffic": {"": Counts(2, 1)},
                    "pages by path": {"/": Counts(1), "/opened": Counts(1)},
                    "bounces by path": {"/": Counts(1, 0)},
                },
            )
            assert f"{site}/opened" not in asked  # what was made ready is what was opened
        finally:
            browser.terminate()


def _open_on_a_sign(path: str) -> str:
    """A script that follows a link once the website has /sign."""
    return (
        "<script>const watch = setInterval(async () => { if ((await fetch('/sign')).ok) {"
        f" clearInterval(watch); location.href = '{path}'; }} }}, 200);</script>"
    )
