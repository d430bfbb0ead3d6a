"""Who may use the local API: programs with the token file, browsers with a cookie, and no other web site.

Every request must name this node as its host (DNS rebinding) and, if a browser says where it comes from, come from
this node's own
page (https://owasp.org/www-community/attacks/csrf, DNS rebinding: RFC 9110 7.4).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard as LitestarGuard

from telegraph.errors import ForeignOrigin, WrongApiToken
from telegraph.storage.datadir import write_private

_KEPT_SESSIONS = 64
_CODE_SECONDS = 600.0
_COOKIE_SECONDS = 400 * 86_400
"""As long as browsers keep a cookie at most (RFC 6265bis, 5.5)."""
COOKIE_PREFIX = "telegraph-"


class Guard:
    """The token of a data directory, the cookies that were given out, and the links that let a browser in once."""

    def __init__(
        self, token: str, node_id: str, port: int, kept: Path | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """``node_id`` keeps the cookies of two nodes on one machine apart: cookies know no ports (RFC 6265, 8.5).

        ``kept`` is the file in which hashes of the cookies outlive a restart; what is stored is locked then all the
        same. ``clock`` counts seconds.
        """
        self._token = token
        self._kept = kept
        self._clock = clock
        self._codes: dict[str, float] = {}
        self._sessions = _read(kept)
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
        if not self.is_known(connection):
            raise WrongApiToken

    def token_fits(self, token: str) -> bool:
        """Whether this is the token of the data directory; compared in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def new_cookie(self) -> Cookie:
        """A cookie that opens the API until a log-out; scripts cannot read it, other sites cannot send it."""
        session = secrets.token_urlsafe(32)
        self._keep([*self._sessions[-_KEPT_SESSIONS + 1 :], _hash(session)])
        return Cookie(
            key=self.cookie_name,
            value=session,
            httponly=True,
            samesite="strict",
            path="/",
            secure=False,
            max_age=_COOKIE_SECONDS,
        )

    def forget_cookies(self) -> None:
        """Every browser has to log in anew."""
        self._codes.clear()
        self._keep([])

    def link(self, base: str) -> str:
        """A link to the page below a base URL, with a code that is worth a cookie once, for ten minutes.

        It stands behind the ``#``, which no browser sends anywhere (RFC 9110, 4.2.5).
        """
        code = secrets.token_urlsafe(24)
        recent = list(self._codes.items())[-_KEPT_SESSIONS + 1 :]
        self._codes = {**dict(recent), code: self._clock() + _CODE_SECONDS}
        return f"{base.rstrip('/')}/#/open/{code}"

    def take_code(self, code: str) -> bool:
        """Whether a link with this code was made not long ago; it is not worth anything any more then."""
        ends = self._codes.pop(code, None)
        return ends is not None and self._clock() < ends

    def is_known(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        """Whether there is a token or a cookie that fits."""
        return self._bearer(connection) or self._cookie(connection)

    def _keep(self, sessions: list[str]) -> None:
        self._sessions = sessions
        if self._kept is not None:
            write_private(self._kept, "\n".join(sessions))

    def _bearer(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.token_fits(token.strip())

    def _cookie(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        shown = SimpleCookie(connection.headers.get("cookie", "")).get(self.cookie_name)
        value = _hash(shown.value if shown else "")
        return sum(hmac.compare_digest(value, session) for session in self._sessions) > 0


def _hash(session: str) -> str:
    """What is kept of a cookie: it has 256 random bits, so a plain hash cannot be turned round."""
    return hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()


def _read(kept: Path | None) -> list[str]:
    return kept.read_text(encoding="ascii").split() if kept is not None and kept.exists() else []
