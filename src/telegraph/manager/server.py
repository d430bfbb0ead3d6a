"""uvicorn inside our own event loop: our sockets, our TLS, no signal handlers."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import uvicorn

from telegraph.manager.ca import CertificateAuthority
from telegraph.peer.credentials import Credentials, renew
from telegraph.protocol.manager_events import MAX_EVENT_BYTES

_GRACE: Final = 1
"""Seconds that requests under way get at the end; idle TLS connections use them up if their other end is silent."""

_PING_EVERY: Final = 5.0


class Server(uvicorn.Server):
    """Serves one application on one socket."""

    def __init__(self, application: Any, context: ssl.SSLContext | None) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http="auto",
                ws="websockets-sansio",
                ws_max_size=MAX_EVENT_BYTES,
                ws_per_message_deflate=False,
                ws_ping_interval=_PING_EVERY,
                ws_ping_timeout=_PING_EVERY,
                lifespan="off",
                log_config=None,
                access_log=False,  # paths have names in them
                proxy_headers=False,  # else anybody on this machine could choose the address that is rate-limited
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
                ssl_context_factory=None if context is None else lambda _config, _default: context,
            )
        )
        self._ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever embeds the manager."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, with word of it."""
        await super().startup(sockets)
        self._ready.set()

    async def ready(self, serving: "asyncio.Task[None]") -> None:
        """Waits until requests are answered; raises what kept the serving task from it."""
        waiting = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait((waiting, serving), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """TLS 1.3 that asks nobody for a certificate: whoever calls has a session, or wants one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    renew(context, credentials)
    return context


class Identity:
    """The manager's own certificate, issued by the CA at each start and again after two thirds of its life."""

    def __init__(self, ca: CertificateAuthority, manager_id: str, hosts: list[str], lifetime: timedelta) -> None:
        self._ca = ca
        self._manager_id = manager_id
        self._hosts = hosts
        self._lifetime = lifetime

    def issue(self, now: datetime) -> Credentials:
        """A new certificate with a new key."""
        certificate, key = self._ca.issue_manager(self._manager_id, self._hosts, now, self._lifetime)
        return Credentials(certificate_pem=certificate, key_pem=key, ca_pem=self._ca.pem)

    def renew_at(self, issued: datetime) -> datetime:
        """When the next one is due."""
        return issued + self._lifetime * 2 / 3
