"""The organisation's keys and the join token, as they lie sealed in the directory."""

from pathlib import Path
from typing import Final

from telegraph.directory import cluster_records
from telegraph.directory.cluster_records import SealedCa, TokenRecord, decode
from telegraph.directory.port import Directory, Put, Unchanged
from telegraph.directory.records import encode, secret_hash
from telegraph.errors import CannotStart, WrongToken
from telegraph.manager.ca import CA_FILE, CertificateAuthority, read_certificate
from telegraph.manager.cluster.organisation import CA_KEY, Organisation
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.token import JoinToken, is_secret, new_secret
from telegraph.protocol.identity import fingerprint

_TOKEN: Final = "join-token"  # noqa: S105 - the name under which it is sealed


async def store_organisation(directory: Directory, organisation: Organisation) -> None:
    """Puts the keys and the token in, unless they are there already."""
    values = _values(organisation)
    await directory.commit([Unchanged(key, 0) for key in values], [Put(key, value) for key, value in values.items()])


async def replace_organisation(directory: Directory, organisation: Organisation) -> None:
    """Puts other keys and another token in the place of those that are there; nothing if it was done already.

    Raises:
        DirectoryUnavailable: it may or may not have been done; it may be repeated.
    """
    values = _values(organisation)
    while True:
        known = {key: await directory.get(key) for key in values}
        ca = known[cluster_records.CA]
        if ca is not None and ca.value == values[cluster_records.CA]:
            return  # and what became of the token since then stays
        conditions = [Unchanged(key, 0 if entry is None else entry.revision) for key, entry in known.items()]
        if await directory.commit(conditions, [Put(key, value) for key, value in values.items()]) is not None:
            return


def _values(organisation: Organisation) -> dict[str, bytes]:
    return {
        cluster_records.CA: encode(SealedCa(organisation.ca, organisation.ca_key)),
        cluster_records.ETCD_CA: encode(SealedCa(organisation.etcd_ca, organisation.etcd_ca_key)),
        cluster_records.TOKEN: encode(_token_record(organisation.cluster_secret, organisation.join_secret)),
    }


def _token_record(secret: ClusterSecret, join_secret: str) -> TokenRecord:
    return TokenRecord(secret_hash(join_secret), secret.seal(_TOKEN, join_secret.encode()))


async def load_organisation(directory: Directory, secret: ClusterSecret) -> Organisation:
    """All of it, as a newcomer gets it.

    Raises:
        CannotStart: the directory has none.
        SealBroken: it is sealed with another secret.
    """
    ca, etcd = await _sealed_ca(directory, cluster_records.CA), await _sealed_ca(directory, cluster_records.ETCD_CA)
    return Organisation(
        ca=ca.certificate,
        ca_key=ca.key,
        etcd_ca=etcd.certificate,
        etcd_ca_key=etcd.key,
        secret=secret.text,
        join_secret=(await load_token(directory, secret)).secret,
    )


async def _sealed_ca(directory: Directory, key: str) -> SealedCa:
    entry = await directory.get(key)
    if entry is None:
        raise CannotStart(detail=f"the directory has no {key}")
    return decode(entry.value, SealedCa)


async def load_authority(directory: Directory, secret: ClusterSecret) -> CertificateAuthority:
    """The organisation's CA.

    Raises:
        CannotStart: the directory has none.
        SealBroken: it is sealed with another secret.
        CaUnreadable: it is damaged.
    """
    sealed = await _sealed_ca(directory, cluster_records.CA)
    return CertificateAuthority.from_pem(sealed.certificate.encode(), secret.unseal(CA_KEY, sealed.key))


async def load_token(directory: Directory, secret: ClusterSecret) -> JoinToken:
    """The present token.

    Raises:
        CannotStart: there is none.
        SealBroken: it is sealed with another secret.
    """
    entry = await directory.get(cluster_records.TOKEN)
    if entry is None:
        raise CannotStart(detail="the directory has no join token")
    ca = (await _sealed_ca(directory, cluster_records.CA)).certificate
    sealed = decode(entry.value, TokenRecord).sealed
    return JoinToken(_fingerprint(ca), secret.unseal(_TOKEN, sealed).decode())


async def renew_token(directory: Directory, secret: ClusterSecret) -> JoinToken:
    """Another token; the old one is worth nothing from now on.

    Raises:
        CannotStart, SealBroken: as :func:`load_token`.
    """
    record = _token_record(secret, new_secret())
    await directory.commit([], [Put(cluster_records.TOKEN, encode(record))])
    return await load_token(directory, secret)


async def check_secret(directory: Directory, given: str) -> None:
    """Makes sure that a newcomer was invited.

    Raises:
        WrongToken: its secret is not that of the present token.
    """
    entry = await directory.get(cluster_records.TOKEN)
    if entry is None or not is_secret(given, decode(entry.value, TokenRecord).hash):
        raise WrongToken


def _fingerprint(pem: str) -> str:
    return fingerprint(read_certificate(pem.encode(), Path(CA_FILE)))
