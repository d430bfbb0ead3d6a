"""The life of a message, as one table (DESIGN.md section 7). Pure.

A message that this node's user sends is PENDING once it is on disk here, DELIVERED once it is on the recipient's disk,
READ once they have read it. The user may give up on one that is still pending: it becomes CANCELLED.
One that can never be delivered (the recipient's node refuses it for good) becomes FAILED, and can be tried again.
A message that
was received is DELIVERED, then READ.

Whatever is not in the table cannot happen: an acknowledgement that comes twice, or after a cancellation, changes
nothing.
"""

from typing import Final, Literal

from telegraph.protocol.node_api import MessageState

Happening = Literal["stored_by_peer", "read_by_peer", "refused", "cancelled", "retried", "read_here"]

TRANSITIONS: Final[dict[tuple[MessageState, Happening], MessageState]] = {
    ("pending", "stored_by_peer"): "delivered",
    ("pending", "read_by_peer"): "read",  # the read receipt overtook the acknowledgement
    ("pending", "refused"): "failed",
    ("pending", "cancelled"): "cancelled",
    ("delivered", "read_by_peer"): "read",
    ("delivered", "read_here"): "read",
    ("failed", "retried"): "pending",
    ("failed", "cancelled"): "cancelled",
}

WHAT_THE_USER_SEES: Final[dict[MessageState, str]] = {
    "pending": "on this machine's disk, waiting for the other one",
    "delivered": "on the other person's disk",
    "read": "read by the other person",
    "failed": "could not be delivered and is not tried any more",
    "cancelled": "given up by you before it was delivered",
}


def after(state: MessageState, happening: Happening) -> MessageState:
    """The state after something happened; the same state if that changes nothing."""
    return TRANSITIONS.get((state, happening), state)
