"""The description of the HTTP interface is what is served: routes, words, and every answer to requests made from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast, get_args

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
from collector.analyst.api import build_app
from collector.analyst.askers import Askers
from collector.analyst.live import Live
from collector.analyst.openapi import description_of
from collector.analyst.sign_in import SignIn
from collector.assembly import routes_for_admins, routes_for_readers
from collector.clock import SystemClock
from collector.errors import Code
from collector.ledger import ledger_of
from collector.metrics import Metrics, Reason
from collector.settings import read_settings
from collector.stats.question import PARAMETERS
from tests.declared import DECLARATIONS
from tests.example_events import good_events
from tests.open_door import open_door
from tests.stack import TOKEN, Stack

DESCRIPTION = description_of(DECLARATIONS)
SCHEMAS = DESCRIPTION["components"]["schemas"]
PUBLIC = ("Events", "Openness")
METHODS = ("get", "post", "delete", "put", "patch", "head", "options")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DESCRIPTION["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def described(*, public: bool) -> set[tuple[str, str]]:
    return {(method, path) for method, path, each in operations() if (each["tags"][0] in PUBLIC) is public}


# --- routes and words -------------------------------------------------------------------------------------------------


async def test_the_public_port_serves_what_is_described_and_nothing_else(tmp_path: Path) -> None:
    async with open_door(tmp_path / "data", 1_800_000_000) as door:
        served = {(method, path) for path, methods in door.routes.items() for method in methods}
    assert {(method, path) for method, path in served if method not in ("HEAD", "OPTIONS")} == described(public=True)


def test_the_analyst_port_serves_what_is_described_to_whom_it_says(tmp_path: Path) -> None:
    def never(ask: Callable[[], object]) -> Awaitable[Any]:
        raise AssertionError

    clock, nobody, told = SystemClock(), cast("Any", None), read_settings({}, {})
    askers = Askers(tmp_path, None, clock)
    ledger = ledger_of(DECLARATIONS, Metrics(DECLARATIONS.kinds, Code).series())
    routes = [
        *routes_for_readers(told, DECLARATIONS, ledger),
        Live(nobody, told.registry.knows, clock, asyncio.Event()).route(),
        *SignIn(askers, clock, never).routes(),
        *routes_for_admins(nobody, nobody, never),
    ]
    answers = cast("Any", type("Answers", (), {"declarations": DECLARATIONS}))
    app = build_app(answers, askers, lambda: b"", never, routes)
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    assert served == described(public=False)
    open_to_anyone = {(route.method, route.path) for route in routes if route.rule is access.Rule.ANYONE}
    said = {(method, path) for method, path, each in operations() if each.get("security") == []}
    assert open_to_anyone | {("GET", "/metrics")} == said - described(public=True)
    admins = {(route.method, route.path) for route in routes if route.rule is access.Rule.ADMIN}
    assert admins == {(method, path) for method, path, each in operations() if each["tags"] == ["Upkeep"]}


def test_every_declared_report_kind_code_and_parameter_is_described() -> None:
    assert SCHEMAS["ReportName"]["enum"] == list(DECLARATIONS.reports)
    assert SCHEMAS["EventCode"]["enum"] == list(Code)
    assert {each["$ref"].rpartition("/")[2] for each in SCHEMAS["Event"]["oneOf"]} == DECLARATIONS.kinds.keys()
    reasons = {*get_args(Reason.__value__ if hasattr(Reason, "__value__") else Reason)} - {"unavailable"}
    assert {*SCHEMAS["Seen"]["properties"]["reason"]["enum"]} == reasons | {None}
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


schema = schemathesis.openapi.from_dict(DESCRIPTION)


# The live view's good answer does not end; tests/test_live.py reads it.
@schema.exclude(path="/api/v1/live").parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_requests_made_from_the_description_are_answered_as_it_says(case: schemathesis.Case, asked: Stack) -> None:
    public = case.operation.tags is not None and case.operation.tags[0] in PUBLIC
    case.call_and_validate(
        base_url=f"http://{asked.public if public else asked.analyst}",
        headers={} if public else {"Authorization": f"Bearer {TOKEN}"},
        checks=CHECKS,
    )


async def _unused() -> None:
    negative_data_rejection  # noqa: B018
