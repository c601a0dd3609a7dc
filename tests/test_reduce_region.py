from __future__ import annotations

import os
import time
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import collector
from collector.catalogue.declarations import read_declarations
from collector.cell import UNKNOWN
from collector.errors import Misconfigured
from collector.reduce.region import Region
from tests.requires import REQUIRE_ALL
from tests.tiny_mmdb import Network, database

SHIPPED = Path(collector.__file__).parent / "_web" / "geo" / "country.mmdb"


def packed(address: str) -> bytes:
    return ip_address(address).packed


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "country.mmdb"
    records: dict[Network, Any] = {
        IPv4Network("192.0.2.0/24"): {"country": {"iso_code": "DE"}},
        IPv4Network("198.51.100.0/24"): {"country_code": "FR"},
        IPv4Network("203.0.113.0/25"): {"country": "IT"},
        IPv4Network("100.64.0.0/24"): {"country_code": "AN"},
        IPv4Network("100.65.0.0/24"): {"continent": "EU"},
        IPv4Network("100.66.0.0/24"): {"country": {"names": {}}},
        IPv4Network("100.67.0.0/24"): "DE",
        IPv6Network("2001:db8:5ca1::/48"): {"country_code": "XK"},
    }
    path.write_bytes(database(records))
    return path


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("192.0.2.0", "DE"),
        ("192.0.2.255", "DE"),
        ("192.0.3.1", UNKNOWN),
        ("198.51.100.23", "FR"),
        ("203.0.113.200", "IT"),  # cut to 203.0.113.0 before it is looked up
        ("100.64.0.1", UNKNOWN),  # a country that no longer exists is not in the vocabulary
        ("100.65.0.1", UNKNOWN),
        ("100.66.0.1", UNKNOWN),
        ("100.67.0.1", UNKNOWN),
        ("2001:db8:5ca1:ab1e::77", "XK"),
        ("2001:db8:5ca2::1", UNKNOWN),
        ("::ffff:192.0.2.1", "DE"),
        ("::ffff:192.0.3.1", UNKNOWN),
        ("127.0.0.1", UNKNOWN),
        ("::1", UNKNOWN),
    ],
)
def test_country_of_the_network_in_every_shape_of_record(tiny: Path, address: str, country: str) -> None:
    assert Region(tiny).country(packed(address)) == country


@given(address=st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)))
def test_without_a_database_every_country_is_unknown(address: bytes) -> None:
    region = Region(None)
    assert region.country(address) == UNKNOWN
    assert region.age_days is None


def test_a_database_of_ipv4_only_knows_no_country_of_an_ipv6_address(tmp_path: Path) -> None:
    path = tmp_path / "v4.mmdb"
    path.write_bytes(database({IPv4Network("192.0.2.0/24"): {"country_code": "DE"}}, ip_version=4))
    region = Region(path)
    assert region.country(packed("192.0.2.1")) == "DE"
    assert region.country(packed("2001:db8::1")) == UNKNOWN


def test_a_database_overwritten_or_deleted_while_running_changes_nothing(tiny: Path) -> None:
    region = Region(tiny)
    tiny.write_bytes(b"")
    assert region.country(packed("192.0.2.1")) == "DE"
    tiny.unlink()
    assert region.country(packed("198.51.100.1")) == "FR"


def test_opening_a_database_leaves_no_file_open(tiny: Path) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208  # pathlib has no view of descriptors
    region = Region(tiny)
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208  # the same
    assert region.country(packed("192.0.2.1")) == "DE"


def test_the_age_of_the_data_is_known_in_days(tmp_path: Path) -> None:
    path = tmp_path / "old.mmdb"
    records: dict[Network, Any] = {IPv4Network("192.0.2.0/24"): {"country_code": "DE"}}
    path.write_bytes(database(records, build_epoch=int(time.time()) - 400 * 86_400))
    assert Region(path).age_days == 400


@pytest.mark.parametrize("content", [None, b"", b"no database", b"\xab\xcd\xefMaxMind.com"])
def test_a_path_without_a_readable_database_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "country.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match="country database"):
        Region(path)


def test_the_shipped_database_answers_in_declared_countries() -> None:
    if not SHIPPED.is_file():
        reason = "the country database is not built (npm package @ip-location-db/geo-whois-asn-country-mmdb)"
        if os.environ.get(REQUIRE_ALL, "") not in ("", "0"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    region = Region(SHIPPED)
    known = read_declarations().dimensions["country"].values or frozenset()
    assert region.country(packed("8.8.8.8")) == "US"
    assert region.country(packed("2001:4860:4860::8888")) == "US"
    assert region.country(packed("193.0.6.139")) == "NL"
    answers = {region.country(bytes([first, second, 0, 1])) for first in range(1, 224) for second in range(0, 256, 16)}
    assert answers <= known | {UNKNOWN}
    assert len(answers) > 100
