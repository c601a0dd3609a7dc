"""The analyst port's routes: the catalogue of reports, questions about them, and the collector's own metrics.

    GET /api/v1/reports            what may be asked                                    readers
    GET /api/v1/reports/{report}   one question (stats/question.py), JSON or CSV        readers of the property
    GET /metrics                   Prometheus text                                      anyone
    GET /readyz                    readiness.py                                         anyone
    /api/v1/session                sign_in.py                                           anyone
    /api/v1/properties             properties.py                                        readers
    /api/v1/quarantine             quarantine.py                                        admins
    /api/v1/seal                   sealing.py                                           admins
    /api/v1/backup                 backup.py                                            admins
    /api/v1/doctor                 doctor.py                                            admins
    /api/v1/live                   live.py                                              readers of the property
    /api/v1/openapi.json, /docs    openapi.py                                           anyone
    / and /assets/                 pages.py                                             anyone

/metrics needs no token: scrapers rarely can send one, and its series are a fixed set of operational totals, none of a
property, a value or a caller. The engine is only ever touched through `run_blocking`, in the thread that owns it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from collector.analyst.access import ASKER, Route, Rule, guard, set_headers
from collector.analyst.askers import Askers
from collector.analyst.blocking import ANSWER_PATIENCE_S, InTurn, RunBlocking
from collector.analyst.table import to_csv
from collector.catalogue.declarations import Declarations
from collector.count.filter import CAPACITY, MAX_ERROR
from collector.metrics import CONTENT_TYPE
from collector.stats.answer import Answer, Answers
from collector.stats.question import Question
from collector.stats.refusing import BadQuestion, NoSuchReport

MAX_BODY_BYTES = 8192  # a name and a password; nothing else takes a body
VISITORS = (
    "Callers new to a cell on a day of a node, as a filter in memory tells them apart. It errs low: beyond `capacity`"
    " marks a day, each of a caller or network in a cell, more than `error_at_capacity` of the new ones may be missed."
)


class Api:
    """The routes' handlers."""

    def __init__(self, answers: Answers, metrics_text: Callable[[], bytes], run_blocking: RunBlocking) -> None:
        self._answers = answers
        self._metrics_text = metrics_text
        self._thread = InTurn(run_blocking)
        self._catalogue = orjson.dumps(catalogue(answers.declarations))

    async def reports(self, request: web.Request) -> web.Response:
        """The catalogue."""
        return _json(self._catalogue)

    async def report(self, request: web.Request) -> web.Response:
        """One answer, or 400 with the parameter and the rule it breaks."""
        try:
            question = self._answers.read(request.match_info["report"], request[ASKER].as_known(request.query.items()))
        except BadQuestion as bad:
            said = {"error": {"parameter": bad.parameter, "rule": bad.rule}}
            return _json(orjson.dumps(said), status=404 if isinstance(bad, NoSuchReport) else 400)
        # The body, too, in that thread: it may be of a million rows, and meanwhile others are answered.
        body = await self._thread.run(request[ASKER].name, lambda: body_of(self._answers.ask(question)))
        if question.format == "csv":
            disposition = f'attachment; filename="{question.report.name}.csv"'
            return web.Response(
                body=body,
                headers={"Content-Type": "text/csv; charset=utf-8; header=present", "Content-Disposition": disposition},
            )
        return _json(body)

    async def metrics(self, request: web.Request) -> web.Response:
        """What the collector says about itself."""
        async with asyncio.timeout(ANSWER_PATIENCE_S):
            text = await asyncio.to_thread(self._metrics_text)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})


def build_app(
    answers: Answers,
    askers: Askers,
    metrics_text: Callable[[], bytes],
    run_blocking: RunBlocking,
    more: Iterable[Route] = (),
) -> web.Application:
    """The analyst port's application; its runner has access_log=None and the limits of the door."""
    api = Api(answers, metrics_text, run_blocking)
    routes = [
        Route("GET", "/api/v1/reports", Rule.READER, api.reports),
        Route("GET", "/api/v1/reports/{report}", Rule.READER, api.report),
        Route("GET", "/metrics", Rule.ANYONE, api.metrics),
        *more,
    ]
    rules = {(route.method, route.path): route.rule for route in routes}
    app = web.Application(middlewares=[guard(askers, rules)], client_max_size=MAX_BODY_BYTES)
    for route in routes:
        app.router.add_route(route.method, route.path, route.handler)
    app.on_response_prepare.append(set_headers)
    return app


def catalogue(declarations: Declarations) -> dict[str, Any]:
    """Everything that may be asked, and what it means."""
    dimensions = declarations.dimensions
    return {
        "threshold": declarations.threshold,
        "visitors": {"tells": VISITORS, "capacity": CAPACITY, "error_at_capacity": MAX_ERROR},
        "reports": [
            {
                "name": report.name,
                "question": report.question,
                "by": [
                    {"name": name, "class": dimensions[name].whose, "tells": dimensions[name].tells}
                    for name in report.by
                ],
                "grain": report.grain,
                "measures": report.measures,
                "amount": report.amount,
                "kinds": report.kinds,
                "sorts": declarations.sorts_of(report),
            }
            for report in declarations.reports.values()
        ],
    }


def body_of(answer: Answer) -> bytes:
    """The answer as it was asked for, JSON or CSV."""
    if answer.question.format == "csv":
        return to_csv(answer.columns, answer.rows)
    return orjson.dumps(_table(answer))


def _table(answer: Answer) -> dict[str, Any]:
    question = answer.question
    table: dict[str, Any] = {
        "report": question.report.name,
        "property": question.property_id,
        "from": question.first,
        "to": question.last,
        "question": _asked(question),
        "columns": answer.columns,
        "rows": answer.rows,
        "totals": answer.totals,
        "threshold": answer.threshold,
        "notes": answer.notes,
    }
    if answer.epochs:
        table["epochs"] = answer.epochs
    if answer.as_of:
        table["as_of"] = answer.as_of
    if answer.earlier:
        before = answer.earlier
        table["earlier"] = {"from": before.first, "to": before.last, "rows": before.rows, "totals": before.totals}
        if before.notes:
            table["earlier"]["notes"] = before.notes
    return table


def _asked(question: Question) -> dict[str, Any]:
    """The question as it was understood, with dates for its period and what was left to its default."""
    sort = question.sort
    return {
        "report": question.report.name,
        "property": question.property_id,
        "from": question.first,
        "to": question.last,
        "interval": question.interval,
        "by": question.by,
        "filters": [{"dimension": each.dimension, "op": each.op, "values": each.values} for each in question.filters],
        "sort": sort and f"{'-' if sort.descending else ''}{sort.column}",
        "limit": question.limit,
        "offset": question.offset,
        "compare": question.compare,
    }


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
