"""What the rest of a manager asks of the sites: who acknowledges names, how old news are, what nodes are told."""

from telegraph.directory.port import Directory
from telegraph.manager.home import Home
from telegraph.manager.moment import Clock
from telegraph.manager.people import Where
from telegraph.manager.sites.claims import Claims
from telegraph.manager.sites.exchange import Exchange
from telegraph.manager.sites.known import Sites
from telegraph.protocol.manager_events import SiteState
from telegraph.protocol.reserving import ReserveAnswer, ReserveRequest
from telegraph.protocol.sites import PATH_RESERVE


def claims_among(exchange: Exchange, directory: Directory, home: Home, clock: Clock) -> Claims:
    """Claims of names that the other sites are asked about."""

    async def ask(site: str, request: ReserveRequest, within: float) -> ReserveAnswer:
        return await exchange.ask(site, PATH_RESERVE, ReserveAnswer, request, within=within)

    return Claims(directory, home, clock, ask, lambda: [site.name for site in exchange.sites.heard])


def places_in(sites: Sites) -> Where:
    """Tells of a record's site: its name, and when it was last heard from if it is cut off."""

    def where(site: str) -> tuple[str, str | None]:
        if not sites.others:
            return "", None
        name = site or sites.own
        return name, (sites.last_heard(name) or None)

    return where


def site_states(sites: Sites) -> list[SiteState]:
    """The other sites, as nodes are told of them."""
    return [
        SiteState(
            site.name, up=sites.is_heard(site.name), heard=sites.last_heard(site.name) or "", urls=list(site.urls)
        )
        for site in sites.others
    ]
