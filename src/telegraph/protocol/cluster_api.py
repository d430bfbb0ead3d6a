"""What managers of one group ask each other: over TLS that is verified against the organisation's CA."""

import msgspec

PATH_JOIN = "/cluster/join"
PATH_FORMATION = "/cluster/formation"


class JoinRequest(msgspec.Struct, frozen=True):
    """A newcomer: the token's secret, its id, and the URL under which it will be called."""

    secret: str
    manager_id: str
    url: str

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
    """

    message: str
    status: int
    ca: str
    ca_key: bytes
    etcd_ca: str
    etcd_ca_key: bytes
    cluster_secret: str
    etcd: list[str]

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"JoinAnswer(etcd={self.etcd!r})"
