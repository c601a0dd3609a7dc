"""The page that tells people what is counted, from what and for how long; made of the ledger, nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

from collector.door.pages import code, framed, items, table, text

PATH = "/privacy"
TITLE = "What is counted here"
MOST_VALUES = 8  # of a closed list, before the ledger is pointed at


class Operator(NamedTuple):
    """Whose collector it is, as the configuration says: a name, a mail address or an address of a page."""

    operator: str = ""
    contact: str = ""


def privacy_page(ledger: dict[str, Any], operator: Operator, key_dies: str) -> str:
    """The page; `key_dies` is when today's key is gone, as people write it."""
    counted = table(
        "Every report; nothing else is counted. (you): named only where a crowd stands behind it",
        ("Question", "Told apart by", "By the", "Numbers"),
        (_report(report, ledger) for report in ledger["reports"]),
    )
    words = table("Every dimension", ("Name", "Is", "Describes", "May be"), map(_dimension, ledger["dimensions"]))
    sections = {
        "Today's key": _key(key_dies),
        "How to opt out": _opt_out(ledger["opt_out"]),
        "Show, correct, erase": f'<p>{text(ledger["erasure"]["tells"])} See <a href="/what-you-see-of-me">what you see'
        " of me</a>.</p>",
        "What is never kept": items(
            f"<strong>{text(each['what'].capitalize())}.</strong> {text(each['tells'])}" for each in ledger["never"]
        ),
        "What is read of a request": table(
            "What it is, and all it becomes", ("Read", "Becomes", "How"), map(_caller, ledger["caller"])
        ),
        "What is counted": counted,
        "What the words may be": _bounds(ledger) + words,
        "What is sent, and what becomes of it": "\n".join(map(_kind, ledger["kinds"])),
        "How long it is kept": _kept(ledger),
    }
    if operator.contact:
        sections["Whom to ask"] = _contact(operator)
    main = _lead(ledger, operator) + "\n".join(f"<h2>{title}</h2>\n{told}" for title, told in sections.items())
    return framed(PATH, TITLE, main)


def _lead(ledger: dict[str, Any], operator: Operator) -> str:
    who = text(operator.operator) or "The operator of this address"
    crowd = (
        f"What describes you, such as a country, is named only where at least {ledger['threshold']} networks stand"
        " behind it on a day. The rest is (other)."
    )
    return (
        f'<p class="lead">{who} counts what happens on websites and in programs with the collector, a program that'
        " keeps nothing but counts. This page tells all of it, made from the declarations that the program runs on;"
        ' <a href="/v1/ledger.json">the ledger</a> has the same for programs.</p>\n'
    ) + items(
        (
            "What describes the site or the program is counted exactly, such as how often a page is read.",
            crowd,
            "No row of one visit, no id of a person, no cookie, no hash of a visitor is in the database.",
        )
    )


def _key(dies: str) -> str:
    return (
        "<p>To count a visitor once a day and not again, the collector holds a random key in memory, a new one each"
        f" day. Today's is gone by <strong>{text(dies)}</strong>. After that nobody can find out whether an address"
        " was here, whatever they have: the memory, the database or both.</p>"
    )


def _opt_out(opt_out: dict[str, Any]) -> str:
    return (
        f"<p>{text(opt_out['tells'])}</p>\n<p>They are {' and '.join(map(code, opt_out['headers']))}; browsers send"
        " them when Global Privacy Control or Do Not Track is turned on.</p>"
    )


def _bounds(ledger: dict[str, Any]) -> str:
    reserved = items(f"{code(each['name'])}: {text(each['tells'])}" for each in ledger["reserved"])
    return (
        f"<p>Of an open list at most {ledger['caps']['open_values']:,} words of a property and day are named. Besides"
        f" its own, a word may be one of these:</p>{reserved}"
    )


def _kept(ledger: dict[str, Any]) -> str:
    keeping = ledger["keeping"]
    folded = (
        f"What describes callers is folded for good {keeping['hot_h']} hours after the end of its day: at least"
        f" {ledger['threshold']} networks stand behind every name that is left."
    )
    places = [(text(each["name"]), text(each["holds"]), text(each["kept"])) for each in ledger["places"]]
    tables = [(f"table {code(each['name'])}", text(each["holds"]), text(each["kept"])) for each in ledger["tables"]]
    return items((folded, f"Counts are kept {keeping['sealed_months']} months.")) + table(
        "Every place where something lies", ("Place", "Holds", "How long"), places + tables
    )


def _caller(read: dict[str, Any]) -> tuple[str, str, str]:
    return text(read["what"]), ", ".join(map(text, read["becomes"])) or "nothing", text(read["tells"])


def _report(report: dict[str, Any], ledger: dict[str, Any]) -> tuple[str, str, str, str]:
    theirs = {dimension["name"] for dimension in ledger["dimensions"] if dimension["class"] == "theirs"}
    by = ", ".join(f"{text(name)}{' (you)' if name in theirs else ''}" for name in report["by"])
    measures = [report["amount"] if name == "amount" else name for name in report["measures"]]
    return text(report["question"]), by or "nothing", text(report["grain"]), text(", ".join(measures))


def _dimension(dimension: dict[str, Any]) -> tuple[str, str, str, str]:
    values = dimension["values"]
    if values:
        may_be = ", ".join(map(code, values[:MOST_VALUES]))
        if len(values) > MOST_VALUES:
            may_be += f" and {len(values) - MOST_VALUES} more, all in the ledger"
    elif dimension["registered"]:
        may_be = f"what the operator lists as {text(dimension['registered'])}"
    else:
        may_be = f"anything of the form {code(dimension['pattern'])}, scrubbed"
    describes = "you" if dimension["class"] == "theirs" else "the site or program"
    return text(dimension["name"]), text(dimension["tells"]), describes, may_be


def _kind(kind: dict[str, Any]) -> str:
    rows = (
        (
            code(field["name"]) + (" (required)" if field["required"] else ""),
            text(field["tells"]),
            ", ".join(map(text, field["becomes"])) or f"nothing: it says {text(field['used_for'])}",
        )
        for field in kind["fields"]
    )
    name = kind["name"].replace("_", " ")
    return (
        f"<details><summary><strong>{text(name.capitalize())}.</strong> {text(kind['tells'])}</summary>\n"
        + table(f"Fields of a {name}", ("Field", "Is", "Becomes"), rows)
        + "</details>"
    )


def _contact(operator: Operator) -> str:
    contact = text(operator.contact)
    address = f"mailto:{contact}" if "@" in contact and "/" not in contact else contact
    if address.startswith(("mailto:", "https://")):
        contact = f'<a href="{address}">{contact}</a>'
    return f"<p>{text(operator.operator)} {contact}</p>"
