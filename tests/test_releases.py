"""What may stand among releases, every rule broken once, and that the file is read when the configuration is."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from click.testing import CliRunner

from collector.catalogue.declarations import schemas_folder
from collector.catalogue.releases import Place
from collector.cli import collector as command_line
from collector.errors import Misconfigured
from collector.settings import Settings, read_settings
from tests.stack import Stack, eventually
from tests.updating import NEW, OLD, configured, feed, hashes, product, release

PLACE = Place("player", "windows-x86_64", "stable")
FILE = {"name": "setup.exe", "url": "https://files.example.net/setup.exe", **hashes(b"setup")}
GOOD = release(PLACE, FILE)
PRODUCT = product("player", platforms=["windows-x86_64", "linux"])


def read(folder: Path, releases: str, configuration: str = PRODUCT) -> Settings:
    return read_settings({"config": str(configured(folder, configuration, releases))}, {})


def test_children_get_exactly_the_releases_and_feeds_that_were_read(tmp_path: Path) -> None:
    (tmp_path / "feeds").mkdir()
    content = b"\xef\xbb\xbf<rss>\r\n\xff\x00"
    (tmp_path / "feeds" / "appcast.xml").write_bytes(content)
    settings = read(tmp_path, GOOD + feed(PLACE, "feeds/appcast.xml"))
    (tmp_path / "feeds" / "appcast.xml").unlink()
    (tmp_path / "releases.toml").unlink()
    child = Settings.from_json(settings.to_json())
    assert child == settings
    assert child.releases.feeds[0].content == content
    assert [(each.place, each.version) for each in child.releases.releases] == [(PLACE, NEW)]


def test_without_the_key_there_are_none() -> None:
    releases = read_settings({}, {}).releases
    assert (releases.releases, releases.feeds) == ((), ())


def test_every_key_is_described_and_required_or_has_a_default() -> None:
    schema = orjson.loads((schemas_folder() / "releases.json").read_bytes())
    tables = [each["items"] for each in schema["properties"].values()]
    tables.append(tables[0]["properties"]["file"]["items"])
    for table in (schema, *tables):
        assert table["additionalProperties"] is False
        for name, key in table["properties"].items():
            assert key["description"], name
            assert name in table.get("required", ()) or key.keys() & {"default", "x-default"}, name
    version = orjson.loads((schemas_folder() / "events" / "update_check.json").read_bytes())["properties"]["version"]
    assert tables[0]["properties"]["version"]["pattern"] == version["pattern"]
    assert jsonschema_rs.validator_for(schema).is_valid(tomllib.loads(GOOD))


def changed(**keys: Any) -> str:
    return release(PLACE, FILE, **keys)


def with_file(**keys: Any) -> str:
    return release(PLACE, {**FILE, **keys})


BROKEN = [
    ("releases = 1", "must be TOML|unknown key releases"),
    ("[[release]\n", "must be TOML"),
    (changed(product="other"), r'release\[0\].product: must be the id of a product, not "other"'),
    (changed(channel="alpha"), r'release\[0\].channel: must be a channel of the product, not "alpha"'),
    (changed(platform="macos"), r'release\[0\].platform: must be a platform of the product, not "macos"'),
    (changed(platform="win32"), r'release\[0\].platform: "win32" does not fit'),
    (changed(version="v1.4.2"), r'release\[0\].version: "v1.4.2" does not fit'),
    (changed(date="2026-02-30T10:00:00Z"), r"release\[0\].date: must be a moment of the calendar"),
    (changed(date="2026-02-20"), r"release\[0\].date: .* does not fit"),
    (changed(notes_url="javascript:alert(1)"), r"release\[0\].notes_url: .* does not fit"),
    (changed(rollout_percent=101), r"release\[0\].rollout_percent"),
    (changed(mandatory=True), r"release\[0\]: unknown key mandatory"),
    (with_file(url="ftp://files.example.net/x"), r"release\[0\].file\[0\].url: .* does not fit"),
    (with_file(url="https://files.example.net/x\r\nSet-Cookie: a"), r"release\[0\].file\[0\].url: .* does not fit"),
    (with_file(name="../setup.exe"), r"release\[0\].file\[0\].name: .* does not fit"),
    (with_file(sha512="00"), r"release\[0\].file\[0\].sha512: .* does not fit"),
    (with_file(size=0), r"release\[0\].file\[0\].size"),
    (with_file(kind="half"), r"release\[0\].file\[0\].kind"),
    (release(PLACE), r"release\[0\]: the key file is missing"),
    (GOOD + GOOD, r'release\[1\].version: must stand once for a platform and channel: "1.4.2"'),
    (
        GOOD + release(PLACE, {**FILE, "url": "https://else.example/"}, version=OLD),
        r"release\[1\].file\[0\].name: must",
    ),
    (feed(PLACE, "appcast.xml"), r"feed\[0\].file: .*appcast.xml cannot be read: No such file"),
    (feed(PLACE, "feed.xml"), r'feed\[0\].file: "feed.xml" does not fit'),
    (feed(PLACE, "a/latest.yml") * 2, r"feed\[1\].file: must have a name of its own"),
    (changed(product="other", notes="") + feed(PLACE, "x"), "2 problems"),
    (changed(product="a") + changed(product="b"), "2 problems\n.*product: must.*\n.*product: must"),
]


@pytest.mark.parametrize(("releases", "told"), BROKEN)
def test_what_is_wrong_is_told_by_place_and_rule(tmp_path: Path, releases: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told) as error:
        read(tmp_path, releases)
    assert "releases.toml: " in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = configured(tmp_path, PRODUCT, GOOD)
    (tmp_path / "releases.toml").unlink()
    with pytest.raises(Misconfigured, match=r"releases: .*releases.toml: cannot be read: No such file"):
        read_settings({"config": str(config)}, {})


def test_released_versions_that_are_not_the_products_are_named(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD + release(PLACE, FILE, version="1.5.0"))
    assert settings.releases.unknown_versions(settings.registry) == ("player 1.5.0",)


def test_a_reload_takes_new_releases_and_stays_with_the_old_where_they_are_wrong(
    tmp_path: Path, start_stack: Callable[..., Stack]
) -> None:
    folder = tmp_path / "stack0"
    config = configured(folder, PRODUCT, release(PLACE, FILE, version=OLD))
    stack = start_stack(config=config.read_text("utf-8"))
    path = f"/v1/check?product=player&v={OLD}&os=windows&arch=x86_64"
    assert stack.request("GET", path).status == 204
    (folder / "releases.toml").write_text(changed(product="other"), "utf-8")
    stack.hang_up()
    eventually(lambda: "must be the id of a product" in stack.log_text, "the reload is refused", 120)
    assert stack.request("GET", path).status == 204
    checked = CliRunner().invoke(command_line, ["check", "--config", str(config)])
    assert checked.exit_code == 1
    assert 'release[0].product: must be the id of a product, not "other"' in checked.output
    (folder / "releases.toml").write_text(GOOD + release(PLACE, FILE, version="1.5.0"), "utf-8")
    stack.reload()
    assert stack.request("GET", path).json["version"] == "1.5.0"
    checked = CliRunner().invoke(command_line, ["check", "--config", str(config)])
    assert checked.exit_code == 0
    assert "releases: 2, feeds: 0" in checked.output
    assert "player 1.5.0 is released, and not among the versions" in checked.output
    stack.stop()
