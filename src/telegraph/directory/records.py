"""What is stored in the directory, and under which keys.

====================================  =======================================================
``account/<user_id>``                 :class:`Account`
``name/<name>``                       :class:`NameClaim`; the name key, percent-encoded (RFC 3986)
``session/<user_id>/<token hash>``    :class:`Session`
``use/<user_id>/<token hash>``        :class:`Use`, when a session was last used, to the hour
``ended/<user_id>/<token hash>``      :class:`Ending`, why a device's session ended, for the device that asks later
``revoked/<user_id>/<fingerprint>``   :class:`Revocation` of a device key
``tombstone/user/<user_id>``          :class:`Tombstone` of an account that was deleted
``tombstone/name/<hash>``             :class:`Tombstone` of its name, under the name key's SHA-256
``presence/<user_id>``                :class:`Presence`
``attached/<user_id>``                :class:`Attachment`, which manager hears the user's node; under that one's lease
``invite/<code hash>``                :class:`InviteCode`
``setting/<name>``                    a JSON string, what other processes of this manager's data directory need to know
``site/<name>``                       :class:`Site`, one of several sites of the organisation
``exchange/<site>``                   :class:`Cursor`, how far another site's changes are applied here
====================================  =======================================================

Values are JSON with sorted fields, so that equal records have equal bytes (a hash over the directory relies on it).
Fields may be added with a default: an older release ignores those it does not know, a newer one fills in those that
are missing.

What several sites may change at once has a :data:`Version`; :mod:`telegraph.directory.merging` has the rules. Fields
that it calls *derived* follow from other records, and are kept beside them so that a look-up reads one record.
"""

import hashlib
from typing import Final, Literal, TypeVar
from urllib.parse import quote

import msgspec

from telegraph.protocol.manager_api import Status
from telegraph.protocol.manager_events import EndReason
from telegraph.protocol.names import MAX_NAME_LENGTH, name_key

ACCOUNTS: Final = "account/"
NAMES: Final = "name/"
SESSIONS: Final = "session/"
PRESENCES: Final = "presence/"
ATTACHMENTS: Final = "attached/"
INVITES: Final = "invite/"
USES: Final = "use/"
ENDINGS: Final = "ended/"
REVOCATIONS: Final = "revoked/"
TOMBSTONES: Final = "tombstone/"
REGISTRATION: Final = "setting/registration"
DIRECTORY_ID: Final = "setting/directory-id"

SITES: Final = "site/"
CURSORS: Final = "exchange/"
SEVERAL: Final = "setting/several-sites"
"""Is there once another site may read this directory; see :mod:`telegraph.manager.home`."""

EXCHANGED: Final = (
    ACCOUNTS,
    ENDINGS,
    NAMES,
    PRESENCES,
    REVOCATIONS,
    SESSIONS,
    SITES,
    TOMBSTONES,
    USES,
)
"""What sites tell each other; all else belongs to one of them."""

LOOKED_UP: Final = (ACCOUNTS, NAMES, SESSIONS, PRESENCES)
"""What look-ups and session checks read; commands beside a running manager on SQLite write none of it."""

_LONGEST: Final = 4 * MAX_NAME_LENGTH
"""Characters of a text that could still be a name once it is normalised; the bodies of the API allow as many."""


Version = tuple[int, str]
"""Of a value that several sites may change: a counter, and the site that wrote it. The greater one wins at a merge.

A write's version is one above the stored one, with the own site (:meth:`telegraph.manager.home.Home.next`).
"""

ORIGIN: Final[Version] = (0, "")
"""Of what was never changed, or by an older release only."""

NameState = Literal["tentative", "provisional", "final"]
ClaimState = Literal["tentative", "provisional", "final", "aborted"]


class Account(msgspec.Struct, frozen=True):
    """A person. ``username`` is the name as shown, ``password_hash`` bcrypt's text, ``created`` RFC 3339.

    ``request_id`` is that of the registration that made it, so that a repeated one knows its own work.
    ``device_key`` is the raw Ed25519 key of the device that logged in last, None after it was revoked.
    ``certified_until`` is when the last certificate ends that any device got, RFC 3339. ``hides_last_seen``: others do
    not learn when this person was last seen.

    ``password_kept`` is the hash of the session's token by which the password was changed, the one session that goes on
    then. The versions are those of the password, the device and the settings; certifying the same key anew does not
    raise that of the device.

    ``registered`` is the name as it was registered, if it is not ``username``, which is derived then, like
    ``name_state``; ``home`` the site of the registration (empty: there was only one).
    """

    user_id: str
    username: str
    password_hash: str
    created: str
    request_id: str = ""
    device_key: bytes | None = None
    certified_until: str = ""
    hides_last_seen: bool = False
    password_kept: str = ""
    password_version: Version = ORIGIN
    device_version: Version = ORIGIN
    settings_version: Version = ORIGIN
    registered: str = ""
    home: str = ""
    name_state: NameState = "final"

    @property
    def base_name(self) -> str:
        """The name as it was registered."""
        return self.registered or self.username


class Claim(msgspec.Struct, frozen=True):
    """One user's claim of a name: ``username`` as typed, the site of the registration, ``since`` in RFC 3339.

    That site alone decides the state: tentative, then final if all sites have acknowledged it, provisional if some
    could not be asked, aborted if one refused it.
    """

    user_id: str
    username: str = ""
    site: str = ""
    state: ClaimState = "final"
    since: str = ""


class NameClaim(msgspec.Struct, frozen=True):
    """Who holds a name; empty: nobody, as all claims of it were aborted or lost.

    With several sites it is derived from ``claims``, which are in the order of user ids. Without any it is a final one.
    """

    user_id: str
    claims: tuple[Claim, ...] = ()


class Session(msgspec.Struct, frozen=True):
    """A log-in. ``device``: it came with a signing request, so that it belongs to the device that gets the messages.

    ``created`` is RFC 3339 with microseconds, so its text order is the order in time. The versions are those of the
    password that was given, and of the account's device as of then, if it is a device's.
    """

    device: bool
    created: str
    password_version: Version = ORIGIN
    device_version: Version = ORIGIN


class Use(msgspec.Struct, frozen=True):
    """When a session was last used, RFC 3339; written once an hour at most, since a heartbeat never is a write."""

    at: str


class Ending(msgspec.Struct, frozen=True):
    """Why and when a session ended; kept until ``until``. Times are RFC 3339.

    A single site keeps it of devices' sessions, for whoever asks; several keep it of all, so that none comes back.
    """

    reason: EndReason
    at: str
    until: str


class Revocation(msgspec.Struct, frozen=True):
    """A device key that nobody may speak with any more; after ``until`` no certificate of it is valid anyway."""

    at: str
    until: str


class Tombstone(msgspec.Struct, frozen=True):
    """An account that was deleted, or its name, which nobody else ever gets (DESIGN.md 10.6); nothing of the person."""

    at: str


class Presence(msgspec.Struct, frozen=True):
    """Where a user's node is and whether it is there; ``last_seen`` is as of the last change of status or address.

    ``counter`` rises with every new address (DESIGN.md 10.7); ``signature`` is the device's, or None. ``site`` is where
    it was written, ``version`` rises with every write.
    """

    host: str
    port: int
    counter: int
    status: Status = "offline"
    last_seen: str | None = None
    signature: bytes | None = None
    site: str = ""
    version: int = 0


class Attachment(msgspec.Struct, frozen=True):
    """Which manager a user's node shows its life to. The key hangs on that manager's lease.

    ``silent``: that manager has not heard the node for too long, and leaves it to the leader to say so; then the key
    hangs on no lease. ``at`` is RFC 3339: since when the user is attached, or when one who is silent was last heard
    (empty: not since that manager's start).
    """

    manager: str
    at: str = ""
    silent: bool = False


class InviteCode(msgspec.Struct, frozen=True):
    """A code that allows registration; a ``single_use`` one is deleted by it."""

    created: str
    single_use: bool = False


class Site(msgspec.Struct, frozen=True):
    """A site of the organisation: the URLs of its managers, and of where they serve other sites.

    Its own leader writes it, and raises ``version``. ``id`` is random and stays the same, whatever directory the site
    has, so that another site that wants the same name is told apart from this one that asks again.
    """

    name: str
    urls: tuple[str, ...] = ()
    exchange: tuple[str, ...] = ()
    version: int = 0
    id: str = ""


class Cursor(msgspec.Struct, frozen=True):
    """How far another site's changes are applied here: up to this revision of that directory; ``at`` is RFC 3339.

    It is written in the commit of what it stands for. ``directory_id`` names the directory that the revision is of.
    """

    revision: int
    at: str = ""
    directory_id: str = ""


Record = TypeVar(
    "Record",
    Account,
    NameClaim,
    Session,
    Use,
    Ending,
    Revocation,
    Tombstone,
    Presence,
    Attachment,
    InviteCode,
    Site,
    Cursor,
)

encode: Final = msgspec.json.Encoder(order="sorted").encode


def decode(value: bytes, kind: type[Record]) -> Record:
    """The record in a value.

    Raises:
        msgspec.DecodeError: it is none of that kind.
    """
    return msgspec.json.decode(value, type=kind)


def account_key(user_id: str) -> str:
    """Where an account is stored."""
    return ACCOUNTS + user_id


def name_record_key(username: str) -> str:
    """Where the claim of a name is stored, the same for all names that are the same.

    Percent-encoding works character by character, so a name's beginning gives the beginning of its key. A lone
    surrogate, which JSON can carry, gives a key that no legal name has, and so does what is far too long: the time that
    normalising takes grows with the square of the number of combining marks.
    """
    if len(username) > _LONGEST:
        return NAMES + "%"  # no percent-encoding ends so
    return NAMES + quote(name_key(username), safe="", errors="surrogatepass")


def sessions_of(user_id: str) -> str:
    """The prefix below which a user's sessions are stored."""
    return f"{SESSIONS}{user_id}/"


def session_key(user_id: str, token_hash: str) -> str:
    """Where a session is stored."""
    return sessions_of(user_id) + token_hash


def use_key(user_id: str, token_hash: str) -> str:
    """Where the last use of a session is stored."""
    return f"{USES}{user_id}/{token_hash}"


def ending_key(user_id: str, token_hash: str) -> str:
    """Where it is stored why a session ended."""
    return f"{ENDINGS}{user_id}/{token_hash}"


def revocation_key(user_id: str, fingerprint: str) -> str:
    """Where the revocation of a user's device key is stored; the fingerprint is that of ``protocol/identity.py``."""
    return f"{REVOCATIONS}{user_id}/{fingerprint}"


def tombstone_key(user_id: str) -> str:
    """Where the tombstone of an account is stored."""
    return f"{TOMBSTONES}user/{user_id}"


def name_tombstone_key(username: str) -> str:
    """Where the tombstone of a name is stored, the same for all names that are the same."""
    return tombstone_of(name_record_key(username))


def tombstone_of(place: str) -> str:
    """Where the tombstone of a name is stored whose claim is stored at ``place``."""
    return f"{TOMBSTONES}name/{secret_hash(place)}"


def presence_key(user_id: str) -> str:
    """Where a user's presence is stored."""
    return PRESENCES + user_id


def site_key(name: str) -> str:
    """Where a site is stored."""
    return SITES + quote(name, safe="", errors="surrogatepass")


def cursor_key(site: str) -> str:
    """Where it is stored how far a site's changes are applied."""
    return CURSORS + quote(site, safe="", errors="surrogatepass")


def attachment_key(user_id: str) -> str:
    """Where it is stored which manager a user is attached to."""
    return ATTACHMENTS + user_id


def invite_key(code: str) -> str:
    """Where an invite code is stored: under its hash, for whoever reads the file shall not have the code."""
    return INVITES + secret_hash(code)


def secret_hash(secret: str) -> str:
    """SHA-256 in hex of a token or code; these are random enough that no salt or slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
