"""The bill of materials of a release, CycloneDX 1.6: what the lock installs for the collector, what the wheel bundles.

Made of requirements.lock, pyproject.toml and the UI's package-lock.json alone: the same files give the same bytes, with
no time and no random serial number. Made at release, beside the wheel and not in it: it says what was locked and
tested, which an installation without the lock need not have. Tools of the tests are left out, what only builds is
`excluded`.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
import uuid
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

ROOT = Path(__file__).parent.parent.parent
LOCK = ROOT / "requirements.lock"
NPM_LOCK = ROOT / "collector/analyst/ui/package-lock.json"
_ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PROJECT = "collector"
_NAMESPACE = uuid.UUID("0c6a2d34-5c1e-5c5f-9a0e-6b7c9a3c1f10")
_BUILDS = ("esbuild", "typescript")  # npm packages of which nothing but their work is in the wheel


class Locked(NamedTuple):
    """One package of the lock; `via` are those that need it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    via: frozenset[str]


def locked() -> list[Locked]:
    """Every package of requirements.lock; one may be there in two versions, for different Pythons."""
    text = LOCK.read_text("utf-8")
    found = [*_ENTRY.finditer(text)]
    ends = [each.start() for each in found[1:]] + [len(text)]
    packages = []
    for each, end in zip(found, ends, strict=True):
        comment = text[each.end() : end].replace("(pyproject.toml)", "").replace("# via", "#")
        via = frozenset(_NAME.findall(comment))
        packages.append(Locked(each[1], each[2], tuple(re.findall(r"sha256:([0-9a-f]{64})", each[3])), via))
    return packages


def needed_by(names: set[str], packages: list[Locked]) -> set[str]:
    """These packages and all that they need."""
    needed = names & {each.name for each in packages}
    while more := {each.name for each in packages if each.via & needed} - needed:
        needed |= more
    return needed


def bill() -> dict[str, Any]:
    """The whole bill, as JSON has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = locked()
    always = needed_by(_names(project["dependencies"]), packages)
    embedded = needed_by(_names(project["optional-dependencies"]["embedded"]), packages) - always
    python = [
        _of_python(each, "required" if each.name in always else "optional")
        for each in packages
        if each.name in always | embedded
    ]
    npm = [_of_npm(place, said) for place, said in _npm_packages().items()]
    components = sorted(python + npm, key=lambda each: each["bom-ref"])
    root = f"pkg:pypi/{_PROJECT}@{project['version']}"
    made = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": _PROJECT,
                "version": project["version"],
                "purl": root,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
        "dependencies": _dependencies(root, project, packages, components),
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(made, sort_keys=True))
    return {**made, "serialNumber": f"urn:uuid:{serial}"}


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", each)[0].lower().replace("_", "-") for each in requirements}


def _of_python(package: Locked, scope: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{package.name}@{quote(package.version, safe='')}"
    # One hash for each file that the lock allows: which of them is installed, the platform decides.
    hashes = [{"type": "distribution", "url": purl, "hashes": [_sha256(each)]} for each in package.hashes]
    named = {"type": "library", "bom-ref": purl, "name": package.name, "version": package.version, "purl": purl}
    return {**named, "scope": scope, "externalReferences": hashes}


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _npm_packages() -> dict[str, dict[str, Any]]:
    """Those that the UI's build uses, but for the many binaries of which a machine takes one."""
    packages: dict[str, dict[str, Any]] = json.loads(NPM_LOCK.read_bytes())["packages"]
    return {place: said for place, said in packages.items() if place and "os" not in said}


def _of_npm(place: str, said: dict[str, Any]) -> dict[str, Any]:
    name = place.rpartition("node_modules/")[2]
    purl = f"pkg:npm/{quote(name, safe='/')}@{said['version']}"
    algorithm, _, digest = said["integrity"].partition("-")
    group, _, short = name.rpartition("/")
    return {
        "type": "library",
        "bom-ref": purl,
        **({"group": group} if group else {}),
        "name": short,
        "version": said["version"],
        "purl": purl,
        "scope": "excluded" if said.get("dev") or name in _BUILDS else "required",
        "hashes": [{"alg": f"SHA-{algorithm.removeprefix('sha')}", "content": base64.b64decode(digest).hex()}],
        "licenses": [{"license": {"id": said["license"]}}],
    }


def _dependencies(
    root: str, project: dict[str, Any], packages: list[Locked], components: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Who needs whom: the project all npm packages and what it declares, Python packages as the lock says it."""
    npm = {each["bom-ref"] for each in components if each["purl"].startswith("pkg:npm/")}
    python = {each["bom-ref"]: each["name"] for each in components if each["bom-ref"] not in npm}
    via = {each.name: each.via for each in packages}
    own = _names([*project["dependencies"], *project["optional-dependencies"]["embedded"]])
    needs = {root: sorted(npm | {ref for ref, name in python.items() if name in own})} | {
        ref: sorted(other for other, needed in python.items() if name in via[needed]) for ref, name in python.items()
    }
    return [{"ref": ref, "dependsOn": needs[ref]} for ref in sorted(needs)]
