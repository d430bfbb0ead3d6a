"""What the managers of a group keep in the directory about themselves.

====================================  =======================================================
``manager/<manager id>``              :class:`ManagerRecord`
``cluster/ca``                        :class:`SealedCa` of the organisation
``cluster/etcd-ca``                   :class:`SealedCa` of etcd's own CA
``cluster/token``                     :class:`TokenRecord`, with which newcomers join
``cluster/lock``                      the id of the manager that changes the membership; under its lease
``cluster/site``                      :class:`OwnSite`, which of several sites this one is
``link/<site>``                       :class:`LinkRecord`, whether another site is heard; the leader writes it
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
OWN_SITE: Final = "cluster/site"
LINKS: Final = "link/"
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
        exchange: where it serves other sites' managers.
    """

    id: str
    url: str
    site: str
    etcd_client: str
    etcd_peer: str
    version: str = ""
    etcd_version: str = ""
    exchange: str = ""


class SealedCa(msgspec.Struct, frozen=True):
    """A CA's certificate in PEM, and its private key, sealed with the cluster secret."""

    certificate: str
    key: bytes


class TokenRecord(msgspec.Struct, frozen=True):
    """The join token's secret: its SHA-256, to check, and itself sealed with the cluster secret, to print it again."""

    hash: str
    sealed: bytes


class OwnSite(msgspec.Struct, frozen=True):
    """The site that this directory is of. ``id`` as of :class:`telegraph.directory.records.Site`.

    ``joined``: it has taken over what the other sites know, or never had to; before that it answers nobody.
    """

    name: str
    id: str
    joined: bool = True


class LinkRecord(msgspec.Struct, frozen=True):
    """Whether the leader hears another site; written only when that changes.

    ``since``, RFC 3339: of one that is cut off, when it was heard last (empty: never).
    """

    up: bool
    since: str = ""


Record = TypeVar("Record", ManagerRecord, SealedCa, TokenRecord, OwnSite, LinkRecord)


def decode(value: bytes, kind: type[Record]) -> Record:
    """The record in a value.

    Raises:
        msgspec.DecodeError: it is none of that kind.
    """
    return msgspec.json.decode(value, type=kind)


def link_key(site: str) -> str:
    """Where it is stored whether another site is heard."""
    return LINKS + site


def manager_key(manager_id: str) -> str:
    """Where a manager's record is stored."""
    return MANAGERS + manager_id
