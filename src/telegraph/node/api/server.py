"""Puts the local API together and serves it beside its node."""

import secrets
from contextlib import AsyncExitStack
from typing import Final, Self

from litestar import Litestar

from telegraph.node.api.browsers import Browsers
from telegraph.node.api.elsewhere import Elsewhere, is_wanted
from telegraph.node.api.guard import Guard, LocalGuard
from telegraph.node.api.page import page_routes
from telegraph.node.api.routes import rest_router
from telegraph.node.app import Node
from telegraph.node.settings import NodeSettings
from telegraph.node.sockets import listen
from telegraph.protocol import doctor_api, node_api
from telegraph.protocol.manager_api import ErrorAnswer
from telegraph.protocol.node_api import BROWSERS_FILE, DEFAULT_API_PORT, ENDPOINT_FILE, TOKEN_FILE
from telegraph.rest.bodies import require_json
from telegraph.rest.errors import MAX_BODY_BYTES, handlers
from telegraph.rest.openapi import Description
from telegraph.rest.server import Server
from telegraph.storage.datadir import write_private

DESCRIPTION: Final = Description(
    title="Telegraph node",
    summary="The local API of one person's node. Errors: {message, status, error}.",
    structs=(
        node_api.AccountRequest,
        node_api.SessionRequest,
        node_api.PasswordChange,
        node_api.RecoveryRequest,
        node_api.RecoveryCode,
        node_api.AccountDeletion,
        node_api.Sessions,
        node_api.BrowserRequest,
        node_api.BrowserLink,
        node_api.Door,
        node_api.Organisation,
        node_api.OrganisationRequest,
        node_api.OrganisationChoice,
        doctor_api.Reach,
        doctor_api.Doctor,
        node_api.Account,
        node_api.NodeStatus,
        node_api.People,
        node_api.Conversations,
        node_api.MessagesPage,
        node_api.Inbox,
        node_api.Found,
        node_api.Deleted,
        node_api.Settings,
        node_api.SettingsChange,
        node_api.SendRequest,
        node_api.ReadMarked,
        node_api.Ok,
        ErrorAnswer,
    ),
    security=("token", "the token file of the data directory"),
    secured=True,
)


class LocalApi:
    """The local API of a node that runs; an async context manager inside that of the node.

    Writes the token (kept from start to start) and, while it runs, its URL into the data directory. It is always on
    loopback; ``elsewhere`` is the page off this machine, if that is wanted.
    """

    def __init__(self, node: Node, *, port: int | None = None) -> None:
        """Binds the ports; ``port`` goes before that of the node's settings.

        Raises:
            PortTaken: the port was asked for and is taken.
            CannotStart, IllegalAddress: see :class:`Elsewhere`.
        """
        settings: NodeSettings = node.settings
        self._node = node
        host, wanted = settings.api_host, settings.api_port if port is None else port
        if off := is_wanted(settings):  # the port that was asked for is the page's then
            host, wanted = "127.0.0.1", port
        token_file = settings.data / TOKEN_FILE
        if not token_file.exists():
            write_private(token_file, secrets.token_urlsafe(32))
        self.token = token_file.read_text(encoding="utf-8").strip()
        browsers = Browsers(settings.data / BROWSERS_FILE)
        self.elsewhere = Elsewhere(node, browsers) if off else None
        self._listener = listen(host, wanted, DEFAULT_API_PORT, "--api-port")
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self._endpoint = settings.data / ENDPOINT_FILE
        self._guard = LocalGuard(self.token, node.node_id, self.port, browsers)
        self._server = Server(application(node, self._guard), None)

    def browser_link(self) -> str:
        """A link that opens the page in a browser on this machine and lets it in, once."""
        return self._guard.link(self.url)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            if self.elsewhere is not None:
                await opened.enter_async_context(self.elsewhere)
            serving = await self._server.start(self._listener)
            opened.push_async_callback(self._server.stop, serving)
            write_private(self._endpoint, self.url)
            opened.callback(self._endpoint.unlink, missing_ok=True)
            self._open = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()


def application(node: Node, guard: Guard) -> Litestar:
    """The ASGI application."""
    return Litestar(
        route_handlers=[rest_router(node, guard), *page_routes()],
        guards=[guard.origin],
        exception_handlers=handlers(),
        before_request=require_json,
        logging_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=DESCRIPTION.config(),
    )
