"""Who is here: what of it is to be written, and whose time is up. Pure.

Two parts. Functions of a stored :class:`~telegraph.directory.records.Presence` give the record to write, or None if
nothing worth a write changed: only changes of status and address are written, never a heartbeat (DESIGN.md 10.1).
:class:`LiveUsers` holds, in the memory of one manager, until when each user who is *attached* to it may be silent. Each
user is attached to one manager, by the key ``attached/<user_id>`` on that manager's lease. What is written, and by whom
("here": by the manager where it happens):

=============================  =========  =====================  ==================================================
happening                      user was   attached to            written
=============================  =========  =====================  ==================================================
log-in, reconnect              any        anybody, or nobody     here: online at the given address, attached here
heartbeat                      online     this manager           nothing: time starts anew in memory
heartbeat                      online     another, or nobody     here: attached here
heartbeat                      offline    nobody                 here: online where last known, attached here
other call                     online     this manager           nothing: time starts anew in memory
other call                     online     another, since lately  nothing
other call                     any        any other case         as a heartbeat, if it can be written
log-out, node stops            any        anybody, or nobody     here: offline, attached to nobody
silence                        online     this manager           here: attached, but silent
silence was written            online     somebody, but silent   leader: offline, attached to nobody; /disconnect
lease of a manager ran out     online     nobody any more        that manager, if it lives: attached to it again
attached to nobody for long    online     nobody                 leader: offline; /disconnect
start of a manager, alone      online     nobody                 here: attached here, with the full time
=============================  =========  =====================  ==================================================

The leader's part is :mod:`telegraph.manager.absence`. Every write carries the condition that what it was decided on has
not changed; those on behalf of a session, that it lives; the leader's, that it still leads.
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


def written(record: Presence, known: Presence, site: str) -> Presence:
    """The record as a site writes it over the known one: of two writes that neither knew of the other, one wins."""
    return replace(record, site=site, version=known.version + 1)


class Life(msgspec.Struct):
    """Until when a user may be silent, on the monotonic clock; when they were last heard; what attaches them here.

    ``last_seen`` is RFC 3339, None if they were not heard yet. ``revision`` is that of their attachment, 0 if they have
    none yet.
    """

    deadline: float
    last_seen: str | None
    revision: int


class LiveUsers:
    """The users who are attached to this manager, with a time to live for each."""

    def __init__(self, offline_after: float) -> None:
        """``offline_after`` is how many seconds of silence make a user offline."""
        self.offline_after = offline_after
        self._lives: OrderedDict[str, Life] = OrderedDict()  # the longest silent first: all have the same time

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._lives

    def __len__(self) -> int:
        return len(self._lives)

    @property
    def user_ids(self) -> list[str]:
        """Everybody who is attached."""
        return list(self._lives)

    def attach(self, user_id: str, now: Moment, revision: int, *, seen: bool = True) -> None:
        """The user is attached from now on. ``seen`` False: they get their time without having been heard."""
        self._lives[user_id] = Life(now.mono + self.offline_after, now.text if seen else None, revision)
        self._lives.move_to_end(user_id)

    def reattach(self, user_id: str, revision: int) -> None:
        """What attaches the user is another commit; this is no sign of life."""
        life = self._lives.get(user_id)
        if life is not None:
            life.revision = revision

    def revision(self, user_id: str) -> int | None:
        """The revision of the user's attachment, None if they are not attached here."""
        life = self._lives.get(user_id)
        return life.revision if life else None

    def touch(self, user_id: str, now: Moment) -> bool:
        """A sign of life. False if the user is not attached here, which then must be decided with the directory."""
        life = self._lives.get(user_id)
        if life is None:
            return False
        self.attach(user_id, now, life.revision)
        return True

    def leave(self, user_id: str) -> Life | None:
        """The user is not attached here any more; returns what :meth:`back` takes."""
        return self._lives.pop(user_id, None)

    def back(self, user_id: str, life: Life | None) -> None:
        """Undoes :meth:`leave` for a user who was due."""
        if life is not None:
            self._lives[user_id] = life
            self._lives.move_to_end(user_id, last=False)

    def last_seen(self, user_id: str) -> str | None:
        """When a user who is attached was last heard, RFC 3339; None if that is not known here."""
        life = self._lives.get(user_id)
        return life.last_seen if life else None

    def is_due(self, user_id: str, now: Moment) -> bool:
        """Whether an attached user has been silent for too long."""
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
        return self.offline_after if first is None else max(0.0, first.deadline - now.mono)
