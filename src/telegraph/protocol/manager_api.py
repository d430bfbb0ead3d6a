"""Bodies of the manager's REST API: Table 1 and section 5.1 of the report, plus our additions.

Field names are the report's. ``message`` is a sentence in most answers and the data itself in ``GET
/users/<username>``,
as in the report. Times are RFC 3339 in UTC with microseconds; keys and signatures are base64 (standard, padded).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535)]
Host = Annotated[str, Meta(min_length=1, max_length=253, description="IP address or DNS name of the node")]
Username = Annotated[str, Meta(max_length=256, description="1 to 64 characters, see protocol.names")]
Password = Annotated[str, Meta(max_length=1024, description="8 characters to 72 bytes")]
Counter = Annotated[int, Meta(ge=0, le=2**62)]
Status = Literal["online", "offline"]


class RegisterRequest(msgspec.Struct):
    """``POST /register``. A call that is repeated with the same random ``request_id`` succeeds again."""

    username: Username
    password: Password
    ip: Host
    port: Port
    invite: str | None = None
    request_id: Annotated[str, Meta(min_length=16, max_length=64)] | None = None


class LoginRequest(msgspec.Struct):
    """``POST /login``. With a certificate signing request (PEM) the session belongs to that device."""

    username: Username
    password: Password
    ip: Host
    port: Port
    csr: Annotated[str, Meta(max_length=8192)] | None = None
    counter: Counter | None = None
    signature: Annotated[str, Meta(max_length=128)] | None = None


class HeartbeatRequest(msgspec.Struct):
    """``POST /heartbeat``."""

    username: Username


class ReconnectRequest(msgspec.Struct):
    """Optional body of ``PUT /users/reconnect/<ip>/<username>``."""

    port: Port | None = None
    counter: Counter | None = None
    signature: Annotated[str, Meta(max_length=128)] | None = None


class PasswordRequest(msgspec.Struct):
    """``POST /password``."""

    old: Password
    new: Password


class PasswordProof(msgspec.Struct):
    """``DELETE /account``: the password again, so that a stolen session cannot do it."""

    password: Password


class AccountSettings(msgspec.Struct):
    """What of an account others may see. ``last_seen``: they learn when this person was last seen."""

    last_seen: bool = True


class SettingsChange(msgspec.Struct):
    """``PUT /settings``: what is given changes, the rest stays."""

    last_seen: bool | None = None


class SettingsAnswer(msgspec.Struct):
    """200 of ``GET /settings`` and ``PUT /settings``."""

    message: AccountSettings
    status: int = 200


class SessionInfo(msgspec.Struct):
    """A session of the caller; ``id`` is a name for it, the token is never shown.

    ``key`` is the fingerprint (SHA-256, hex) of the device's key, null for a plain session, which belongs to no device.
    """

    id: str
    kind: Literal["device", "plain"]
    created: str
    last_used: str
    current: bool
    key: str | None = None


class SessionsAnswer(msgspec.Struct):
    """200 of ``GET /sessions``, the newest first."""

    message: list[SessionInfo]
    status: int = 200


class ReachableAnswer(msgspec.Struct):
    """200 of ``POST /reachable``: whether this manager reached the caller's node at its registered address."""

    message: bool
    status: int = 200


class DisconnectRequest(msgspec.Struct):
    """``POST /disconnect`` from a manager to a node: you were marked offline, and why.

    ``inactive``: no heartbeat came in time; a live node answers by one at once. ``session_ended``: logged out
    or logged in elsewhere; a node does not answer that by a heartbeat.
    """

    username: str
    user_id: str
    reason: Literal["inactive", "session_ended"] = "inactive"


class CertificateRequest(msgspec.Struct):
    """``POST /certificate``: a new certificate for the device of this session, before the old one runs out."""

    csr: Annotated[str, Meta(max_length=8192)]


class CertificateAnswer(msgspec.Struct):
    """200 of ``POST /certificate``: the PEM leaf."""

    message: str
    certificate: str
    status: int = 200


class Answer(msgspec.Struct):
    """An answer that carries nothing but a sentence."""

    message: str
    status: int = 200


class ErrorAnswer(msgspec.Struct):
    """Every error, of managers and nodes alike. ``error`` is the stable code of errors.py."""

    message: str
    status: int
    error: str


class Registered(msgspec.Struct):
    """201 of ``POST /register``."""

    message: str
    user_id: str
    username: str
    provisional: bool = False
    status: int = 201


class LoggedIn(msgspec.Struct):
    """200 of ``POST /login``.

    ``certificate`` is the PEM leaf for the CSR, null without one; ``ca`` the organisation's CA in PEM.
    ``heartbeat_interval``
    and ``offline_after`` are seconds. ``counter`` is the counter that the address was stored under. ``replaced`` is the
    fingerprint of the device key that the session moved away from, null if it did not move. ``provisional``: not every
    site has confirmed the name yet.
    """

    message: str
    token: str
    user_id: str
    username: str
    ca: str
    heartbeat_interval: float
    offline_after: float
    site: str
    counter: int
    certificate: str | None = None
    managers: list[str] = []
    replaced: str | None = None
    provisional: bool = False
    status: int = 200


class Namesake(msgspec.Struct, frozen=True):
    """Somebody who had the same name until two sites met again; ``key`` is the fingerprint of the device's key."""

    username: str
    user_id: str
    site: str
    key: str | None = None


class User(msgspec.Struct):
    """A user as any other user sees them (section 5.1 of the report), never the password hash.

    ``device_key`` is the raw Ed25519 key of the device that receives messages, null before the first log-in with one;
    ``signature`` is that device's signature of the address (:func:`telegraph.protocol.addresses.address_to_sign`).
    ``provisional``: not every site has confirmed the name yet. ``site`` is where the user is, empty where there is one
    site only; ``as_of`` (RFC 3339) is when that site was last heard from, if it is cut off. ``namesakes``: who else had
    this name before two sites met again.
    """

    username: str
    user_id: str
    ip: str
    port: int
    status: Status
    last_seen: str | None
    device_key: str | None = None
    counter: int = 0
    signature: str | None = None
    provisional: bool = False
    stale: bool = False
    site: str = ""
    as_of: str | None = None
    namesakes: list[Namesake] = []


class UserAnswer(msgspec.Struct):
    """200 of ``GET /users/<username>``."""

    message: User
    status: int = 200


class UsersAnswer(msgspec.Struct):
    """200 of ``GET /peers`` and ``GET /users?query=``."""

    message: list[User]
    status: int = 200


class Health(msgspec.Struct):
    """200 or 503 of ``/livez`` and ``/readyz``; ``checks`` names each check with ``ok`` or what is wrong."""

    message: str
    status: int
    checks: dict[str, str] = {}
