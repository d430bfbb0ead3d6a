"""One REST call to one manager, and opening its event stream: where aiohttp's errors become ours."""

import asyncio
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TypeVar

import aiohttp
import msgspec

from telegraph.errors import BadInput, FateUnknown, ManagerAway, NoQuorum, TelegraphError, Unavailable
from telegraph.node.doctor import Manager, ManagerProblem
from telegraph.protocol.identity import MANAGER_ALIAS
from telegraph.protocol.manager_api import ErrorAnswer, Health
from telegraph.protocol.manager_events import MAX_EVENT_BYTES
from telegraph.rest.client import manager_context, read_answer

T = TypeVar("T")

_TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=2)
_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2)
_OPEN_WITHIN = 5.0
_CLOSE_WITHIN = 0.2
_MAX_ANSWER = 4 * 1024 * 1024
_OK = 200
_WRONG_DATES = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED (OpenSSL, x509_vfy.h)."""


class ManagerClient:
    """Calls managers over TLS that is verified against the organisation's CA and the managers' role.

    TLS itself asks for the name ``identity-manager``, which only managers' certificates carry (docs/decisions/0003).
    """

    def __init__(self, ca_pem: str | None) -> None:
        """``ca_pem`` may be None only if nothing but plain HTTP on loopback is called."""
        self._context = manager_context(ca_pem) if ca_pem else None
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit_per_host=8), raise_for_status=False)

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    async def call(
        self,
        url: str,
        method: str,
        path: str,
        answer: type[T],
        *,
        body: object = None,
        token: str | None = None,
        repeatable: bool = False,
    ) -> T:
        """Makes one call and gives its answer.

        Raises:
            ManagerAway: nothing was done: no connection, or a repeatable call that got no answer.
            FateUnknown: the call may have been carried out: sent, but no answer came, or the manager does not know.
            TelegraphError: what the manager answered.
        """
        headers = {"Accept-Language": "en"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = _encode(body), "application/json"
        try:
            async with self._session.request(
                method,
                url + path,
                data=data,
                headers=headers,
                timeout=_TIMEOUT,
                ssl=self._tls(url),
                server_hostname=MANAGER_ALIAS,
            ) as response:
                return _decode(response, await read_answer(response, _MAX_ANSWER), answer)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            raise ManagerAway from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            if repeatable:
                raise ManagerAway from problem
            raise FateUnknown from problem

    async def probe(self, url: str) -> None:
        """Returns if a manager lives there.

        Raises:
            ManagerAway: it does not, or it is not a manager of our organisation.
        """
        if (await self._health(url, "/livez")).status != _OK:
            raise ManagerAway

    async def ready(self, url: str) -> None:
        """Returns if a manager there can do its work: it lives, and its site has a quorum.

        Raises:
            Unavailable: it cannot: for the reason that it gives, or ManagerAway as :meth:`probe`.
        """
        health = await self._health(url, "/readyz")
        if health.status != _OK:
            raise _unready(health)

    async def examine(self, url: str) -> Manager:
        """How a manager is, whatever is wrong with it."""
        try:
            health, date = await self._look(url, "/readyz")
        except ManagerAway as problem:
            return Manager(url, _why_away(problem.__cause__))
        ahead = None if date is None else time.time() - date
        if health.status == _OK:
            return Manager(url, "", ahead=ahead)
        code = _unready(health).code
        return Manager(url, "no_quorum" if code == NoQuorum.code else "manager_not_ready", code, ahead)

    async def _health(self, url: str, path: str) -> Health:
        return (await self._look(url, path))[0]

    async def _look(self, url: str, path: str) -> tuple[Health, float | None]:
        """What a manager says of itself, and what time it has (seconds since 1970)."""
        try:
            async with self._session.get(
                url + path, timeout=_PROBE_TIMEOUT, ssl=self._tls(url), server_hostname=MANAGER_ALIAS
            ) as response:
                health = msgspec.json.decode(await read_answer(response, _MAX_ANSWER), type=Health)
                return health, _date(response.headers.get("Date", ""))
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as problem:
            raise ManagerAway from problem

    async def open_stream(self, url: str, token: str) -> aiohttp.ClientWebSocketResponse:
        """Opens the event stream; pings and pongs are for who reads it, who must answer the pings.

        Raises:
            ManagerAway: it cannot be opened now.
            NotLoggedIn: the session has ended.
        """
        try:
            async with asyncio.timeout(_OPEN_WITHIN):  # one that hangs must not keep us from the next
                return await self._session.ws_connect(
                    url.replace("http", "ws", 1) + "/events",
                    headers={"Authorization": f"Bearer {token}"},
                    autoping=False,
                    max_msg_size=MAX_EVENT_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_WITHIN),
                    ssl=self._tls(url),
                    server_hostname=MANAGER_ALIAS,
                )
        except aiohttp.WSServerHandshakeError as refusal:
            if refusal.status in (401, 403):
                raise TelegraphError.received("not_logged_in", "The session has ended.") from refusal
            raise ManagerAway from refusal
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise ManagerAway from problem

    def _tls(self, url: str) -> ssl.SSLContext | bool:
        if not url.startswith("https"):
            return False
        if self._context is None:
            raise ManagerAway
        return self._context


def _unready(health: Health) -> Unavailable:
    """Why a manager cannot do its work: the first check that failed."""
    for problem in health.checks.values():
        if problem != "ok":
            error = TelegraphError.of_code(problem)
            return error if isinstance(error, Unavailable) else Unavailable()
    return ManagerAway()


def _date(header: str) -> float | None:
    """An HTTP date (RFC 9110, 5.6.7) as seconds since 1970; the middle of the second that it names."""
    try:
        return parsedate_to_datetime(header).timestamp() + 0.5
    except ValueError:
        return None


def _why_away(problem: BaseException | None) -> ManagerProblem:
    """What kept a manager from being asked."""
    if not isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return "manager_away"
    behind = problem.certificate_error
    dates = isinstance(behind, ssl.SSLCertVerificationError) and behind.verify_code in _WRONG_DATES
    return "manager_dates" if dates else "manager_foreign"


def _encode(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # it would carry the whole text along, which may be a password
        raise BadInput(detail="a word of it is not Unicode") from None


def _decode(response: aiohttp.ClientResponse, content: bytes, answer: type[T]) -> T:
    try:
        if response.status < 400:  # noqa: PLR2004 - HTTP errors begin here
            return msgspec.json.decode(content, type=answer)
        error = msgspec.json.decode(content, type=ErrorAnswer)
    except msgspec.DecodeError as problem:
        raise ManagerAway from problem
    wait = response.headers.get("Retry-After", "")
    raise TelegraphError.received(error.error, error.message, float(wait) if wait.isdigit() else None)
