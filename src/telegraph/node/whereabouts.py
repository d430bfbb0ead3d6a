"""Addresses that contacts' devices signed, on disk: each taking is one job of the writer's transaction."""

from base64 import b64decode
from binascii import Error as NotBase64

from telegraph.node.address_rules import Known, Verdict, judge_address
from telegraph.protocol.frames import SignedAddress
from telegraph.protocol.manager_api import User
from telegraph.storage.engine import sqlite3

_SIGNATURE_BYTES = 64


def signed_address(connection: sqlite3.Connection, contact: int) -> SignedAddress | None:
    """The newest address that the contact's present device signed, or None."""
    row = connection.execute(
        "SELECT a.host, a.port, a.counter, a.signature FROM addresses a JOIN contacts c ON c.id = a.contact"
        " WHERE c.id = ? AND a.device_key = c.device_key",
        (contact,),
    ).fetchone()
    return None if row is None else SignedAddress(*row)


def take_address(connection: sqlite3.Connection, contact: int, said: SignedAddress, *, first_hand: bool) -> Verdict:
    """Takes a signed address of a contact if it is the newest; see :func:`judge_address` for ``first_hand``."""
    known = _known(connection, contact)
    verdict = judge_address(known, said, first_hand=first_hand)
    if verdict == "taken":
        connection.execute(
            "INSERT OR REPLACE INTO addresses VALUES (?, ?, ?, ?, ?, ?)",
            (contact, known.key, said.host, said.port, said.counter, said.signature),
        )
        _use(connection, contact, said.host, said.port, said.counter)
    return verdict


def learn_address(connection: sqlite3.Connection, contact: int, user: User) -> None:
    """Takes over where the directory says that a contact is, if that is newer than what is known.

    One that it says their device signed must be signed. One without a signature is used as well, for some nodes do not
    sign; but it is no obstacle to what the device itself says.
    """
    if user.signature is not None:
        said = _as_signed(user)
        if said is not None:
            take_address(connection, contact, said, first_hand=False)
    elif user.counter > _known(connection, contact).counter:
        _use(connection, contact, user.ip, user.port, user.counter)


def _as_signed(user: User) -> SignedAddress | None:
    try:
        signature = b64decode(user.signature or "", validate=True)
    except NotBase64:
        return None
    if len(signature) != _SIGNATURE_BYTES:
        return None
    return SignedAddress(user.ip, user.port, user.counter, signature)


def _known(connection: sqlite3.Connection, contact: int) -> Known:
    user_id, key, counter = connection.execute(
        "SELECT user_id, device_key, counter FROM contacts WHERE id = ?", (contact,)
    ).fetchone()
    signed = signed_address(connection, contact)
    return Known(user_id, key, counter, signed.counter if signed else 0)


def _use(connection: sqlite3.Connection, contact: int, host: str, port: int, counter: int) -> None:
    connection.execute(
        "UPDATE contacts SET host = ?, port = ?, counter = ? WHERE id = ?", (host, port, counter, contact)
    )
