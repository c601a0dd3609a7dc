"""`python -m tests.supply sbom FILE` and `… audit`: exit status 0 fine, 1 something is wrong, 2 not checked.

What they need beside the locked packages (tools.lock) is in a virtual environment of its own, .venv/supply: `make sbom`
and `make audit` see to that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import orjson

from tests.supply.bill import LOCK, NPM_LOCK, ROOT, bill

TOOLS = ROOT / ".venv/supply"
SPECIFICATION = "bom-1.6.SNAPSHOT.schema.json"
FINE, BAD, NOT_CHECKED = 0, 1, 2
_PATIENCE_S = 600


@click.group()
def supply() -> None:
    """What the collector is made of."""


@supply.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def sbom(file: Path) -> None:
    """Write the bill of materials, once it satisfies CycloneDX's own schema."""
    made = bill()
    if (specification := _specification()) is None:
        click.echo("not checked: CycloneDX's schema is not installed (make sbom installs it)", err=True)
        sys.exit(NOT_CHECKED)
    problems = [f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in specification.iter_errors(made)]
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(BAD)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
    click.echo(f"{file}: {len(made['components'])} components, valid CycloneDX 1.6")


def _specification() -> jsonschema_rs.Validator | None:
    folder = next(TOOLS.glob("lib/python3*/site-packages/cyclonedx/schema/_res"), None)
    if folder is None:
        return None
    schemas = {path.name: json.loads(path.read_bytes()) for path in folder.glob("*.SNAPSHOT.schema.json")}
    registry = jsonschema_rs.Registry(
        [(schema["$id"].rpartition("/")[0] + f"/{name}", schema) for name, schema in schemas.items()]
    )
    return jsonschema_rs.validator_for(schemas[SPECIFICATION], registry=registry)


@supply.command()
def audit() -> None:
    """Look every locked package up among the known vulnerabilities: Python's and npm's."""
    found = [_python(), _npm()]
    sys.exit(BAD if BAD in found else max(found))


def _python() -> int:
    """PyPI's own list. A package that it does not know was not checked; pip-audit takes it for fine."""
    tool = TOOLS / "bin/pip-audit"
    if not tool.exists():
        return _told("Python", NOT_CHECKED, "pip-audit is not installed (make audit installs it)")
    said = _said(
        [tool, "-r", LOCK, "--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    )
    if said is None:
        return _told("Python", NOT_CHECKED, "the list of vulnerabilities was not reached")
    packages = said["dependencies"]
    bad = {each["name"]: [one["id"] for one in each["vulns"]] for each in packages if each.get("vulns")}
    for name, ids in bad.items():
        click.echo(f"  {name}: {', '.join(ids)}")
    missed = sum("skip_reason" in each for each in packages)
    if bad:
        return _told("Python", BAD, f"{len(bad)} of {len(packages)} packages have known vulnerabilities")
    if missed:
        return _told("Python", NOT_CHECKED, f"{missed} of {len(packages)} packages are not known where it was asked")
    return _told("Python", FINE, f"{len(packages)} packages, none with a known vulnerability")


def _npm() -> int:
    said = _said(["npm", "audit", "--json", "--package-lock-only"], folder=NPM_LOCK.parent)
    if said is None or "metadata" not in said:
        return _told("npm", NOT_CHECKED, "the list of vulnerabilities was not reached")
    for name in said["vulnerabilities"]:
        click.echo(f"  {name}")
    bad = said["metadata"]["vulnerabilities"]["total"]
    return _told("npm", BAD if bad else FINE, f"packages with known vulnerabilities: {bad}")


def _told(what: str, status: int, why: str) -> int:
    click.echo(f"{what}: {('ok', 'BAD', 'NOT CHECKED')[status]}: {why}")
    return status


def _said(command: list[Any], folder: Path = ROOT) -> Any:
    """The JSON that a program prints; None if it prints none."""
    try:
        ran = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=_PATIENCE_S)
        return orjson.loads(ran.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


if __name__ == "__main__":
    supply()
