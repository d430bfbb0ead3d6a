"""Before the first log-in: which organisation this node is to belong to, as its user sees and decides it."""

import msgspec

from telegraph.errors import BadInput, ManagerAway, NobodyThere, NoManagerFound
from telegraph.node.joining import EarlyStore, finder
from telegraph.node.settings import NodeSettings
from telegraph.node.trust import ca_fingerprint, fetch_ca, trust_ca
from telegraph.protocol.invites import check_manager_url, normal_fingerprint, parse_invite


class Organisation(msgspec.Struct, frozen=True):
    """Managers' URLs, the fingerprint of the CA that they show (None: plain HTTP), the code of an invite."""

    managers: tuple[str, ...]
    fingerprint: str | None
    invite: str | None = None


async def look(settings: NodeSettings, address: str) -> Organisation:
    """What stands behind an address or an invite link; without one, what can be found around. Nothing is trusted yet.

    Raises:
        IllegalInvite, IllegalAddress: it cannot be read.
        NobodyThere: nobody answers where the user says that somebody is.
        NoManagerFound, ManagerAway: nobody is found around, or answers.
        CaMismatch: whoever answers is not who the invite names.
    """
    text = address.strip()
    if text.startswith("telegraph:"):
        invite = parse_invite(text)
        return await _named(invite.managers, invite.ca, invite.code)
    if text:
        return await _named((check_manager_url(text),), None, None)
    found = await finder(settings, EarlyStore()).candidates()
    return await _seen(tuple(found), settings.ca_fingerprint, settings.invite_code)


async def _named(managers: tuple[str, ...], expected: str | None, code: str | None) -> Organisation:
    try:
        return await _seen(managers, expected, code)
    except (ManagerAway, NoManagerFound):
        raise NobodyThere(address=", ".join(managers)) from None


async def _seen(managers: tuple[str, ...], expected: str | None, code: str | None) -> Organisation:
    if not managers:
        raise NoManagerFound
    for url in managers:
        if url.startswith("http://"):
            return Organisation(managers, None, code)
        try:
            pem = await fetch_ca(url)
        except ManagerAway:
            continue
        shown = ca_fingerprint(pem)
        await trust_ca(url, pem, expected or shown, None)
        return Organisation(managers, shown, code)
    raise ManagerAway


def chosen(settings: NodeSettings, managers: list[str], fingerprint: str | None) -> NodeSettings:
    """The settings with what the user decided.

    Raises:
        IllegalInvite, IllegalAddress: a part of it cannot be read.
        BadInput: no fingerprint, where the connection needs one.
    """
    urls = tuple(dict.fromkeys(check_manager_url(url) for url in managers))
    if fingerprint is None and any(url.startswith("https://") for url in urls):
        raise BadInput(detail="the fingerprint of the CA is missing")
    known = normal_fingerprint(fingerprint) if fingerprint else None
    return msgspec.structs.replace(settings, managers=urls, ca_fingerprint=known)
