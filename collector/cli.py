"""The `collector` command: what an operator types, and what is said back.

Reads settings and calls one function of another module per command; what commands share is in commands.py, what is said
about the quarantine in quarantine_commands.py, about sealing in seal_command.py, about questions in query_command.py,
about a server that is made ready in migrate_command.py.
`collector child` is for the supervisor only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from collector.access_commands import first_link, token, user
from collector.analyst.dictionary import as_markdown, dictionary_of
from collector.analyst.pages import is_built
from collector.assembly import check_settings, run_child
from collector.backup_command import backup, restore
from collector.catalogue.declarations import Declarations, read_declarations, schemas_folder
from collector.catalogue.lint import check_declarations, write_lock
from collector.clock import SystemClock
from collector.commands import OPTIONS, plainly, read, run_whole, settings_options
from collector.doctor_command import doctor
from collector.errors import Code, Misconfigured
from collector.import_command import import_log
from collector.ledger import Ledger, ledger_of
from collector.log import configure, log, place_of
from collector.metrics import Metrics
from collector.migrate_command import migrate
from collector.processes.inherited import Inherited
from collector.processes.reload import handed_on, rehearsed_for
from collector.quarantine_commands import quarantine
from collector.query_command import query
from collector.seal_command import seal
from collector.settings import EXAMPLE, Settings
from collector.simulate_command import simulate
from collector.supervisor import EXIT_MISCONFIGURED, serve, take_over
from collector.tools import replay, start_lines
from collector.tools.import_log.hits import excluded_by
from collector.tools.prove.command import prove_command
from collector.tools.routes import MANY, as_toml, read_pages, routes_of, told_of
from collector.tools.sitemap import addresses_in
from collector.tools.table import render_reports
from collector.worker import rehearse


def main() -> None:
    """Run the command line."""
    configure("info")  # until the settings say otherwise: nothing may print frames before
    run_whole(lambda: collector(prog_name="collector"))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="collector", message="collector %(version)s")
def collector() -> None:
    """Count what happens on your websites and in your software, and keep nothing but counts.

    `collector serve` runs it, `collector query traffic --property www.example.org` asks it. Every option of `serve`
    may also come from the environment or the configuration; a flag wins over both.
    """


@collector.command("serve", short_help="Receive events and answer questions.")
@settings_options(*OPTIONS)
@plainly
def serve_command(**flags: str | None) -> None:
    """Receive events and answer questions, until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration anew and replaces every process by one of the version on disk, without a pause; what
    is wrong with either is said, and all goes on as before. data, public and analyst change by a restart only.

    COLLECTOR_ANALYST_TOKEN may hold one more token that reads every property (32 to 200 printable ASCII characters).
    """
    if handed := handed_on(os.environ):
        configure(handed.settings().log_level)
        take_over(handed, SystemClock())
        return
    approve = rehearsed_for(os.environ)
    settings = read(flags)
    check_settings(settings)
    if approve:
        _refuse_problems(read_declarations(), schemas_folder())
        rehearse(settings)
        approve(settings)
        return

    def announce(public: str, analyst: str) -> None:
        click.echo("\n".join(_start_lines(settings, public, analyst)), err=True)

    if not serve(settings, SystemClock(), announce):
        raise click.ClickException("a process could not run as configured; it said why above")


@collector.command(short_help="Check the declarations and the configuration.")
@click.option("--lock", is_flag=True, help="First add new reports to schemas/reports.lock; changed ones are refused.")
@settings_options("config", "geoip_db", "clickhouse")
@plainly
def check(*, lock: bool, **flags: str | None) -> None:
    """Check the declarations (schemas/) and the configuration, and list every problem."""
    folder = schemas_folder()
    declarations = read_declarations(folder)
    if lock:
        write_lock(declarations, folder)
    _refuse_problems(declarations, folder)
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
    for warning in _warnings(settings):
        click.echo(warning, err=True)


@collector.command(short_help="List the reports that can be asked.")
@plainly
def reports() -> None:
    """List the declared reports: name, dimensions for --by, and the question each answers. Needs no server."""
    declared = read_declarations().reports.values()
    click.echo(render_reports((report.name, report.by, report.question) for report in declared), nl=False)


@collector.command(short_help="Explain the tables.")
@plainly
def dictionary() -> None:
    """Print the data dictionary as Markdown: tables, reports, dimensions and an SQL example each. Needs no server."""
    click.echo(as_markdown(dictionary_of(_ledger(read_declarations()))), nl=False)


collector.add_command(query)
collector.add_command(quarantine)
collector.add_command(import_log)
collector.add_command(prove_command)
collector.add_command(seal)
collector.add_command(migrate)
collector.add_command(doctor)
collector.add_command(backup)
collector.add_command(restore)
collector.add_command(user)
collector.add_command(token)
collector.add_command(simulate)


@collector.command("routes", short_help="Make a site's routes from its sitemap.")
@click.option("--sitemap", "source", required=True, metavar="FILE|URL", help="The site's sitemap, or an index of some.")
@click.option("--host", "wanted", multiple=True, metavar="HOST", help="A host of the site. Default: the most frequent.")
@click.option(
    "--many",
    type=click.IntRange(1, 1000),
    default=MANY,
    show_default=True,
    help="More pages or folders than this side by side become one pattern.",
)
@plainly
def routes_command(source: str, wanted: tuple[str, ...], many: int) -> None:
    """Print the `routes` of a [[site]], made from the site's own sitemap (XML, gzip, an index). Needs no server.

    \b
    collector routes --sitemap https://www.example.org/sitemap.xml
    routes = [
      "/",
      "/about",
      "/blog/*",
    ]

    Every page of the sitemap is then counted under its own path; any other path is counted as (other). Look at what is
    printed before you take it over, for a pattern vouches for more than the pages there are.
    """  # noqa: D301 - click's sign for lines that stay as they are
    listed = read_pages(addresses_in(source))
    hosts = listed.hosts(wanted)
    routes = routes_of((path for host in sorted(hosts) for path in listed.paths.get(host, ())), many)
    if not routes:
        raise Misconfigured(f"{source}: lists no page of {' or '.join(sorted(hosts)) or 'any host'}")
    click.echo(as_toml(routes))
    for line in told_of(listed, hosts, routes):
        click.echo(line, err=True)


@collector.command("replay", short_help="Send recorded page hits again.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", required=True, metavar="URL", help="The public port, as http://127.0.0.1:8080")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Hits per second. Default: all.")
@click.option("--connections", type=click.IntRange(1, 1000), default=8, show_default=True, help="At the same time.")
def replay_command(file: Path, to: str, rate: float | None, connections: int) -> None:
    """Send the recorded page hits of FILE (tab-separated) to a collector, and tell what became of them.

    Each goes with its own address in X-Forwarded-For: the collector must trust this machine (trusted_proxies).
    """
    sys.exit(replay.run(file, to, rate, connections))


@collector.command(hidden=True)
@click.argument("role", type=click.Choice(["worker", "warehouse"]))
@click.argument("inherited")
def child(role: str, inherited: str) -> None:
    """Run one process of a supervisor."""
    share = Inherited.from_json(inherited)
    configure(share.settings().log_level)
    try:
        run_child(role, share)
    except Misconfigured as error:
        log.error("cannot run as configured", process=role, rule=str(error))
        sys.exit(EXIT_MISCONFIGURED)
    except OSError as error:  # nobody reads a sentence here: the log has the place
        log.critical("unhandled", **place_of(error))
        sys.exit(1)


def _refuse_problems(declarations: Declarations, folder: Path) -> None:
    problems = check_declarations(declarations, folder)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise click.ClickException(f"{folder}: problems: {len(problems)}")


def _ledger(declarations: Declarations) -> Ledger:
    return ledger_of(declarations, Metrics(declarations.kinds, Code).series())


def _warnings(settings: Settings) -> list[str]:
    """What is well-formed and hardly meant."""
    registry, releases = settings.registry, settings.releases
    return start_lines.warning_of_registry(registry) + start_lines.warning_of_releases(releases, registry)


def _start_lines(settings: Settings, public: str, analyst: str) -> list[str]:
    """What a person needs to know to send the first event and see it counted."""
    token_given = settings.analyst_token is not None
    lines = start_lines.where_everything_is(public, analyst, settings.data, settings.config, token_given=token_given)
    link = first_link(settings.data, analyst)
    lines += start_lines.how_to_sign_in(analyst, link, settings.data, is_built=is_built())
    if settings.config is None:
        lines += start_lines.how_to_begin(public, settings.data, EXAMPLE)
    lines += _warnings(settings)
    return lines + start_lines.warning_of_analyst(settings.analyst.host, analyst)
