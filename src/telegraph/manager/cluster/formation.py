"""How managers that are started together become one group, and never two. Pure.

Each manager asks all addresses that it knows how they stand, and hands their answers to :func:`step`. The rule:

1. A *proposal* names exactly N managers. Whoever is the lowest of the ids that it sees free, and sees N, proposes the
   N lowest. Its own proposal it accepts first, as every other accepts: durably, before anybody is told.
2. A manager accepts one proposal at a time. It gives it up only when the proposer's own answer shows that the proposer
   has moved on without deciding; a proposer gives up its own, which nobody else can decide, in favour of a lower id's,
   or when one of those it named cannot accept.
3. The proposer *decides* once all N have accepted, durably, before it acts. Whoever of the N hears of that, starts too.
4. Whoever finds a group that it is not one of, joins that.

Two decided proposals would have no member in common, since nobody gives up what was decided. So among fewer than 2N
managers there is never a second group, whatever crashes, is slow, or is not seen.
"""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec


class Candidate(msgspec.Struct, frozen=True, order=True):
    """A manager that wants to be in the group: its id, its URL, its etcd's peer URL."""

    id: str
    url: str
    peer_url: str


class Proposal(msgspec.Struct, frozen=True):
    """``round`` tells a proposer's proposals apart; ``members`` are in the order of their ids."""

    proposer: str
    round: int
    members: tuple[Candidate, ...]

    def names(self, manager_id: str) -> bool:
        """Whether a manager is one of its members."""
        return any(member.id == manager_id for member in self.members)


class Standing(msgspec.Struct, frozen=True):
    """How a manager stands: what it keeps on disk, and what it answers when it is asked.

    Attributes:
        me: itself.
        round: that of the last proposal of its own.
        accepted: the proposal that it holds to.
        decided: the proposal that became a group, as far as it knows.
    """

    me: Candidate
    round: int = 0
    accepted: Proposal | None = None
    decided: Proposal | None = None


class FormationRequest(msgspec.Struct, frozen=True):
    """What a manager asks others with: the token's secret, and its own proposal if there is one."""

    secret: str
    proposal: Proposal | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"FormationRequest(proposal={self.proposal!r})"


class FormationAnswer(msgspec.Struct, frozen=True):
    """200 of ``POST /cluster/formation``: a sentence, and how the manager stands."""

    message: str
    status: int
    standing: Standing


class Wait(msgspec.Struct, frozen=True):
    """Ask the others again, and show them the proposal that there is."""


class Begin(msgspec.Struct, frozen=True):
    """Start etcd as one of these members."""

    proposal: Proposal


class Join(msgspec.Struct, frozen=True):
    """There is a group without this manager: join it at this URL."""

    url: str


Action = Wait | Begin | Join
WAIT: Final = Wait()


def step(mine: Standing, answers: Collection[Standing], expect: int) -> tuple[Standing, Action]:
    """What to do after asking everybody; the new standing is to be durable before anything of it is told or done.

    Args:
        mine: this manager's standing.
        answers: that of each manager that answered just now, this one not among them.
        expect: N, how many make a group.
    """
    known = {answer.me.id: answer for answer in answers if answer.me.id != mine.me.id}
    if mine.decided is None:
        mine = _heard_of_decision(mine, known)
    if mine.decided is not None:
        return mine, _after_decision(mine.decided, mine.me, known)
    mine = _given_up(mine, known)
    if mine.accepted is None:
        mine = _proposing(mine, known, expect)
    if _is_complete(mine, known):
        mine = msgspec.structs.replace(mine, decided=mine.accepted)
        assert mine.decided is not None  # noqa: S101 - for the type checker
        return mine, Begin(mine.decided)
    return mine, WAIT


def consider(mine: Standing, proposal: Proposal) -> Standing:
    """The standing after a proposal was shown; it is accepted if the standing says so."""
    if mine.decided is not None or not proposal.names(mine.me.id) or proposal.proposer == mine.me.id:
        return mine
    held = mine.accepted
    newer = held is not None and held.proposer == proposal.proposer and held.round < proposal.round
    yields = held is not None and held.proposer == mine.me.id and proposal.proposer < mine.me.id
    if held is None or newer or yields:
        return msgspec.structs.replace(mine, accepted=proposal)
    return mine


def _heard_of_decision(mine: Standing, known: Mapping[str, Standing]) -> Standing:
    decided = next((answer.decided for answer in known.values() if answer.decided is not None), None)
    return mine if decided is None else msgspec.structs.replace(mine, decided=decided)


def _after_decision(decided: Proposal, me: Candidate, known: Mapping[str, Standing]) -> Action:
    if decided.names(me.id):
        return Begin(decided)
    there = [answer for answer in known.values() if answer.decided is not None]
    return Join(min(answer.me for answer in there).url) if there else WAIT


def _given_up(mine: Standing, known: Mapping[str, Standing]) -> Standing:
    """Without the accepted proposal, if that can come to nothing."""
    held = mine.accepted
    if held is None:
        return mine
    if held.proposer == mine.me.id:
        impossible = any(_cannot_accept(member, held, mine.me, known) for member in held.members)
    else:
        proposer = known.get(held.proposer)
        # An answer from before this proposal was made (a lower round) says nothing of it.
        impossible = proposer is not None and proposer.round >= held.round and proposer.accepted != held
    return msgspec.structs.replace(mine, accepted=None) if impossible else mine


def _cannot_accept(member: Candidate, held: Proposal, me: Candidate, known: Mapping[str, Standing]) -> bool:
    """Whether a member has moved, holds to something else, or another manager is in its place."""
    if member.id == me.id:
        return member != me
    answer = known.get(member.id)
    if answer is None:
        return any(other.me.url == member.url for other in known.values())
    elsewhere = answer.accepted is not None and answer.accepted.proposer != held.proposer
    return answer.me != member or elsewhere


def _proposing(mine: Standing, known: Mapping[str, Standing], expect: int) -> Standing:
    free = sorted([mine.me, *(answer.me for answer in known.values() if answer.accepted is None)])
    if len(free) < expect or free[0].id != mine.me.id:
        return mine
    round_ = mine.round + 1
    proposal = Proposal(mine.me.id, round_, tuple(free[:expect]))
    return msgspec.structs.replace(mine, round=round_, accepted=proposal)


def _is_complete(mine: Standing, known: Mapping[str, Standing]) -> bool:
    held = mine.accepted
    if held is None or held.proposer != mine.me.id:
        return False
    others = [member.id for member in held.members if member.id != mine.me.id]
    return all(other in known and known[other].accepted == held for other in others)
