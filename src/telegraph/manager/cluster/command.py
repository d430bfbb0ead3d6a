"""The command line of a manager's etcd member. Pure.

What is not etcd's default, and why:

==============================  ==========================================================================
``--auto-compaction-…``         old revisions are forgotten after an hour; a watch resumes within seconds
``--snapshot-count 5000``       etcd keeps so many raft entries (and 5000 more) in memory; the default of 100,000
                                costs hundreds of MB under writes
``--…-client-cert-auth``        only who shows a certificate of etcd's own CA gets in, on both ports
``--experimental-peer-skip-…``  a member behind another address (a container's second network) is known by its
                                certificate, not by the address that it seems to come from
``--enable-grpc-gateway=false`` nobody speaks JSON to it
``--max-txn-ops 1024``          what one commit of ours may hold
``--log-level warn``            what etcd says goes into the manager's log
==============================  ==========================================================================

Heartbeats and elections keep their defaults (100 ms, 1000 ms): a dead leader is replaced within 1 to 2 s, and a site's
network has round trips far below 100 ms (https://etcd.io/docs/v3.4/tuning/).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from telegraph.manager.cluster.authority import ETCD_CA_FILE
from telegraph.protocol.addresses import Address

ETCD_CERTIFICATE_FILE: Final = "etcd-cert.pem"
ETCD_KEY_FILE: Final = "etcd-key.pem"
ETCD_DATA: Final = "etcd"

SNAPSHOT_COUNT: Final = 5000
AUTO_COMPACTION: Final = "1h"

MAX_TXN_OPS: Final = 1024
"""As in :mod:`telegraph.directory.etcd.directory`, which is not imported for its weight."""

_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
_LOOPBACK: Final = "127.0.0.1"


class Member(msgspec.Struct, frozen=True):
    """One etcd member.

    Attributes:
        data: the manager's data directory.
        name: the manager's id.
        listen: the IP address to listen on.
        host: the host under which others dial it.
        port: of clients; members talk to each other on the next one, and other sites' managers call on the one after.
    """

    data: Path
    name: str
    listen: str
    host: str
    port: int

    @property
    def client_url(self) -> str:
        """Where clients reach it."""
        return f"https://{Address(self.host, self.port)}"

    @property
    def peer_url(self) -> str:
        """Where other members reach it."""
        return f"https://{Address(self.host, self.port + 1)}"

    @property
    def exchange_port(self) -> int:
        """Where the manager itself serves other sites (:mod:`telegraph.manager.sites`)."""
        return self.port + 2

    @property
    def exchange_url(self) -> str:
        """Where other sites reach it."""
        return f"https://{Address(self.host, self.exchange_port)}"

    @property
    def local_url(self) -> str:
        """Where this machine reaches it."""
        return f"https://{Address(_LOOPBACK if self.listen in _EVERYWHERE else self.listen, self.port)}"


Beginning = Literal["new", "existing"]


def arguments(member: Member, initial: Mapping[str, str], beginning: Beginning, token: str) -> list[str]:
    """What etcd is started with; ``initial`` and ``beginning`` count only while it has no data yet.

    Args:
        member: the one to start.
        initial: all members' peer URLs by name.
        beginning: whether they begin a group together or this one joins theirs.
        token: tells groups apart that were never meant to meet.
    """
    cluster = ",".join(f"{name}={url}" for name, url in sorted(initial.items()))
    return [
        *("--name", member.name),
        *("--data-dir", str(member.data / ETCD_DATA)),
        *("--listen-client-urls", f"https://{Address(member.listen, member.port)}"),
        *("--advertise-client-urls", member.client_url),
        *("--listen-peer-urls", f"https://{Address(member.listen, member.port + 1)}"),
        *("--initial-advertise-peer-urls", member.peer_url),
        *("--initial-cluster", cluster),
        *("--initial-cluster-state", beginning),
        *("--initial-cluster-token", token),
        *_tls(member.data, ""),
        *_tls(member.data, "peer-"),
        "--experimental-peer-skip-client-san-verification",
        "--enable-grpc-gateway=false",
        *("--auto-compaction-mode", "periodic", "--auto-compaction-retention", AUTO_COMPACTION),
        *("--snapshot-count", str(SNAPSHOT_COUNT)),
        *("--max-txn-ops", str(MAX_TXN_OPS)),
        *("--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn"),
    ]


def _tls(data: Path, side: str) -> list[str]:
    return [
        *(f"--{side}cert-file", str(data / ETCD_CERTIFICATE_FILE)),
        *(f"--{side}key-file", str(data / ETCD_KEY_FILE)),
        *(f"--{side}trusted-ca-file", str(data / ETCD_CA_FILE)),
        f"--{side}client-cert-auth",
    ]


def environment(inherited: Mapping[str, str], notify: str, machine: str) -> dict[str, str]:
    """Its environment: nothing that etcd would take for its own settings, and where to say that it is ready.

    etcd 3.4 wants to be told that ARM is meant (https://etcd.io/docs/v3.4/op-guide/supported-platform/).
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(("ETCD", "TELEGRAPH_"))}
    arm = {"ETCD_UNSUPPORTED_ARCH": "arm64"} if machine in ("aarch64", "arm64") else {}
    return {**kept, **arm, "NOTIFY_SOCKET": notify}
