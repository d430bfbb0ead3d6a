"""Takes up all ties again at once after the machine slept or its network changed, instead of when they are missed."""

from telegraph.node.membership import Membership
from telegraph.node.peers import Peers


async def recover(slept: float, member: Membership | None, peers: Peers | None) -> None:
    """Signs the new address, opens the stream to the managers anew, gives up dead links, and lets everybody try again.

    ``slept`` is the seconds that the machine slept; 0 if its addresses or routes may have changed.
    """
    if member is None or peers is None:  # locked, or nobody is logged in: there are no ties
        return
    todo = await member.network_changed(slept)
    peers.network_changed(close_links=todo.close_links)
