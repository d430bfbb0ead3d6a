"""``POST /exchange/reserve``: a site asks another to acknowledge the name that somebody registers (DESIGN.md 10.4)."""

import msgspec


class ReserveRequest(msgspec.Struct, frozen=True):
    """The name's key in the directory, and the record with the one claim that is meant, as the directory has it.

    ``sites`` are all that the asker knows of, itself among them: whoever knows another one does not acknowledge, since
    that one would not be asked.
    """

    place: str
    claim: bytes
    sites: tuple[str, ...] = ()


class ReserveAnswer(msgspec.Struct, frozen=True):
    """``acknowledged``: the claim is durable at this site, and nothing that is known here comes before it."""

    acknowledged: bool
