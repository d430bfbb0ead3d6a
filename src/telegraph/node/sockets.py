"""Listening sockets, bound before anything else so that a taken port is said at once."""

import errno
import socket

from telegraph.errors import CannotStart, PortTaken

_BACKLOG = 128


def bind(host: str, port: int, option: str) -> socket.socket:
    """A TCP socket bound to an address, not listening yet; port 0 is any free one.

    Raises:
        PortTaken: somebody else has it; ``option`` is the command-line option that chooses another.
        CannotStart: the address is not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as problem:
        bound.close()
        if problem.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(port=port, host=host, option=option) from problem
        raise CannotStart(detail=f"{host} is not an address of this machine") from problem
    return bound


def bind_or_any(host: str, port: int | None, default: int, option: str) -> socket.socket:
    """Binds the port that was asked for, or else the default if it is free, or else any free one.

    Raises:
        PortTaken: a port was asked for and is taken.
    """
    if port is not None:
        return bind(host, port, option)
    try:
        probe = bind(host, default, option)
        probe.listen(1)  # another process may have bound it with SO_REUSEADDR and listen only later
    except (PortTaken, OSError):
        return bind(host, 0, option)
    probe.close()
    return bind(host, default, option)


def listen(host: str, port: int | None, default: int, option: str) -> socket.socket:
    """As :func:`bind_or_any`, and listening at once: from then on the port is this process's alone.

    Raises:
        PortTaken: a port was asked for and is taken.
    """
    while True:
        listening = bind_or_any(host, port, default, option)
        try:
            listening.listen(_BACKLOG)
        except OSError as problem:  # bound by two at once (SO_REUSEADDR), and the other was quicker
            listening.close()
            if port:
                raise PortTaken(port=port, host=host, option=option) from problem
            port = 0
        else:
            return listening
