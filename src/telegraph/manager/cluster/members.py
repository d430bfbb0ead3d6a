"""All managers of the group, as their records say, always up to date."""

from collections.abc import Callable

import structlog

from telegraph.directory import cluster_records
from telegraph.directory.cluster_records import MANAGERS, ManagerRecord, decode
from telegraph.directory.port import Change, Directory, HistoryGone, Put
from telegraph.directory.records import encode

log = structlog.get_logger(__name__)

OnMembers = Callable[[list[ManagerRecord]], None]


class Members:
    """Follows the managers' records. ``await load()`` once, then ``follow()`` in the background."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._records: dict[str, ManagerRecord] = {}
        self._revision = 0
        self._listeners: list[OnMembers] = []

    @property
    def all(self) -> list[ManagerRecord]:
        """Every manager, in the order of their ids."""
        return [self._records[manager_id] for manager_id in sorted(self._records)]

    @property
    def urls(self) -> list[str]:
        """Where nodes reach them, each once."""
        return list(dict.fromkeys(record.url for record in self.all))

    def of(self, manager_id: str) -> ManagerRecord | None:
        """One manager's record, None if it is not one of the group."""
        return self._records.get(manager_id)

    def listen(self, on_change: OnMembers) -> None:
        """Calls this with all managers from now on, whenever a record comes, changes or goes."""
        self._listeners.append(on_change)

    async def load(self) -> None:
        """Reads all records."""
        snapshot = await self._directory.scan(MANAGERS)
        before = self._records
        self._records = {
            entry.key.removeprefix(MANAGERS): decode(entry.value, ManagerRecord) for entry in snapshot.entries
        }
        self._revision = snapshot.revision
        if before != self._records:
            self._tell()

    async def follow(self) -> None:
        """Takes in every change until the directory closes; may be called again after an error."""
        try:
            async for change in self._directory.watch(MANAGERS, after=self._revision):
                self._take(change)
        except HistoryGone:
            await self.load()

    def _take(self, change: Change) -> None:
        manager_id = change.key.removeprefix(MANAGERS)
        if change.value is None:
            self._records.pop(manager_id, None)
        else:
            self._records[manager_id] = decode(change.value, ManagerRecord)
        self._revision = change.revision - 1  # the rest of this commit is still to come
        self._tell()

    def _tell(self) -> None:
        log.info("managers_known", count=len(self._records))
        for listener in self._listeners:
            listener(self.all)


async def put_record(directory: Directory, record: ManagerRecord) -> None:
    """Lets the others know of a manager."""
    await directory.commit([], [Put(cluster_records.manager_key(record.id), encode(record))])
