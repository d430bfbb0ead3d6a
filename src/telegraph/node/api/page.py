"""The web page: the files that `web/` was built into, served from memory with headers that bind what the page may do.

What the browser may load and whom it may speak with is this node alone (Content Security Policy level 3,
https://www.w3.org/TR/CSP3/); a message that somehow became code could neither run nor tell anybody.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from telegraph.errors import UnknownPath

BUILT: Final = Path(__file__).parent.parent / "web"
"""Where the build puts the page (scripts/web.py); it is no part of the sources, and of every wheel."""

_ALLOWED: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types svelte-trusted-html",
)
CONTENT_SECURITY_POLICY: Final = "; ".join(_ALLOWED)

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_MEDIA: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_ALWAYS_ASK: Final = "no-cache"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""Names under ``/assets`` carry a hash of the content, so what has a name never changes (RFC 8246)."""

_NOT_BUILT: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Telegraph</title>
<h1>The page is not built</h1><p>This copy of Telegraph has no web page in it. In the sources, run
<code>make</code> or <code>python scripts/web.py build</code>, then start the node again.</p></html>"""


def page_routes(built: Path = BUILT) -> list[HTTPRouteHandler]:
    """``GET /`` and ``GET /assets/…``, with the files as they are now."""
    files = _read(built)

    @get("/", include_in_schema=False)
    async def index() -> Response[bytes]:
        """The page."""
        return _response("index.html", files.get("index.html", _NOT_BUILT), _ALWAYS_ASK)

    @get("/assets/{name:str}", include_in_schema=False)
    async def asset(name: FromPath[str]) -> Response[bytes]:
        """A part of the page."""
        content = files.get(f"assets/{name}")
        if content is None:
            raise UnknownPath
        return _response(name, content, _FOR_EVER)

    return [index, asset]


def _read(built: Path) -> Mapping[str, bytes]:
    """Every file of the page that has a known type, by its path in it."""
    return {
        str(file.relative_to(built)): file.read_bytes()
        for file in built.rglob("*")
        if file.is_file() and file.suffix in _MEDIA
    }


def _response(name: str, content: bytes, caching: str) -> Response[bytes]:
    media_type = _MEDIA[Path(name).suffix]
    return Response(content, media_type=media_type, headers={**_HEADERS, "Cache-Control": caching})
