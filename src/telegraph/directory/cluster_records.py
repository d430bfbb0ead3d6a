"""What the managers of a group keep in the directory about themselves.

====================================  =======================================================
``manager/<manager id>``              :class:`ManagerRecord`
``cluster/ca``                        :class:`SealedCa` of the organisation
``cluster/etcd-ca``                   :class:`SealedCa` of etcd's own CA
``cluster/token``                     :class:`TokenRecord`, with which newcomers join
``cluster/lock``                      the id of the manager that changes the membership; under its lease
``leader/jobs``                       the URL of the manager that does the leader's jobs; under its lease
====================================  =======================================================

Values are JSON, as in :mod:`telegraph.directory.records`, whose ``encode`` is used.
"""

from typing import Final, TypeVar

import msgspec

MANAGERS: Final = "manager/"
CA: Final = "cluster/ca"
ETCD_CA: Final = "cluster/etcd-ca"
TOKEN: Final = "cluster/token"  # noqa: S105 - where it is stored
LOCK: Final = "cluster/lock"
LEADER: Final = "leader/jobs"


class ManagerRecord(msgspec.Struct, frozen=True):
    """A manager of the group.

    Attributes:
        id: its own random id, also the name of its etcd member.
        url: how nodes are to call it.
        site: the site that it belongs to.
        etcd_client: where etcd's clients reach its member.
        etcd_peer: where the other members reach it.
        version: of Telegraph.
        etcd_version: of etcd.
    """

    id: str
    url: str
    site: str
    etcd_client: str
    etcd_peer: str
    version: str = ""
    etcd_version: str = ""


class SealedCa(msgspec.Struct, frozen=True):
    """A CA's certificate in PEM, and its private key, sealed with the cluster secret."""

    certificate: str
    key: bytes


class TokenRecord(msgspec.Struct, frozen=True):
    """The join token's secret: its SHA-256, to check, and itself sealed with the cluster secret, to print it again."""

    hash: str
    sealed: bytes


Record = TypeVar("Record", ManagerRecord, SealedCa, TokenRecord)


def decode(value: bytes, kind: type[Record]) -> Record:
    """The record in a value.

    Raises:
        msgspec.DecodeError: it is none of that kind.
    """
    return msgspec.json.decode(value, type=kind)


def manager_key(manager_id: str) -> str:
    """Where a manager's record is stored."""
    return MANAGERS + manager_id
