"""Where a manager stands before it has a directory: what the ways into a group need to know."""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telegraph.directory.cluster_records import ManagerRecord
from telegraph.errors import PortTaken
from telegraph.manager.cluster.command import Member
from telegraph.manager.moment import Clock
from telegraph.manager.responder import bind
from telegraph.manager.settings import ManagerSettings
from telegraph.protocol.version import __version__

DEFAULT_ETCD_PORT: Final = 2379
_FREED_WITHIN: Final = 2.0
_LOOK_EVERY: Final = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """A manager that has claimed its data directory and its ports.

    Attributes:
        settings: its own.
        manager_id: its own random id.
        url: under which others call it.
        host: the host in that URL.
        listen: the IP address that it listens on.
        listening: its bound TCP socket.
        clock: the machine's.
    """

    settings: ManagerSettings
    manager_id: str
    url: str
    host: str
    listen: str
    listening: socket.socket
    clock: Clock

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.settings.data

    @property
    def etcd_port(self) -> int:
        """The port of etcd's clients, for a group that it is not part of yet."""
        return self.settings.cluster.etcd_port or DEFAULT_ETCD_PORT

    def member(self, host: str, port: int) -> Member:
        """Its etcd member, under the host and port that the group knows it by."""
        return Member(self.data, self.manager_id, self.listen, host, port)

    def new_member(self) -> Member:
        """Its etcd member, for a group that it is not part of yet."""
        return self.member(self.host, self.etcd_port)

    def record(self, member: Member, etcd_version: str) -> ManagerRecord:
        """What the others are to know of it."""
        return ManagerRecord(
            id=self.manager_id,
            url=self.url,
            site=self.settings.site,
            etcd_client=member.client_url,
            etcd_peer=member.peer_url,
            version=__version__,
            etcd_version=etcd_version,
            exchange=member.exchange_url,
        )


async def ports_free(member: Member) -> None:
    """Waits for etcd's ports and that of the exchange, which its predecessor may hold for a moment after a crash.

    Raises:
        PortTaken: somebody else has them.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _FREED_WITHIN
    while True:
        try:
            for port in (member.port, member.port + 1, member.exchange_port):
                bind(socket.SOCK_STREAM, member.listen, port, "--etcd-port").close()
        except PortTaken:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(_LOOK_EVERY)
        else:
            return
