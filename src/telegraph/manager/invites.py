"""Who may register: everybody, whoever has an invite code, or nobody."""

import secrets
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from telegraph.directory import records
from telegraph.directory.port import Delete, Directory, Put, Unchanged
from telegraph.directory.records import InviteCode
from telegraph.errors import IllegalInvite, InviteNeeded, RegistrationClosed
from telegraph.manager.moment import Moment

Registration = Literal["open", "invite", "closed"]

_MAX_CODE: Final = 256


class Admission(msgspec.Struct, frozen=True):
    """What the transaction of a registration must check and write besides the account itself."""

    conditions: Sequence[Unchanged] = ()
    writes: Sequence[Put | Delete] = ()


async def admit(directory: Directory, registration: Registration, code: str | None) -> Admission:
    """Whether somebody may register now; a single-use code is consumed by the transaction, not before.

    Raises:
        RegistrationClosed: nobody may.
        InviteNeeded: no code was given, and one is needed.
        IllegalInvite: the code is unknown or used up.
    """
    if registration == "closed":
        raise RegistrationClosed
    if registration == "open":
        return Admission()
    if not code:
        raise InviteNeeded
    entry = await directory.get(records.invite_key(code[:_MAX_CODE]))
    if entry is None:
        raise IllegalInvite(detail="it is unknown here or already used")
    single_use = records.decode(entry.value, InviteCode).single_use
    return Admission([Unchanged(entry.key, entry.revision)], [Delete(entry.key)] if single_use else [])


async def create_invite(directory: Directory, now: Moment, *, single_use: bool) -> str:
    """A new code, stored by its hash."""
    code = secrets.token_urlsafe(16)
    record = InviteCode(created=now.text, single_use=single_use)
    await directory.commit([], [Put(records.invite_key(code), records.encode(record))])
    return code


async def store_registration(directory: Directory, registration: Registration) -> None:
    """Leaves word of how this manager registers, for ``telegraph manager invite``."""
    await directory.commit([], [Put(records.REGISTRATION, msgspec.json.encode(registration))])


async def stored_registration(directory: Directory) -> Registration:
    """How the manager of this directory registers, as of its last start."""
    entry = await directory.get(records.REGISTRATION)
    return "open" if entry is None else msgspec.json.decode(entry.value, type=Registration)
