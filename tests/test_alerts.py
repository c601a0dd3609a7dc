"""Every rule of collector/deploy/alerts.yml is about metrics there are, and fires alone for what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.requires import lacks
from tests.stack import ROOT, Stack

RULES = ROOT / "collector" / "deploy" / "alerts.yml"
# What everybody has who scrapes and probes, and is none of ours.
OF_PROMETHEUS = {"up", "probe_success"}
# What README and ARCHITECTURE say to be woken for.
ALARMS = {
    "collector_batches_stopped",
    "collector_bodies_refused_total",
    "collector_days_unsealed_late",
    "collector_detached_parts",
    "collector_events_pending",
    "collector_events_quarantined_total",
    "collector_filter_error_ratio",
    "collector_ids_forgotten_early",
    "collector_key_day",
    "collector_lag_seconds_bucket",
    "collector_load_failures_total",
    "collector_oldest_waiting_seconds",
    "collector_process_starts_total",
    "collector_quarantine_files",
    "collector_spool_write_seconds_bucket",
}
# What makes each rule fire, by series, as promtool writes values: begin, step and times, a minute each.
SICK: dict[str, dict[str, str]] = {
    "CollectorDown": {'up{job="collector"}': "0x60"},
    "CollectorNotReady": {'probe_success{job="collector-ready"}': "0x60"},
    "CollectorRefusesForWantOfRoom": {'collector_bodies_refused_total{status="503"}': "0+5x60"},
    "CollectorBatchesStopped": {"collector_batches_stopped": "1x60"},
    "CollectorPartsDetached": {"collector_detached_parts": "2x60"},
    "CollectorDaysNotSealed": {"collector_days_unsealed_late": "1x100"},
    "CollectorFallsBehind": {"collector_oldest_waiting_seconds": "301x60"},
    "CollectorPendingGrows": {"collector_events_pending": "100000+1000x60"},
    "CollectorLagHigh": {
        'collector_lag_seconds_bucket{le="120.0"}': "0x60",
        'collector_lag_seconds_bucket{le="300.0"}': "0+6x60",
        'collector_lag_seconds_bucket{le="+Inf"}': "0+6x60",
    },
    "CollectorLoadingFails": {"collector_load_failures_total": "0+6x60"},
    "CollectorQuarantine": {"collector_quarantine_files": "1x60"},
    "CollectorEventsDamaged": {"collector_events_quarantined_total": "0+1x60"},
    "CollectorIdsForgottenEarly": {"collector_ids_forgotten_early": "1x60"},
    "CollectorFilterFull": {'collector_filter_error_ratio{day="today"}': "0.004x60"},
    "CollectorNoKey": {"collector_key_day": "0x60"},
    "CollectorProcessesRestart": {'collector_process_starts_total{process="worker"}': "1+12x60"},
    "CollectorWarehouseRestarts": {'collector_process_starts_total{process="warehouse"}': "1+1x60"},
    "CollectorDiskSlow": {
        'collector_spool_write_seconds_bucket{le="0.25"}': "0x60",
        'collector_spool_write_seconds_bucket{le="1.0"}': "0+9x60",
        'collector_spool_write_seconds_bucket{le="+Inf"}': "0+9x60",
    },
}
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_bytes())["groups"] for rule in group["rules"]]


def named() -> set[str]:
    """Every series that a rule names."""
    return {name for rule in rules() for name in re.findall(r"\b[a-z]+_[a-z_]+\b(?=[\[{ ]|$)", rule["expr"])} - {
        "histogram_quantile"
    }


def test_every_rule_says_how_bad_it_is_what_happened_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule
        assert {"summary", "description"} == rule["annotations"].keys(), rule


def test_every_metric_of_a_rule_is_there_and_every_alarm_has_a_rule(shared_stack: Stack) -> None:
    ours = named() - OF_PROMETHEUS
    told = {series.partition("{")[0] for series in shared_stack.metrics()}
    assert ours - told == set()
    assert ALARMS - ours == set()


def test_every_rule_fires_alone_for_what_it_says_and_none_in_health(shared_stack: Stack, tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        lacks("promtool (Debian: prometheus)")
    assert {rule["alert"] for rule in rules()} == SICK.keys()
    told = {name: value for name, value in shared_stack.metrics().items() if name.partition("{")[0] in named()}
    healthy = {series: f"{value:g}x100" for series, value in told.items()}
    healthy |= {'up{job="collector"}': "1x100", 'probe_success{job="collector-ready"}': "1x100"}
    healthy |= {"collector_key_day": "20000x100"}  # the shared collector may not have told it yet
    tests = [case(healthy, "")] + [case(healthy | sick, alert) for alert, sick in SICK.items()]
    file = tmp_path / "alerts.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def case(series: dict[str, str], alert: str) -> dict[str, Any]:
    """A test of promtool's: under these series this alert fires alone after 90 minutes, or none does."""
    at = "90m" if alert == "CollectorDaysNotSealed" else "50m"
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else []
    return {
        "name": alert or "health",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": FIRING, "eval_time": at, "exp_samples": samples}],
    }


@pytest.mark.parametrize("path", ["README.md", "ARCHITECTURE.md"])
def test_alarms_that_a_document_names_are_alarms(path: str) -> None:
    told = set(re.findall(r"`(collector_\w+)`", (ROOT / path).read_text("utf-8")))
    assert told <= ALARMS | {name.removesuffix("_total").removesuffix("_bucket") for name in ALARMS}
