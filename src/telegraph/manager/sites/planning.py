"""How many managers an organisation needs, where, and what they then go through (the report's N(2K-1)). Pure.

A site is a group of its own, so a broken link between sites takes a vote away from nobody. With 2K-1 managers a group
keeps its majority of K until K of them have failed; so each of N sites tolerates K-1 failures on its own, cut off or
not, and all of them together N(K-1) if they are spread so.
"""

from typing import Final

import msgspec

from telegraph.errors import BadInput

MOST_SITES: Final = 16
"""The mesh has a link for each pair of sites and direction."""

MOST_TOLERANCE: Final = 5
"""Nine managers a site: each commit waits for a majority, and etcd's makers advise against more than seven or nine
(https://etcd.io/docs/v3.4/faq/)."""


class Plan(msgspec.Struct, frozen=True):
    """What to set up.

    Attributes:
        sites: N.
        tolerance: K.
        per_site: managers a site, 2K-1.
        managers: all of them, N(2K-1).
        quorum_per_site: how many of a site's managers must be there for it to register and change anything, K.
        failures_per_site: how many may fail at each site, K-1.
        failures_in_all: how many may fail at once if no site loses more than its share, N(K-1).
        links: directed links between sites, N(N-1); each may be cut.
    """

    sites: int
    tolerance: int
    per_site: int
    managers: int
    quorum_per_site: int
    failures_per_site: int
    failures_in_all: int
    links: int


def plan(sites: int, tolerance: int) -> Plan:
    """The plan for N sites that each tolerate K-1 failures on their own.

    Raises:
        BadInput: that many are not supported.
    """
    if not 1 <= sites <= MOST_SITES:
        raise BadInput(detail=f"there can be 1 to {MOST_SITES} sites")
    if not 1 <= tolerance <= MOST_TOLERANCE:
        raise BadInput(detail=f"the tolerance can be 1 to {MOST_TOLERANCE}")
    per_site = 2 * tolerance - 1
    return Plan(
        sites=sites,
        tolerance=tolerance,
        per_site=per_site,
        managers=sites * per_site,
        quorum_per_site=tolerance,
        failures_per_site=tolerance - 1,
        failures_in_all=sites * (tolerance - 1),
        links=sites * (sites - 1),
    )
