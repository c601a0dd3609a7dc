"""A kind's schema broken down into rules, each with the code for breaking it and the sentence that says it.

One keyword of one field is one rule, compiled by itself; together the rules say exactly what the schema says. They are
asked only about an event that the schema as a whole refused, in the order of ORDER, and the first that is broken is the
answer: the same event always gets the same one, at a bounded cost, and it is made of declarations only (the messages of
the schema library, which quote the event, are never used). catalogue/kinds.py asks them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from collector.errors import Code, Misconfigured

# Which rule answers when several are broken: the shape, then the values, then what the values mean together.
ORDER = (
    Code.UNKNOWN_KEY,
    Code.MISSING,
    Code.WRONG_TYPE,
    Code.OUT_OF_BOUNDS,
    Code.BAD_PATTERN,
    Code.NOT_DECLARED,
    Code.INCONSISTENT,
)
KEYWORDS = {
    "type": Code.WRONG_TYPE,
    "minimum": Code.OUT_OF_BOUNDS,
    "maximum": Code.OUT_OF_BOUNDS,
    "minLength": Code.OUT_OF_BOUNDS,
    "maxLength": Code.OUT_OF_BOUNDS,
    "minItems": Code.OUT_OF_BOUNDS,
    "maxItems": Code.OUT_OF_BOUNDS,
    "pattern": Code.BAD_PATTERN,
    "enum": Code.NOT_DECLARED,
    "const": Code.NOT_DECLARED,
}
NOTES = {"description", "default", "x-registered"}
_SCHEMA_KEYWORDS = {
    *("$schema", "title", "description", "examples", "type"),
    *("additionalProperties", "required", "properties", "allOf"),
}
_TYPES = {"integer": "a whole number", "boolean": "true or false", "string": "text", "array": "a list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One piece of a kind's schema. `field` is None where it is about no single field."""

    code: Code
    field: str | None
    says: str
    schema: jsonschema_rs.Validator

    def holds(self, event: dict[str, Any]) -> bool:
        """Whether the event keeps this rule. 1.0 and 1e3 are no whole numbers here, though JSON Schema takes them."""
        if self.code is Code.WRONG_TYPE and self.field is not None and type(event.get(self.field)) is float:
            return False
        try:
            return self.schema.is_valid(event)
        except ValueError:  # not Unicode (a lone surrogate): nothing declared is
            return False


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """Compile a schema without network, and with the expression engine that no pattern can make run for long."""
    return jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())


def rules_of(kind: str, schema: dict[str, Any]) -> tuple[Rule, ...]:
    """All rules of a kind in the order they are asked; raises Misconfigured for a keyword that no rule stands for."""
    if unknown := schema.keys() - _SCHEMA_KEYWORDS:
        raise Misconfigured(f"events/{kind}.json: {min(unknown)} is not used here")
    fields = schema["properties"]
    rules = [
        Rule(
            code=Code.UNKNOWN_KEY,
            field=None,
            says=f"only these fields are accepted: {', '.join(fields)}",
            schema=compile_schema({"properties": dict.fromkeys(fields, True), "additionalProperties": False}),
        )
    ]
    for name in schema["required"]:
        says = f"{name} must be given"
        rules.append(Rule(code=Code.MISSING, field=name, says=says, schema=compile_schema({"required": [name]})))
    for name, declaration in fields.items():
        pieces = list(_pieces(kind, name, declaration))
        says = sentence(name, declaration)
        for code, piece in pieces:
            rules.append(Rule(code=code, field=name, says=says, schema=compile_schema({"properties": {name: piece}})))
    for clause in schema.get("allOf", ()):
        if "x-code" not in clause or "description" not in clause:
            raise Misconfigured(f"events/{kind}.json: every member of allOf has x-code and description")
        code = Code(clause["x-code"])
        rules.append(Rule(code=code, field=None, says=clause["description"], schema=compile_schema(clause)))
    return tuple(sorted(rules, key=lambda rule: ORDER.index(rule.code)))


def sentence(name: str, declaration: dict[str, Any]) -> str:
    """What a field may hold, as a sentence: "seconds is a whole number from 0 to 86400"."""
    if "const" in declaration:
        return f"{name} is {declaration['const']}"
    if "enum" in declaration:
        choices = (f"[{', '.join(value)}]" if isinstance(value, list) else str(value) for value in declaration["enum"])
        return f"{name} is one of {', '.join(choices)}"
    said = f"{name} is {_TYPES[declaration['type']]}"
    if "minimum" in declaration and "maximum" in declaration:
        said += f" from {declaration['minimum']} to {declaration['maximum']}"
    if "maxLength" in declaration:
        said += f" of at most {declaration['maxLength']} characters"
    if "pattern" in declaration:
        said += f" of the pattern {declaration['pattern']}"
    return said


def _pieces(kind: str, name: str, declaration: dict[str, Any]) -> Iterator[tuple[Code, dict[str, Any]]]:
    if "const" not in declaration and declaration.get("type") not in _TYPES:
        raise Misconfigured(f"events/{kind}.json: {name}: its type is none of {', '.join(_TYPES)}")
    is_list = declaration.get("type") == "array"
    for keyword, value in declaration.items():
        if keyword == "items" and is_list:
            for code, piece in _pieces(kind, name, value):
                yield code, {"items": piece}
        elif keyword == "enum" and is_list:
            # Each item may be declared and the list still say what cannot be.
            yield Code.INCONSISTENT, {"enum": value}
        elif keyword in KEYWORDS:
            yield KEYWORDS[keyword], {keyword: value}
        elif keyword not in NOTES:
            raise Misconfigured(f"events/{kind}.json: {name}: {keyword} is not used here")
