"""The OpenAPI document and a page that shows it without asking anybody else for anything."""

from html import escape
from typing import Any, Final, cast

import msgspec
from litestar import Request
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from telegraph.protocol.version import __version__

SCHEMA_PATH: Final = "/schema"
_METHODS: Final = ("get", "post", "put", "delete")


class Description(msgspec.Struct, frozen=True):
    """What is to be said of an API.

    ``structs`` are the shapes of its bodies; ``optional_bodies`` the paths of PUT calls whose body may be missing;
    ``security`` names the bearer token and says where it comes from.
    """

    title: str
    summary: str
    structs: tuple[type[msgspec.Struct], ...]
    security: tuple[str, str]
    optional_bodies: tuple[str, ...] = ()
    secured: bool = False

    def config(self) -> OpenAPIConfig:
        """For Litestar: the document at ``/schema/openapi.json``, the page at ``/schema``.

        With ``secured``, every call needs the token that does not say otherwise.
        """
        name, where = self.security
        return OpenAPIConfig(
            title=self.title,
            version=__version__,
            description=self.summary,
            path=SCHEMA_PATH,
            use_handler_docstrings=True,
            components=Components(
                security_schemes={name: SecurityScheme(type="http", scheme="bearer", description=where)}
            ),
            security=[{name: []}] if self.secured else None,
            render_plugins=[_Page(self, path="/"), _Document(self)],
        )


def document(said: Description, generated: dict[str, Any]) -> dict[str, Any]:
    """Litestar's document with what it gets wrong put right.

    It loses bounds of 0, knows no optional bodies, and adds errors of its own shape where we answer none.
    """
    fixed = cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(generated)))
    _, schemas = msgspec.json.schema_components(said.structs, ref_template="#/components/schemas/{name}")
    fixed["components"]["schemas"].update(schemas)
    for item in fixed["paths"].values():
        for operation in item.values():
            if "ErrorAnswer" not in str(operation["responses"].get("400", "ErrorAnswer")):
                del operation["responses"]["400"]
    for path in said.optional_bodies:
        fixed["paths"][path]["put"]["requestBody"]["required"] = False
    return fixed


class _Document(JsonRenderPlugin):
    def __init__(self, said: Description) -> None:
        super().__init__()
        self._said = said

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - Litestar's signature
        return msgspec.json.encode(document(self._said, openapi_schema))


class _Page(OpenAPIRenderPlugin):
    def __init__(self, said: Description, path: str) -> None:
        super().__init__(path=path)
        self._said = said

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - Litestar's signature
        return page(document(self._said, openapi_schema)).encode()


def page(described: dict[str, Any]) -> str:
    """The document as one plain HTML page."""
    calls = "".join(
        _call(method, path, item[method])
        for path, item in sorted(described["paths"].items())
        for method in _METHODS
        if method in item
    )
    schemas = "".join(
        f'<h3 id="{escape(name)}">{escape(name)}</h3><pre>{escape(_pretty(schema))}</pre>'
        for name, schema in sorted(described["components"]["schemas"].items())
    )
    title = escape(described["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title} {escape(described['info']['version'])}</h1>"
        f"<p>{escape(described['info']['description'])} The document itself: "
        f'<a href="/schema/openapi.json">openapi.json</a>.</p>{calls}<h2>Shapes</h2>{schemas}</body></html>'
    )


def _call(method: str, path: str, operation: dict[str, Any]) -> str:
    answers = "".join(
        f"<li><b>{escape(status)}</b> {escape(answer.get('description', ''))} {_links(answer)}</li>"
        for status, answer in sorted(operation["responses"].items())
    )
    session = " (needs a session)" if operation.get("security") else ""
    said, shape = escape(operation.get("description", "")), _links(operation.get("requestBody", {}))
    return f"<h2><code>{method.upper()} {escape(path)}</code>{session}</h2><p>{said} {shape}</p><ul>{answers}</ul>"


def _links(part: dict[str, Any]) -> str:
    """Links to the shapes that a request body or answer refers to."""
    text = msgspec.json.encode(part.get("content", {})).decode()
    names = [piece.split('"', 1)[0] for piece in text.split("#/components/schemas/")[1:]]
    return " ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in names)


def _pretty(schema: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()


_STYLE: Final = "body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}pre{overflow:auto}"
