"""A name is claimed at all sites, from the site of the registration (DESIGN.md 10.4).

What each step decides is pure (:mod:`telegraph.directory.merging.claims`). Here the steps are taken: read, decide,
commit under the condition that what was read has not changed; then answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, Literal

import msgspec
import structlog
from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.merging import claims
from telegraph.directory.merging.names import claim_of
from telegraph.directory.port import Delete, Directory, Entry, Put, Unchanged
from telegraph.directory.quorum import busy_elsewhere
from telegraph.directory.records import Account, Claim, ClaimState, NameClaim
from telegraph.errors import Conflict, TelegraphError
from telegraph.manager.attendance import TRIES
from telegraph.manager.home import Home
from telegraph.manager.moment import Clock
from telegraph.protocol.reserving import ReserveAnswer, ReserveRequest

log = structlog.get_logger(__name__)

ASKED_WITHIN: Final = 1.5
"""Seconds for the answers of all other sites; who registers has an answer within three."""

_AGAIN_AFTER: Final = 0.1

Ask = Callable[[str, ReserveRequest, float], Awaitable[ReserveAnswer]]
"""Asks a site within so many seconds; raises TelegraphError."""

Word = Literal["acknowledged", "refused", "missing"]


class Begun(msgspec.Struct, frozen=True):
    """What the commit of a registration has for the name: the account under it, conditions, writes."""

    account: Account
    conditions: Sequence[Unchanged]
    writes: Sequence[Put]


class Claims:
    """One for a manager. A single site has nobody to ask: a name is final at once."""

    def __init__(
        self,
        directory: Directory,
        home: Home,
        clock: Clock,
        ask: Ask | None = None,
        heard: Callable[[], Collection[str]] = list,
    ) -> None:
        """``heard`` are the sites that are not known to be cut off; no others are waited for."""
        self._directory = directory
        self._home = home
        self._clock = clock
        self._ask = ask
        self._heard = heard

    # --- the steps ---

    async def begin(self, account: Account) -> Begun | None:
        """For the commit that makes an account; None if the name is not free.

        Raises:
            DirectoryUnavailable: that cannot be said.
        """
        place = records.name_record_key(account.username)
        gone = Unchanged(records.tombstone_of(place), 0)
        if not self._home.several:
            record = records.encode(NameClaim(account.user_id))
            return Begun(account, [Unchanged(place, 0), gone, *self._home.still_alone], [Put(place, record)])
        entry = await self._directory.get(place)
        claim = Claim(account.user_id, account.username, self._home.name, "tentative", self._clock().text)
        claimed = claims.begin(place, _record(entry), claim)
        if claimed is None:
            return None
        tentative = replace(account, home=self._home.name, name_state="tentative")
        return Begun(tentative, [_unchanged(place, entry), gone], [Put(place, records.encode(claimed))])

    async def settle(self, account: Account, fence: Sequence[Unchanged] = ()) -> ClaimState:
        """Asks the other sites about an account's name, and decides: what its claim is then.

        A tentative one is final, provisional or aborted after this, and then the account is gone. A provisional one is
        final if all sites have acknowledged it. One of another site stays as it is.

        Raises:
            DirectoryUnavailable, FateUnknown: it could not be decided; it may be asked again.
            Conflict: others write all the time, or the fence does not hold.
        """
        if account.name_state == "final":
            return "final"
        place = records.name_record_key(account.base_name)
        claim = claim_of(_record(await self._directory.get(place)), account.user_id)
        if claim is None:
            return "aborted"
        if claim.site != self._home.name or claim.state in ("aborted", "final"):
            return claim.state  # only the site of the registration decides it
        words = await self._words(place, claim)
        return await self._decide(place, claim, outcome(words), fence)

    async def give_up(self, place: str, claim: Claim, fence: Sequence[Unchanged] = ()) -> ClaimState:
        """Aborts a tentative claim of the own site, such as one whose account was lost with a backup's return.

        Raises:
            DirectoryUnavailable, FateUnknown, Conflict: as :meth:`settle`.
        """
        return await self._decide(place, claim, "aborted", fence)

    # --- asking ---

    async def _words(self, place: str, claim: Claim) -> list[Word]:
        """What every other configured site says; those are read, not remembered: one may just have come."""
        entries = (await self._directory.scan(records.SITES)).entries
        names = {records.decode(entry.value, records.Site).name for entry in entries} - {self._home.name}
        heard = names & set(self._heard())
        everybody = (*sorted(names), self._home.name)
        request = ReserveRequest(place, records.encode(NameClaim("", (claim,))), everybody)
        with busy_elsewhere():  # who registers has three seconds, not the directory's two
            words = await asyncio.gather(*(self._word(name, request) for name in sorted(heard)))
        missing: list[Word] = ["missing"] * len(names - heard)
        return words + missing

    async def _word(self, site: str, request: ReserveRequest) -> Word:
        """What one site says in time. One that cannot say it now is asked again: two may be racing for the name."""
        if self._ask is None:
            return "missing"
        clock = asyncio.get_running_loop().time
        end = clock() + ASKED_WITHIN
        while (left := end - clock()) > 0:
            try:
                async with asyncio.timeout(left):
                    answer = await self._ask(site, request, left)
            except (TelegraphError, TimeoutError) as problem:
                log.info("name_not_acknowledged", site=site, kind=type(problem).__name__)
                await asyncio.sleep(min(_AGAIN_AFTER, max(0.0, end - clock())))
            else:
                return "acknowledged" if answer.acknowledged else "refused"
        return "missing"

    # --- deciding ---

    async def _decide(self, place: str, claim: Claim, state: ClaimState, fence: Sequence[Unchanged]) -> ClaimState:
        user_id = claim.user_id
        for _ in range(TRIES):
            entry = await self._directory.get(place)
            account = await self._directory.get(records.account_key(user_id))
            gone = await self._directory.get(records.tombstone_of(place))
            record = _record(entry)
            decided = claims.finish(place, record, user_id, state, gone=gone is not None)
            if decided is None and state != "aborted":  # it has lost meanwhile, or was decided otherwise
                decided = claims.finish(place, record, user_id, "aborted", gone=gone is not None)
            if decided is None:
                return _state_of(claim_of(record, user_id))
            conditions = [*fence, _unchanged(place, entry), _unchanged(records.account_key(user_id), account)]
            conditions.append(_unchanged(records.tombstone_of(place), gone))
            writes = [Put(place, records.encode(decided)), *_consequences(account, claim_of(decided, user_id))]
            if await self._directory.commit(conditions, writes) is not None:
                return _state_of(claim_of(decided, user_id))
        raise Conflict


def outcome(words: Collection[Word]) -> ClaimState:
    """What becomes of a claim by the words of all other sites. Pure."""
    if "refused" in words:
        return "aborted"
    return "provisional" if "missing" in words else "final"


def _state_of(claim: Claim | None) -> ClaimState:
    return "aborted" if claim is None else claim.state


def _consequences(account: Entry | None, claim: Claim | None) -> list[Put | Delete]:
    """For the account whose claim is decided so."""
    if account is None:
        return []
    known = records.decode(account.value, Account)
    if claim is None or claim.state == "aborted":
        return [Delete(account.key), Delete(records.presence_key(known.user_id))]
    return [Put(account.key, records.encode(replace(known, name_state=claim.state)))]


def _record(entry: Entry | None) -> NameClaim | None:
    return None if entry is None else records.decode(entry.value, NameClaim)


def _unchanged(key: str, entry: Entry | None) -> Unchanged:
    return Unchanged(key, entry.revision if entry is not None else 0)
