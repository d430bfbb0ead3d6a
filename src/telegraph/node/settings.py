"""How a node is to run."""

import os
from pathlib import Path

import msgspec

from telegraph.errors import TestingOnly
from telegraph.protocol.invites import check_manager_url, normal_fingerprint, parse_invite

DEFAULT_PEER_PORT = 8000
DEFAULT_UDP_PORT = 5353
DEFAULT_ARGON2_MEMORY = 64 * 1024
TESTING_SWITCH = "TELEGRAPH_TESTING"


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one node.

    ``managers`` are URLs; without any the DNS alias and then ``scan`` (CIDR ranges, UDP) are tried. ``ca_file`` or
    ``ca_fingerprint``
    (SHA-256, hex) say whom to trust. ``peer_port`` and ``api_port``: None is the default port or a free one if it
    is taken, 0 any free one.
    ``advertise`` is how others reach this node, HOST or HOST:PORT, where that is not the address that it sends from.
    ``api`` serves the local API, on loopback. With ``api_origins``, or an ``api_host`` that is not loopback, the page
    is served there too, over HTTPS: under those origins, with ``api_cert`` and ``api_key`` (PEM files) if given.
    ``key_file`` or ``keyring`` open the store without a password from the second start on
    (:mod:`telegraph.node.unattended`). ``argon2_memory`` is in KiB; less than the default only in tests.
    """

    data: Path
    managers: tuple[str, ...] = ()
    ca_file: Path | None = None
    ca_fingerprint: str | None = None
    invite_code: str | None = None
    scan: tuple[str, ...] = ()
    udp_port: int = DEFAULT_UDP_PORT
    host: str = "0.0.0.0"  # noqa: S104 - others must reach it; every link needs a certificate
    peer_port: int | None = None
    advertise: str | None = None
    api: bool = False
    key_file: Path | None = None
    keyring: bool = False
    argon2_memory: int = DEFAULT_ARGON2_MEMORY
    api_host: str = "127.0.0.1"
    api_port: int | None = None
    api_origins: tuple[str, ...] = ()
    api_cert: Path | None = None
    api_key: Path | None = None


def settings_of(settings: NodeSettings, invite: str | None) -> NodeSettings:
    """The settings, completed by what an invite link says, URLs and fingerprints normalised.

    Raises:
        IllegalInvite, IllegalAddress: a part of them is wrong.
        TestingOnly: a cheaper Argon2id outside tests.
    """
    if settings.argon2_memory < DEFAULT_ARGON2_MEMORY and os.environ.get(TESTING_SWITCH) != "1":
        raise TestingOnly(option="--argon2-memory")
    managers, fingerprint, code = settings.managers, settings.ca_fingerprint, settings.invite_code
    if invite is not None:
        parsed = parse_invite(invite)
        managers, fingerprint, code = (*managers, *parsed.managers), parsed.ca, parsed.code or code
    return msgspec.structs.replace(
        settings,
        managers=tuple(dict.fromkeys(check_manager_url(url) for url in managers)),
        ca_fingerprint=normal_fingerprint(fingerprint) if fingerprint else None,
        invite_code=code,
    )
