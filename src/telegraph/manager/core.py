"""Everything that a manager's API works with, in one place."""

from dataclasses import dataclass

from telegraph.directory.port import Directory, Reads
from telegraph.directory.quorum import Quorum
from telegraph.manager.accounts import Accounts
from telegraph.manager.attendance import Attendance
from telegraph.manager.care import Care
from telegraph.manager.cluster.group import Group
from telegraph.manager.look_ups import LookUps
from telegraph.manager.metrics import Metrics
from telegraph.manager.people import People
from telegraph.manager.reaching import Reaching
from telegraph.manager.revocations import RevokedKeys
from telegraph.manager.roster import Roster
from telegraph.manager.settings import ManagerSettings
from telegraph.manager.sites.exchange import Exchange
from telegraph.manager.streams import Hub


@dataclass(frozen=True, slots=True)
class Core:
    """A running manager without its sockets; ``url`` is how it wants to be called, ``ca_pem`` the organisation's CA.

    ``group`` is the manager's part in a group of several, ``exchange`` that in the exchange between sites, ``quorum``
    what is known of the quorum that the group needs; None for a single one.
    """

    settings: ManagerSettings
    directory: Directory
    recent: Reads
    accounts: Accounts
    care: Care
    revoked: RevokedKeys
    attendance: Attendance
    people: People
    look_ups: LookUps
    hub: Hub
    roster: Roster
    metrics: Metrics
    reaching: Reaching
    ca_pem: str
    url: str
    group: Group | None = None
    exchange: Exchange | None = None
    quorum: Quorum | None = None
