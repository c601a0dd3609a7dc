"""What /metrics says, by the names of its series."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families


def series_in(exposition: bytes) -> dict[str, float]:
    """Every series of a text that Prometheus reads, by its name as Prometheus writes it."""
    return {
        _series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(exposition.decode())
        for sample in family.samples
    }


def _series(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
