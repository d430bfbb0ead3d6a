"""Who is here: what of it is to be written, and whose time is up. Pure.

Two parts. Functions of a stored :class:`~telegraph.directory.records.Presence` give the record to write, or None if
nothing worth a write changed: only changes of status and address are written, never a heartbeat (DESIGN.md 10.1).
:class:`LiveUsers` holds, in memory, until when each online user may be silent.

====================  ==================  =======================================================
happening             user was            decision
====================  ==================  =======================================================
log-in                any                 online at the given address; write, tell
heartbeat, call       online              time starts anew
heartbeat, call       offline             online where last known; write if the session lives, tell
reconnect             any                 online at the new address; write, tell
logout, node stops    online              offline; write, tell
silence               online              offline; write, tell, POST /disconnect
manager's start       online              time starts anew
====================  ==================  =======================================================
"""

from collections import OrderedDict

import msgspec
from msgspec.structs import replace

from telegraph.directory.records import Presence
from telegraph.errors import StaleCounter
from telegraph.manager.announcement import Announcement
from telegraph.manager.moment import Moment


def next_counter(last: int, given: int | None, now: Moment) -> int:
    """The counter under which an address is stored (DESIGN.md 10.7).

    Raises:
        StaleCounter: the given one is not above the last.
    """
    if given is None:
        return max(last + 1, int(now.wall * 1000))
    if given <= last:
        raise StaleCounter(counter=last)
    return given


def first_presence(said: Announcement, now: Moment) -> Presence:
    """The record of somebody who registered and never logged in."""
    return Presence(said.host, said.port, next_counter(0, None, now))


def placed(known: Presence, said: Announcement, now: Moment, *, new_device: bool = False) -> Presence | None:
    """The record of a user who is online at an address, or None if that is stored already.

    The same address said again without a counter stays under its counter and signature, unless a new device says it,
    whose signature the old one is not.

    Raises:
        StaleCounter: a counter was given that is not above the known one.
    """
    same = (said.host, said.port) == (known.host, known.port)
    if same and said.counter is None and not new_device:
        return put_online(known, now)
    return Presence(
        said.host,
        said.port,
        next_counter(known.counter, said.counter, now),
        status="online",
        last_seen=now.text,
        signature=said.signature,
    )


def put_online(known: Presence, now: Moment) -> Presence | None:
    """The record of a user who shows signs of life where last known, or None if they are online already."""
    return None if known.status == "online" else replace(known, status="online", last_seen=now.text)


def put_offline(known: Presence, last_seen: str | None) -> Presence | None:
    """The record of a user who is gone, or None if that is known. ``last_seen`` None: no later than was stored."""
    if known.status == "offline":
        return None
    return replace(known, status="offline", last_seen=last_seen or known.last_seen)


class _Life(msgspec.Struct):
    deadline: float
    last_seen: str | None


class LiveUsers:
    """The users who are online, with a time to live for each."""

    def __init__(self, offline_after: float) -> None:
        """``offline_after`` is how many seconds of silence make a user offline."""
        self._offline_after = offline_after
        self._lives: OrderedDict[str, _Life] = OrderedDict()  # the longest silent first: all have the same time

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._lives

    def __len__(self) -> int:
        return len(self._lives)

    @property
    def user_ids(self) -> list[str]:
        """Everybody who is online."""
        return list(self._lives)

    def attach(self, user_id: str, now: Moment, *, seen: bool = True) -> None:
        """The user is online from now on. ``seen`` False: they get their time without having been heard."""
        self._lives[user_id] = _Life(now.mono + self._offline_after, now.text if seen else None)
        self._lives.move_to_end(user_id)

    def touch(self, user_id: str, now: Moment) -> bool:
        """A sign of life. False if the user is not online, which then must be decided with the directory."""
        if user_id not in self._lives:
            return False
        self.attach(user_id, now)
        return True

    def leave(self, user_id: str) -> _Life | None:
        """The user is not online any more; returns what :meth:`back` takes."""
        return self._lives.pop(user_id, None)

    def back(self, user_id: str, life: _Life | None) -> None:
        """Undoes :meth:`leave` for a user who was due."""
        if life is not None:
            self._lives[user_id] = life
            self._lives.move_to_end(user_id, last=False)

    def last_seen(self, user_id: str) -> str | None:
        """When a user who is online was last heard, RFC 3339; None if that is not known here."""
        life = self._lives.get(user_id)
        return life.last_seen if life else None

    def is_due(self, user_id: str, now: Moment) -> bool:
        """Whether an online user has been silent for too long."""
        life = self._lives.get(user_id)
        return life is not None and life.deadline <= now.mono

    def due(self, now: Moment) -> list[str]:
        """Everybody who has been silent for too long."""
        found = []
        for user_id, life in self._lives.items():
            if life.deadline > now.mono:
                break
            found.append(user_id)
        return found

    def next_look(self, now: Moment) -> float:
        """Seconds until somebody could be due; who comes meanwhile is due no earlier."""
        first = next(iter(self._lives.values()), None)
        return self._offline_after if first is None else max(0.0, first.deadline - now.mono)
