"""Which of this machine's addresses a manager would see."""

import socket


def address_towards(host: str, port: int) -> str | None:
    """The local IP address from which the system would send to a host, or None if there is no way there.

    Connecting a UDP socket sends nothing; it only asks the routing table.
    """
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError:
        return None
    for family, kind, protocol, _, target in infos:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None
