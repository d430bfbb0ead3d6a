"""The port on which other nodes reach this one, kept while nobody is logged in and nobody may come in."""

import errno
import socket

from telegraph.errors import PortTaken
from telegraph.node.settings import DEFAULT_PEER_PORT
from telegraph.node.sockets import bind, bind_or_any

_OPTION = "--peer-port"


class PeerPort:
    """Bound from the node's start on, so that a taken port is said at once; listening only while somebody is in."""

    def __init__(self, host: str, port: int | None) -> None:
        """``port`` None is the default one, or any free one if that is taken.

        Raises:
            PortTaken: the port was asked for and is taken.
        """
        self._host = host
        self._wanted = port
        self._socket = bind_or_any(host, port, DEFAULT_PEER_PORT, _OPTION)

    @property
    def number(self) -> int:
        """The port."""
        return int(self._socket.getsockname()[1])

    def listen(self) -> socket.socket:
        """A listening socket, for the caller to close. From here on the port is ours alone.

        Until then another process may have bound it too (SO_REUSEADDR, socket(7)), and may be listening by now.

        Raises:
            PortTaken: it is, and the port was asked for; else a free one is taken.
        """
        try:
            self._socket.listen()
        except OSError as problem:
            if self._wanted or problem.errno != errno.EADDRINUSE:
                raise PortTaken(port=self.number, host=self._host, option=_OPTION) from problem
            self._bind_any()
            self._socket.listen()
        return self._socket.dup()

    def refuse(self) -> None:
        """Binds the port anew: a socket that once listened cannot stop, and who dials now shall be refused."""
        port = self.number
        self._socket.close()
        try:
            self._socket = bind(self._host, port, _OPTION)
        except PortTaken:  # somebody was quicker; the next log-in announces the new one
            self._bind_any()

    def close(self) -> None:
        """Gives the port up."""
        self._socket.close()

    def _bind_any(self) -> None:
        self._socket.close()
        self._socket = bind(self._host, 0, _OPTION)
