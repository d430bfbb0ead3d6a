"""The life of a message, as one table (DESIGN.md section 7). Pure.

The theory above the table is one rule: a state says where the message is, and only what makes that true may change it.

- PENDING: on this node's disk and in its outbox. Everything that this node's user sends begins here.
- DELIVERED: on the recipient's disk. Only their word, given after their commit, leads here.
- READ: the recipient has read it. It is an end.
- CANCELLED, FAILED: given up, by the user or for a reason that is told (:data:`REASONS`). Both say "not delivered" as
  far as this node knows; the other end may have stored the message while it was given up. It is asked, and if it had,
  its word counts: the message becomes DELIVERED or READ after all. Otherwise the user may try again: PENDING.

So a message never goes back from DELIVERED or READ, and there is no way to them without the recipient. A message that
was received is DELIVERED, then READ. Whatever is not in the table cannot happen, and changes nothing.
"""

from typing import Final, Literal, get_args

from telegraph.protocol.node_api import FailureReason, MessageState

Happening = Literal[
    "stored_by_peer", "read_by_peer", "refused", "expired", "account_deleted", "cancelled", "retried", "read_here"
]

TRANSITIONS: Final[dict[tuple[MessageState, Happening], MessageState]] = {
    ("pending", "stored_by_peer"): "delivered",
    ("pending", "read_by_peer"): "read",  # the read receipt overtook the acknowledgement
    ("pending", "refused"): "failed",
    ("pending", "expired"): "failed",
    ("pending", "account_deleted"): "failed",
    ("pending", "cancelled"): "cancelled",
    ("delivered", "read_by_peer"): "read",
    ("delivered", "read_here"): "read",
    ("failed", "stored_by_peer"): "delivered",  # they had it before it was given up
    ("failed", "read_by_peer"): "read",
    ("failed", "retried"): "pending",
    ("failed", "cancelled"): "cancelled",
    ("cancelled", "stored_by_peer"): "delivered",
    ("cancelled", "read_by_peer"): "read",
    ("cancelled", "retried"): "pending",
}

REASONS: Final[tuple[FailureReason, ...]] = get_args(FailureReason)
"""Why a message failed: the happenings that lead there."""

WHAT_THE_USER_SEES: Final[dict[MessageState, str]] = {
    "pending": "on this machine's disk, waiting for the other one",
    "delivered": "on the other person's disk",
    "read": "read by the other person",
    "failed": "could not be delivered and is not tried any more; `reason` says why",
    "cancelled": "given up by you before it was delivered",
}


def after(state: MessageState, happening: Happening) -> MessageState:
    """The state after something happened; the same state if that changes nothing."""
    return TRANSITIONS.get((state, happening), state)
