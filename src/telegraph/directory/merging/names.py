"""Who holds a name that several registered, and what the others are called then. Pure.

The winner is who comes first by state, final before provisional before tentative, and then by the SHA-256 of name and
user id. No clock and no order of hearing takes part, and nobody can grind ids, as managers draw them (DESIGN.md 10.4).
A loser whose registration was answered keeps the account and is called ``name~site``.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from telegraph.directory.records import NAMES, Claim, ClaimState, NameClaim, NameState
from telegraph.protocol.names import HEALED

_RANK: Final[dict[ClaimState, int]] = {"tentative": 0, "provisional": 1, "final": 2, "aborted": 3}
"""The order in which a claim goes through its states; an aborted one stays so, whoever comes late with another word."""


def claims_of(record: NameClaim | None) -> tuple[Claim, ...]:
    """All claims; a record without any is a final one, as a single site writes it."""
    if record is None:
        return ()
    return record.claims or ((Claim(record.user_id),) if record.user_id else ())


def live(record: NameClaim | None) -> list[Claim]:
    """All claims but the aborted ones."""
    return [claim for claim in claims_of(record) if claim.state != "aborted"]


def claim_of(record: NameClaim | None, user_id: str) -> Claim | None:
    """A user's claim, aborted or not."""
    return next((claim for claim in claims_of(record) if claim.user_id == user_id), None)


def precedence(place: str, claim: Claim) -> tuple[int, bytes]:
    """What the claims of a name are ordered by; the smallest wins. ``place`` is the record's key."""
    return -_RANK[claim.state], hashed(place, claim)


def hashed(place: str, claim: Claim) -> bytes:
    """SHA-256 of the name, a zero byte and the user id."""
    return hashlib.sha256(f"{place.removeprefix(NAMES)}\0{claim.user_id}".encode()).digest()


def holder(place: str, claims: Iterable[Claim], *, gone: bool = False) -> Claim | None:
    """The claim that has the name. ``gone``: an account of that name was deleted; then nobody gets it any more."""
    found = [claim for claim in claims if claim.state != "aborted"]
    first = min(found, key=lambda claim: precedence(place, claim), default=None)
    return None if first is None or (gone and first.state != "final") else first


def record_of(place: str, claims: Iterable[Claim], *, gone: bool = False) -> NameClaim | None:
    """The record of some claims, None if there are none."""
    ordered = tuple(sorted(claims, key=lambda claim: claim.user_id))
    if not ordered:
        return None
    first = holder(place, ordered, gone=gone)
    if first is not None and ordered == (Claim(first.user_id),):
        return NameClaim(first.user_id)
    return NameClaim(first.user_id if first else "", ordered)


def join_claim(one: Claim, other: Claim) -> Claim:
    """Two sites' words about one claim: that which is further."""
    return max(one, other, key=lambda claim: (_RANK[claim.state], claim.site, claim.username, claim.since))


def join_claims(place: str, one: NameClaim, other: NameClaim) -> NameClaim:
    """All claims of both; who holds the name then as if no such account had ever been deleted."""
    found: dict[str, Claim] = {}
    for claim in (*claims_of(one), *claims_of(other)):
        known = found.get(claim.user_id)
        found[claim.user_id] = claim if known is None else join_claim(known, claim)
    return record_of(place, found.values()) or NameClaim("")


def shown_name(claim: Claim, first: Claim | None, base: str) -> str:
    """What the user of a claim is called."""
    lost = first is None or first.user_id != claim.user_id
    return f"{base}{HEALED}{claim.site}" if lost and claim.state != "tentative" else base


def name_state(claim: Claim, first: Claim | None) -> NameState:
    """Whether a user's name can still change: that of a loser cannot."""
    if claim.state == "aborted":
        return "tentative"
    lost = first is None or first.user_id != claim.user_id
    return "final" if lost and claim.state != "tentative" else claim.state


def find(place: str, record: NameClaim | None, site: str | None, *, gone: bool = False) -> str | None:
    """The user id behind ``name`` or ``name~site``, None if there is nobody.

    Tentative claims are nobody's yet. ``gone`` as in :func:`holder`.
    """
    first = holder(place, claims_of(record), gone=gone)
    if site is None:
        return first.user_id if first is not None and first.state != "tentative" else None
    losers = (claim for claim in live(record) if claim.state != "tentative" and claim != first and claim.site == site)
    return next((claim.user_id for claim in losers), None)


def without(place: str, record: NameClaim | None, users: Iterable[str], *, gone: bool = False) -> NameClaim | None:
    """The record without the claims of some users, None if none is left."""
    left_out = set(users)
    return record_of(place, (each for each in claims_of(record) if each.user_id not in left_out), gone=gone)


def by_user(record: NameClaim | None) -> Mapping[str, Claim]:
    """The claims by user id."""
    return {claim.user_id: claim for claim in claims_of(record)}
