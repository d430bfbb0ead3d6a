"""Puts together what a manager does for presence: :mod:`telegraph.manager.presence` tells what that is."""

from collections.abc import Awaitable, Callable

from telegraph.directory.port import Directory
from telegraph.manager.attendance import Attendance, Itself
from telegraph.manager.home import Home
from telegraph.manager.lease import TTL, TTL_ALONE, ManagerLease
from telegraph.manager.locks import UserLocks
from telegraph.manager.moment import Clock
from telegraph.manager.presence import LiveUsers
from telegraph.manager.reattach import Reattaching
from telegraph.manager.sweep import OnExpired, Sweep, listen_for_silence


class Attending:
    """The parts. Everybody runs :meth:`tasks` in the background, the leader ``sweep`` besides.

    Attributes:
        attendance: what the API works with.
        locks: of users.
        sweep: the leader's job.
    """

    def __init__(
        self,
        directory: Directory,
        manager_id: str,
        offline_after: float,
        clock: Clock,
        on_expired: OnExpired,
        *,
        alone: bool,
        site: str = "",
    ) -> None:
        """``alone``: there is no other manager. ``on_expired``: see :class:`telegraph.manager.sweep.Sweep`."""
        self.locks = UserLocks()
        self._alone = alone
        self._clock = clock
        self._lease = ManagerLease(directory, TTL_ALONE if alone else TTL)
        itself = Itself(manager_id, self._lease, Home(site))
        self.attendance = Attendance(directory, LiveUsers(offline_after), self.locks, clock, itself)
        self._reattaching = Reattaching(directory, self.attendance, clock)
        self.sweep = Sweep(directory, self.attendance, clock, on_expired)

    async def begin(self) -> None:
        """Learns how everybody stands. A manager that is alone takes all who are online, with the full time.

        Raises:
            DirectoryUnavailable: the directory does not answer.
        """
        await self.attendance.load()
        if self._alone:
            await self._reattaching.adopt()

    def tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs endlessly, by name; each may be called again after an error."""
        return {
            "lease": self._lease.keep,
            "presences": self.attendance.presences.follow,
            "attachments": self.attendance.attachments.follow,
            "reattaching": self._reattaching.run,
            "silence": lambda: listen_for_silence(self.attendance, self._clock),
        }

    async def end(self) -> None:
        """The manager stops; call it after the tasks have ended."""
        await self._lease.end()
