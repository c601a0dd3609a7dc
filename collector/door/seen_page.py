"""The page that shows somebody what of a request like theirs is counted; made of what seeing.py says, nothing else."""

from __future__ import annotations

from typing import Any

from collector.door.pages import code, framed, items, table, text

PATH = "/what-you-see-of-me"
JSON_PATH = "/v1/what-you-see-of-me"
TITLE = "What you see of me"
REASONS = {
    "opt_out": "Your browser says that it does not want to be counted (Sec-GPC or DNT). Nothing of it is.",
    "bot": "This looks like a program that visits pages by itself. Those are not counted.",
    "referrer_spam": "It names a page before it whose owner is known to send false visits. That is not counted.",
    "test": "It is marked as a test. Tests are not counted.",
    "prefetch": "Your browser asks in advance, before anybody looks. That is not counted.",
    "partial": "Only a part was asked for. That is not counted.",
}


def seen_page(seen: dict[str, Any]) -> str:
    """The page; of the request it repeats declared names only."""
    main = (
        '<p class="lead">If this request had been an event, these are all the numbers it would have raised.'
        " Found out by the code that counts, for you, just now; nothing of it was kept.</p>\n"
        f"{_found(seen)}\n<h2>What this page does not say</h2>\n"
        + items(
            (
                "Whether you were here before: nobody can tell you from others who share your address.",
                "How high the numbers are, or whether enough networks stand behind a value to name it at all.",
                "Anything about earlier days: an hour after its end a day's key is gone, and callers with it.",
            )
        )
        + "\n<h2>Try another page</h2>\n"
        f'<form action="{PATH}" method="get"><label for="url">Address of a page of this site</label>'
        '<input id="url" name="url" type="url" required maxlength="2048" placeholder="https://">'
        "<button>Show</button></form>\n"
        f'<p class="soft">Programs get the same at <a href="{JSON_PATH}">{JSON_PATH}</a>.'
        " Any field of any kind of event can be given as a parameter.</p>"
    )
    return framed(PATH, TITLE, main)


def _found(seen: dict[str, Any]) -> str:
    if refused := seen["refused"]:
        field = f" in {code(refused['field'])}" if refused["field"] else ""
        return (
            '<div class="told"><p><strong>Nothing would be counted: the event breaks a rule.</strong></p>'
            f"<p>{code(refused['code'])}{field}: {text(refused['message'])}</p></div>"
        )
    event = seen["event"]
    what = f"A {text(event['kind'].replace('_', ' '))} of {code(event['property'])}"
    if not seen["counted"]:
        return (
            f'<div class="told"><p><strong>{what}: nothing would be counted.</strong></p>'
            f"<p>{text(REASONS.get(seen['reason'], ''))}</p></div>"
        )
    return (
        f'<div class="told"><p><strong>{what}, in the hour from {_time(event["hour"])}.</strong></p>'
        "<p>Each row below is counted by itself. Nothing says that two of them belong together.</p></div>\n"
        + table(
            "Numbers that would be raised",
            ("Question", "Counted under", "When", "Raised by"),
            (
                (
                    text(cell["question"]),
                    _dimensions(cell["dimensions"]),
                    _time(cell["bucket"]),
                    _adds(cell["adds"], cell["amount"]),
                )
                for cell in seen["cells"]
            ),
        )
    )


def _dimensions(dimensions: dict[str, str]) -> str:
    return "<br>".join(f"{text(name)} {code(value)}" for name, value in dimensions.items()) or "nothing more"


def _adds(adds: dict[str, int], amount: str | None) -> str:
    return str(adds["events"]) + (f"; {text(amount)}: {adds['amount']}" if amount else "")


def _time(bucket: str) -> str:
    day, _, hour = bucket.partition("T")
    return f"{day}, {hour[:5]} UTC" if hour else day
