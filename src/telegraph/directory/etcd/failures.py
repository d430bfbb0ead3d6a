"""What a failed call means: try elsewhere, fate unknown, or a final answer. Pure; gRPC's codes come as their names.

The sentences are etcd's (api/v3rpc/rpctypes/error.go, the same from 3.4 to 3.6) and gRPC core's. Whatever is not known
here counts as "perhaps done", which is always safe.
"""

from typing import Literal

import msgspec

from telegraph.directory.port import HistoryGone, LeaseGone
from telegraph.errors import (
    DirectoryFull,
    DirectoryRefused,
    LearnerBehind,
    MemberExists,
    MembersUnsettled,
    UnknownMember,
)

Cause = Literal["away", "no_quorum", "refused"]


class Elsewhere(msgspec.Struct, frozen=True):
    """This member cannot help, another might. ``done`` says whether it may have done it all the same."""

    done: Literal["no", "perhaps"]
    cause: Cause
    detail: str


class AnswerTooLarge(Exception):
    """The answer does not fit into one message: ask for less at a time."""


_NEVER_SENT = ("failed to connect to all addresses", "connections to all backends failing", "DNS resolution failed")
_TLS = ("Ssl handshake", "SSL_ERROR", "CERTIFICATE", "certificate", "Peer name", "alert")

_NOT_DONE: dict[str, Cause] = {
    "etcdserver: no leader": "no_quorum",
    "etcdserver: rpc not supported for learner": "away",
    "etcdserver: too many requests": "away",
    "etcdserver: not capable": "away",
}
"""Said before anything is proposed to the cluster."""

_NO_QUORUM = ("etcdserver: request timed out", "etcdserver: leader changed", "etcdserver: not leader")

_FINAL: dict[str, type[Exception]] = {
    "etcdserver: requested lease not found": LeaseGone,
    "etcdserver: mvcc: required revision has been compacted": HistoryGone,
    "etcdserver: mvcc: database space exceeded": DirectoryFull,
    "etcdserver: member not found": UnknownMember,
    "etcdserver: Peer URLs already exists": MemberExists,
    "etcdserver: member ID already exist": MemberExists,
}

_UNSETTLED = (
    "etcdserver: unhealthy cluster",
    "etcdserver: re-configuration failed due to not enough started members",
    "etcdserver: too many learner members in cluster",
)


def meaning(code: str, details: str) -> Elsewhere | Exception:
    """What a failed call means: where else to go, or the exception to raise.

    Args:
        code: name of the gRPC status code, such as ``UNAVAILABLE``.
        details: its sentence.
    """
    final = _final(code, details)
    if final is not None:
        return final
    if details.startswith(_NEVER_SENT):
        refused = any(word in details for word in _TLS)
        return Elsewhere("no", "refused" if refused else "away", details)
    if details in _NOT_DONE:
        return Elsewhere("no", _NOT_DONE[details], details)
    return Elsewhere("perhaps", "no_quorum" if details.startswith(_NO_QUORUM) else "away", f"{code}: {details}")


def _final(code: str, details: str) -> Exception | None:
    if details in _FINAL:
        return _FINAL[details]()
    if code == "RESOURCE_EXHAUSTED" and "larger than max" in details:
        return AnswerTooLarge()
    if code in {"PERMISSION_DENIED", "UNAUTHENTICATED"}:
        return DirectoryRefused(detail=details)
    return _about_members(code, details)


def _about_members(code: str, details: str) -> Exception | None:
    if details == "etcdserver: can only promote a learner member which is in sync with leader":
        return LearnerBehind(retry_after=1)
    if details in _UNSETTLED:
        return MembersUnsettled(detail=details.removeprefix("etcdserver: "), retry_after=5)
    ours = code == "INVALID_ARGUMENT" or details == "etcdserver: can only promote a learner member"
    return ValueError(details) if ours else None
