"""What a proof says: in short for a terminal, and as a page in Markdown for whoever wants to see all of it.

Values that were sent stand in neither: a finding is the name of a word or one of the fixed addresses, the form it had,
and the place. Nothing is kept but what the caller writes to the file it was told.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from collector.tools.prove.forms import ADDRESSES, Canaries
from collector.tools.prove.run import LET_GO_S, Proof
from collector.tools.prove.scan import Hit
from collector.tools.table import render_rows

LIBRARIES = ("collector", "aiohttp", "uvloop", "orjson", "chdb", "clickhouse-connect")
MOST_SHOWN = 40


def in_short(proof: Proof) -> str:
    """A table of the searches, the findings, and one sentence that says what they come to."""
    rows = [(scan.name, scan.items, scan.size_bytes, _found(scan.control), scan.hits.total()) for scan in proof.scans]
    lines = [render_rows(("searched", "items", "bytes", "control", "found"), rows)]
    lines += [f"LEAK  {_line(hit, times)}\n" for hit, times in _most(proof.leaks)]
    if proof.remnants:
        by_process = Counter({hit.place.partition(":")[0]: 0 for hit in proof.remnants})
        for hit, times in proof.remnants.items():
            by_process[hit.place.partition(":")[0]] += times
        lines += [f"remnants in freed memory: {process} {times:,}\n" for process, times in sorted(by_process.items())]
    return "".join([*lines, f"{verdict(proof)}\n"])


def verdict(proof: Proof) -> str:
    """What it comes to."""
    if proof.failed_controls:
        return f"NOTHING IS PROVEN: these searches did not find what was planted: {', '.join(proof.failed_controls)}"
    if proof.leaks:
        return f"LEAKS: {len(proof.leaks)} findings, {sum(proof.leaks.values()):,} times"
    if proof.remnants:
        return "Clean: nothing outside memory. In memory there are remnants of requests (--strict runs without them)."
    return "Clean: nothing anywhere, memory included." if proof.plan.memory else "Clean: nothing was found."


def in_full(proof: Proof) -> str:
    """A page in Markdown."""
    plan = proof.plan
    mode = "strict memory" if plan.strict else "default"
    about = [
        ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("commit", _commit()),
        ("Python", f"{sys.version.split()[0]}, {proof.machine}"),
        *((name, _version(name)) for name in LIBRARIES),
        ("mode", f"{mode}; log level debug, PYTHONASYNCIODEBUG=1; took {proof.seconds:.0f} s"),
        ("core dumps", "; ".join(proof.cores)),
    ]
    answers = [(status or "no answer", times) for status, times in sorted(proof.answers.items())]
    searches = [
        (scan.name, f"{scan.items:,}", f"{scan.size_bytes:,}", _found(scan.control), scan.hits.total())
        for scan in proof.scans
    ]
    parts = [
        f"# Proof that nothing of a caller is left\n\n**{verdict(proof)}**\n",
        _table(("", ""), about),
        _sent(proof),
        _table(("status", "answers"), answers),
        _searched(proof),
        _table(("place", "items", "bytes", "control", "found"), searches),
        "## Leaks\n",
        _table(("place", "what", "form", "times"), _rows(proof.leaks)) if proof.leaks else "None.\n",
        "## Remnants in freed memory\n",
        _table(("process", "what", "form", "times"), _rows(proof.remnants)) if proof.remnants else "None.\n",
        _ODDS,
    ]
    return "\n".join(parts)


_ODDS = """## What could be missed

The four packed bytes of an IPv4 address stand in a given place of random bytes with odds of 1 in 2^32. On disk each is
a finding. In memory, hundreds of megabytes, they are one only inside an object of four bytes or a socket's address.
Programs and libraries, mapped so that nobody can write to them, are not searched; nor is the memory of the kernel.
"""


def _sent(proof: Proof) -> str:
    places = ", ".join(Canaries().words.by_name())
    return (
        f"## Sent\n\n{proof.answers.total():,} requests from {', '.join(ADDRESSES)}, with words nobody can guess as: "
        f"{places}. {_counts(proof.counted)}.\n"
    )


def _searched(proof: Proof) -> str:
    return (
        f"## Searched\n\nFor {_forms(proof):,} forms of what was sent and of {proof.keys} day's keys. Memory "
        f"{LET_GO_S:g} s after the last answer. *Control*: the same search found what was planted for it.\n"
    )


def _forms(proof: Proof) -> int:
    return len(Canaries(keys=[bytes([number]) * 32 for number in range(proof.keys)]).forms)


def _counts(counted: Mapping[str, int]) -> str:
    return "Events before the restart: " + ", ".join(f"{name} {times:,}" for name, times in counted.items())


def _most(hits: Mapping[Hit, int]) -> list[tuple[Hit, int]]:
    return Counter(hits).most_common(MOST_SHOWN)


def _rows(hits: Mapping[Hit, int]) -> Iterator[tuple[object, ...]]:
    for hit, times in sorted(hits.items()):
        yield (*hit, f"{times:,}")


def _line(hit: Hit, times: int) -> str:
    return f"{hit.what} as {hit.how} in {hit.place}, {times:,} times"


def _found(control: bool | None) -> str:  # noqa: FBT001 - one word for one fact
    return {True: "found", False: "NOT FOUND", None: "-"}[control]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |\n" for line in lines)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """The commit of the checkout this runs from, and whether it was changed; nothing elsewhere."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "not a checkout"
    return said.stdout.strip()
