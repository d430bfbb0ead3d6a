"""Another site asks whether a name that somebody registers there counts here too.

The claim is merged in like anything that is heard from another site, and so are its consequences: an own registration
of the same name that is not answered yet is given up, an own user who has it provisionally and loses is renamed. Only
then is it acknowledged, if nothing that is known here comes before it.
"""

import msgspec

from telegraph.directory import records
from telegraph.directory.merging import claims
from telegraph.directory.port import Directory
from telegraph.directory.records import Claim, NameClaim, Site
from telegraph.errors import Conflict, MalformedBody
from telegraph.manager.home import Home
from telegraph.manager.sites.applying import Applier
from telegraph.protocol.reserving import ReserveAnswer, ReserveRequest


class Reserving:
    """This site's word on claims of others."""

    def __init__(self, directory: Directory, home: Home, applier: Applier) -> None:
        self._directory = directory
        self._home = home
        self._applier = applier

    async def answer(self, body: bytes) -> ReserveAnswer:
        """Answers a :class:`ReserveRequest`.

        Raises:
            MalformedBody: it is none.
            DirectoryUnavailable, FateUnknown, Conflict: it cannot be said now, or the asker knows fewer sites.
        """
        request, claim = _asked(body)
        place = request.place
        await self._require_known(request.sites)
        if not await self._counts(place, claim):
            return ReserveAnswer(acknowledged=False)
        told = {place: records.encode(NameClaim("", (claim,)))}
        await self._applier.apply(claim.site, told, None, ())
        return ReserveAnswer(acknowledged=await self._counts(place, claim))

    async def _require_known(self, sites: tuple[str, ...]) -> None:
        entries = (await self._directory.scan(records.SITES)).entries
        if not {records.decode(entry.value, Site).name for entry in entries} <= set(sites):
            raise Conflict

    async def _counts(self, place: str, claim: Claim) -> bool:
        entry = await self._directory.get(place)
        gone = await self._directory.get(records.tombstone_of(place)) is not None
        record = None if entry is None else records.decode(entry.value, NameClaim)
        word = claims.reserve(place, record, claim, home=self._home.name, gone=gone)
        return isinstance(word, claims.Acknowledged)


def _asked(body: bytes) -> tuple[ReserveRequest, Claim]:
    try:
        request = msgspec.msgpack.decode(body, type=ReserveRequest)
        (claim,) = records.decode(request.claim, NameClaim).claims
    except (msgspec.DecodeError, ValueError) as problem:
        raise MalformedBody(detail="it is no claim of a name") from problem
    if request.place != records.name_record_key(claim.username):
        raise MalformedBody(detail="the name is another one")
    return request, claim
