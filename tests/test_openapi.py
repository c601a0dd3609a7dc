"""The description of the HTTP interface is what is served: routes, words, and every answer to requests made from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from collector.analyst import access
from collector.analyst.openapi import description_of
from collector.errors import Code
from collector.metrics import REASONS
from collector.stats.question import PARAMETERS
from tests.declared import DECLARATIONS
from tests.example_events import good_events
from tests.open_door import open_door
from tests.stack import TOKEN, Stack
from tests.test_access import MATRIX

DESCRIPTION = description_of(DECLARATIONS)
SCHEMAS = DESCRIPTION["components"]["schemas"]
PUBLIC = ("Events", "Updates", "Openness")
METHODS = ("get", "post", "delete", "put", "patch", "head", "options")
PROPERTIES = ("www.example.org", "player")
REFUSES_WHOLE = ("Questions", "Sessions", "Upkeep")  # the door tells of each event what is wrong with it
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DESCRIPTION["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


# --- routes and words -------------------------------------------------------------------------------------------------


async def test_the_public_port_serves_what_is_described_and_nothing_else(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", 1_800_000_000) as door:
        served = {(method, path) for path, methods in door.routes.items() for method in methods}
    described = {(method, path) for method, path, each in operations() if not {*each["tags"]}.isdisjoint(PUBLIC)}
    assert {(method, path) for method, path in served if method not in ("HEAD", "OPTIONS")} == described


def test_the_analyst_port_serves_what_is_described_to_whom_it_says() -> None:
    """The matrix is held to the port's own route table (tests/test_access.py)."""
    whom = {
        (method, path): "anyone" if each.get("security") == [] else "admin" if each["tags"] == ["Upkeep"] else "reader"
        for method, path, each in operations()
        if {*each["tags"]}.difference(PUBLIC)
    }
    assert whom == MATRIX


def test_every_declared_report_kind_code_and_parameter_is_described() -> None:
    assert SCHEMAS["ReportName"]["enum"] == list(DECLARATIONS.reports)
    assert SCHEMAS["EventCode"]["enum"] == list(Code)
    assert {each["$ref"].rpartition("/")[2] for each in SCHEMAS["Event"]["oneOf"]} == DECLARATIONS.kinds.keys()
    never_seen = {"unmapped", "unavailable", "limited"}
    assert {*SCHEMAS["Seen"]["properties"]["reason"]["enum"]} == {*REASONS, None} - never_seen
    codes = {*access.CODES.values(), "insecure"}
    assert {*SCHEMAS["Refusal"]["properties"]["error"]["properties"]["code"]["enum"]} == codes
    ask = DESCRIPTION["paths"]["/api/v1/reports/{report}"]["get"]["parameters"]
    named = [each["name"] if "name" in each else each["$ref"].rpartition("/")[2] for each in ask]
    assert sorted(named) == sorted((*PARAMETERS, "report"))


def test_examples_are_good_and_every_reference_leads_somewhere() -> None:
    events = jsonschema_rs.validator_for({"$ref": "#/components/schemas/Events", **DESCRIPTION})
    for event in good_events().values():
        assert events.is_valid(event), event
        assert events.is_valid([event]), event
    for _, _, operation in operations():
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            schema = {**DESCRIPTION, **content["schema"]}
            assert jsonschema_rs.validator_for(schema).is_valid(content["example"])


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("asked"))
    stack.post([*good_events().values()])
    yield stack
    stack.sweep()


def test_anyone_may_read_the_description_whole_and_as_a_page_without_scripts(asked: Stack) -> None:
    assert asked.analyst_request("/api/v1/openapi.json", token=None).json == DESCRIPTION
    page = asked.analyst_request("/docs", token=None)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'self'" in page.headers["content-security-policy"]
    told = page.body.decode()
    assert re.findall(r'(?:src|href)="([^#"][^"]*)"', told) == ["/docs.css", "/api/v1/openapi.json"]
    assert not re.search(r"<script|<style|style=|\son\w+=", told)
    assert asked.analyst_request("/docs.css", token=None).headers["content-type"] == "text/css; charset=utf-8"
    places = re.findall(r'id="([^"]+)"', told)
    assert len(places) == len(set(places))
    assert {*re.findall(r'href="#([^"]+)"', told)} <= set(places)
    for method, path, each in operations():
        assert f"<strong>{method}</strong> <code>{path}</code>" in told, each


schema = schemathesis.openapi.from_dict(DESCRIPTION)


@schema.hook
def map_query(context: schemathesis.HookContext, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Good ids of properties are registered ones: a random one would be all that a refusal speaks of."""
    if query and isinstance(given := query.get("property"), str) and 0 < len(given) <= 64:
        query["property"] = PROPERTIES[len(given) % 2]
    return query


# The live view's good answer does not end; tests/test_live.py reads it.
@schema.exclude(path="/api/v1/live").parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_requests_made_from_the_description_are_answered_as_it_says(case: schemathesis.Case[Any], asked: Stack) -> None:
    group = (case.operation.tags or [""])[0]
    public = group in PUBLIC
    case.call_and_validate(
        base_url=f"http://{asked.public if public else asked.analyst}",
        headers={} if public else {"Authorization": f"Bearer {TOKEN}"},
        checks=[*CHECKS, negative_data_rejection] if group in REFUSES_WHOLE else CHECKS,
    )
