"""One target in a process of its own, for so many seconds: `python -m tests.fuzz.one MODULE TARGET SECONDS FOLDER`.

Guided by coverage of our code through atheris, where it is installed; else by chance. What libFuzzer prints is what the
caller reads (__main__.py): `cov:`, the number of executions, and a file FOLDER/found-... for an input that failed.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import random
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.target import MAX_BYTES, Target, Try, varied

_LONGEST_S = 20
_MOST_MB = 2_048
_BETWEEN = 100  # inputs between two looks at the clock


def main(module: str, name: str, seconds: int, folder: Path) -> None:
    """Fuzz until the time is over or something is found; ends the process."""
    guided = find_spec("atheris") is not None
    if guided:
        import atheris  # noqa: PLC0415 - not there on every platform

        with atheris.instrument_imports(include=["collector"]):
            targets = importlib.import_module(module).TARGETS
    else:
        targets = importlib.import_module(module).TARGETS
    target: Target = next(each for each in targets if each.name == name)
    corpus = _prepared(target, folder)
    with target.opened() as try_it:
        if not guided:
            _by_chance(target, try_it, seconds, folder)
            return
        options = {
            "max_total_time": seconds,
            "max_len": MAX_BYTES,
            "timeout": _LONGEST_S,
            "rss_limit_mb": _MOST_MB,
            "print_final_stats": 1,
            "artifact_prefix": f"{folder}/found-",
            "dict": folder / "words",
        }
        atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], try_it)
        atheris.Fuzz()


def _prepared(target: Target, folder: Path) -> Path:
    """The folder of inputs, with all seeds in it, and the file of words."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:32]).write_bytes(seed[:MAX_BYTES])
    spelled = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in spelled), "ascii")
    return corpus


def _by_chance(target: Target, try_it: Try, seconds: int, folder: Path) -> None:
    dice, seeds = random.Random(os.getpid()), [*target.seeds()]
    until, tried = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        for _ in range(_BETWEEN):
            data = varied(seeds, target.words, dice)
            tried += 1
            try:
                try_it(data)
            except Exception:
                (folder / f"found-{hashlib.sha256(data).hexdigest()[:32]}").write_bytes(data)
                raise
    sys.stderr.write(f"stat::number_of_executed_units: {tried}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
