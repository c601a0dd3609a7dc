"""The rights that `collector migrate` grants, as a configuration of the embedded engine, which keeps no users.

The engine runs every statement as its user `default`. Whose rights and limits that one has is chosen per start, so what
a server's users may do is tried for real, one after the other; DEFINER, by whose rights views read, is always there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from collector.warehouse.views import DEFINER

_GRANT = re.compile(r"GRANT (.+ ON .+) TO (\w+)")
_PROFILE = re.compile(r"CREATE SETTINGS PROFILE OR REPLACE (\w+) SETTINGS (.+) TO \w+")
_SETTING = re.compile(r"(\w+) = (\d+)(?: MIN (\d+))?(?: MAX (\d+))?( CONST)?")
_USER = "<{0}><no_password/><networks><ip>::/0</ip></networks><profile>{1}</profile><quota>default</quota>{2}</{0}>"


def write_config(path: Path, statements: Iterable[str], acting: str | None = None) -> None:
    """Have the engine run everything with the rights of this role; None: with all."""
    grants: defaultdict[str, list[str]] = defaultdict(list)
    profiles: dict[str, str] = {}
    for statement in statements:
        if granted := _GRANT.fullmatch(statement):
            grants[granted[2]].append(granted[1])
        elif limited := _PROFILE.fullmatch(statement):
            profiles[limited[1]] = _profile(limited[2])
    assert acting is None or acting in grants, sorted(grants)
    own = _grants(grants[acting]) if acting else "<access_management>1</access_management>"
    users = _USER.format("default", "acting", own) + _USER.format(DEFINER, "default", _grants(grants[DEFINER]))
    path.write_text(
        f"<clickhouse><profiles><default/><acting>{profiles.get(acting or '', '')}</acting></profiles>"
        f"<quotas><default/></quotas><users>{users}</users>"
        f"<user_directories><users_xml><path>{path}</path></users_xml></user_directories></clickhouse>"
    )


def _grants(granted: Iterable[str]) -> str:
    return f"<grants>{''.join(f'<query>GRANT {escape(each)}</query>' for each in granted)}</grants>"


def _profile(settings: str) -> str:
    values, limits = "", ""
    for each in settings.split(", "):
        found = _SETTING.fullmatch(each)
        assert found, each
        name, value, lowest, highest, fixed = found.groups()
        values += f"<{name}>{value}</{name}>"
        bounds = "".join(f"<{tag}>{at}</{tag}>" for tag, at in (("min", lowest), ("max", highest)) if at)
        bounds += "<readonly/>" if fixed else ""
        limits += f"<{name}>{bounds}</{name}>" if bounds else ""
    return f"{values}<constraints>{limits}</constraints>"
