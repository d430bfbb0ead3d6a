"""Writes web/src/lib/api/types.ts: the shapes, calls and events of a node's local API, for the page.

From the OpenAPI document of the node's application, and from the structs of its event stream; with ``--check`` only
says whether the file is in step. Nothing of the API is written by hand on the page's side.
"""

import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
from generated import write_or_check

from telegraph.node.api.guard import LocalGuard
from telegraph.node.api.server import DESCRIPTION, application
from telegraph.node.app import Node
from telegraph.protocol import node_api
from telegraph.rest.openapi import document

FILE = Path(__file__).parent.parent / "web" / "src" / "lib" / "api" / "types.ts"

_HEAD = """\
// Made from the node's API and src/telegraph/protocol/node_api.py by scripts/generate_web_types.py; do not edit.
"""
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def page() -> str:
    """The whole file."""
    node = application(Node("unused"), LocalGuard("unused", "unused", node_api.DEFAULT_API_PORT))
    described = document(DESCRIPTION, node.openapi_schema.to_schema())
    shapes: dict[str, Any] = dict(described["components"]["schemas"])
    kinds = get_args(node_api.Event)
    _, events = msgspec.json.schema_components(list(kinds), ref_template="#/components/schemas/{name}")
    shapes.update(events)
    answers = _answered(described)
    parts = [_HEAD, *(_shape(name, shapes[name], answered=name not in answers) for name in sorted(shapes))]
    parts.append(f"export type Event = {' | '.join(kind.__name__ for kind in kinds)};\n")
    parts.append(_calls(described))
    return "\n".join(parts)


def _answered(described: dict[str, Any]) -> set[str]:
    """The shapes of requests: there a field with a default may be left out; in an answer every field is there."""
    return {
        _reference(operation["requestBody"]["content"]["application/json"]["schema"])
        for item in described["paths"].values()
        for operation in item.values()
        if "requestBody" in operation
    }


def _reference(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def _shape(name: str, schema: dict[str, Any], *, answered: bool) -> str:
    if "properties" not in schema and schema.get("type") != "object":
        return f"export type {name} = {_type(schema)};\n"
    required = schema.get("required", [])
    fields = [
        f"  {field}{'' if answered or field in required else '?'}: {_type(part)};"
        for field, part in schema.get("properties", {}).items()
    ]
    return "\n".join([f"export interface {name} {{", *fields, "}\n"])


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _reference(schema)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(_type(choice) for choice in choices)
    if "enum" in schema:
        return " | ".join("null" if value is None else f"'{value}'" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"({_type(schema['items'])})[]"
    kinds = schema.get("type", "unknown")
    return " | ".join(_PLAIN.get(kind, "unknown") for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _calls(described: dict[str, Any]) -> str:
    prefix = node_api.API_PREFIX
    lines = [
        f"  '{method.upper()} {path.removeprefix(prefix)}': {{ {_call(operation)} }};"
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if path.startswith(prefix)
    ]
    said = "/** Every call: its method and path below the prefix, what it takes and what it answers. */"
    return "\n".join(
        [f"export const API_PREFIX = '{prefix}';\n", said, "export interface Calls {", *sorted(lines), "}\n"]
    )


def _call(operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    query = [
        f"{parameter['name']}?: {_type(parameter['schema'])}"
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    ]
    asked = f"{{ {'; '.join(query)} }}" if query else "undefined"
    parts = [f"body: {_type(body) if body else 'undefined'}", f"query: {asked}"]
    return "; ".join([*parts, f"answer: {_answer(operation)}"])


def _answer(operation: dict[str, Any]) -> str:
    good = next(said for status, said in operation["responses"].items() if str(status).startswith("2"))
    schema = good.get("content", {}).get("application/json", {}).get("schema")
    return _type(schema) if schema else "unknown"


if __name__ == "__main__":
    sys.exit(write_or_check({FILE: page()}, "the code"))
