"""Device keys that must not be spoken with: the managers' list, kept on disk for when none of them answers.

It only grows, but for what no certificate outlives (DESIGN.md 10.11). Nobody can take a key off it again.
"""

from datetime import UTC, datetime

from telegraph.node.database import Database
from telegraph.protocol.identity import Holder, key_fingerprint
from telegraph.protocol.manager_events import Revoked
from telegraph.storage.engine import sqlite3

_CURSOR = "revocations_cursor"


class Revocations:
    """The list, in memory and on disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        rows = database.read("SELECT user_id, key FROM revoked")
        self._keys = {(str(user_id), str(key)) for user_id, key in rows}

    @property
    def cursor(self) -> str:
        """What to ask a manager after: it knows what came until then."""
        return (self._database.setting(_CURSOR) or b"").decode()

    def __contains__(self, holder: object) -> bool:
        return isinstance(holder, Holder) and (holder.id, key_fingerprint(holder.key)) in self._keys

    def note(self, told: Revoked) -> None:
        """Refuses these keys from now on."""
        self._keys.update((each.user_id, each.key) for each in told.keys)

    async def store(self, told: Revoked) -> None:
        """Puts them on disk; the cursor in the same transaction, so that a crash asks again."""

        def job(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO revoked VALUES (?, ?, ?)",
                [(each.user_id, each.key, each.until) for each in told.keys],
            )
            if told.cursor:
                connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (_CURSOR, told.cursor.encode()))

        await self._database.write(job)


def forget_expired(connection: sqlite3.Connection, now: datetime | None = None) -> None:
    """Drops keys of which no certificate can be valid any more; the next start has forgotten them."""
    text = (now or datetime.now(UTC)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    connection.execute("DELETE FROM revoked WHERE until < ?", (text,))
