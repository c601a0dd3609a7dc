"""`collector routes` makes a site's routes from its own sitemap, and every page of it is vouched for."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.catalogue.registry import read_registry
from collector.cli import collector
from collector.reduce.page import Pages, scrubbed
from collector.tools.routes import MAX_ROUTES, as_toml, read_pages, routes_of
from tests.stack import ROOT

SITE = "www.example.org"
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def sitemap(*paths: str, host: str = f"https://{SITE}", namespace: str = NAMESPACE) -> str:
    entries = "".join(f"<url><loc>{host}{path}</loc><lastmod>2026-11-01</lastmod></url>" for path in paths)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{namespace}">{entries}</urlset>'


def index(*addresses: str) -> str:
    entries = "".join(f"<sitemap><loc>{address}</loc></sitemap>" for address in addresses)
    return f'<sitemapindex xmlns="{NAMESPACE}">{entries}</sitemapindex>'


def run(source: object, *more: str) -> Result:
    return CliRunner().invoke(collector, ["routes", "--sitemap", str(source), *more], catch_exceptions=False)


def made_of(ran: Result) -> list[str]:
    """The printed routes, as a configuration takes them."""
    assert ran.exit_code == 0, ran.stderr
    table = f'[[site]]\nid = "{SITE}"\nhosts = ["{SITE}"]\n{ran.stdout}'
    return list(read_registry(tomllib.loads(table)).sites[SITE].routes)


def refusal(source: object, *more: str) -> str:
    """The one sentence that says why there are no routes."""
    ran = run(source, *more)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Error: ")
    assert ran.stderr.count("\n") == 1
    return ran.stderr


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        file = tmp_path / "sitemap.xml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


# --- what the routes are ----------------------------------------------------------------------------------------------


def test_single_pages_stay_and_many_siblings_become_one_pattern(written: Callable[[str], Path]) -> None:
    posts = [f"/blog/title-{number}" for number in range(21)]
    docs = [f"/docs/part-{number}" for number in range(20)]
    ran = run(written(sitemap("/", "/about/", "/blog/", *posts, *docs, "/docs/part-1/more.html?x=1#y")))
    assert made_of(ran) == ["/", "/about", "/blog", "/blog/*", *sorted([*docs, "/docs/part-1/more.html"])]
    assert ran.stderr == f"{SITE}: 45 pages, 25 routes\n"


def test_many_folders_side_by_side_become_one_with_the_pages_of_all(written: Callable[[str], Path]) -> None:
    files = [f"/people/name-{chr(97 + n)}{tail}" for n in range(25) for tail in ("", "/posts", "/friends/all")]
    assert made_of(run(written(sitemap(*files)))) == ["/people/*", "/people/*/friends/all", "/people/*/posts"]
    assert len(made_of(run(written(sitemap(*files)), "--many", "25"))) == 75


def test_no_id_is_printed(written: Callable[[str], Path]) -> None:
    paths = ["/user/550e8400-e29b-41d4-a716-446655440000/a", "/user/12345678/a", "/mail/somebody@example.com", "/x/y"]
    assert made_of(run(written(sitemap(*paths)))) == ["/mail/:id", "/user/:id/a", "/x/y"]


def test_other_hosts_are_left_out_and_counted(written: Callable[[str], Path]) -> None:
    others = "".join(f"<url><loc>https://{host}/other</loc></url>" for host in ("a.example", "b.example", "a.example"))
    text = sitemap("/one", "/two", "/three", "/four")
    text = text.replace("</urlset>", f"{others}<url><loc>/five</loc></url></urlset>")
    ran = run(written(text))
    assert made_of(ran) == ["/four", "/one", "/three", "/two"]
    assert 'other hosts (--host takes them in): 3 addresses ("a.example" 2, "b.example" 1)' in ran.stderr
    assert "left out, no http or https address: 1" in ran.stderr
    assert made_of(run(written(text), "--host", "A.example", "--host", "b.example")) == ["/other"]
    assert "lists no page of c.example" in refusal(written(text), "--host", "c.example")


def test_only_addresses_of_pages_count_with_any_namespace_or_none(written: Callable[[str], Path]) -> None:
    image = '<image:image xmlns:image="urn:image"><image:loc>https://www.example.org/i.png</image:loc></image:image>'
    text = sitemap("/page").replace("</url>", f"{image}</url>")
    assert made_of(run(written(text))) == ["/page"]
    assert made_of(run(written(text.replace(f' xmlns="{NAMESPACE}"', "")))) == ["/page"]
    assert made_of(run(written(sitemap("/page", namespace="https://www.google.com/schemas/sitemap/0.84")))) == ["/page"]


def test_the_same_pages_in_another_order_give_the_same_text() -> None:
    paths = [f"/{a}/{b}/{c}" for a in "xyz" for b in range(30) for c in range(b)]
    assert as_toml(routes_of(paths)) == as_toml(routes_of(reversed(paths)))


def test_there_are_never_more_routes_than_a_configuration_takes() -> None:
    paths = [f"/{a}/{b}/{c}/{d}" for a in range(20) for b in range(20) for c in range(10) for d in range(20)]
    routes = routes_of(paths)
    assert 0 < len(routes) <= MAX_ROUTES
    assert all(vouched_for(routes, f"https://{SITE}{path}") for path in paths[::997])


def vouched_for(routes: list[str], url: str) -> bool:
    """Whether the door, with these routes, counts a page under its own path."""
    registry = read_registry({"site": [{"id": SITE, "hosts": [SITE], "routes": routes}]})
    return Pages(registry).read(SITE, url).path != "(other)"


SEGMENT = st.one_of(
    st.sampled_from(["a", "b", "index.html", "*", "**", "a*b", "%2A", "%", "%25", "%2525252525252541", "..", ".", ""]),
    st.integers(0, 10**9).map(str),
    st.text(max_size=40),
    st.text(max_size=40).map(lambda text: quote(text, safe="")),
)


@settings(max_examples=300, deadline=None)
@given(pages=st.lists(st.lists(SEGMENT, max_size=10).map("/".join), min_size=1, max_size=40), many=st.integers(1, 5))
def test_every_page_of_a_sitemap_is_vouched_for_by_routes_that_a_configuration_takes(
    pages: list[str], many: int
) -> None:
    urls = [f"https://{SITE}/{page}".encode("utf-8", "replace").decode() for page in pages]
    listed = read_pages(urls)
    routes = routes_of(listed.paths[SITE], many)
    table = tomllib.loads(as_toml(routes))
    assert table["routes"] == routes == sorted(set(routes))
    registry = read_registry({"site": [{"id": SITE, "hosts": [SITE], **table}]})
    door = Pages(registry)
    assert all(door.read(SITE, url).path in listed.paths[SITE] for url in urls)
    assert "/**" not in routes


def test_a_star_in_a_path_stands_for_itself() -> None:
    routes = routes_of([scrubbed("/**"), scrubbed("/a*b")])
    assert vouched_for(routes, f"https://{SITE}/**")
    assert not vouched_for(routes, f"https://{SITE}/a/b")
    assert not vouched_for(routes, f"https://{SITE}/axb")


# --- where a sitemap comes from ---------------------------------------------------------------------------------------


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[str]:
    """A web server of these files; one without content is never answered in full."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved.xml":
                self.send_response(301)
                self.send_header("Location", "/sitemap.xml")
                self.end_headers()
                return
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_index_and_gzip_are_followed_over_http() -> None:
    files: dict[str, bytes] = {"/a.xml.gz": gzip.compress(sitemap("/a").encode()), "/b.xml": sitemap("/b").encode()}
    with serving(files) as address:
        files["/sitemap.xml"] = index(f"{address}/a.xml.gz", f"{address}/b.xml").encode()
        assert made_of(run(f"{address}/sitemap.xml")) == made_of(run(f"{address}/moved.xml")) == ["/a", "/b"]
        files["/index.xml"] = index(f"{address}/sitemap.xml").encode()
        assert f"{address}/sitemap.xml: is an index named by an index" in refusal(f"{address}/index.xml")
        said = refusal(f"{address.replace('//', '//user:secret-word@')}/none.xml?key=secret-word")
        assert f"{address}/none.xml: cannot be fetched (status 404)" in said
        assert "secret-word" not in said
    assert "nothing answers there" in refusal(f"{address}/sitemap.xml")


def test_an_index_in_a_file_means_the_files_beside_it(tmp_path: Path, written: Callable[[str], Path]) -> None:
    (tmp_path / "posts.xml.gz").write_bytes(gzip.compress(sitemap("/post").encode()))
    assert made_of(run(written(index(f"https://{SITE}/posts.xml.gz")))) == ["/post"]
    assert "names a sitemap by what is no http or https address" in refusal(written(index("/etc/passwd")))


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + sitemap("/&b;").partition("\n")[2]
BAD: list[tuple[str | bytes, str]] = [
    ("", "is not XML (line 1)"),
    ("User-agent: *", "is not XML (line 1)"),
    (sitemap("/a")[:-5], "is not XML (line 2)"),
    ("<html><body/></html>", "is no sitemap: it begins with neither urlset nor sitemapindex"),
    (BOMB, "declares a document type"),
    ('<!DOCTYPE urlset SYSTEM "file:///etc/passwd"><urlset/>', "declares a document type"),
    ("<urlset/>", "lists no page of any host"),
    (b"\x1f\x8b" + b"\0" * 20, "is damaged: it begins like gzip and cannot be unpacked"),
    (gzip.compress(sitemap("/a").encode())[:-9], "is damaged: it begins like gzip and cannot be unpacked"),
    (gzip.compress(b" " * (50 * 1024 * 1024 + 1)), "is larger than 50 MB"),
    (b" " * (50 * 1024 * 1024 + 1), "is larger than 50 MB"),
    (sitemap(*("/a",) * 50_001), "lists more than 50,000 addresses"),
    (index(*(f"https://{SITE}/{n}.xml" for n in range(51))), "names 51 sitemaps; at most 50 are read"),
]


@pytest.mark.parametrize(("content", "sentence"), BAD, ids=[sentence for _, sentence in BAD])
def test_what_is_no_sitemap_is_refused_in_a_sentence(
    written: Callable[[str | bytes], Path], content: str | bytes, sentence: str
) -> None:
    file = written(content)
    assert f"{file}: {sentence}" in refusal(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/none.xml: cannot be read: No such file or directory" in refusal(tmp_path / "none.xml")


def test_the_help_shows_how_it_is_used() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "collector", "routes", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "collector routes --sitemap https://www.example.org/sitemap.xml" in ran.stdout
