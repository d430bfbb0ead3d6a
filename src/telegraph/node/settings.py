"""How a node is to run."""

from pathlib import Path

import msgspec

DEFAULT_PEER_PORT = 8000
DEFAULT_UDP_PORT = 5353


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one node.

    ``managers`` are URLs; without any the DNS alias and then ``scan`` (CIDR ranges, UDP) are tried. ``ca_file`` or
    ``ca_fingerprint``
    (SHA-256, hex) say whom to trust. ``peer_port`` and ``api_port``: None is the default port or a free one if it
    is taken, 0 any free one.
    ``advertise`` is how others reach this node, HOST or HOST:PORT, where that is not the address that it sends from.
    ``api`` serves the local API.
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
    api_host: str = "127.0.0.1"
    api_port: int | None = None
