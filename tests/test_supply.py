"""The bill of materials: complete, the same every time, and of what is locked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

from tests.supply.bill import NPM_LOCK, ROOT, bill, locked, needed_by


def test_every_package_of_the_lock_is_read_with_who_needs_it() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    packages = locked()
    assert len(packages) == len(re.findall(r"^[a-z0-9-]+==", text, re.MULTILINE))
    assert all(each.hashes and each.via for each in packages)
    assert sum(len(each.hashes) for each in packages) == text.count("--hash=sha256:")
    for name in ("aiohttp", "clickhouse-connect", "argon2-cffi"):
        plain = [each for each in requires(name) or [] if ";" not in each]
        needs = {re.split(r"[\[<>=!~; (]", each)[0].lower().replace("_", "-") for each in plain}
        assert needs <= needed_by({name}, packages)


def test_the_bill_names_what_runs_and_what_the_wheel_bundles_and_no_tool_of_the_tests() -> None:
    scopes = {
        each["purl"].partition("@")[0]: each["scope"] for each in bill()["components"] if "%40" not in each["purl"]
    }
    for name in ("pypi/aiohttp", "pypi/yarl", "pypi/orjson", "pypi/argon2-cffi-bindings", "npm/preact", "npm/uplot"):
        assert scopes[f"pkg:{name}"] == "required"
    assert scopes["pkg:pypi/chdb-core"] == "optional"
    assert scopes["pkg:npm/esbuild"] == scopes["pkg:npm/typescript"] == "excluded"
    assert not scopes.keys() & {"pkg:pypi/pytest", "pkg:pypi/hypothesis", "pkg:pypi/ruff"}


def test_every_component_has_a_hash_and_every_need_is_a_component() -> None:
    made = bill()
    refs = {each["bom-ref"] for each in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    assert len(refs) == len(made["components"]) + 1
    for each in made["components"]:
        assert each.get("hashes") or all(one["hashes"] for one in each["externalReferences"])
    assert {need for each in made["dependencies"] for need in each["dependsOn"]} <= refs
    reached, left = set(), [made["metadata"]["component"]["bom-ref"]]
    needs = {each["ref"]: each["dependsOn"] for each in made["dependencies"]}
    while left:
        if (ref := left.pop()) not in reached:
            reached.add(ref)
            left += needs.get(ref, ())
    assert reached == refs


def test_the_same_locks_give_the_same_bill() -> None:
    code = "import json; from tests.supply.bill import bill; print(json.dumps(bill()))"
    made = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]
    assert json.loads(made[0]) == bill()


def test_a_database_that_is_not_reached_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.supply", "audit"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "no_proxy": "", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert ran.stdout.count("NOT CHECKED") == 2
    assert NPM_LOCK.exists()
