"""How a name is claimed: what the home site and the others decide at each step of a registration. Pure.

The home site *begins* a tentative claim, asks every other site to *reserve* it, and *finishes* it: final when all have
acknowledged, provisional when some could not be asked, aborted when one refused. All of these give the record to write
instead of the one that was read, under the condition that it has not changed; ``gone`` says whether the name has a
tombstone. An answer or acknowledgement is given after that commit.

Two claims of one name cannot both become final. Each home site must acknowledge the other's claim, and it does only if
that one comes before its own, which then has lost there for good: :func:`finish` refuses it. The order of two claims
that were answered does not change, so they cannot each come before the other.
"""

import msgspec
from msgspec.structs import replace

from telegraph.directory.merging.names import (
    by_user,
    claim_of,
    claims_of,
    holder,
    join_claim,
    live,
    precedence,
    record_of,
)
from telegraph.directory.records import Claim, ClaimState, NameClaim


class Acknowledged(msgspec.Struct, frozen=True):
    """The claim counts here once this record is written.

    ``aborted`` is the user id of this site's own tentative claim that lost by it; its account goes in the same commit.
    """

    record: NameClaim
    aborted: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """Somebody else has the name, or had it (None)."""

    winner: Claim | None


def begin(place: str, record: NameClaim | None, claim: Claim, *, gone: bool = False) -> NameClaim | None:
    """The record with a new tentative claim, None if the name is not free."""
    if gone or live(record) or claim_of(record, claim.user_id) is not None:
        return None
    return record_of(place, (*claims_of(record), replace(claim, state="tentative")))


def reserve(
    place: str, record: NameClaim | None, claim: Claim, *, home: str, gone: bool = False
) -> Acknowledged | Refused:
    """Whether another site's claim counts at this one, whose name is ``home``."""
    known = by_user(record).get(claim.user_id)
    joined = claim if known is None else join_claim(known, claim)
    rivals = [each for each in live(record) if each.user_id != claim.user_id]
    first = holder(place, rivals)
    if gone or joined.state == "aborted":
        return Refused(first)
    if first is not None and precedence(place, first) < precedence(place, joined):
        return Refused(first)
    others = [replace(each, state="aborted") if _gives_way(each, home) else each for each in claims_of(record)]
    kept = [each for each in others if each.user_id != claim.user_id]
    aborted = next((each.user_id for each in rivals if _gives_way(each, home)), None)
    written = record_of(place, (*kept, joined))
    assert written is not None  # noqa: S101 - it has a claim
    return Acknowledged(written, aborted)


def _gives_way(claim: Claim, home: str) -> bool:
    """Whether a claim that lost was answered to nobody yet, and is this site's to abort."""
    return claim.site == home and claim.state == "tentative"


def finish(
    place: str, record: NameClaim | None, user_id: str, state: ClaimState, *, gone: bool = False
) -> NameClaim | None:
    """The record with the home site's decision, None if it may not be: the claim has lost, or was decided otherwise.

    Only a tentative claim is aborted: once it was answered, the account stays, under whatever name.
    """
    known = claim_of(record, user_id)
    if known is None or known.state == "aborted" or (state == "aborted" and known.state != "tentative"):
        return None
    first = holder(place, claims_of(record), gone=gone)
    if state != "aborted" and (first is None or first.user_id != user_id):
        return None
    decided = known if known.state == "final" else replace(known, state=state)
    return record_of(place, (*(each for each in claims_of(record) if each.user_id != user_id), decided), gone=gone)


def conceded(place: str, record: NameClaim | None, *, home: str, gone: bool = False) -> NameClaim | None:
    """The record in which this site's own tentative claim, which has lost, is aborted; None if there is none."""
    first = holder(place, claims_of(record), gone=gone)
    lost = [each for each in live(record) if each != first and _gives_way(each, home)]
    if not lost:
        return None
    kept = (each for each in claims_of(record) if each not in lost)
    return record_of(place, (*kept, *(replace(each, state="aborted") for each in lost)), gone=gone)
