"""A new certificate for a device that has one, before that runs out (DESIGN.md section 5)."""

from datetime import datetime, timedelta

from telegraph.directory import records
from telegraph.directory.port import Directory, Put, Unchanged
from telegraph.directory.records import Account
from telegraph.errors import Conflict, IllegalCsr, NotLoggedIn
from telegraph.manager.attendance import TRIES
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.endings import certified
from telegraph.manager.moment import as_text
from telegraph.manager.sessions import Caller


async def renew_certificate(
    directory: Directory, ca: CertificateAuthority, caller: Caller, csr: str, now: datetime, lifetime: timedelta
) -> str:
    """The new certificate, PEM, for the key that the caller's device logged in with.

    It is handed out only after the account says until when it goes: a revocation has to outlive it.

    Raises:
        IllegalCsr: it is for another key than that of the device, or the session belongs to no device.
        NotLoggedIn: the session has ended, or the account is gone.
        Conflict: the account changed all the time.
    """
    key = ca.device_key(csr)
    for _ in range(TRIES):
        entry = await directory.get(records.account_key(caller.user_id))
        if entry is None:
            raise NotLoggedIn
        account = records.decode(entry.value, Account)
        if not caller.device or account.device_key != key:
            raise IllegalCsr(detail="it is not for the device that this session belongs to; log in again")
        updated = certified(account, as_text(now + lifetime))
        conditions = [caller.alive, Unchanged(entry.key, entry.revision)]
        if await directory.commit(conditions, [Put(entry.key, records.encode(updated))]) is not None:
            return ca.sign_device(csr, caller.user_id, now, lifetime)
        if await directory.get(caller.alive.key) is None:
            raise NotLoggedIn
    raise Conflict
