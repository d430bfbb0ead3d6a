"""The link that an organisation hands to a newcomer: where the manager is and which CA to trust.

``telegraph://join?manager=https://HOST:PORT&ca=SHA256HEX[&invite=CODE]``. ``manager`` may occur several times.
``invite`` is the code for
registration where that needs one; it is a secret until used.
"""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from telegraph.errors import IllegalAddress, IllegalInvite
from telegraph.protocol.addresses import parse_address

DEFAULT_MANAGER_PORT = 8000
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")


class Invite(msgspec.Struct, frozen=True):
    """What an invite link says; ``ca`` is the SHA-256 fingerprint of the CA certificate, 64 hex digits."""

    managers: tuple[str, ...]
    ca: str
    code: str | None = None

    def link(self) -> str:
        """The link to hand out."""
        query = [("manager", url) for url in self.managers] + [("ca", self.ca)]
        if self.code:
            query.append(("invite", self.code))
        return "telegraph://join?" + urlencode(query, safe=":/")


def parse_invite(link: str) -> Invite:
    """Reads a link.

    Raises:
        IllegalInvite: it is not such a link, or a part of it is wrong.
    """
    try:
        parts = urlsplit(link.strip())
        fields = parse_qs(parts.query, max_num_fields=32)
    except ValueError:
        raise IllegalInvite(detail="it is not a telegraph:// link") from None
    if parts.scheme != "telegraph" or parts.netloc != "join":
        raise IllegalInvite(detail="it does not begin with telegraph://join")
    fingerprints = [normal_fingerprint(value) for value in fields.get("ca", [])]
    if len(fingerprints) != 1:
        raise IllegalInvite(detail="it must name the CA once")
    try:
        managers = tuple(check_manager_url(url) for url in fields.get("manager", []))
    except IllegalAddress as problem:
        raise IllegalInvite(detail="the address of its manager is not usable") from problem
    if not managers:
        raise IllegalInvite(detail="it names no manager")
    return Invite(managers, fingerprints[0], fields.get("invite", [None])[0])


def normal_fingerprint(text: str) -> str:
    """A SHA-256 fingerprint as 64 lower-case hex digits; colons and capitals are accepted.

    Raises:
        IllegalInvite: it is not 32 bytes in hex.
    """
    plain = text.strip().replace(":", "").lower()
    if not _FINGERPRINT.match(plain):
        raise IllegalInvite(detail="the CA's fingerprint is not 64 hex digits")
    return plain


def check_manager_url(url: str) -> str:
    """``scheme://host:port`` of a manager, normalised; the scheme is https unless http is said, the port 8000.

    Raises:
        IllegalInvite: the scheme is another one, or there is a path or user in it.
        IllegalAddress: the host or port is not usable.
    """
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:  # an unclosed [, or a look-alike of / : ? # @
        raise IllegalInvite(detail=f"{url!r} is not an https address") from None
    if parts.scheme not in ("https", "http"):
        raise IllegalInvite(detail=f"{url!r} is not an https address")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise IllegalInvite(detail=f"{url!r} is more than https://HOST:PORT")
    return f"{parts.scheme}://{parse_address(parts.netloc, DEFAULT_MANAGER_PORT)}"
