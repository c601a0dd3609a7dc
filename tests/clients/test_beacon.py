"""The beacon in Chromium: what sites of several pages and of one page make of it, and what it leaves behind."""

from __future__ import annotations

from playwright.sync_api import Request

from tests.clients.beaconed import Beaconed, Counts, close, dwell, go_back, go_to, site_of

NETWORKS = 12  # what describes callers is named from 10
TALL = "<div style='height: 3000px'></div>"
STORED = """async () =>
  [document.cookie, {...localStorage}, {...sessionStorage}, await indexedDB.databases(), window.name]"""


LINKS = '<a id=home href="/">home</a> <a id=pricing href="/pricing">pricing</a> <a id=docs href="/docs?q=1#x">docs</a>'


def come_in(beaconed: Beaconed, name: str, body: str = LINKS) -> str:
    """A site of three pages, and one of another site that leads to its first; returns the address of that."""
    home = beaconed.page(name, "/", body)
    beaconed.page(name, "/pricing", LINKS)
    beaconed.page(name, "/docs", LINKS)
    lead = f'<a id=go href="{home}?utm_source=Letter&secret=7#top">go</a>'
    return beaconed.websites.put(f"news.example.com/story-{name}", lead)


def test_a_site_of_three_pages_is_counted_as_it_was_visited(beaconed: Beaconed) -> None:
    news = come_in(beaconed, "three", LINKS + TALL)
    context = beaconed.visitor()
    for network in range(NETWORKS):
        context.set_extra_http_headers({"X-Forwarded-For": f"203.0.{network}.1"})
        page = context.new_page()
        page.goto(news)
        go_to(page, "#go")
        dwell(page, 2600)
        if network % 2:  # else it is a bounce
            go_to(page, "#pricing")
            dwell(page, 1400)
        if network == 1:
            go_to(page, "#docs")
            dwell(page, 10_000)
        close(page)
    beaconed.assert_cells(
        "three",
        {
            "traffic": {"": Counts(19, 12)},
            "pages by path": {"/": Counts(12), "/pricing": Counts(6), "/docs": Counts(1)},
            "entry_pages by path": {"/": Counts(12)},
            "bounces by path": {"/": Counts(12, 6)},
            "exit_pages by path": {"/": Counts(6), "/pricing": Counts(5), "/docs": Counts(1)},
            "page_time by path": {"/": Counts(12, 36), "/pricing": Counts(6, 6), "/docs": Counts(1, 10)},
            "page_scroll by path": {"/": Counts(12, 12 * 24), "/pricing": Counts(6, 600), "/docs": Counts(1, 100)},
            "sources by source": {"example.com": Counts(12), "(direct)": Counts(10)},  # these are the crowd
            "campaigns by utm_source": {"letter": Counts(12)},
        },
    )


def test_a_visit_leaves_nothing_in_the_browser_asks_nobody_else_and_tells_only_what_is_read(beaconed: Beaconed) -> None:
    news = come_in(beaconed, "stored")
    asked: set[str] = set()
    told: list[str] = []

    def note(request: Request) -> None:
        asked.add(request.url.partition("?")[0].partition("#")[0])
        told.append(request.post_data or "")

    context = beaconed.visitor()
    context.on("request", note)
    page = context.new_page()
    page.goto(news)
    for link in ("#go", "#pricing", "#docs"):
        go_to(page, link)
    assert page.evaluate(STORED) == ["", {}, {}, [], ""]
    assert context.storage_state(indexed_db=True) == {"cookies": [], "origins": []}
    close(page)
    of_site = {beaconed.websites.address(site_of("stored") + path) for path in ("/", "/pricing", "/docs")}
    assert asked - of_site - {news, "data:,"} == {f"{beaconed.base}/b.js", f"{beaconed.base}/v1/events"}
    assert [body for body in told if "utm_source=Letter" in body]
    assert not [body for body in told if "secret" in body or "story" in body]


def test_an_application_of_one_document_is_counted_by_its_paths(beaconed: Beaconed) -> None:
    page = beaconed.visitor().new_page()
    page.goto(beaconed.page("app", "/", TALL))
    dwell(page, 1000)
    page.evaluate("history.replaceState(null, '', '/?tab=2')")
    page.evaluate("history.pushState(null, '', '/?tab=3')")
    page.evaluate("location.hash = 'part'")
    dwell(page, 1000)
    page.evaluate("history.pushState(null, '', '/inbox')")
    dwell(page, 3000)
    page.evaluate("window.scrollTo(0, 99999)")
    page.wait_for_function("scrollY > 100")
    page.evaluate("history.pushState(null, '', '/sent')")
    dwell(page, 5000)
    page.evaluate("history.back()")
    page.wait_for_function("location.pathname === '/inbox'")
    dwell(page, 7000)
    close(page)
    beaconed.assert_cells(
        "app",
        {
            "traffic": {"": Counts(4, 1)},
            "pages by path": {"/": Counts(1), "/inbox": Counts(2), "/sent": Counts(1)},
            "entry_pages by path": {"/": Counts(1)},
            "bounces by path": {"/": Counts(1, 0)},
            "exit_pages by path": {"/inbox": Counts(1)},
            "page_time by path": {"/": Counts(1, 2), "/inbox": Counts(2, 10), "/sent": Counts(1, 5)},
        },
    )


def test_a_page_that_comes_back_from_the_cache_is_another_view_but_no_other_visit(beaconed: Beaconed) -> None:
    page = beaconed.visitor().new_page()
    page.goto(beaconed.page("cached", "/", '<a id=next href="/next">next</a>'))
    beaconed.page("cached", "/next")
    page.evaluate("window.isKept = true")
    dwell(page, 2000)
    go_to(page, "#next")
    dwell(page, 3000)
    go_back(page)
    assert page.evaluate("window.isKept")  # it is the same document
    page.evaluate("location.hash = 'part'")  # goes nowhere
    dwell(page, 4000)
    close(page)
    beaconed.assert_cells(
        "cached",
        {
            "traffic": {"": Counts(3, 1)},
            "entry_pages by path": {"/": Counts(1)},
            "bounces by path": {"/": Counts(1, 0)},
            "exit_pages by path": {"/": Counts(1)},
            "page_time by path": {"/": Counts(2, 6), "/next": Counts(1, 3)},
        },
    )
