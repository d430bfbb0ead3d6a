"""Who may use the local API: programs with the token file, browsers with a cookie, and no other web site.

Every request must name this node as its host (DNS rebinding) and, if a browser says where it comes from, come from
this node's own
page (https://owasp.org/www-community/attacks/csrf, DNS rebinding: RFC 9110 7.4).
"""

import hmac
import secrets
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard as LitestarGuard

from telegraph.errors import ForeignOrigin, WrongApiToken

_KEPT_SESSIONS = 64
COOKIE_PREFIX = "telegraph-"


class Guard:
    """The token of a data directory, and the cookies that were given out since the start."""

    def __init__(self, token: str, node_id: str, port: int) -> None:
        """``node_id`` keeps the cookies of two nodes on one machine apart: cookies know no ports (RFC 6265, 8.5)."""
        self._token = token
        self._sessions: list[str] = []
        self.cookie_name = f"{COOKIE_PREFIX}{node_id}"
        self._hosts = frozenset(f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]"))

    def check_origin(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Lets pass what names this node as its host and does not come from another web site.

        Raises:
            ForeignOrigin: otherwise.
        """
        headers = connection.headers
        origin = headers.get("origin")
        if headers.get("host", "").lower() not in self._hosts:
            raise ForeignOrigin
        if origin is not None and (urlsplit(origin).scheme, urlsplit(origin).netloc.lower()) not in {
            ("http", host) for host in self._hosts
        }:
            raise ForeignOrigin

    @property
    def access(self) -> LitestarGuard:
        """:meth:`check` as a function: Litestar copies handlers deeply, and a copied Guard would know no cookies."""
        return lambda connection, handler: self.check(connection, handler)  # noqa: PLW0108 - see above

    @property
    def origin(self) -> LitestarGuard:
        """:meth:`check_origin` for Litestar, for calls that give access in the first place."""
        return lambda connection, _: self.check_origin(connection)

    def check(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Host, origin, and token or cookie.

        Raises:
            ForeignOrigin, WrongApiToken: otherwise.
        """
        self.check_origin(connection)
        if not (self._bearer(connection) or self._cookie(connection)):
            raise WrongApiToken

    def token_fits(self, token: str) -> bool:
        """Whether this is the token of the data directory; compared in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def new_cookie(self) -> Cookie:
        """A cookie that opens the API until the node stops; scripts cannot read it, other sites cannot send it."""
        session = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions[-_KEPT_SESSIONS + 1 :], session]
        return Cookie(key=self.cookie_name, value=session, httponly=True, samesite="strict", path="/", secure=False)

    def forget_cookies(self) -> None:
        """Every browser has to log in anew."""
        self._sessions = []

    def _bearer(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.token_fits(token.strip())

    def _cookie(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        shown = SimpleCookie(connection.headers.get("cookie", "")).get(self.cookie_name)
        value = (shown.value if shown else "").encode("utf-8", "replace")
        return sum(hmac.compare_digest(value, session.encode()) for session in self._sessions) > 0
