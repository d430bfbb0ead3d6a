"""What makes managers managers of the same organisation: two CAs and the secret that seals their keys.

It travels in two ways, each time whole: over the TLS connection of a join, whose newcomer proved the CA and that it was
invited, and in the file of ``telegraph manager new-org``, for a group that begins unattended.
"""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import msgspec

from telegraph.errors import CannotStart
from telegraph.manager.ca import CA_FILE, CertificateAuthority
from telegraph.manager.cluster.authority import ETCD_CA_FILE, ETCD_CA_KEY, EtcdAuthority
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.token import JoinToken, new_secret
from telegraph.storage.datadir import write_private

ORGANISATION_FILE: Final = "organisation.json"
TOKEN_FILE: Final = "token"  # noqa: S105 - a file's name
CA_KEY: Final = "ca-key"
"""The name under which the organisation CA's key is sealed."""


class Organisation(msgspec.Struct, frozen=True):
    """All in PEM or hex; the keys are sealed with the secret, which stands beside them.

    Attributes:
        ca: the organisation CA's certificate.
        ca_key: its key, sealed.
        etcd_ca: etcd's CA's certificate.
        etcd_ca_key: its key, sealed.
        secret: the cluster secret.
        join_secret: that of the join token.
    """

    ca: str
    ca_key: bytes
    etcd_ca: str
    etcd_ca_key: bytes
    secret: str
    join_secret: str

    def __repr__(self) -> str:
        """Nothing of it: it might get into a log."""
        return "Organisation(…)"

    @classmethod
    def create(cls, ca: CertificateAuthority, now: datetime) -> Self:
        """A new one around a CA: a new secret, a new CA for etcd, a new token."""
        etcd, secret = EtcdAuthority.create(now), ClusterSecret.create()
        return cls(
            ca=ca.pem,
            ca_key=secret.seal(CA_KEY, ca.key_pem),
            etcd_ca=etcd.pem,
            etcd_ca_key=secret.seal(ETCD_CA_KEY, etcd.key_pem),
            secret=secret.text,
            join_secret=new_secret(),
        )

    @property
    def cluster_secret(self) -> ClusterSecret:
        """The secret, ready to be used."""
        return ClusterSecret.from_text(self.secret)

    def authority(self) -> CertificateAuthority:
        """The organisation's CA.

        Raises:
            SealBroken: the key was sealed by another secret.
            CaUnreadable: it is damaged.
        """
        return CertificateAuthority.from_pem(self.ca.encode(), self.cluster_secret.unseal(CA_KEY, self.ca_key))

    def etcd_authority(self) -> EtcdAuthority:
        """Etcd's CA.

        Raises:
            SealBroken: the key was sealed by another secret.
            CaUnreadable: it is damaged.
        """
        key = self.cluster_secret.unseal(ETCD_CA_KEY, self.etcd_ca_key)
        return EtcdAuthority.from_pem(self.etcd_ca.encode(), key)

    def save(self, data: Path) -> None:
        """Writes what a manager's data directory keeps of it; the organisation CA's key stays in the directory only.

        The secret comes last: where it is, the rest is too.
        """
        write_private(data / CA_FILE, self.ca)
        (data / CA_FILE).chmod(0o644)
        write_private(data / ETCD_CA_FILE, self.etcd_ca)
        write_private(data / ETCD_CA_KEY, self.etcd_ca_key.hex())
        self.cluster_secret.save(data)


def load_etcd_authority(data: Path) -> EtcdAuthority:
    """Etcd's CA as :meth:`Organisation.save` left it.

    Raises:
        DataUnreadable: there is none.
        SealBroken, CaUnreadable: it is damaged.
    """
    secret = ClusterSecret.load(data)
    try:
        certificate = (data / ETCD_CA_FILE).read_bytes()
        sealed = bytes.fromhex((data / ETCD_CA_KEY).read_text(encoding="ascii"))
    except (OSError, ValueError) as problem:
        raise CannotStart(detail=f"{data / ETCD_CA_KEY} or {ETCD_CA_FILE} is missing or damaged") from problem
    return EtcdAuthority.from_pem(certificate, secret.unseal(ETCD_CA_KEY, sealed))


def found_organisation(folder: Path, name: str, now: datetime) -> str:
    """Makes a new organisation's files in a new folder (0700): the CA's fingerprint.

    Raises:
        CannotStart: the folder exists already and has something in it, or cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CannotStart(detail=f"{folder} is not empty; secrets are never overwritten, choose another --out")
        ca = CertificateAuthority.create(name, now)
        organisation = Organisation.create(ca, now)
        write_organisation(folder / ORGANISATION_FILE, organisation)
        write_private(folder / TOKEN_FILE, JoinToken(ca.fingerprint, organisation.join_secret).text + "\n")
        write_private(folder / CA_FILE, organisation.ca)
        (folder / CA_FILE).chmod(0o644)
    except OSError as problem:
        raise CannotStart(detail=f"{folder} cannot be written ({problem.strerror})") from problem
    return ca.fingerprint


def write_organisation(path: Path, organisation: Organisation) -> None:
    """Writes the file of ``new-org``, for its owner only."""
    write_private(path, msgspec.json.encode(organisation).decode() + "\n")


def read_organisation(path: Path) -> Organisation:
    """Reads such a file, and makes sure that its parts fit together.

    Raises:
        CannotStart: it cannot be read, or is none.
        SealBroken, CaUnreadable: a part of it was changed.
    """
    found = None
    with contextlib.suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode(path.read_bytes(), type=Organisation)
    if found is None:
        raise CannotStart(detail=f"{path} is no file of telegraph manager new-org")
    try:
        found.authority()
        found.etcd_authority()
    except ValueError as problem:
        raise CannotStart(detail=f"{path} is damaged") from problem
    return found
