"""``/ca``, ``/livez``, ``/readyz``, ``/metrics``: for those who join and those who run a manager."""

import hmac
from typing import Any

from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec

from telegraph.errors import NotLoggedIn, Refused
from telegraph.manager.api.language import sentence
from telegraph.manager.api.refusals import answers
from telegraph.manager.api.session import TheCore, TheLanguage, bearer, remote_of
from telegraph.manager.readiness import problem_of
from telegraph.manager.settings import is_loopback
from telegraph.protocol.manager_api import Health


@get("/ca", media_type="application/x-pem-file")
async def ca(core: TheCore) -> str:
    """The organisation's CA certificate in PEM; compare its fingerprint before you trust it."""
    return core.ca_pem


@get("/livez")
async def livez(language: TheLanguage) -> Health:
    """The process lives."""
    return Health(message=sentence("alive", language), status=200)


@get("/readyz", responses={503: ResponseSpec(Health, generate_examples=False, description="a check failed")})
async def readyz(core: TheCore, language: TheLanguage) -> Response[Health]:
    """The manager can do its work: the directory answers, for which several managers need a quorum."""
    problem = await problem_of(core.directory)
    status = 503 if problem else 200
    said = sentence("not_ready" if problem else "ready", language)
    return Response(Health(said, status, {"directory": problem or "ok"}), status_code=status)


@get("/metrics", media_type="text/plain; version=0.0.4", responses=answers(Refused))
async def metrics(core: TheCore, request: Request[Any, Any, Any]) -> bytes:
    """Counters in Prometheus's text format, for this machine or whoever has the metrics token."""
    if not is_loopback(remote_of(request)) and not _has_token(request, core.settings.metrics_token):
        raise Refused
    return core.metrics.text()


def _has_token(request: Request[Any, Any, Any], expected: str | None) -> bool:
    try:
        given = bearer(request.headers.get("authorization", ""))
    except NotLoggedIn:
        return False
    return expected is not None and hmac.compare_digest(given.encode(), expected.encode())


HANDLERS = [ca, livez, readyz, metrics]
