"""UDP datagrams by which nodes find managers when DNS does not help (report, sections 3.1 and 5.3).

A question is the JSON object ``{"action": "discover"}``. The answer is never more than twice as long as the question
(DESIGN.md 10.12), so that a forged sender address gains an attacker next to nothing: a bare question gets the bare
answer, a padded one (:func:`question`) gets all that we know.
"""

import msgspec

from telegraph.protocol.addresses import MAX_PORT

MAX_DATAGRAM = 1400
_PADDED = 512
AMPLIFICATION = 2


class Discover(msgspec.Struct):
    """The question. ``pad`` is filler only."""

    action: str
    pad: str = ""


class Active(msgspec.Struct, omit_defaults=True):
    """The answer: a manager's API is at the sender's address and this port.

    ``url`` is how the manager wants to be called, ``ca`` the SHA-256 fingerprint of the organisation's CA in hex.
    """

    status: str
    port: int
    site: str = ""
    url: str = ""
    ca: str = ""
    version: str = ""


_decode_question = msgspec.json.Decoder(Discover).decode
_decode_answer = msgspec.json.Decoder(Active).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: a datagram of nothing but brackets


def question() -> bytes:
    """A question padded enough to get the full answer."""
    bare = len(msgspec.json.encode(Discover("discover")))
    return msgspec.json.encode(Discover("discover", "." * (_PADDED - bare)))


def read_question(datagram: bytes) -> bool:
    """Whether the datagram is a question; anything else is to be met with silence."""
    if len(datagram) > MAX_DATAGRAM:
        return False
    try:
        return _decode_question(datagram).action == "discover"
    except _UNREADABLE:
        return False


def answer_to(datagram: bytes, full: Active) -> bytes | None:
    """The answer to a datagram, or None for silence. Never longer than twice the datagram."""
    if not read_question(datagram):
        return None
    limit = AMPLIFICATION * len(datagram)
    bare = Active(status="active", port=full.port)
    return next((text for text in map(msgspec.json.encode, (full, bare)) if len(text) <= limit), None)


def read_answer(datagram: bytes) -> Active | None:
    """The answer in a datagram, or None if it is none."""
    if len(datagram) > MAX_DATAGRAM:
        return None
    try:
        answer = _decode_answer(datagram)
    except _UNREADABLE:
        return None
    return answer if answer.status == "active" and 0 < answer.port <= MAX_PORT else None
