"""What the build puts beside the code, in collector/_web: the dashboard, the beacon and the country database."""

from __future__ import annotations

from pathlib import Path

WEB = Path(__file__).parent / "_web"
DASHBOARD = WEB / "index.html"
BEACON = WEB / "b.js"
COUNTRIES = WEB / "geo" / "country.mmdb"
