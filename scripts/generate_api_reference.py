"""Writes manager-api.md and node-api.md of docs/reference; with ``--check`` only says whether they are in step.

The calls are read from the OpenAPI documents of the two applications, put together here without sockets or files; the
frames of the event streams from their structs.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec
from generated import write_or_check
from litestar import Litestar

from telegraph.manager.api import account, care, service, users
from telegraph.manager.api.openapi import DESCRIPTION
from telegraph.manager.api.session import dependencies
from telegraph.node.api.guard import LocalGuard
from telegraph.node.api.server import DESCRIPTION as NODE_DESCRIPTION
from telegraph.node.api.server import application
from telegraph.node.app import Node
from telegraph.protocol import doctor_api, manager_api, manager_events, node_api
from telegraph.rest.openapi import document

FOLDER = Path(__file__).parent.parent / "docs" / "reference"

_MADE = "<!-- Made from {} by scripts/generate_api_reference.py (`make docs`); do not edit. -->"

MANAGER = f"""\
# The manager's API

{_MADE.format("src/telegraph/manager/api and src/telegraph/protocol")}

JSON over HTTPS, TLS 1.3 (port 8000 by default). The calls of the report keep its paths, fields and sentences; the list
of what is public is [contract.json](contract.json). `message` is Spanish, or English with `Accept-Language: en`. A call
that needs a session takes `Authorization: Bearer <token>`, the token of a log-in. Bodies have at most 1 MiB. Errors
are `{{"message", "status", "error"}}` ([all of them](errors.md)). A running manager shows this too: a page at
`/schema`, the OpenAPI document at `/schema/openapi.json`.
"""

NODE = f"""\
# A node's local API

{_MADE.format("src/telegraph/node/api and src/telegraph/protocol/node_api.py")}

JSON over HTTP on loopback (port 8420 by default, or a free one; the file `api-endpoint` in the data directory has the
URL). A program sends `Authorization: Bearer <token>` with the content of the file `api-token`; a browser gets a cookie
by `POST /api/v1/session` or `POST /api/v1/browser`. Requests with a foreign `Host` or `Origin` are refused. Errors are
`{{"message", "status", "error"}}` ([all of them](errors.md)). A running node shows this too: a page at `/schema`,
the OpenAPI document at `/schema/openapi.json`.
"""

MANAGER_EVENTS = """\
## The event stream: `WS /events`

One JSON object a WebSocket text message, `type` says which. It needs a session, like a call. Frames have at most
64 KiB; at most 10,000 users are watched on a stream, and a session has at most 4 streams.
"""

NODE_EVENTS = """\
## The event stream: `WS /api/v1/events?cursor=`

One JSON object a WebSocket text message, `type` says which. First comes everybody's presence; then what happens from
now on, or, with a cursor, what happened after it, so that nothing is missed. What the client says is ignored.
"""


SHAPES = """\
## Shapes

A field without a default has to be in a request; in an answer every field is there. Fields that are not listed are
ignored.
"""


def pages() -> dict[Path, str]:
    """Both pages."""
    manager = Litestar(
        [*account.HANDLERS, *care.HANDLERS, *users.HANDLERS, *service.HANDLERS],
        dependencies=dependencies(),
        openapi_config=DESCRIPTION.config(),
        logging_config=None,
    )
    node = application(Node("unused"), LocalGuard("unused", "unused", node_api.DEFAULT_API_PORT))
    of_manager = [
        MANAGER_EVENTS,
        *_frames("From node to manager", manager_events.FromNode),
        *_frames("From manager to node", manager_events.FromManager),
    ]
    of_node = [NODE_EVENTS, *_frames("Events", node_api.Event)]
    described = document(DESCRIPTION, manager.openapi_schema.to_schema())
    locally = document(NODE_DESCRIPTION, node.openapi_schema.to_schema())
    return {
        FOLDER / "manager-api.md": _page(MANAGER, described, of_manager, manager_api),
        FOLDER / "node-api.md": _page(NODE, locally, of_node, node_api, doctor_api),
    }


def _page(introduction: str, described: dict[str, Any], events: list[str], *modules: ModuleType) -> str:
    everywhere = described.get("security", [])
    calls = [
        _call(method, path, operation, operation.get("security", everywhere))
        for path, item in described["paths"].items()
        for method, operation in item.items()
    ]
    schemas = sorted(described["components"]["schemas"].items())
    shapes = {name: shape for module in modules for name, shape in vars(module).items()}
    tables = [_shape(name, schema, shapes.get(name)) for name, schema in schemas]
    return "\n".join([introduction, *calls, *events, SHAPES, *tables])


def _call(method: str, path: str, operation: dict[str, Any], security: list[dict[str, Any]]) -> str:
    lines = [f"## `{method.upper()} {path}`", "", _cell(operation["description"]), ""]
    lines.append(f"Needs {_needed(security)}.{_body(operation)}")
    if parameters := operation.get("parameters"):
        lines += ["", "| parameter | type | meaning |", "|---|---|---|", *map(_parameter, parameters)]
    lines += ["", "| status | answer |", "|---|---|"]
    lines += [f"| {status} | {_answer(said)} |" for status, said in sorted(operation["responses"].items())]
    return "\n".join([*lines, ""])


def _needed(security: list[dict[str, Any]]) -> str:
    names = [name for scheme in security for name in scheme]
    return {"session": "a session", "token": "the token or a cookie"}[names[0]] if names else "nothing"


def _body(operation: dict[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    body = operation["requestBody"]
    optional = "" if body["required"] else ", optional"
    return f" Body: {_type(body['content']['application/json']['schema'])}{optional}."


def _parameter(parameter: dict[str, Any]) -> str:
    where = f"in the {parameter['in']}"
    meaning = parameter.get("description") or ""
    said = ", ".join(filter(None, [where, meaning]))
    return f"| `{parameter['name']}` | {_type(parameter['schema'])} | {_cell(said)} |"


def _answer(said: dict[str, Any]) -> str:
    kinds = list(said.get("content", {}).items())
    media, schema = (kinds[0][0], kinds[0][1]["schema"]) if kinds else ("", {})
    if "ErrorAnswer" in str(schema):
        return _cell(said["description"])
    return _type(schema) if media == "application/json" else f"`{media}`"


def _shape(name: str, schema: dict[str, Any], kind: type | None) -> str:
    said = [_cell(inspect.cleandoc(kind.__doc__ or "")), ""] if kind is not None and kind.__doc__ else []
    return "\n".join([f"### {name}", "", *said, *_fields(schema)])


def _frames(title: str, union: object) -> Iterator[str]:
    yield f"### {title}\n"
    kinds = get_args(union)
    for kind in kinds:
        _, found = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
        schema = found[kind.__name__]
        tag = schema["properties"].pop("type")["enum"][0]
        yield "\n".join([f"#### Type `{tag}`", "", _cell(inspect.cleandoc(kind.__doc__ or "")), "", *_fields(schema)])


def _fields(schema: dict[str, Any]) -> list[str]:
    if not schema.get("properties"):
        return ["No fields.", ""]
    rows = [
        f"| `{name}` | {_type(part)} | {_default(name, part, schema)} | {_cell(part.get('description', ''))} |"
        for name, part in schema["properties"].items()
    ]
    return ["| field | type | default | |", "|---|---|---|---|", *rows, ""]


def _default(name: str, part: dict[str, Any], schema: dict[str, Any]) -> str:
    return "" if name in schema.get("required", []) else f"`{msgspec.json.encode(part.get('default')).decode()}`"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(choice) for choice in choices)
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "any")) + _bounds(schema)


_WORDS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "{} characters or more",
    "maxLength": "up to {} characters",
}


def _bounds(schema: dict[str, Any]) -> str:
    said = " ".join(words.format(schema[name]) for name, words in _WORDS.items() if name in schema)
    return f", {said}" if said else ""


def _cell(text: str) -> str:
    """Prose as one line of a table, with Markdown's marks instead of our docstrings'."""
    for mark in (":func:", ":data:", ":class:", "telegraph."):
        text = text.replace(mark, "")
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(write_or_check(pages(), "the code"))
