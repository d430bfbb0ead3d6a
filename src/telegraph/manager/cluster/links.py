"""Connections to the group's etcd: its directory and its members."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

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
