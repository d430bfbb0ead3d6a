"""Serves the page off this machine: over HTTPS only, and to nobody who has not shown the password."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

import structlog
from litestar import Litestar

from telegraph.errors import CannotStart, OriginNeeded
from telegraph.node.api import certificate, origins
from telegraph.node.api.browsers import Browsers
from telegraph.node.api.certificate import PageFiles
from telegraph.node.api.guard import Guard
from telegraph.node.api.log_in import FromElsewhere
from telegraph.node.api.page import page_routes
from telegraph.node.api.routes import rest_router
from telegraph.node.app import Node
from telegraph.node.settings import NodeSettings
from telegraph.node.sockets import listen
from telegraph.protocol.node_api import DEFAULT_API_PORT
from telegraph.rest.bodies import require_json
from telegraph.rest.errors import MAX_BODY_BYTES, handlers
from telegraph.rest.server import Server
from telegraph.supervision import supervise

log = structlog.get_logger(__name__)

_LOOK_EVERY: Final = 3600.0
_STRICT: Final = (b"strict-transport-security", b"max-age=31536000")
"""RFC 6797. Not for IP addresses, of which it says nothing, nor for localhost, where others serve plain HTTP, nor with
a certificate of our own: once that is made anew no browser could be talked into taking it."""


def is_wanted(settings: NodeSettings) -> bool:
    """Whether the page is to be served off this machine."""
    return bool(settings.api_origins) or not origins.is_loopback(settings.api_host)


class Elsewhere:
    """The page over HTTPS; an async context manager."""

    def __init__(self, node: Node, browsers: Browsers) -> None:
        """Binds the port. ``browsers`` are those of the local API: a log-out there is one here.

        Raises:
            PortTaken: it is taken.
            OriginNeeded, IllegalAddress: it is not said, or wrongly, under which addresses.
            PageCertificateUnreadable: the certificate that was given is no good.
        """
        settings = node.settings
        self._settings = settings
        if (settings.api_cert is None) != (settings.api_key is None):
            raise CannotStart(detail="--api-cert and --api-key belong together")
        given = [origins.checked(origin) for origin in settings.api_origins]
        if not given and origins.is_any(settings.api_host):
            raise OriginNeeded
        self._hosts = list(dict.fromkeys([*map(origins.host_of, given), *_own_host(settings.api_host)]))
        files = self._files()
        self._context = certificate.page_context(files)
        self.fingerprint = files.fingerprint()
        port = DEFAULT_API_PORT if settings.api_port is None else settings.api_port
        self._listener = listen(settings.api_host, port, DEFAULT_API_PORT, "--api-port")
        self.port: int = self._listener.getsockname()[1]
        self.urls = given or [f"https://{origins.bracketed(settings.api_host)}:{self.port}"]
        self.guard = Guard(node.node_id, origins.off_loopback(self.urls, self.port), browsers)
        served: Any = application(node, self.guard)
        if settings.api_cert is not None:
            served = _Strict(served, self.guard.origins.hosts)
        self._server = Server(served, self._context)

    async def __aenter__(self) -> Self:
        self._serving = await self._server.start(self._listener)
        self._renewing = asyncio.create_task(supervise("page_certificate", self._renew))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._renewing.cancel()
        await self._server.stop(self._serving)

    def _files(self) -> PageFiles:
        settings = self._settings
        if settings.api_cert is not None and settings.api_key is not None:
            return PageFiles(settings.api_cert, settings.api_key)
        return certificate.kept(settings.data, [*self._hosts, "localhost", "127.0.0.1"], certificate.now())

    async def _renew(self) -> None:
        """What was given may be replaced by whoever gave it; our own runs out. Both are taken without a restart."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.look_again()

    def look_again(self) -> None:
        """Shows the certificate that there is by now.

        Raises:
            PageCertificateUnreadable: it is no good; then the one before stays.
        """
        files = self._files()
        certificate.page_context(files)
        files.load(self._context)
        if files.fingerprint() != self.fingerprint:
            self.fingerprint = files.fingerprint()
            log.info("page_certificate_replaced", sha256=self.fingerprint)


def _own_host(host: str) -> list[str]:
    return [] if origins.is_any(host) else [host.strip("[]")]


def application(node: Node, guard: Guard) -> Litestar:
    """The ASGI application: the calls and the page, without what is for this machine alone."""
    return Litestar(
        route_handlers=[rest_router(node, guard, FromElsewhere()), *page_routes()],
        guards=[guard.origin],
        exception_handlers=handlers(),
        before_request=require_json,
        logging_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
    )


class _Strict:
    """Says with every answer under a name that browsers shall come over HTTPS only."""

    def __init__(self, app: Any, hosts: Iterable[str]) -> None:
        self._app = app
        self._names = {host.encode() for host in hosts if origins.is_name(host)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def saying(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], _STRICT]}
            await send(message)

        named = scope["type"] == "http" and dict(scope["headers"]).get(b"host", b"").lower() in self._names
        await self._app(scope, receive, saying if named else send)
