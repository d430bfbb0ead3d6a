"""A manager that is part of a group: its etcd member, and what it does for newcomers."""

import asyncio
from dataclasses import dataclass

import msgspec
import structlog

from telegraph.directory import cluster_records
from telegraph.directory.cluster_records import ManagerRecord, OwnSite, decode
from telegraph.directory.port import Directory
from telegraph.manager.cluster.certificates import MEMBER_LIFETIME
from telegraph.manager.cluster.doorkeeper import Doorkeeper
from telegraph.manager.cluster.formation import Candidate, FormationAnswer, FormationRequest, Proposal, Standing
from telegraph.manager.cluster.gathering import load_standing
from telegraph.manager.cluster.members import Members
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.running import Running
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.state import load_state, save_state
from telegraph.manager.cluster.vault import check_secret, load_organisation
from telegraph.manager.requests import read_host_request
from telegraph.manager.sites.free import check_free
from telegraph.protocol.cluster_api import JoinAnswer, JoinRequest, SiteAnswer, SiteRequest
from telegraph.protocol.sites import check_site_name

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Group:
    """This manager's part in its group.

    Attributes:
        place: the manager itself.
        running: its etcd member.
        directory: the group's.
        secret: the cluster secret.
        members: all managers.
        door: counts wrong tokens.
    """

    place: Place
    running: Running
    directory: Directory
    secret: ClusterSecret
    members: Members
    door: Doorkeeper

    async def admit(self, request: JoinRequest, remote: str, message: str) -> JoinAnswer:
        """What a newcomer needs to become a manager, its certificates first; it changes the membership itself.

        Args:
            request: what it asks for.
            remote: the address from which it calls.
            message: the answer's sentence.

        Raises:
            WrongToken: it was not invited.
            TooManyJoins: too many that were not have called from there.
            IllegalCsr: a request for a certificate cannot be used.
            DirectoryUnavailable: most of the group is away.
        """
        with self.door.knock(remote):
            await check_secret(self.directory, request.secret)
        manager, member = read_host_request(request.csr), read_host_request(request.etcd_csr)
        organisation = await load_organisation(self.directory, self.secret)
        now, lifetime = self.place.clock().utc, self.place.settings.certificate_lifetime
        authority, etcd = organisation.authority(), organisation.etcd_authority()
        log.info("newcomer_admitted", manager=request.manager_id, url=request.url)
        return JoinAnswer(
            message=message,
            status=200,
            ca=organisation.ca,
            ca_key=organisation.ca_key,
            etcd_ca=organisation.etcd_ca,
            etcd_ca_key=organisation.etcd_ca_key,
            cluster_secret=organisation.secret,
            etcd=[record.etcd_client for record in self.members.all],
            certificate=authority.certify_manager(manager.key, request.manager_id, manager.hosts, now, lifetime),
            etcd_certificate=etcd.issue(member.key, member.hosts, now, MEMBER_LIFETIME),
        )

    async def admit_site(self, request: SiteRequest, remote: str, message: str) -> SiteAnswer:
        """What a newcomer needs to begin another site of this organisation; it makes itself known as one later.

        Raises:
            WrongToken, TooManyJoins: as :meth:`admit`.
            IllegalSite: no site can be called so.
            SiteTaken: one is called so already.
            DirectoryUnavailable: most of the group is away.
        """
        with self.door.knock(remote):
            await check_secret(self.directory, request.secret)
        check_site_name(request.site)
        own = await self.directory.get(cluster_records.OWN_SITE)
        name = self.place.settings.site if own is None else decode(own.value, OwnSite).name
        await check_free(self.directory, name, request)
        organisation = await load_organisation(self.directory, self.secret)
        log.info("site_admitted", site=request.site, manager=request.manager_id)
        return SiteAnswer(
            message=message,
            status=200,
            ca=organisation.ca,
            ca_key=organisation.ca_key,
            cluster_secret=organisation.secret,
            site=name,
            exchange=[record.exchange for record in self.members.all if record.exchange],
        )

    async def stand(self, request: FormationRequest, remote: str, message: str) -> FormationAnswer:
        """That there is a group already, for managers that are about to form one.

        Raises:
            WrongToken: whoever asks was not invited.
            TooManyJoins: too many that were not have called from there.
            DirectoryUnavailable: most of the group is away.
        """
        with self.door.knock(remote):
            await check_secret(self.directory, request.secret)
        return FormationAnswer(message, 200, self._standing())

    def _standing(self) -> Standing:
        """As the formation left it; a group that was not formed but begun shows as one decided on by its members."""
        formed = load_standing(self.place.data)
        if formed is not None and formed.decided is not None:
            return formed
        candidates = tuple(Candidate(record.id, record.url, record.etcd_peer) for record in self.members.all)
        own = self.running.member
        me = Candidate(self.place.manager_id, self.place.url, own.peer_url)
        return Standing(me, decided=Proposal(me.id, 0, candidates))

    def remember(self, managers: list[ManagerRecord]) -> None:
        """Keeps on disk where the others are, for the next start."""
        state, clients = load_state(self.place.data), tuple(record.etcd_client for record in managers)
        if state is not None and clients and state.clients != clients:
            save_state(self.place.data, msgspec.structs.replace(state, clients=clients))

    async def left(self) -> None:
        """Returns when this manager is no longer one of the group."""
        gone = asyncio.Event()

        def look(managers: list[ManagerRecord]) -> None:
            if managers and all(record.id != self.place.manager_id for record in managers):
                gone.set()

        self.members.listen(look)
        removed = [asyncio.ensure_future(gone.wait()), asyncio.ensure_future(self.running.process.removed())]
        try:
            await asyncio.wait(removed, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in removed:
                each.cancel()
        log.warning("removed_from_group")
