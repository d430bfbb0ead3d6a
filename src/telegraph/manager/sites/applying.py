"""Another site's entries come into the own directory: read what they concern, merge, commit what changes.

Each commit is whole in itself: it has the consequences of what it brings, and holds only if nothing that it was decided
on has changed since, and while this manager leads. So a batch may be cut into several of them, break off between two,
or come twice; the cursor goes with the last. What merges to what is there already is not written, so that sites do not
send each other's changes in circles.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from telegraph.directory import records
from telegraph.directory.port import Delete, Directory, Put, Unchanged
from telegraph.directory.records import Cursor, encode
from telegraph.errors import Conflict
from telegraph.manager.attendance import TRIES
from telegraph.manager.home import Home
from telegraph.manager.moment import Clock
from telegraph.manager.sites.consequences import Here, changes, incorporate
from telegraph.manager.sites.neighbourhood import Part, sorted_entries, surroundings

log = structlog.get_logger(__name__)

AT_ONCE: Final = 40
"""Entries that are merged together; half as many if they touch too much for one commit."""

MOST_OPERATIONS: Final = 1000
"""Conditions, or writes, of one commit: etcd takes 1024 (``--max-txn-ops``)."""

MOST_BYTES: Final = 512 * 1024
"""Of one commit; etcd takes 1.5 MiB (``--max-request-bytes``)."""

State = Mapping[str, bytes]


class Applied(msgspec.Struct, frozen=True):
    """What one commit changed: the values before and after, None where there is none."""

    before: Mapping[str, bytes | None]
    after: Mapping[str, bytes | None]


class Applier:
    """One for a manager. ``on_applied`` is told of each commit that changed something, after it."""

    def __init__(self, directory: Directory, home: Home, clock: Clock, certificate_lifetime: timedelta) -> None:
        self._directory = directory
        self._home = home
        self._clock = clock
        self._lifetime = certificate_lifetime
        self.on_applied: Callable[[Applied], None] = lambda _applied: None

    async def apply(
        self, site: str, entries: Mapping[str, bytes], cursor: Cursor | None, fence: Sequence[Unchanged]
    ) -> None:
        """Merges what another site has told; when this returns, it is durable here.

        Args:
            site: which it was.
            entries: keys below :data:`telegraph.directory.records.EXCHANGED` and their values there; others, and what
                is no record, are left out. What was removed there need not be told.
            cursor: how far that site's changes are applied then; None if more of the same is to come.
            fence: what must hold, such as that this manager leads.

        Raises:
            DirectoryUnavailable, FateUnknown: it could not be written; what was told may come again.
            Conflict: others write all the time, or the fence does not hold.
        """
        known = sorted_entries(entries)
        pieces = [known[first : first + AT_ONCE] for first in range(0, len(known), AT_ONCE)]
        last = [] if cursor is None else [Put(records.cursor_key(site), encode(cursor))]
        for piece in pieces[:-1]:
            await self._merge(piece, [], fence)
        await self._merge(pieces[-1] if pieces else [], last, fence)

    async def _merge(self, piece: list[tuple[str, bytes]], more: list[Put], fence: Sequence[Unchanged]) -> None:
        """One commit, or some; the last has ``more`` with it."""
        for _ in range(TRIES):
            part = await surroundings(self._directory, piece)
            merged = incorporate(part.state, part.theirs, Here(self._home.name, self._clock(), self._lifetime))
            written = changes(part.state, merged)
            writes: list[Put | Delete] = [*_writes(written), *more]
            conditions = [*fence, *part.conditions]
            if len(piece) > 1 and _is_too_much(conditions, writes):
                half = len(piece) // 2
                await self._merge(piece[:half], [], fence)
                await self._merge(piece[half:], more, fence)
                return
            if not writes or await self._directory.commit(conditions, writes) is not None:
                self._tell(part, written)
                return
        raise Conflict

    def _tell(self, part: Part, written: Mapping[str, bytes | None]) -> None:
        if written:
            self.on_applied(Applied({key: part.state.get(key) for key in written}, written))


def _writes(written: Mapping[str, bytes | None]) -> Iterator[Put | Delete]:
    """Also removes what belongs to a record that goes, and was not read."""
    gone: dict[str, None] = {}
    for key, value in written.items():
        if value is not None:
            yield Put(key, value)
            continue
        gone[key] = None
        user_id = key.removeprefix(records.ACCOUNTS)
        if key.startswith(records.SESSIONS):
            gone[records.USES + key.removeprefix(records.SESSIONS)] = None
        elif key.startswith(records.ACCOUNTS):
            gone[records.presence_key(user_id)] = gone[records.attachment_key(user_id)] = None
    yield from (Delete(key) for key in gone)


def _is_too_much(conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> bool:
    size = sum(len(write.key) + len(write.value) for write in writes if isinstance(write, Put))
    return max(len(conditions), len(writes)) > MOST_OPERATIONS or size > MOST_BYTES
