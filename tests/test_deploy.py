"""docker-compose.yml as docker-compose reads it, and the configuration of ClickHouse that it hands out."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from collector.settings import VARIABLES, read_settings
from tests.proxying import DEPLOY
from tests.requires import needs
from tests.stack import ROOT

PROFILES = ("single", "cluster")
SECRETS = {
    **dict.fromkeys(("CLICKHOUSE_PASSWORD", "CLICKHOUSE_SECRET", "CLICKHOUSE_WRITER_PASSWORD"), "canary"),
    **dict.fromkeys(("CLICKHOUSE_READER_PASSWORD", "CLICKHOUSE_ANALYST_PASSWORD", "COLLECTOR_ANALYST_TOKEN"), "canary"),
}
DATABASES = re.compile(r"clickhouse|keeper")


@cache
def services() -> dict[str, Any]:
    """Every service as docker-compose understands it, anchors and variables put in."""
    needs("docker-compose")
    told = subprocess.run(
        ["docker-compose", *(f"--profile={profile}" for profile in PROFILES), "config"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **SECRETS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = yaml.safe_load(told.stdout)["services"]
    return found


def of_profile(profile: str) -> dict[str, Any]:
    return {name: service for name, service in services().items() if profile in service.get("profiles", [])}


def environment(service: dict[str, Any]) -> dict[str, str]:
    given: dict[str, str] = service.get("environment", {})
    return given


# --- docker-compose.yml -----------------------------------------------------------------------------------------------


def test_without_a_profile_there_is_one_collector_with_the_engine_inside() -> None:
    (name,) = [name for name, service in services().items() if not service.get("profiles")]
    collector = services()[name]
    assert "COLLECTOR_CLICKHOUSE" not in environment(collector)
    assert "args" not in collector["build"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert compose["services"][name]["ports"] == ["8080:8080", "127.0.0.1:8081:8081"]


@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_service_waits_for_is_in_its_profile(profile: str) -> None:
    inside = of_profile(profile)
    assert inside
    for service in inside.values():
        assert set(service.get("depends_on", {})) <= set(inside)


def test_every_container_may_do_as_little_as_it_needs() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if service["image"].startswith("caddy:") else []), (
            name
        )
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["ulimits"]["core"] == 0, name
        assert service["pids_limit"], name
        assert not service.get("privileged"), name
        assert service["restart"] == ("no" if name.startswith("migrate") else "unless-stopped"), name
        assert "stop_grace_period" in service, name
        assert "healthcheck" in service or "build" in service, name  # our image has its own


def test_who_knows_addresses_is_never_swapped_out() -> None:
    for name, service in services().items():
        if not DATABASES.search(name):
            assert service["mem_limit"] == service["memswap_limit"], name


def test_every_image_is_pinned() -> None:
    for name, service in services().items():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-slim)?", service["image"]), name
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert services()["collector"]["image"] == f"collector:{version}"


def test_no_secret_is_in_the_arguments_of_a_process_nor_in_the_file() -> None:
    for name, service in services().items():
        shown = [service.get(key) for key in ("command", "entrypoint", "healthcheck", "build", "labels")]
        assert "canary" not in str(shown), name
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert not re.findall(r"^ *\w*(?:PASSWORD|TOKEN)\w*: *[^\s$]", text, re.MULTILINE)
    # Where there is a fallback, it is empty; but a server that is alone shares its secret with nobody.
    assert set(re.findall(r"\$\{(?:\w*PASSWORD|\w*TOKEN|\w*SECRET):-([^}]*)\}", text)) == {"", "alone"}


def test_a_database_is_reached_by_collectors_only() -> None:
    for name, service in services().items():
        networks = set(service.get("networks", {"default": None}))
        if DATABASES.search(name):
            assert networks == {"store"}, name
        if "store" in networks or DATABASES.search(name):
            assert not service.get("ports"), name
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert {name for name, network in compose["networks"].items() if network.get("internal")} == {"front", "store"}


@pytest.mark.parametrize("profile", PROFILES)
def test_one_collector_answers_analysts_and_all_of_them_receive(profile: str) -> None:
    inside = of_profile(profile)
    collectors = {name: service for name, service in inside.items() if name.startswith("collector")}
    (proxy,) = [service for service in inside.values() if service["image"].startswith("caddy:")]
    assert environment(proxy)["COLLECTORS"].split() == [f"{name}:8080" for name in sorted(collectors)]
    host, _, port = environment(proxy)["ANALYST"].partition(":")
    assert port == "8081"
    for name, service in collectors.items():
        told = environment(service)
        assert told.get("COLLECTOR_ANALYST") == (None if name == host else "127.0.0.1:8081")
        assert ("COLLECTOR_ANALYST_TOKEN" in told) == (name == host)
        assert "collector_writer:canary@clickhouse" in told["COLLECTOR_CLICKHOUSE"]


def test_collectors_of_a_cluster_share_no_data_and_no_replica() -> None:
    collectors = [service for name, service in of_profile("cluster").items() if name.startswith("collector")]
    assert len(collectors) == 2
    for places in (
        [volume.split(":")[0] for service in collectors for volume in service["volumes"] if "/var/lib" in volume],
        [environment(service)["COLLECTOR_CLICKHOUSE"] for service in collectors],
    ):
        assert len(set(places)) == len(collectors)


def test_the_collectors_know_every_variable_they_are_given() -> None:
    for name, service in services().items():
        if service["image"].startswith("collector:") and not name.startswith("migrate"):
            assert {key for key in environment(service) if key.startswith("COLLECTOR_")} <= set(VARIABLES), name


def test_every_file_that_a_container_is_given_is_there() -> None:
    mounted = [
        volume.split(":")[0]
        for service in services().values()
        for volume in service.get("volumes", [])
        if volume.startswith("/")
    ]
    assert mounted
    assert [path for path in mounted if not Path(path).is_file()] == []
    assert all(
        volume.endswith(":ro") for each in services().values() for volume in each.get("volumes", []) if volume[0] == "/"
    )


def test_the_collectors_behind_the_proxy_trust_its_network_and_nothing_else() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    settings = read_settings({"config": DEPLOY / "collector.toml"}, {})
    front = compose["networks"]["front"]["ipam"]["config"]
    assert settings.trusted_proxies == tuple(ip_network(each["subnet"]) for each in front)


# --- clickhouse/ ------------------------------------------------------------------------------------------------------


def configured(name: str) -> ET.Element:
    return ET.parse(DEPLOY / "clickhouse" / name).getroot()  # noqa: S314 - our own files


def mounts(file: str) -> dict[str, Any]:
    return {
        name: service
        for name, service in services().items()
        if any(f"/clickhouse/{file}:" in volume for volume in service.get("volumes", []))
    }


@pytest.mark.parametrize("file", sorted(path.name for path in (DEPLOY / "clickhouse").iterdir()))
def test_what_a_server_takes_from_its_environment_it_is_given(file: str) -> None:
    wanted = {element.attrib["from_env"] for element in configured(file).iter() if "from_env" in element.attrib}
    assert mounts(file)
    for name, service in mounts(file).items():
        assert wanted <= set(environment(service)), name


def test_no_secret_of_a_server_is_in_its_files_or_copied_into_another() -> None:
    for path in (DEPLOY / "clickhouse").iterdir():
        for element in configured(path.name).iter():
            if element.tag in ("password", "secret"):
                assert element.attrib["hide_in_preprocessed"] == "true", path.name
                assert element.attrib["from_env"], path.name
                assert not element.text, path.name


def test_the_cluster_names_its_own_containers() -> None:
    cluster, keeper = configured("cluster.xml"), configured("keeper.xml")
    replicas = {str(each.text) for each in cluster.iterfind("./remote_servers/collector/shard/replica/host")}
    keepers = {str(each.text) for each in cluster.iterfind("./zookeeper/node/host")}
    assert len(cluster.findall("./remote_servers/collector/shard")) == 1
    assert replicas == set(mounts("cluster.xml")) == {"clickhouse-1", "clickhouse-2", "clickhouse-3"}
    assert keepers == set(mounts("keeper.xml")) == {"keeper-1", "keeper-2", "keeper-3"}
    for name, service in {**mounts("cluster.xml"), **mounts("keeper.xml")}.items():
        assert service["hostname"] == name
    for name, service in mounts("cluster.xml").items():
        assert environment(service)["CLICKHOUSE_REPLICA"] == name
    raft = {each.findtext("id"): each.findtext("hostname") for each in keeper.iterfind(".//raft_configuration/server")}
    assert raft == {environment(service)["KEEPER_ID"]: name for name, service in mounts("keeper.xml").items()}
    ports = {each.text for each in cluster.iterfind("./zookeeper/node/port")}
    assert ports == {keeper.findtext("./keeper_server/tcp_port")}
    assert keeper.findtext(".//http_control/port") == "9182"
    assert ":9182/ready" in str(services()["keeper-1"]["healthcheck"])


def test_there_is_one_user_and_it_has_a_password() -> None:
    (users,) = configured("users.xml").iterfind("users")
    assert [user.tag for user in users] == ["admin"]
    assert users.find("./admin/password") is not None
    assert users.findtext("./admin/access_management") == "1"
    for name, service in mounts("users.xml").items():
        start = " ".join(service["entrypoint"])
        assert ":?" in start, name  # an empty password would be one
        shell = {"PATH": os.environ["PATH"]}
        guard = start.removeprefix("sh -c ").partition("&&")[0].replace("$$", "$")
        for missing in ("CLICKHOUSE_PASSWORD", "CLICKHOUSE_SECRET"):
            given = {**shell, "CLICKHOUSE_PASSWORD": "x", "CLICKHOUSE_SECRET": "x", missing: ""}
            assert subprocess.run(["sh", "-c", guard], env=given, check=False, capture_output=True).returncode, name
        assert subprocess.run(["sh", "-c", guard], env={**shell, **SECRETS}, check=False).returncode == 0
