"""Who waits until which message is delivered.

An acknowledgement is cumulative and known the moment it comes, a commit before the state on this node's disk says so.
"""

import asyncio
from collections import deque


class Deliveries:
    """Callers by contact and number of the message; all on one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._upto: dict[int, int] = {}
        self._waiting: dict[int, deque[tuple[int, asyncio.Future[bool]]]] = {}

    def heard_of(self, contact: int) -> bool:
        """Whether what is known of a contact is all that there is to know: else look at the message's state first."""
        return contact in self._upto

    def known(self, contact: int, seq: int) -> bool:
        """Whether it is known already that a contact has a message."""
        return seq <= self._upto.get(contact, 0)

    def wait(self, contact: int, seq: int) -> "asyncio.Future[bool]":
        """Done when the contact has it (True), or when it has to be seen anew what became of it (False)."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # once: Python asks the kernel each time
        future: asyncio.Future[bool] = self._loop.create_future()
        if self.known(contact, seq):
            future.set_result(True)
            return future
        waiting = self._waiting.setdefault(contact, deque())
        if waiting and waiting[-1][0] > seq:
            waiting = self._waiting[contact] = deque(sorted([*waiting, (seq, future)], key=lambda one: one[0]))
        else:
            waiting.append((seq, future))
        return future

    def acknowledged(self, contact: int, upto: int) -> None:
        """The contact has everything up to a number on disk."""
        if upto <= self._upto.get(contact, 0):
            return
        self._upto[contact] = upto
        waiting = self._waiting.get(contact)
        while waiting and waiting[0][0] <= upto:
            _tell(waiting.popleft()[1], delivered=True)

    def see_anew(self, contact: int | None = None) -> None:
        """Numbers mean something else by now, or a message was given up: every waiting caller looks for themselves."""
        for one in [contact] if contact is not None else list(self._waiting):
            self._upto.pop(one, None)
            for _, future in self._waiting.pop(one, ()):
                _tell(future, delivered=False)


def _tell(future: "asyncio.Future[bool]", *, delivered: bool) -> None:
    if not future.done():  # its caller may have given up
        future.set_result(delivered)
