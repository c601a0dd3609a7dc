"""The frame of the pages for people on the public port: one style, no script, nothing from elsewhere.

The style stands in the page and is allowed by its hash; it is fit for light and dark, telephones and wide screens.
Whoever fills a page (privacy_page.py, seen_page.py) escapes what did not come from here with `text`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape as text

__all__ = ["POLICY", "code", "framed", "items", "table", "text"]

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#566072;--line:#d8dde5;--back:#fff;--tint:#f4f6f9;--link:#0b57b0}
@media(prefers-color-scheme:dark){
:root{--ink:#e4e8ee;--soft:#a3adbb;--line:#38414e;--back:#14181e;--tint:#1d232b;--link:#86b9ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:1rem/1.6 system-ui,sans-serif;overflow-wrap:break-word}
header,main,footer{max-width:52rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.25rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:0;padding:0}
a{color:var(--link)}
nav [aria-current]{color:var(--ink);font-weight:600;text-decoration:none}
h1{font-size:1.9rem;line-height:1.2;margin:1.75rem 0 .5rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.5rem 0 .5rem}
p,ul{margin:.6rem 0}
li{margin:.25rem 0}
.lead{font-size:1.15rem;color:var(--soft)}
.soft{color:var(--soft)}
.told{background:var(--tint);border-left:.25rem solid var(--link);padding:.75rem 1rem;margin:1.25rem 0}
.told p{margin:.2rem 0}
.wide{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;width:100%;font-size:.94rem}
caption{text-align:left;color:var(--soft);padding-bottom:.4rem}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-bottom:1px solid var(--line)}
thead th{font-weight:600;color:var(--soft)}
tbody th{font-weight:600}
td{min-width:7rem}
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
details{border-bottom:1px solid var(--line);padding:.5rem 0}
summary{cursor:pointer}
label{display:block;font-weight:600}
input{width:100%;font:inherit;color:inherit;background:var(--tint);border:1px solid var(--soft);padding:.5rem}
button{font:inherit;margin-top:.5rem;padding:.5rem 1rem;border:0;background:var(--link);color:var(--back)}
:focus-visible{outline:.15rem solid var(--link);outline-offset:.15rem}
footer{margin-top:3rem;padding-top:1rem;padding-bottom:2rem;color:var(--soft);border-top:1px solid var(--line)}
@media(max-width:34rem){
thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
table,tbody,tr,th,td,caption{display:block}
tbody th,td{border:0;padding:0}
td::before{content:attr(data-head)": ";color:var(--soft)}
tr{padding:.6rem 0;border-bottom:1px solid var(--line)}}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
PAGES = {
    "/privacy": "What is counted",
    "/what-you-see-of-me": "What you see of me",
    "/v1/ledger.json": "The ledger, for programs",
}


def framed(path: str, title: str, main: str) -> str:
    """A whole page; `main` is HTML."""
    links = "".join(
        f'<li><a href="{address}"{" aria-current=page" if address == path else ""}>{name}</a></li>'
        for address, name in PAGES.items()
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{text(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><nav aria-label="Pages"><ul>{links}</ul></nav></header>\n'
        f"<main>\n<h1>{text(title)}</h1>\n{main}\n</main>\n"
        "<footer>This page has no script and no cookie, and loads nothing from elsewhere.</footer>\n</body>\n</html>\n"
    )


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; cells are HTML."""
    names = "".join(f'<th scope="col" role="columnheader">{text(name)}</th>' for name in heads)
    body = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{first}</th>'
        + "".join(
            f'<td role="cell" data-head="{text(head)}">{cell}</td>'
            for head, cell in zip(heads[1:], others, strict=True)
        )
        + "</tr>\n"
        for first, *others in rows
    )
    return (
        f'<div class="wide"><table role="table"><caption>{text(caption)}</caption>\n'
        f'<thead><tr role="row">{names}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'
    )


def items(entries: Iterable[str]) -> str:
    """A list; entries are HTML."""
    return "<ul>" + "".join(f"<li>{entry}</li>" for entry in entries) + "</ul>"


def code(value: object) -> str:
    """A name or value as it is in the data."""
    return f"<code>{text(str(value))}</code>"
