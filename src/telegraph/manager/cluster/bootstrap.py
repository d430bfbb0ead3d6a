"""Managers that are started together, unattended: each forms the group with the others, or joins the one there is."""

import contextlib
from typing import Final

import msgspec
import structlog

from telegraph.errors import CannotStart
from telegraph.manager.cluster.applying import Applicant
from telegraph.manager.cluster.beginning import check_same_ca
from telegraph.manager.cluster.certificates import client_identity
from telegraph.manager.cluster.formation import Join, Proposal
from telegraph.manager.cluster.gathering import Gathering
from telegraph.manager.cluster.joining import check_own_data, enter
from telegraph.manager.cluster.links import open_links
from telegraph.manager.cluster.members import put_record
from telegraph.manager.cluster.organisation import Organisation, read_organisation
from telegraph.manager.cluster.own_site import settle_site
from telegraph.manager.cluster.patience import patiently
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.running import Running, majority, start_etcd
from telegraph.manager.cluster.state import ClusterState, save_state
from telegraph.manager.cluster.token import JoinToken
from telegraph.manager.cluster.vault import store_organisation

log = structlog.get_logger(__name__)

_STORED_WITHIN: Final = 60.0


async def form(place: Place, stack: contextlib.AsyncExitStack) -> Running:
    """Makes this manager a member of the one group that those who were started with it form.

    Raises:
        CannotStart: see its subclasses.
    """
    path = place.settings.cluster.organisation
    if path is None:
        raise CannotStart(detail="--bootstrap-expect needs --org-file")
    organisation = read_organisation(path)
    authority = organisation.authority()
    check_same_ca(place.data, authority)
    organisation.save(place.data)
    async with contextlib.AsyncExitStack() as serving:
        gathering = Gathering(place, organisation)
        await gathering.serve(serving)
        action = await gathering.result()
        if not isinstance(action, Join):
            assert gathering.standing.decided is not None  # noqa: S101 - for the type checker
            return await _begin(place, organisation, gathering.standing.decided, stack)
        token, url = JoinToken(authority.fingerprint, organisation.join_secret), action.url
        applicant = Applicant(place, token)
        admission = await patiently(lambda: applicant.ask(url))  # the group may have been decided on just now
    check_own_data(place, token)
    return await enter(place, applicant, admission, stack)


async def _begin(
    place: Place, organisation: Organisation, proposal: Proposal, stack: contextlib.AsyncExitStack
) -> Running:
    """Starts etcd as one of those that were decided on; a start that was broken off goes on with the same data."""
    member = place.new_member()
    initial = {each.id: each.peer_url for each in proposal.members}
    state = ClusterState("beginning", member.host, member.port, member.local_url, (), initial)
    save_state(place.data, state)
    running = await start_etcd(place, member, initial, "new", stack)
    await majority(running)
    identity = client_identity(organisation.etcd_authority(), place.clock().utc)
    async with open_links([member.local_url], identity) as links:

        async def store() -> None:
            await store_organisation(links.directory, organisation)
            await settle_site(place, links.directory)
            await put_record(links.directory, place.record(member, running.version))

        await patiently(store, _STORED_WITHIN)
    save_state(place.data, msgspec.structs.replace(state, stage="member"))
    log.info("group_formed", members=len(initial))
    return running
