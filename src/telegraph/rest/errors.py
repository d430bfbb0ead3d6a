"""Every error as the documented answer ``{"message", "status", "error"}``; Litestar's own are translated to ours."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap

from telegraph.errors import (
    BadInput,
    BodyTooLarge,
    IllegalQuery,
    MalformedBody,
    NotLoggedIn,
    TelegraphError,
    UnknownPath,
    UnsupportedMedia,
    WrongMethod,
)
from telegraph.protocol.language import language_of
from telegraph.protocol.manager_api import ErrorAnswer
from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

_BY_STATUS: Final[dict[int, type[TelegraphError]]] = {
    401: NotLoggedIn,
    404: UnknownPath,
    405: WrongMethod,
    413: BodyTooLarge,
    415: UnsupportedMedia,
}
_SERVER_ERROR: Final = 500
_UNAUTHORIZED: Final = 401
_TRY_AGAIN: Final = (429, 503)
MAX_BODY_BYTES: Final = 1024 * 1024
_MAX_DETAIL: Final = 200
_BLANK: Final = re.compile(r"\{\w+\}")


def error_body(error: TelegraphError, accept_language: str) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of an error answer."""
    text = error.sentence(language_of(accept_language)).encode("utf-8", "replace").decode()
    body = msgspec.json.encode(ErrorAnswer(message=text, status=error.status, error=error.code))
    headers = {"Content-Type": "application/json"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    elif error.status in _TRY_AGAIN:
        headers["Retry-After"] = "1"
    if error.status == _UNAUTHORIZED:  # RFC 9110, 15.5.2 wants the header with it
        headers["WWW-Authenticate"] = "Bearer"
    return body, headers


def _response(
    request: Request[Any, Any, Any], error: TelegraphError, extra: Mapping[str, str] | None = None
) -> Response[bytes]:
    body, headers = error_body(error, request.headers.get("accept-language", ""))
    if error.status >= _SERVER_ERROR:
        log.warning("request_failed", code=error.code)
    media_type = headers.pop("Content-Type")
    return Response(body, status_code=error.status, headers={**headers, **(extra or {})}, media_type=media_type)


def _ours(request: Request[Any, Any, Any], error: TelegraphError) -> Response[bytes]:
    return _response(request, error)


def _litestars(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return _response(request, translated(error), allow)


def translated(error: HTTPException) -> TelegraphError:
    """The error of ours that says the same as one of Litestar's."""
    if isinstance(error, ValidationException):
        names = _wrong_parameters(error)
        return MalformedBody(detail="it is empty") if names == ["data"] else IllegalQuery(detail=", ".join(names))
    if error.status_code in _BY_STATUS:
        return _BY_STATUS[error.status_code]()
    if error.status_code < _SERVER_ERROR:
        return BadInput(detail=error.detail[:_MAX_DETAIL])
    return TelegraphError()


def _wrong_parameters(error: ValidationException) -> list[str]:
    problems = error.extra if isinstance(error.extra, list) else []
    return [str(problem.get("key", "?")) for problem in problems if isinstance(problem, dict)]


def _unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _note_crash(error, request.scope.get("path_template", ""))
    return _response(request, TelegraphError())


def _note_crash(error: Exception, route: str) -> None:
    log.error("request_crashed", route=route, kind=type(error).__name__, at=code_path(error))


def plain_answer(problem: Exception, accept_language: str, route: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of what :func:`handlers` make of an error, for whoever answers without Litestar."""
    if not isinstance(problem, TelegraphError):
        _note_crash(problem, route)
    error = problem if isinstance(problem, TelegraphError) else TelegraphError()
    if error.status >= _SERVER_ERROR:
        log.warning("request_failed", code=error.code)
    body, headers = error_body(error, accept_language)
    headers["Content-Length"] = str(len(body))
    return error.status, [(name.lower().encode(), value.encode()) for name, value in headers.items()], body


def handlers() -> ExceptionHandlersMap:
    """For Litestar: which function answers for which exception."""
    return {TelegraphError: _ours, HTTPException: _litestars, Exception: _unforeseen}


def answers(*errors: type[TelegraphError]) -> dict[int, ResponseSpec]:
    """The error answers of a call, for its OpenAPI entry."""
    by_status: dict[int, list[type[TelegraphError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {
        status: ResponseSpec(
            ErrorAnswer,
            generate_examples=False,
            description=" ".join(f"`{error.code}`: {_first_line(error)}" for error in kinds),
        )
        for status, kinds in sorted(by_status.items())
    }


def _first_line(error: type[TelegraphError]) -> str:
    return _BLANK.sub("…", (error.__doc__ or "").split("\n", 1)[0])


def malformed(problem: Exception) -> MalformedBody:
    """What is wrong with a body, without repeating what is in it."""
    if isinstance(problem, RecursionError):
        return MalformedBody(detail="it is nested too deeply")
    if isinstance(problem, UnicodeDecodeError):
        return MalformedBody(detail="it is not UTF-8")
    return MalformedBody(detail=str(problem)[:_MAX_DETAIL])
