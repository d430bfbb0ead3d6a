"""What can be set about a manager."""

import ipaddress
import math
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from telegraph.errors import CannotStart, InsecureOffLoopback
from telegraph.manager.invites import Registration
from telegraph.manager.passwords import DEFAULT_COST, check_cost
from telegraph.protocol.sites import check_site_name

_LONGEST_LIFETIME: Final = timedelta(days=3653)
"""The CA's own; a date beyond the year 9999 could not be computed with."""


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a manager comes to its group; once it is part of one, it stays so whatever is said here.

    Attributes:
        init: make it the first of a group, with all that its directory holds.
        join: URL of a manager of the group that it is to join.
        token: with which it joins.
        join_site: URL of a manager of another site, which the group that begins here is to be a further site beside.
        replace: the member that had this address, or the site that had this name, is dead, and its data lost.
        etcd_port: of etcd's clients; members talk to each other on the next one. None is that of the last time.
        organisation: file of ``telegraph manager new-org``.
        expect: how many managers, started together, form a group.
        peers_dns: DNS names or IP addresses that lead to all of them; they use the same port as this one.
    """

    init: bool = False
    join: str | None = None
    token: str | None = None
    join_site: str | None = None
    replace: bool = False
    etcd_port: int | None = None
    organisation: Path | None = None
    expect: int = 0
    peers_dns: tuple[str, ...] = ()

    @property
    def is_wanted(self) -> bool:
        """Whether it is to be part of a group."""
        return self.init or self.join is not None or self.expect > 0

    def check(self) -> None:
        """Makes sure that the settings fit together.

        Raises:
            CannotStart: they do not.
        """
        if sum((self.init, self.join is not None, self.expect > 0)) > 1:
            raise CannotStart(detail="choose one of --cluster-init, --join and --bootstrap-expect")
        if self.join is not None and self.token is None:
            raise CannotStart(detail="--join needs --token or --token-file; see: telegraph manager token")
        if self.join_site is not None:
            self._check_site()
        if self.replace and self.join is None and self.join_site is None:
            raise CannotStart(detail="--replace goes with --join or --join-site only")
        if self.expect > 0 and (self.organisation is None or not self.peers_dns):
            raise CannotStart(detail="--bootstrap-expect needs --org-file and --peers-dns")

    def _check_site(self) -> None:
        if not self.init and self.expect == 0:
            raise CannotStart(detail="--join-site goes with --cluster-init or --bootstrap-expect")
        if self.token is None and self.organisation is None:
            raise CannotStart(detail="--join-site needs --token or --token-file; see: telegraph manager token")


class ManagerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one manager. Times are seconds.

    Attributes:
        data: its data directory, made if need be.
        host: the address it listens on.
        port: TCP port of the API; 0 is any free one.
        udp_port: UDP port of discovery; 0 is any free one.
        site: name of the site it belongs to; empty: that of its group, or ``main`` for a new one.
        advertise: ``HOST[:PORT]`` under which others reach it, if that is not ``host``.
        insecure_http: plain HTTP, on loopback only.
        registration: who may register.
        heartbeat_interval: how often nodes are asked to show that they live.
        offline_after: silence after which a user is offline.
        certificate_lifetime: of device certificates and of the manager's own.
        bcrypt_cost: other than 12 only in tests.
        login_failures_per_minute: per name and address; 0 is no limit.
        metrics_token: bearer token that may read ``/metrics`` from other machines.
        cluster: how it comes to its group, if it is to be in one.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    udp_port: int = 5353
    site: str = ""
    advertise: str | None = None
    insecure_http: bool = False
    registration: Registration = "open"
    heartbeat_interval: float = 10.0
    offline_after: float = 30.0
    certificate_lifetime: timedelta = timedelta(days=30)
    bcrypt_cost: int = DEFAULT_COST
    login_failures_per_minute: int = 20
    metrics_token: str | None = None
    cluster: ClusterSettings = ClusterSettings()

    def check(self) -> None:
        """Makes sure that the settings fit together.

        Raises:
            InsecureOffLoopback: plain HTTP off loopback.
            IllegalSite: no site can be called so.
            TestingOnly: a weaker bcrypt cost outside tests.
            CannotStart: the times make no sense.
        """
        check_cost(self.bcrypt_cost)
        self.cluster.check()
        if self.site:
            check_site_name(self.site)
        if self.cluster.is_wanted and self.insecure_http:
            raise CannotStart(detail="managers of a group talk to each other over TLS; leave out --insecure-http")
        if self.insecure_http and not is_loopback(self.host):
            raise InsecureOffLoopback
        if not 0 < self.heartbeat_interval < self.offline_after < math.inf:
            raise CannotStart(detail="--offline-after must be longer than --heartbeat-interval, and both above 0")
        if not timedelta(minutes=1) <= self.certificate_lifetime <= _LONGEST_LIFETIME:
            raise CannotStart(detail="certificates must live for a minute at least and ten years at most")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's loopback."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback  # a socket on :: shows 127.0.0.1 as ::ffff:127.0.0.1
