"""A new certificate for a device that has one, before that runs out (DESIGN.md section 5)."""

from datetime import datetime, timedelta

from telegraph.directory import records
from telegraph.directory.port import Directory
from telegraph.directory.records import Account
from telegraph.errors import IllegalCsr, NotLoggedIn
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.sessions import Caller


async def renew_certificate(
    directory: Directory, ca: CertificateAuthority, caller: Caller, csr: str, now: datetime, lifetime: timedelta
) -> str:
    """The new certificate, PEM, for the key that the caller's device logged in with.

    Raises:
        IllegalCsr: it is for another key than that of the device, or the session belongs to no device.
        NotLoggedIn: the account is gone.
    """
    key = ca.device_key(csr)
    entry = await directory.get(records.account_key(caller.user_id))
    if entry is None:
        raise NotLoggedIn
    if not caller.device or records.decode(entry.value, Account).device_key != key:
        raise IllegalCsr(detail="it is not for the device that this session belongs to; log in again")
    return ca.sign_device(csr, caller.user_id, now, lifetime)
