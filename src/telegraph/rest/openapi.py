"""The OpenAPI description of a REST API: errors told as they are, a page that fetches nothing from elsewhere."""

from collections.abc import Iterable

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from telegraph.errors import TelegraphError
from telegraph.protocol.manager_api import ErrorAnswer
from telegraph.protocol.version import __version__

SCHEMA_PATH = "/schema"


def answers(*errors: type[TelegraphError]) -> dict[int, ResponseSpec]:
    """For a handler's ``responses``: the error answers that it can give, by status."""
    by_status: dict[int, list[type[TelegraphError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {
        status: ResponseSpec(
            data_container=ErrorAnswer,
            generate_examples=False,
            description="; ".join(f"{error.code}: {_sentence(error)}" for error in found),
        )
        for status, found in by_status.items()
    }


def _sentence(error: type[TelegraphError]) -> str:
    return (error.__doc__ or "").split("\n", 1)[0]


def description(title: str, summary: str, *, security: Iterable[str] = ("token",)) -> OpenAPIConfig:
    """The OpenAPI document at ``/schema/openapi.json``."""
    return OpenAPIConfig(
        title=title,
        version=__version__,
        description=summary,
        path=SCHEMA_PATH,
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer", description="a session's token")}
        ),
        security=[{name: []} for name in security],
    )
