"""Connections to the group's etcd: its directory and its members."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from telegraph.directory.cluster_records import ManagerRecord
from telegraph.directory.etcd.channels import EtcdTls
from telegraph.directory.etcd.client import EtcdClient, Patience
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.etcd.members import Member, Members, Status
from telegraph.errors import Unavailable
from telegraph.manager.cluster.authority import ETCD_ALIAS
from telegraph.manager.cluster.certificates import ClientIdentity


@dataclass(frozen=True, slots=True)
class Links:
    """What can be done with etcd once it is reached."""

    directory: EtcdDirectory
    admin: Members

    async def status_of(self, member: Member) -> Status | None:
        """How a member fares, None if it does not answer."""
        for address in addresses(member.client_urls):
            with contextlib.suppress(Unavailable):
                return await self.admin.status(address)
        return None


class Reach:
    """Lets a client use the etcd members of all managers that there are, this machine's own first."""

    def __init__(self, client: EtcdClient, local_url: str, own_id: str) -> None:
        self._client = client
        self._local_url = local_url
        self._own_id = own_id
        self._changing: set[asyncio.Task[None]] = set()

    def __call__(self, managers: list[ManagerRecord]) -> None:
        """These are the managers now; connections to those that stay, stay."""
        others = [record.etcd_client for record in managers if record.id != self._own_id]
        task = asyncio.create_task(self._client.use(addresses([self._local_url, *others])))
        self._changing.add(task)
        task.add_done_callback(self._changing.discard)


def addresses(urls: Iterable[str]) -> list[str]:
    """``HOST:PORT`` of each URL, in order, each once."""
    return list(dict.fromkeys(urlsplit(url).netloc for url in urls))


@contextlib.asynccontextmanager
async def open_links(
    urls: Iterable[str], identity: ClientIdentity, patience: Patience | None = None
) -> AsyncIterator[Links]:
    """Links to the members at these client URLs, the preferred one first; nothing is connected yet."""
    tls = EtcdTls(identity.ca_pem, identity.certificate_pem, identity.key_pem, server_name=ETCD_ALIAS)
    directory = EtcdDirectory(EtcdClient(addresses(urls), tls, patience))
    try:
        yield Links(directory, Members(directory.client))
    finally:
        await directory.close()
