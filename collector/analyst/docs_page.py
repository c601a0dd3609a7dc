"""The page that describes the HTTP interface to people: made of the description (openapi.py) and nothing else.

Plain HTML without a script, under the analyst port's Content-Security-Policy; docs.css is its style. Every text is
escaped, although all of it is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import orjson

METHODS = ("get", "post", "delete")
PUBLIC = ("Events", "Openness")  # groups of the public port
LIST_MOST = 12  # values of an enumeration that a table spells out

_WORD = re.compile(r"`([^`]+)`")
_BOUNDS = {
    "minimum": "at least {:,}",
    "maximum": "at most {:,}",
    "default": "by default {:,}",
    "maxLength": "at most {:,} characters",
    "maxItems": "at most {:,}",
}

Described = dict[str, Any]


def docs_page(description: Described) -> str:
    """The whole page."""
    groups = {tag["name"]: tag for tag in description["tags"]}
    main = "\n".join(_group(tag, _operations(description, name), description) for name, tag in groups.items())
    links = "".join(f'<li><a href="#{name}">{name}</a></li>' for name in (*groups, "Schemas"))
    info = description["info"]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>The collector's HTTP interface</title>\n"
        '<link rel="stylesheet" href="/docs.css">\n</head>\n<body>\n'
        f'<header><nav aria-label="Parts of this page"><ul>{links}</ul></nav></header>\n'
        f'<main>\n<h1>The HTTP interface</h1>\n<p class="lead">{_text(info["description"])}</p>\n'
        f"{_access(description)}\n{main}\n{_schemas(description)}\n</main>\n"
        '<footer>For programs: <a href="/api/v1/openapi.json">this description as OpenAPI 3.1</a>.</footer>\n'
        "</body>\n</html>\n"
    )


def _access(description: Described) -> str:
    ports = [(code(each["url"]), _text(each["description"])) for each in description["servers"]]
    ways = description["components"]["securitySchemes"]
    admitted = [(f"A {name}", _text(way["description"])) for name, way in ways.items()]
    return (
        _table("Where it listens if nothing else is configured", ("Address", "Is"), ports)
        + "<p>The public port takes no credentials. The analyst port wants one of these, but where anyone is said:</p>"
        + _table("What admits", ("Credential", "Is"), admitted)
    )


def _operations(description: Described, group: str) -> Iterator[tuple[str, str, Described]]:
    """Method, path and operation of everything in the group; what is said of the path counts for each."""
    for path, item in description["paths"].items():
        for method in METHODS:
            if method in item and group == item[method]["tags"][0]:
                shared = item.get("parameters", [])
                yield method, path, {**item[method], "parameters": shared + item[method].get("parameters", [])}


def _group(tag: Described, operations: Iterable[tuple[str, str, Described]], description: Described) -> str:
    told = "\n".join(_operation(method, path, each, description) for method, path, each in operations)
    return f'<section id="{tag["name"]}">\n<h2>{tag["name"]}</h2>\n<p>{_text(tag["description"])}</p>\n{told}</section>'


def _operation(method: str, path: str, operation: Described, description: Described) -> str:
    parameters = [_resolved(each, description) for each in operation["parameters"]]
    name = operation["operationId"]
    parts = [
        f'<article id="{name}">\n<h3><a href="#{name}">{_text(operation["summary"])}</a></h3>',
        f'<p class="line"><strong>{method.upper()}</strong> {code(path)} <span>{_whom(operation)}</span></p>',
    ]
    if "description" in operation:
        parts.append(f"<p>{_text(operation['description'])}</p>")
    parts.append(f"<pre>{escape(_curl(method, path, parameters, operation))}</pre>")
    if parameters:
        parts.append(_table("Parameters", ("Name", "Is", "May be"), map(_parameter, parameters)))
    answers = ((code(status), *_answer(each, description)) for status, each in operation["responses"].items())
    parts.append(_table("Answers", ("Status", "Means", "Holds"), answers))
    return "\n".join(parts) + "</article>\n"


def _whom(operation: Described) -> str:
    if operation.get("security") == []:
        return "anyone"
    return "admins" if "Upkeep" in operation["tags"] else "whoever is admitted"


def _curl(method: str, path: str, parameters: Sequence[Described], operation: Described) -> str:
    """A line that people can paste: required parameters by their examples."""
    public = operation["tags"][0] in PUBLIC
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(each.get("example", each["name"].upper())))
    asked = [
        f"{each['name']}={quote(str(each['example']), safe='')}"
        for each in parameters
        if each["in"] == "query" and each.get("required")
    ]
    address = f"http://127.0.0.1:{8080 if public else 8081}{path}{'?' if asked else ''}{'&'.join(asked)}"
    words = ["curl", *(["-X", method.upper()] if method != "get" and "requestBody" not in operation else [])]
    if public:
        words.append("-A Mozilla/5.0")  # curl's own agent is a bot's
    if operation.get("security") != []:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        words += ["-H 'Content-Type: application/json'", f"-d '{orjson.dumps(example).decode()}'"]
    return " ".join([*words, f'"{address}"'])


def _parameter(parameter: Described) -> tuple[str, str, str]:
    name = code(parameter["name"]) + (" (required)" if parameter.get("required") else "")
    return name, _text(parameter["description"]), _form(parameter["schema"])


def _answer(answer: Described, description: Described) -> tuple[str, str]:
    answer = _resolved(answer, description)
    held = [
        f"{escape(media)}{', ' + _form(content['schema']) if 'schema' in content else ''}"
        for media, content in answer.get("content", {}).items()
    ]
    return _text(answer["description"]), " or ".join(held) or "nothing"


def _schemas(description: Described) -> str:
    told = "\n".join(_schema(name, schema) for name, schema in description["components"]["schemas"].items())
    return f'<section id="Schemas">\n<h2>Schemas</h2>\n{told}</section>'


def _schema(name: str, schema: Described) -> str:
    required = schema.get("required", ())
    fields = [
        (code(field) + (" (required)" if field in required else ""), _text(each.get("description", "")), _form(each))
        for field, each in schema.get("properties", {}).items()
    ]
    about = f"<p>{_text(schema['description'])}</p>" if "description" in schema else ""
    held = _table(f"Fields of {name}", ("Field", "Is", "May be"), fields) if fields else f"<p>{_form(schema)}</p>"
    return f'<article id="schema-{name}">\n<h3><a href="#schema-{name}">{name}</a></h3>\n{about}{held}</article>'


def _form(schema: Described) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        values = [code("null" if value is None else value) for value in schema["enum"]]
        more = f" and {len(values) - LIST_MOST} more" if len(values) > LIST_MOST else ""
        return ", ".join(values[:LIST_MOST]) + more
    if "oneOf" in schema:
        return " or ".join(map(_form, schema["oneOf"]))
    kinds = schema.get("type", "anything")
    told = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "items" in schema:
        told += f" of {_form(schema['items'])}"
    bounds = [words.format(schema[key]) for key, words in _BOUNDS.items() if key in schema]
    if "pattern" in schema:
        bounds.append(f"like {code(schema['pattern'])}")
    if "format" in schema:
        bounds.append(escape(schema["format"]))
    return ", ".join([told, *bounds])


def _resolved(part: Described, description: Described) -> Described:
    """What a reference to a component stands for."""
    if "$ref" not in part:
        return part
    found: Described = description
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def _text(text: str) -> str:
    """A sentence; words of the interface stand between backquotes."""
    return _WORD.sub(r"<code>\1</code>", escape(text))


def code(value: object) -> str:
    """A word of the interface."""
    return f"<code>{escape(str(value))}</code>"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; every cell says its head, for telephones. Cells are HTML."""
    told = "\n".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f'<td data-head="{head}">{cell}</td>' for head, cell in zip(heads[1:], rest, strict=True))
        + "</tr>"
        for first, *rest in rows
    )
    named = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="wide"><table><caption>{caption}</caption>'
        f"<thead><tr>{named}</tr></thead>\n<tbody>{told}</tbody></table></div>"
    )
