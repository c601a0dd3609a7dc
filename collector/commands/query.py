"""`collector query` and `reports`: what an operator types to ask a report, and the answer as a table, JSON or CSV.

It asks the running collector's analyst port with DATA/operator.token or, while none runs, the data itself (offline.py).
What may be asked is checked there, not here: both ways refuse with the same words.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import click
import orjson

from collector.catalogue.declarations import read_declarations
from collector.commands.common import plainly, reach, read, said_at, settings_options
from collector.data_folder import DataFolder
from collector.errors import Misconfigured
from collector.importing import imported
from collector.settings import Settings
from collector.tools.client import OPERATOR_TOKEN, token_of
from collector.tools.table import render, render_reports


@click.command()
@click.argument("report")
@click.option("--property", required=True, metavar="ID", help="Site or product, as registered.")
@click.option("--period", metavar="PERIOD", help="today, yesterday, 7d, 4w, 12m, month, last-month, year, all, ...")
@click.option("--from", metavar="DATE", help="First day, UTC, as 2026-11-01.")
@click.option("--to", metavar="DATE", help="Last day, UTC, included.")
@click.option("--interval", type=click.Choice(["hour", "day", "week", "month"]), help="Length of a row's time.")
@click.option("--by", metavar="DIM,DIM", help="Dimensions to tell apart, as the report declares them.")
@click.option("--filter", multiple=True, metavar="FILTER", help="dim==a,b  dim!=a  dim~prefix. May be repeated.")
@click.option("--sort", metavar="[-]COLUMN", help="By which column; with - the largest first.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Most rows to show; totals are never cut.")
@click.option("--offset", type=click.IntRange(min=0), metavar="N", help="Rows to leave out before them.")
@click.option("--compare", type=click.Choice(["previous", "year"]), help="With as many days before, or a year before.")
@click.option("--format", type=click.Choice(["table", "json", "csv"]), default="table", help="Default: table")
@settings_options("config", "data", "analyst", "clickhouse")
@plainly
def query(report: str, **given: Any) -> None:
    """Ask a report, e.g. `traffic`, of the running collector, or of its data while none runs.

    `collector reports` lists the reports.

    Uses DATA/operator.token, or the token in COLLECTOR_ANALYST_TOKEN.
    """
    flags = {name: given.pop(name) for name in ("config", "data", "analyst", "clickhouse")}
    form = given.pop("format")
    parameters = [("format", "csv" if form == "csv" else "json")]
    parameters += [("filter", text) for text in given.pop("filter")]
    parameters += [(name, str(value)) for name, value in given.items() if value is not None]
    path = _path(report, parameters)
    settings = read(flags)

    def offline(folder: DataFolder) -> bytes:
        answer: bytes = imported("collector.offline").answer_offline(settings, folder, report, parameters)
        return answer

    answer = reach(
        settings,
        analyst_given=bool(flags["analyst"]),
        online=lambda address: _ask(settings, address, path),
        offline=offline,
    )
    click.echo(render(orjson.loads(answer)) if form == "table" else answer, nl=form == "json")


def _path(report: str, parameters: list[tuple[str, str]]) -> str:
    try:
        return f"/api/v1/reports/{quote(report, safe='')}?{urlencode(parameters)}"
    except UnicodeEncodeError:  # bytes of the terminal that are no text
        raise Misconfigured("a question is written in UTF-8") from None


def _ask(settings: Settings, address: str, path: str) -> bytes:
    token = token_of(settings.data, settings.analyst_token)
    if token is None:
        raise Misconfigured(
            f"there is no {settings.data / OPERATOR_TOKEN}: is the collector's --data another one?"
            " Elsewhere, set COLLECTOR_ANALYST_TOKEN."
        )
    return said_at(address, token, path)


@click.command()
@plainly
def reports() -> None:
    """List the declared reports: name, dimensions for --by, and the question each answers. Needs no server."""
    declared = read_declarations().reports.values()
    click.echo(render_reports((report.name, report.by, report.question) for report in declared), nl=False)
