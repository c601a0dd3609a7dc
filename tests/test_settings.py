"""Settings: flag over environment over TOML over default, and one sentence for whatever is wrong."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import orjson
import pytest

from collector.errors import Misconfigured
from collector.setting_values import Address
from collector.settings import EXAMPLE, Settings, read_settings

SITE = '[[site]]\nid = "a.example"\nhosts = ["a.example"]\n'


def _config(folder: Path, text: str) -> str:
    path = folder / "collector.toml"
    path.write_text(text + SITE, "utf-8")
    return str(path)


def test_without_anything_the_built_in_example_and_the_defaults_hold() -> None:
    settings = read_settings({}, {})
    assert settings.config is None
    assert set(settings.registry.sites) == {"www.example.org"}
    assert (str(settings.public), str(settings.analyst)) == ("127.0.0.1:8080", "127.0.0.1:8081")
    assert settings.data == Path("var").absolute()
    assert 1 <= settings.workers <= 8
    assert (settings.segment_s, settings.live_fold_s, settings.keepalive_s) == (10, 3600, 15)
    assert (settings.analyst_token, settings.geoip_db, settings.clickhouse, settings.unknown) == (None, None, None, ())


def test_defaults_are_the_declared_ones() -> None:
    declared = orjson.loads((Path(__file__).parent.parent / "schemas" / "configuration.json").read_bytes())
    settings = read_settings({}, {})
    for key, schema in declared["properties"].items():
        if "default" in schema and hasattr(settings, key):
            value = getattr(settings, key)
            shown: Any = list(value) if isinstance(value, tuple) and not isinstance(value, Address) else value
            assert (Path(schema["default"]).absolute() if key == "data" else schema["default"]) == (
                str(shown) if isinstance(shown, Address) else shown
            ), key


def test_flag_wins_over_environment_over_toml_over_default(tmp_path: Path) -> None:
    config = _config(tmp_path, "live_fold_s = 1\n")
    assert read_settings({"config": config}, {}).live_fold_s == 1
    assert read_settings({"config": config}, {"COLLECTOR_LIVE_FOLD_S": "2.5"}).live_fold_s == 2.5
    assert read_settings({"config": config, "live_fold_s": "3"}, {"COLLECTOR_LIVE_FOLD_S": "2"}).live_fold_s == 3
    assert read_settings({}, {"COLLECTOR_CONFIG": config}).config == Path(config)
    assert read_settings({"live_fold_s": None}, {"COLLECTOR_LIVE_FOLD_S": ""}).live_fold_s == 3600


def test_children_get_exactly_what_was_read(tmp_path: Path) -> None:
    text = 'trusted_proxies = ["10.0.0.0/8", "2001:db8::/32"]\npublic_hosts = ["in.example"]\nkeepalive_s = 5\n'
    flags = {"config": _config(tmp_path, text), "public": "[::1]:80", "segment_s": "0.25", "log_level": "DeBuG"}
    settings = read_settings(flags, {"COLLECTOR_ANALYST_TOKEN": "t" * 32, "COLLECTOR_ODD": "1"})
    assert settings.trusted_proxies == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))
    assert settings.unknown == ("COLLECTOR_ODD",)
    assert settings.log_level == "debug"
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:8080", "::1", 8080),
        ("[::]:0", "::", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_addresses_are_host_and_port(text: str, host: str, port: int) -> None:
    address = read_settings({"public": text}, {}).public
    assert address == Address(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    ("flags", "environ", "told"),
    [
        ({"public": "8080"}, {}, "--public: must be HOST:PORT"),
        ({"public": ":8080"}, {}, "--public: must be HOST:PORT"),
        ({"public": "::1:8080"}, {}, '--public: must have its IPv6 address in brackets, as [::1]:8080, not "::1:8080"'),
        ({"public": "h:65536"}, {}, "--public: must be HOST:PORT"),
        ({"public": "h:1", "analyst": "h:1"}, {}, "public and analyst must listen at different addresses"),
        ({"workers": "0"}, {}, '--workers: must be a whole number from 1 to 64, not "0"'),
        ({}, {"COLLECTOR_WORKERS": "1.5"}, 'COLLECTOR_WORKERS: must be a whole number from 1 to 64, not "1.5"'),
        ({"segment_s": "nan"}, {}, "--segment-s: must be a number of seconds from 0.05 to 3600"),
        ({}, {"COLLECTOR_LIVE_FOLD_S": "-1"}, "COLLECTOR_LIVE_FOLD_S: must be a number of seconds from 0 to 86400"),
        (
            {},
            {"COLLECTOR_ANALYST_TOKEN": "short"},
            "COLLECTOR_ANALYST_TOKEN: must be 32 to 200 printable ASCII characters",
        ),
        (
            {},
            {"COLLECTOR_ANALYST_TOKEN": "ü" * 40},
            "COLLECTOR_ANALYST_TOKEN: must be 32 to 200 printable ASCII characters",
        ),
        ({"workers": "\udcff\x1b"}, {}, '--workers: must be a whole number from 1 to 64, not "?\\u001b"'),
        ({"log_level": "loud"}, {}, '--log-level: must be one of: debug, info, warning, error, critical, not "loud"'),
        ({"geoip_db": "/no/such.mmdb"}, {}, "--geoip-db: must be a file, and there is no /no/such.mmdb"),
        ({"config": "/no/such.toml"}, {}, "/no/such.toml: cannot be read: No such file or directory"),
        ({"config": "/dev/zero"}, {}, "/dev/zero: cannot be read: it is a device"),
    ],
)
def test_what_is_wrong_is_named_by_its_source_and_rule(
    flags: dict[str, str], environ: dict[str, str], told: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_settings(flags, environ)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("surprise = 1\n", "surprise"),
        ("keepalive_s = 99\n", "keepalive_s"),
        ("live_fold_s = nan\n", "live_fold_s: "),
        ("live_fold_s = 2026-11-22\n", "value"),
        (
            'trusted_proxies = ["10.0.0.1/8"]\n',
            'trusted_proxies: must be a list of networks, as 10.0.0.0/8 or 2001:db8::/32, not "10.0.0.1/8"',
        ),
        ("live_fold_s = \n", "must be TOML"),
        ('[[site]]\nid = "b.example"\n', "site[0]"),
    ],
)
def test_a_wrong_configuration_is_named_by_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_settings({"config": _config(tmp_path, text)}, {})
    assert "collector.toml: " in str(caught.value)
    assert told in str(caught.value)


def test_a_token_is_never_in_a_message() -> None:
    with pytest.raises(Misconfigured) as caught:
        read_settings({}, {"COLLECTOR_ANALYST_TOKEN": "secret but short"})
    assert "secret" not in str(caught.value)


def test_neither_a_token_nor_a_password_is_in_a_representation(tmp_path: Path) -> None:
    config = _config(tmp_path, 'clickhouse = "https://u:s3cret@h:8443/counts"\n')
    settings = read_settings({"config": config}, {"COLLECTOR_ANALYST_TOKEN": "s3cret" * 6})
    assert settings.clickhouse == "https://u:s3cret@h:8443/counts"
    assert "s3cret" not in repr(settings)
    assert Settings.from_json(settings.to_json()) == settings


def test_the_example_is_in_the_package() -> None:
    assert EXAMPLE.is_file()
