"""Session tokens: ``<user_id>.<43 random characters>``, of which the directory keeps the hash only."""

import re
import secrets
from typing import Final

import msgspec

from telegraph.directory import records
from telegraph.directory.port import Directory, Entry, Reads, Unchanged
from telegraph.directory.records import Account, Ending, Session
from telegraph.errors import NotLoggedIn

_TOKEN: Final = re.compile(r"([0-9a-f]{32})\.[A-Za-z0-9_-]{43}")
_USER_ID: Final = re.compile(r"[0-9a-f]{32}")


class Caller(msgspec.Struct, frozen=True):
    """Who makes a call. ``revision`` is that of the session's record, to write only as long as the session lives."""

    user_id: str
    username: str
    token_hash: str
    revision: int
    device: bool

    @property
    def alive(self) -> Unchanged:
        """The condition that the session has not ended."""
        return Unchanged(records.session_key(self.user_id, self.token_hash), self.revision)


def new_user_id() -> str:
    """A random user id, 128 bits: managers draw it, so that nobody can choose it (DESIGN.md 10.4)."""
    return secrets.token_hex(16)


def is_user_id(text: str) -> bool:
    """Whether a text could be a user id."""
    return _USER_ID.fullmatch(text) is not None


def new_token(user_id: str) -> str:
    """A new session token, 256 bits."""
    return f"{user_id}.{secrets.token_urlsafe(32)}"


async def find_caller(directory: Reads, token: str) -> Caller:
    """Whose session a token is.

    Raises:
        NotLoggedIn: nobody's, or it has ended.
    """
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        raise NotLoggedIn
    user_id, token_hash = parts[1], records.secret_hash(token)
    session = await directory.get(records.session_key(user_id, token_hash))
    account = await directory.get(records.account_key(user_id))
    if session is None or account is None:
        raise NotLoggedIn
    return Caller(
        user_id=user_id,
        username=records.decode(account.value, Account).username,
        token_hash=token_hash,
        revision=session.revision,
        device=records.decode(session.value, Session).device,
    )


async def ending_of(directory: Directory, token: str) -> Ending | None:
    """Why the session of a token ended, if it was a device's and that is still known."""
    parts = _TOKEN.fullmatch(token)
    return None if parts is None else await stored_ending(directory, parts[1], records.secret_hash(token))


async def stored_ending(directory: Directory, user_id: str, token_hash: str) -> Ending | None:
    """Why a device's session ended, None if that is not known."""
    entry = await directory.get(records.ending_key(user_id, token_hash))
    return None if entry is None else records.decode(entry.value, Ending)


async def sessions_of(directory: Directory, user_id: str) -> list[tuple[Entry, Session]]:
    """All sessions of a user."""
    entries = (await directory.scan(records.sessions_of(user_id))).entries
    return [(entry, records.decode(entry.value, Session)) for entry in entries]
