"""Why nothing goes to somebody right now: what is known, as one cause that a user can act on. Pure."""

import ssl
from collections.abc import Iterator

import aiohttp

from telegraph.node.model import Contact
from telegraph.peer.port import Unreachable
from telegraph.protocol.doctor_api import ReachCause

_BY_TEXT: dict[str, ReachCause] = {
    "no address": "no_address",
    "somebody else is there": "certificate",
    "revoked": "revoked",
    "forged": "certificate",
}
_BY_KIND: tuple[tuple[type[BaseException], ReachCause], ...] = (
    (ssl.SSLError, "certificate"),
    (aiohttp.ClientSSLError, "certificate"),
    (ConnectionRefusedError, "refused"),
    (TimeoutError, "no_answer"),
    (ConnectionResetError, "refused"),
    (OSError, "no_route"),
)


def cause(
    contact: Contact, *, deleted: bool, logged_in: bool, online: bool | None, failure: Unreachable | None
) -> ReachCause:
    """The cause to name, the one that the user can do something about first.

    ``online``: what the managers say of them, None if none answers. ``failure``: of the latest attempt.
    """
    if contact.waits is not None:
        return contact.waits
    if deleted:
        return "account_deleted"
    if not logged_in:
        return "logged_out"
    if failure is None:
        return "no_address" if contact.address is None else "offline" if online is False else "not_tried"
    found = cause_of(failure)
    return "offline" if online is False and found in ("refused", "no_answer", "no_route", "no_address") else found


def cause_of(failure: Unreachable) -> ReachCause:
    """What an attempt failed by."""
    for text, named in _BY_TEXT.items():
        if text in str(failure):
            return named
    for problem in _chain(failure):
        for kind, named in _BY_KIND:
            if isinstance(problem, kind):
                return named
    return "unknown"


def _chain(problem: BaseException) -> Iterator[BaseException]:
    """What lies behind an error; what aiohttp got from the system is more telling than its own."""
    behind: BaseException | None = problem
    found: list[BaseException] = []
    while behind is not None and len(found) < 8:  # noqa: PLR2004 - deeper than any that is raised
        found.append(behind)
        system = getattr(behind, "os_error", None)
        if isinstance(system, OSError) and system is not behind:
            found.append(system)
        behind = behind.__cause__
    return reversed(found)
