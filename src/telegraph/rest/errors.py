"""Every error of a REST API as ``{"message", "status", "error"}``, whoever raised it (DESIGN.md section 3)."""

from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotAuthorizedException,
    NotFoundException,
    SerializationException,
)
from litestar.types import ExceptionHandlersMap

from telegraph.errors import (
    BodyTooLarge,
    IllegalQuery,
    Language,
    MalformedBody,
    NotLoggedIn,
    TelegraphError,
    UnknownPath,
    WrongMethod,
)
from telegraph.protocol.manager_api import ErrorAnswer
from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

MAX_BODY = 1024 * 1024
_TOO_LARGE = 413
_SERVER_ERROR = 500


def language_of(request: Request[Any, Any, Any]) -> Language:
    """Spanish, the report's language, unless the caller asks for English first."""
    return "en" if request.headers.get("accept-language", "").strip().lower().startswith("en") else "es"


def answer(error: TelegraphError, language: Language) -> Response[ErrorAnswer]:
    """The error answer for an error."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    elif error.status in (429, 503):
        headers["Retry-After"] = "1"
    if error.status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2 wants the header with it
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        ErrorAnswer(message=error.sentence(language), status=error.status, error=error.code),
        status_code=error.status,
        media_type=MediaType.JSON,
        headers=headers,
    )


def _ours(request: Request[Any, Any, Any], error: TelegraphError) -> Response[ErrorAnswer]:
    if error.status >= _SERVER_ERROR and error.status != 503:  # noqa: PLR2004 - unavailable is no defect
        log.error("request_failed", path=request.scope["path"], code=error.code, at=code_path(error))
    return answer(error, language_of(request))


def _litestars(request: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorAnswer]:
    translated = answer(_translated(error), language_of(request))
    if allow := (error.headers or {}).get("allow"):
        translated.headers["Allow"] = allow  # RFC 9110, 15.5.6 wants it with a 405
    return translated


_BY_KIND: dict[type[HTTPException], type[TelegraphError]] = {
    NotFoundException: UnknownPath,
    MethodNotAllowedException: WrongMethod,
    NotAuthorizedException: NotLoggedIn,
}


def _translated(error: HTTPException) -> TelegraphError:
    for kind, ours in _BY_KIND.items():
        if isinstance(error, kind):
            return ours()
    if error.status_code == _TOO_LARGE:
        return BodyTooLarge()
    if error.status_code >= _SERVER_ERROR:
        return TelegraphError()
    match error.extra:
        case [{"source": "query" | "path" | "header" | "cookie", "key": key}, *_]:
            return IllegalQuery(detail=f"{key} has a wrong value")
    return MalformedBody(detail=_first_reason(error))


def _first_reason(error: HTTPException) -> str:
    match error.extra:
        case [{"message": str(message), "key": str(key)}, *_]:
            return f"{key}: {message}"
        case [{"message": str(message)}, *_]:
            return message
    return "it is not valid JSON"


def _unreadable(request: Request[Any, Any, Any], _: Exception) -> Response[ErrorAnswer]:
    return answer(MalformedBody(detail="it is not valid JSON"), language_of(request))


def _unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorAnswer]:
    log.error("request_failed", path=request.scope["path"], kind=type(error).__name__, at=code_path(error))
    return answer(TelegraphError(), language_of(request))


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    TelegraphError: _ours,
    SerializationException: _unreadable,
    RecursionError: _unreadable,  # JSON nested deeper than the decoder goes
    HTTPException: _litestars,
    Exception: _unforeseen,
}
"""For Litestar's ``exception_handlers``."""
