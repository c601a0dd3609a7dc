"""What a running collector shows that its ledger does not list: columns, metrics, log fields, answer keys, files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from prometheus_client.parser import text_string_to_metric_families

from collector.catalogue.declarations import read_declarations
from collector.errors import Code
from collector.ledger import ledger_of
from collector.metrics import Metrics

DECLARATIONS = read_declarations()
LEDGER = ledger_of(DECLARATIONS, Metrics(DECLARATIONS.kinds, Code).series())
LOGGERS = {"log", "_foreign"}
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
OF_THE_RENDERER = {"time", "level", "event"}

_PAIR = re.compile(r'([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|\S*)')
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def names(part: str) -> set[str]:
    """The names of one list of the ledger."""
    return {each["name"] for each in LEDGER[part]}


def columns(client: Client) -> set[tuple[str, str, str]]:
    """Table, name and type of every column in the collector's database."""
    rows = client.query("SELECT table, name, type FROM system.columns WHERE database = currentDatabase()").result_rows
    return {(str(table), str(name), str(kind)) for table, name, kind in rows}


def declared_columns() -> set[tuple[str, str, str]]:
    return {(table["name"], each["name"], each["type"]) for table in LEDGER["tables"] for each in table["columns"]}


def metrics(exposition: str) -> set[tuple[str, str]]:
    """Every metric with each of its labels, and with none."""
    found = set()
    for family in text_string_to_metric_families(exposition):
        found.add((family.name, ""))
        found |= {(family.name, label) for each in family.samples for label in each.labels if label != "le"}
    return found


def declared_metrics() -> set[tuple[str, str]]:
    return {(each["name"], label) for each in LEDGER["metrics"] for label in ("", *each["labels"])}


def log_keys_said(text: str) -> set[str]:
    """The keys of every log line in what a process said."""
    lines = (line for line in text.splitlines() if line.startswith("time="))
    return {key for line in lines for key, _ in _PAIR.findall(line)}


def log_keys_in(source: bytes | str) -> set[str]:
    """Every key that a module may log; `**` for keys that cannot be seen there, "" for a logger used otherwise."""
    tree = ast.parse(source)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_logger(node.value) and id(node) not in called:
            found.add("")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_logger(node.func.value):
            found |= set(_keywords(node)) if node.func.attr in LEVELS else {""}
    return found


def _is_logger(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in LOGGERS


def _keywords(call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg:
            yield keyword.arg
        elif not (isinstance(keyword.value, ast.Call) and ast.unparse(keyword.value.func) == "place_of"):
            yield "**"


def keys(value: Any) -> set[str]:
    """Every key in an answer, but days that are keys."""
    if isinstance(value, list):
        return {key for inner in value for key in keys(inner)}
    if isinstance(value, dict):
        own = {str(key) for key in value if not _DAY.fullmatch(str(key))}
        return own.union(*map(keys, value.values()))
    return set()


def declared_keys() -> set[str]:
    return names("answers") | names("dimensions")


def undeclared_files(data: Path) -> list[str]:
    """Files below the data folder that lie in no place of the ledger."""
    patterns = [pattern for place in LEDGER["places"] for pattern in place["files"]]
    files = [path.relative_to(data).as_posix() for path in data.rglob("*") if not path.is_dir()]
    return [file for file in files if not any(fnmatchcase(file, pattern) for pattern in patterns)]
