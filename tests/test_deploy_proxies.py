"""nginx and Caddy as shipped, really run over TLS before real collectors."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import orjson
import pytest

from tests.calling import Reply
from tests.counting import load
from tests.proxying import ANALYST, PUBLIC, RUN, Edit, Proxy, Upstreams, replaced
from tests.stack import TOKEN, Stack, eventually
from tests.tiny_mmdb import Network, database

# What is said to lie where: the callers' own addresses, and those that they claim to have.
COUNTRIES: dict[Network, object] = {
    IPv4Network("127.77.0.0/16"): {"country_code": "NL"},
    IPv4Network("203.0.0.0/16"): {"country_code": "JP"},
}
CALLERS = 12  # each of a network of its own: more than the ten that a named country stands for
SITES = ("nginx.example.org", "caddy.example.org", "direct.example.org")
CONFIG = """
trusted_proxies = ["127.0.0.1/32", "127.77.255.0/24"]
geoip_db = "{countries}"
[privacy]
operator = "operator {operator}"
contact = "privacy@example.org"
""" + "".join(f'[[site]]\nid = "{site}"\nhosts = ["{site}"]\nroutes = ["/**"]\n' for site in SITES)
CANARY = "127.77.66.55"
LARGEST = 262_144
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: count.example.org\r\n"
HALF = HEAD + b"Content-Length: 100\r\n\r\nhalf"
TOO_MUCH = HEAD + b"Transfer-Encoding: chunked\r\n\r\n50000\r\n" + b" " * 0x50000 + b"\r\n0\r\n\r\n"

Run = Callable[..., Proxy]
BOTH = pytest.mark.parametrize("name", RUN)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stack]]:
    """Two collectors; their privacy pages tell them apart."""

    def start(operator: str) -> Stack:
        folder = tmp_path_factory.mktemp(operator)
        (folder / "countries.mmdb").write_bytes(database(COUNTRIES))
        return Stack(folder, config=CONFIG.format(countries=folder / "countries.mmdb", operator=f"operator {operator}"))

    with ThreadPoolExecutor(2) as at_once, ExitStack() as swept:
        started = [at_once.submit(start, operator) for operator in ("one", "two")]
        for each in started:
            swept.callback(_sweep, each)
        yield [each.result() for each in started]


def _sweep(started: Future[Stack]) -> None:
    started.result().sweep()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts proxies by name before collectors."""
    proxies: list[Proxy] = []

    def start(name: str, upstreams: Upstreams, edit: Edit = str) -> Proxy:
        folder = tmp_path / f"proxy{len(proxies)}"
        folder.mkdir()
        proxies.append(RUN[name](folder, upstreams, edit))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.stop()


def before(*stacks: Stack) -> Upstreams:
    return Upstreams(public=[stack.public for stack in stacks], analyst=stacks[0].analyst)


def hit(site: str) -> bytes:
    return orjson.dumps({"kind": "page_hit", "site": site, "url": f"https://{site}/"})


def claiming(number: int) -> dict[str, str]:
    """Headers that name another caller, all that are in use."""
    claimed = f"203.0.{number}.9"
    return {"X-Forwarded-For": claimed, "X-Real-IP": claimed, "Forwarded": f"for={claimed}"}


def send(proxy: Proxy, body: bytes, number: int = 0) -> Reply:
    """Events from a caller of his own network, who claims to be in another country."""
    return proxy.request("POST", "/v1/events", body, claiming(number), source=f"127.77.{number}.9")


def counted(stack: Stack, site: str) -> tuple[dict[str, int], int]:
    """How many hits of each country, and how many visitors."""
    load(stack)
    rows = stack.ask("countries", property=site, by="country")["rows"]
    visitors = stack.ask("traffic", property=site)["totals"]["visitors"]
    return {country: events for country, events, *_ in rows}, visitors


# --- who is calling ---------------------------------------------------------------------------------------------------


@BOTH
def test_an_event_counts_for_its_real_caller_whatever_it_claims(name: str, stacks: list[Stack], run: Run) -> None:
    proxy = run(name, before(stacks[0]))
    # The last is in a network that is trusted: of a header that was only added to, what he claims would be believed.
    for number in (*range(CALLERS - 1), 255):
        assert send(proxy, hit(f"{name}.example.org"), number).status == 204
    assert counted(stacks[0], f"{name}.example.org") == ({"NL": CALLERS}, CALLERS)


def test_what_is_claimed_would_be_seen(stacks: list[Stack]) -> None:
    """The control of the test before: without a proxy in between the same headers are believed of 127.0.0.1."""
    for number in range(CALLERS):
        assert stacks[0].post(hit("direct.example.org"), claiming(number)).status == 204
    assert counted(stacks[0], "direct.example.org") == ({"JP": CALLERS}, CALLERS)


# --- what passes ------------------------------------------------------------------------------------------------------


@BOTH
def test_each_name_leads_to_its_port_and_no_other_name_anywhere(name: str, stacks: list[Stack], run: Run) -> None:
    proxy = run(name, before(stacks[0]))
    assert proxy.request("GET", "/privacy").status == 200
    assert proxy.request("GET", "/api/v1/reports").status == 404  # the analysts' is not here
    assert proxy.request("GET", "/v1/pixel.gif", host=ANALYST).status == 404
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    asked = f"/api/v1/reports/traffic?property={SITES[2]}"
    assert proxy.request("GET", asked, headers=bearer, host=ANALYST).status == 200
    assert proxy.request("GET", asked, host=ANALYST).status == 401
    told = proxy.request("GET", "/", host=ANALYST).headers
    assert told["strict-transport-security"] == "max-age=63072000"
    assert "default-src 'none'" in told["content-security-policy"]
    assert "strict-transport-security" not in proxy.request("GET", "/privacy").headers
    with pytest.raises((OSError, ssl.SSLError)):
        proxy.tls(host="other.example.org")
    with suppress(OSError):  # the certificate of one name, and a request for another: nothing, or nothing of ours
        assert (
            b"privacy@example.org" not in proxy.request("GET", "/privacy", headers={"Host": "other.example.org"}).body
        )


@BOTH
def test_passwords_are_taken_because_the_proxy_says_it_is_https(name: str, stacks: list[Stack], run: Run) -> None:
    added = stacks[0].command(
        "user", "add", name, "--role", "analyst", "--password-stdin", told="a long password, it is"
    )
    assert added.returncode == 0, added.stderr
    body = orjson.dumps({"name": name, "password": "a long password, it is"})
    headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    reply = run(name, before(stacks[0])).request("POST", "/api/v1/session", body, headers, host=ANALYST)
    assert reply.status in (200, 204), reply
    assert reply.headers["set-cookie"].startswith("__Host-")


@BOTH
def test_a_body_goes_through_up_to_256_kib_and_never_lies_in_a_file(name: str, stacks: list[Stack], run: Run) -> None:
    proxy = run(name, before(stacks[0]))
    folders = [folder for folder in proxy.folder.iterdir() if folder.name in ("client_body", "proxy")]
    untouched = [folder.stat().st_mtime_ns for folder in folders]
    largest = hit(SITES[2]).ljust(LARGEST)
    assert proxy.request("POST", "/v1/events", largest).status == 204
    # Caddy hands a body on while it comes: sometimes it is the first to notice, and takes it for the collector's fault.
    refusals = {"nginx": {413}, "caddy": {413, 502}}
    assert proxy.request("POST", "/v1/events", largest + b" ").status in refusals[name]
    crumbs = b"".join(b"1\r\n%c\r\n" % byte for byte in hit(SITES[2]).ljust(LARGEST // 4))  # more than 256 KiB to say
    said = b"Transfer-Encoding: chunked\r\nUser-Agent: Mozilla/5.0\r\n\r\n" + crumbs + b"0\r\n\r\n"
    for host, statuses in ((PUBLIC, {b"204"}), (ANALYST, {b"401", b"404", b"405"})):
        with proxy.tls(host=host) as connection:
            connection.sendall(HEAD.replace(PUBLIC.encode(), host.encode()) + said)
            assert connection.recv(1000).split()[1] in statuses
    assert [folder.stat().st_mtime_ns for folder in folders] == untouched
    assert len(folders) == (2 if name == "nginx" else 0)  # Caddy keeps no body at all


@BOTH
@pytest.mark.parametrize("sent", [HALF, TOO_MUCH], ids=["half", "too much"])
def test_a_bad_body_takes_the_collector_from_nobody(name: str, sent: bytes, stacks: list[Stack], run: Run) -> None:
    """It is no failure of the collector that waited for the rest, as Caddy's passive health checks think."""
    proxy = run(name, before(stacks[0]))
    for _ in range(3):
        with suppress(OSError), proxy.tls() as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert proxy.request("GET", "/privacy").status == 200


@BOTH
def test_browsers_are_spoken_to_in_http_2(name: str, stacks: list[Stack], run: Run) -> None:
    with run(name, before(stacks[0])).tls(protocols=["h2", "http/1.1"]) as connection:
        assert connection.selected_alpn_protocol() == "h2"


# --- several collectors -----------------------------------------------------------------------------------------------


def test_a_caller_stays_on_its_collector_and_goes_to_the_other_while_that_one_is_dead(
    stacks: list[Stack], run: Run
) -> None:
    proxies = [run(name, before(*stacks)) for name in RUN]
    sources = [f"127.77.{number}.9" for number in range(16)]

    def places() -> list[list[str]]:
        """Which collector each caller comes to through each proxy; every request is answered."""
        return [[place_of(proxy.request("GET", "/privacy", source=source)) for source in sources] for proxy in proxies]

    first = places()
    assert [set(each) for each in first] == [{"one", "two"}] * 2
    assert [places() for _ in range(3)] == [first] * 3
    stacks[0].sweep()
    assert [set(each) for each in places()] == [{"two"}] * 2
    assert [send(proxy, hit(SITES[2])).status for proxy in proxies] == [204, 204]
    stacks[0].start()
    eventually(lambda: places() == first, "everybody is where they were")


def place_of(reply: Reply) -> str:
    assert reply.status == 200, reply
    (place,) = [name for name in ("one", "two") if f"operator {name}".encode() in reply.body]
    return place


# --- what is left of a caller -----------------------------------------------------------------------------------------


def complain(proxy: Proxy) -> None:
    """Everything that goes wrong at a proxy, from the address that must not be found."""
    for sent in (b"GET / HTTP/1.1\r\nHost: count.example.org\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 600):
        with proxy.plain(CANARY) as connection, suppress(OSError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    with suppress(OSError):
        proxy.tls(source=CANARY, host="other.example.org").close()
    for request in (
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: other.example.org\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: count.example.org\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        HEAD + b"Content-Length: 999999\r\n\r\n",
        TOO_MUCH,
        HALF,
        HEAD + b"X-Forwarded-For: 127.77.66.55\r\nContent-Length: 2\r\n\r\n[]",
        b"GET /privacy HTTP/1.1\r\nHost: analyst.example.org\r\n\r\n",
    ):
        with suppress(OSError), proxy.tls(source=CANARY) as connection:
            connection.settimeout(2)
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(10_000):
                pass


def found(folder: Path) -> list[str]:
    """Files that hold the address, as text or packed."""
    forms = (CANARY.encode(), IPv4Address(CANARY).packed)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "said.log" in files
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


NOBODY = Upstreams(public=["127.0.0.1:1"], analyst="127.0.0.1:1")
NO_UPSTREAM = {"nginx": 502, "caddy": 503}
QUICK: dict[str, Edit] = {
    "nginx": str,
    "caddy": lambda text: replaced(text, "lb_try_duration 8s", "lb_try_duration 0s"),
}
LOUD: dict[str, Edit] = {
    "nginx": lambda text: replaced(text, "error_log /dev/null emerg;", "error_log stderr info;"),
    "caddy": lambda text: QUICK["caddy"](replaced(text, r"exclude http\n", "\n")),
}


@BOTH
def test_no_address_is_in_a_log_or_a_file_of_a_proxy_whatever_goes_wrong(
    name: str, stacks: list[Stack], run: Run
) -> None:
    quiet, alone, loud = (
        run(name, before(stacks[0])),
        run(name, NOBODY, QUICK[name]),
        run(name, NOBODY, LOUD[name]),
    )
    for proxy, status in ((quiet, 200), (alone, NO_UPSTREAM[name]), (loud, NO_UPSTREAM[name])):
        complain(proxy)
        assert proxy.request("GET", "/privacy", source=CANARY).status == status
        proxy.stop()
    assert found(quiet.folder) == found(alone.folder) == []
    assert found(loud.folder) == ["said.log"]  # the control: it was told, and is looked for rightly
