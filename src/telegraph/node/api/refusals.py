"""What many calls of the local API may be refused for, in one place."""

from typing import Final

from telegraph.errors import (
    BadInput,
    BodyTooLarge,
    DiskFailed,
    ForeignOrigin,
    MalformedBody,
    ManagerAway,
    NameHeld,
    NotLoggedIn,
    TelegraphError,
    UnknownUser,
    UnsupportedMedia,
    WrongApiToken,
)

Refusals = tuple[type[TelegraphError], ...]

ALWAYS: Final[Refusals] = (WrongApiToken, ForeignOrigin)
BODY: Final[Refusals] = (MalformedBody, BodyTooLarge, UnsupportedMedia)
MEMBER: Final[Refusals] = (NotLoggedIn, DiskFailed, *ALWAYS)
"""Calls that need an open store."""

ABOUT_SOMEBODY: Final[Refusals] = (UnknownUser, ManagerAway, BadInput, NameHeld, *MEMBER)
"""Calls that name a person, who may have to be looked up."""
