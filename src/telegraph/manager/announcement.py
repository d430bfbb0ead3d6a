"""What a node says of its address at log-in and when it moves: checked before anything else happens. Pure."""

import binascii
from base64 import b64decode

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from telegraph.errors import BadSignature
from telegraph.protocol.addresses import address_to_sign, check_host, check_port


class Announcement(msgspec.Struct, frozen=True):
    """A dialable address; ``counter`` and the device's ``signature`` if the node gave them."""

    host: str
    port: int
    counter: int | None = None
    signature: bytes | None = None


def announcement(host: str, port: int, counter: int | None, signature: str | None) -> Announcement:
    """The address as it came in a request, the signature in base64.

    Raises:
        IllegalAddress: nobody could dial it.
        BadSignature: the signature is not base64.
    """
    try:
        raw = None if signature is None else b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature from None
    return Announcement(check_host(host), check_port(port), counter, raw)


def check_signature(said: Announcement, user_id: str, device_key: bytes | None) -> None:
    """Makes sure that a signature, if there is one, is the device's and covers exactly this address.

    Raises:
        BadSignature: it is not, or there is no counter or no device key that it could belong to.
    """
    if said.signature is None:
        return
    if said.counter is None or device_key is None:
        raise BadSignature
    try:
        Ed25519PublicKey.from_public_bytes(device_key).verify(
            said.signature, address_to_sign(user_id, said.host, said.port, said.counter)
        )
    except InvalidSignature:
        raise BadSignature from None
