"""What managers of one group ask each other: over TLS that is verified against the organisation's CA."""

from typing import Annotated

import msgspec

PATH_JOIN = "/cluster/join"
PATH_FORMATION = "/cluster/formation"
PATH_SITE = "/cluster/site"


class JoinRequest(msgspec.Struct, frozen=True):
    """A newcomer.

    Attributes:
        secret: the token's.
        manager_id: its own random id.
        url: under which it will be called.
        csr: asks for its certificate as a manager (PKCS 10, PEM, ECDSA P-256), with the hosts that it goes by.
        etcd_csr: asks for that of its etcd member.
    """

    secret: str
    manager_id: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{1,64}$")]
    url: str
    csr: str
    etcd_csr: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"JoinRequest(manager_id={self.manager_id!r}, url={self.url!r})"


class JoinAnswer(msgspec.Struct, frozen=True):
    """What a newcomer needs to be a manager.

    Attributes:
        message: a sentence.
        status: 200.
        ca: the organisation CA's certificate, PEM.
        ca_key: its key, sealed with the cluster secret.
        etcd_ca: etcd's CA's certificate, PEM.
        etcd_ca_key: its key, sealed with the cluster secret.
        cluster_secret: 64 hex digits.
        etcd: client URLs of the group's etcd members.
        certificate: the newcomer's as a manager, PEM.
        etcd_certificate: that of its etcd member, PEM.
    """

    message: str
    status: int
    ca: str
    ca_key: bytes
    etcd_ca: str
    etcd_ca_key: bytes
    cluster_secret: str
    etcd: list[str]
    certificate: str
    etcd_certificate: str

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"JoinAnswer(etcd={self.etcd!r})"


class SiteRequest(msgspec.Struct, frozen=True):
    """The first manager of a new site, which is to be of the same organisation.

    Attributes:
        secret: that of the join token.
        site: how the new site is to be called.
        manager_id: the manager's own random id.
        site_id: the site's, empty if it has none yet; whoever asks again is known by it.
        replace: the site that had this name is lost with all its data.
    """

    secret: str
    site: str
    manager_id: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{1,64}$")]
    site_id: str = ""
    replace: bool = False

    def __repr__(self) -> str:
        """Without the secret."""
        return f"SiteRequest(site={self.site!r}, manager_id={self.manager_id!r})"


class SiteAnswer(msgspec.Struct, frozen=True):
    """What makes the newcomer a manager of the organisation; its etcd has a CA of its own.

    Attributes:
        message: a sentence.
        status: 200.
        ca: the organisation CA's certificate, PEM.
        ca_key: its key, sealed with the cluster secret.
        cluster_secret: 64 hex digits.
        site: the name of the site that answers.
        exchange: where its managers serve other sites.
    """

    message: str
    status: int
    ca: str
    ca_key: bytes
    cluster_secret: str
    site: str
    exchange: list[str]

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"SiteAnswer(site={self.site!r}, exchange={self.exchange!r})"
