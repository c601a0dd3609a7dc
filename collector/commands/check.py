"""`collector check` and `dictionary`: what is declared and configured. Neither needs a server."""

from __future__ import annotations

from pathlib import Path

import click

from collector.analyst.dictionary import as_markdown, dictionary_of
from collector.catalogue.declarations import Declarations, read_declarations, schemas_folder
from collector.catalogue.lint import check_declarations, write_lock
from collector.commands.common import plainly, read, settings_options
from collector.errors import Code
from collector.ledger import Ledger, ledger_of
from collector.metrics import Metrics
from collector.named_files import check_settings
from collector.settings import EXAMPLE
from collector.tools import start_lines
from collector.tools.import_log.hits import excluded_by


@click.command()
@click.option("--lock", is_flag=True, help="First add new reports to schemas/reports.lock; changed ones are refused.")
@settings_options("config", "geoip_db", "clickhouse")
@plainly
def check(*, lock: bool, **flags: str | None) -> None:
    """Check the declarations (schemas/) and the configuration, and list every problem."""
    folder = schemas_folder()
    declarations = read_declarations(folder)
    if lock:
        write_lock(declarations, folder)
    refuse_problems(declarations, folder)
    _ledger(declarations)
    click.echo(
        f"{folder}: fine (kinds: {len(declarations.kinds)}, dimensions: {len(declarations.dimensions)},"
        f" reports: {len(declarations.reports)}, threshold: {declarations.threshold})"
    )
    settings = read(flags)
    check_settings(settings)
    excluded_by(settings.text)
    registry = settings.registry
    click.echo(
        f"{settings.config or f'the built-in example, {EXAMPLE}'}: fine (sites: {len(registry.sites)},"
        f" products: {len(registry.products)}, links: {len(registry.links)}, downloads: {len(registry.downloads)},"
        f" releases: {len(settings.releases.releases)}, feeds: {len(settings.releases.feeds)})"
    )
    for warning in start_lines.warnings_of(settings.registry, settings.releases):
        click.echo(warning, err=True)


@click.command()
@plainly
def dictionary() -> None:
    """Print the data dictionary as Markdown: tables, reports, dimensions and an SQL example each. Needs no server."""
    click.echo(as_markdown(dictionary_of(_ledger(read_declarations()))), nl=False)


def refuse_problems(declarations: Declarations, folder: Path) -> None:
    """Say what is wrong with the declarations, and go no further."""
    problems = check_declarations(declarations, folder)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise click.ClickException(f"{folder}: problems: {len(problems)}")


def _ledger(declarations: Declarations) -> Ledger:
    return ledger_of(declarations, Metrics(declarations.kinds, Code).series())
