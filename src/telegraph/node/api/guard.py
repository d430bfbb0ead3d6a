"""Who may use the local API: programs with the token file, browsers with a cookie, and no other web site.

Every request must name this node as its host (DNS rebinding) and, if a browser says where it comes from, come from
this node's own
page (https://owasp.org/www-community/attacks/csrf, DNS rebinding: RFC 9110 7.4).
"""

import hmac
import secrets
from collections.abc import Callable
from time import monotonic
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard as LitestarGuard

from telegraph.errors import ForeignOrigin, WrongApiToken
from telegraph.node.api.browsers import Browsers
from telegraph.node.api.origins import Origins, on_loopback

Connection = ASGIConnection[Any, Any, Any, Any]

_KEPT_CODES = 64
_CODE_SECONDS = 600.0
_COOKIE_SECONDS = 400 * 86_400
"""As long as browsers keep a cookie at most (RFC 6265bis, 5.5)."""
COOKIE_PREFIX = "telegraph-"


class Guard:
    """Lets in browsers that were given a cookie. A cookie's name has the node's id in it: cookies know no ports.

    So two nodes' pages in one browser keep apart, also on one host (RFC 6265, 8.5).
    """

    def __init__(self, node_id: str, origins: Origins, browsers: Browsers) -> None:
        """Over HTTPS a cookie is secure, and named so that nothing but this very host can set it (RFC 6265bis)."""
        self.origins = origins
        self.browsers = browsers
        self.secure = origins.scheme == "https"
        self.cookie_name = f"{'__Host-' if self.secure else ''}{COOKIE_PREFIX}{node_id}"

    def check_origin(self, connection: Connection) -> None:
        """Lets pass what names this node as its host and does not come from another web site.

        Raises:
            ForeignOrigin: otherwise.
        """
        headers = connection.headers
        origin = headers.get("origin")
        if not self.origins.name(headers.get("host", "")) or (origin is not None and not self.origins.own(origin)):
            raise ForeignOrigin

    @property
    def access(self) -> LitestarGuard:
        """:meth:`check` as a function: Litestar copies handlers deeply, and a copied Guard would know no cookies."""
        return lambda connection, handler: self.check(connection, handler)  # noqa: PLW0108 - see above

    @property
    def origin(self) -> LitestarGuard:
        """:meth:`check_origin` for Litestar, for calls that give access in the first place."""
        return lambda connection, _: self.check_origin(connection)

    def check(self, connection: Connection, _: BaseRouteHandler) -> None:
        """Host, origin, and what shows that somebody was let in.

        Raises:
            ForeignOrigin, WrongApiToken: otherwise.
        """
        self.check_origin(connection)
        if not self.is_known(connection):
            raise WrongApiToken

    def new_cookie(self) -> Cookie:
        """A cookie that opens the API until a log-out; scripts cannot read it, other sites cannot send it."""
        return Cookie(
            key=self.cookie_name,
            value=self.browsers.admit(),
            httponly=True,
            samesite="strict",
            path="/",
            secure=self.secure,
            max_age=_COOKIE_SECONDS,
        )

    def forget_cookies(self) -> None:
        """Every browser has to log in anew."""
        self.browsers.forget()

    def is_known(self, connection: Connection) -> bool:
        """Whether there is a cookie that fits; what other servers on this host put beside it does not matter."""
        pairs = (one.strip().partition("=") for one in connection.headers.get("cookie", "").split(";"))
        return any(name == self.cookie_name and self.browsers.knows(value) for name, _, value in pairs)


class LocalGuard(Guard):
    """On this machine: also the token of the data directory, and links that let a browser in once."""

    def __init__(
        self,
        token: str,
        node_id: str,
        port: int,
        browsers: Browsers | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Without ``browsers`` nobody was let in yet. ``clock`` counts seconds."""
        super().__init__(node_id, on_loopback(port), browsers or Browsers())
        self._token = token
        self._clock = clock
        self._codes: dict[str, float] = {}

    def token_fits(self, token: str) -> bool:
        """Whether this is the token of the data directory; compared in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def is_known(self, connection: Connection) -> bool:
        """Whether there is a token or a cookie that fits."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and self.token_fits(token.strip())) or super().is_known(connection)

    def forget_cookies(self) -> None:
        """Every browser has to log in anew."""
        self._codes.clear()
        super().forget_cookies()

    def link(self, base: str) -> str:
        """A link to the page below a base URL, with a code that is worth a cookie once, for ten minutes.

        It stands behind the ``#``, which no browser sends anywhere (RFC 9110, 4.2.5).
        """
        code = secrets.token_urlsafe(24)
        recent = list(self._codes.items())[-_KEPT_CODES + 1 :]
        self._codes = {**dict(recent), code: self._clock() + _CODE_SECONDS}
        return f"{base.rstrip('/')}/#/open/{code}"

    def take_code(self, code: str) -> bool:
        """Whether a link with this code was made not long ago; it is not worth anything any more then."""
        ends = self._codes.pop(code, None)
        return ends is not None and self._clock() < ends
