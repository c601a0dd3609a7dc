"""Reading lines of access logs: right, or not at all, whatever stands in them."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.tools.import_log.lines import MAX_LINE_BYTES, Line, Lines
from tests.made_logs import Request

PLAIN = (
    '198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 2326 "https://news.example.com/" "Agent"'
)
AT = int(datetime(2026, 10, 10, 13, 55, 36, tzinfo=UTC).timestamp())
READER = Lines()


def read(text: str | bytes) -> Line | None:
    return Lines().read(text.encode() if isinstance(text, str) else text)


def right(text: str | bytes) -> Line:
    line = read(text)
    assert line is not None
    return line


def test_a_line_of_the_combined_format_is_read_whole() -> None:
    address = ip_address("198.51.100.7").packed
    wanted = ("", address, AT, "GET", "/a?b=1", 200, "https://news.example.com/", "Agent")
    assert tuple(right(PLAIN)) == wanted
    assert right(f'{PLAIN} "203.0.113.9" 0.004\r\n')[2:] == wanted[2:]
    assert right(PLAIN.replace("2326", "-"))[2:] == wanted[2:]


@pytest.mark.parametrize(
    ("head", "host", "address"),
    [
        ("198.51.100.7 - -", "", "198.51.100.7"),
        ("2001:db8::7 - -", "", "2001:db8::7"),
        ("::ffff:198.51.100.7 - -", "", "198.51.100.7"),
        ("198.51.100.7 - john", "", "198.51.100.7"),
        ("198.51.100.7 - John Doe [the 2nd]", "", "198.51.100.7"),
        ("198.51.100.7 - 203.0.113.9", "", "198.51.100.7"),
        ("198.51.100.7 - - [01/Jan/2020:00:00:00 +0000] GET", "", "198.51.100.7"),
        ("www.example.org:443 198.51.100.7 - -", "www.example.org", "198.51.100.7"),
        ("WWW.example.org 2001:db8::7 - jane", "www.example.org", "2001:db8::7"),
        ("203.0.113.5:80 198.51.100.7 - -", "203.0.113.5", "198.51.100.7"),
    ],
)
def test_host_and_address_are_told_apart(head: str, host: str, address: str) -> None:
    line = right(PLAIN.replace("198.51.100.7 - -", head))
    assert (line.host, line.address, line.at) == (host, ip_address(address).packed, AT)


@pytest.mark.parametrize(
    ("written", "minutes"), [("+0000", 0), ("+0530", 330), ("-0930", -570), ("+1400", 840), ("-0000", 0)]
)
def test_times_of_any_zone_are_read_as_utc(written: str, minutes: int) -> None:
    assert right(PLAIN.replace("+0000", written)).at == AT - 60 * minutes


@pytest.mark.parametrize(
    ("request_line", "method", "target"),
    [
        ("GET / HTTP/1.0", "GET", "/"),
        ("GET /a b HTTP/1.1", "GET", "/a b"),
        ("GET http://www.example.org/x HTTP/1.1", "GET", "http://www.example.org/x"),
        ("GET /old", "GET", "/old"),
        (r"GET /\x22quoted\x22 HTTP/1.1", "GET", '/"quoted"'),
        (r"GET /b\xC3\xBCcher HTTP/1.1", "GET", "/bücher"),
        (r"GET /b\xFCcher HTTP/1.1", "GET", "/b�cher"),
        (r"GET /\"a\" HTTP/1.1", "GET", '/"a"'),
        (r"\x16\x03\x01\x00", "\x16\x03\x01\x00", ""),
        ("-", "-", ""),
        ("", "", ""),
        ("PROPFIND /dav HTTP/1.1", "PROPFIND", "/dav"),
    ],
)
def test_requests_are_read_as_they_were_sent(request_line: str, method: str, target: str) -> None:
    line = right(PLAIN.replace("GET /a?b=1 HTTP/1.1", request_line))
    assert (line.method, line.target, line.status) == (method, target, 200)


def test_what_was_not_given_is_empty() -> None:
    line = right(PLAIN.replace('"https://news.example.com/" "Agent"', '"-" "-"'))
    assert (line.referrer, line.agent) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "\0\xff\xfe", "GET / HTTP/1.1", '{"time": 1}', PLAIN[:-1], PLAIN.replace('"', "'"), PLAIN[3:]),
        *(PLAIN.replace("198.51.100.7", other) for other in ("300.1.2.3", "host", "-", "198.51.100")),
        *(PLAIN.replace("10/Oct/2026", other) for other in ("31/Feb/2026", "10/Okt/2026", "1/Oct/2026", "00/Oct/2026")),
        *(PLAIN.replace("13:55:36", other) for other in ("24:00:00", "13:60:00", "13:55:61", "1:2:3")),
        *(PLAIN.replace("+0000", other) for other in ("+9999", "0000", "UTC", "+0000 +0000")),
        *(PLAIN.replace(" 200 ", other) for other in (" 2 ", " abc ", " -1 ", " ٢٠٠ ")),
        PLAIN.replace("2326", "many"),
        PLAIN.replace('"Agent"', '"Agent'),
        PLAIN.replace('"Agent"', '"Agent"more'),
    ],
)
def test_what_is_no_line_of_the_format_is_not_read(text: str) -> None:
    assert read(text) is None
    assert read(text + "\n") is None


def test_a_line_cannot_be_shown_or_stored() -> None:
    line = right(PLAIN)
    assert "198.51.100.7" not in f"{line!r} {line}"
    with pytest.raises(TypeError):
        pickle.dumps(line)


@given(st.binary(max_size=400))
@example(PLAIN.encode()[:-1] + b"\\")
def test_whatever_the_bytes_a_line_is_read_or_not_and_nothing_is_raised(text: bytes) -> None:
    READER.read(text)
    READER.read(PLAIN.encode().replace(b"/a?b=1", text))
    READER.read(PLAIN.encode().replace(b"13:55:36", text))


def quoted(text: str) -> str:
    """As nginx writes what it was sent."""
    return "".join(
        sign if sign.isascii() and sign.isprintable() and sign not in '"\\' else escaped(sign) for sign in text
    )


def escaped(sign: str) -> str:
    return "".join(f"\\x{byte:02X}" for byte in sign.encode())


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=2, max_size=40)


@given(
    at=st.integers(0, 4_000_000_000),
    address=st.ip_addresses(),
    path=words.map(lambda text: "/" + text.replace(" ", "")),
    referrer=words,
    agent=words,
    zone=st.sampled_from(["+0000", "+0530", "-0930", "+1245"]),
    host=st.sampled_from(["", "www.example.org:8443"]),
)
def test_whatever_was_sent_is_read_back(
    *, at: int, address: object, path: str, referrer: str, agent: str, zone: str, host: str
) -> None:
    told = Request(
        at=at,
        address=str(address),
        path=quoted(path),
        referrer=quoted(referrer),
        agent=quoted(agent),
        zone=zone,
        host=host,
    )
    line = READER.read(told.line.encode())
    assert line is not None
    assert (line.at, line.target, line.referrer, line.agent) == (at, path, referrer, agent)
    assert line.host == host.partition(":")[0]


@pytest.mark.parametrize("part", ['"\\', '" "', "] [", ' "GET / HTTP/1.1" 200 1 ', " [10/Oct/2026:13:55:36 +0000] "])
def test_a_line_of_64_kb_is_read_in_one_way_only(part: str) -> None:
    """Were there more ways to read it than one, it would take hours to find out that none fits."""
    many = part * (MAX_LINE_BYTES // len(part))
    read(PLAIN[:-1] + many)
    assert read(many) is None
    assert right(PLAIN.replace("Agent", "x" * 60_000)).agent == "x" * 60_000
