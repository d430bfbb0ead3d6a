"""The port on which other nodes reach this one, kept while nobody is logged in and nobody may come in."""

import contextlib
import errno
import socket
from pathlib import Path

from telegraph.errors import PortTaken
from telegraph.node.settings import DEFAULT_PEER_PORT
from telegraph.node.sockets import bind, bind_or_any
from telegraph.protocol.addresses import MAX_PORT
from telegraph.storage.datadir import write_private

_OPTION = "--peer-port"
FILE = "peer-port"
"""Where a data directory keeps the port of the last time: whoever knows this node looks for it there first."""


class PeerPort:
    """Bound from the node's start on, so that a taken port is said at once; listening only while somebody is in."""

    def __init__(self, host: str, port: int | None, data: Path) -> None:
        """``port`` None is the one of the last time, else the default one, else any free one; 0 leaves out the default.

        Raises:
            PortTaken: the port was asked for and is taken.
        """
        self._host = host
        self._wanted = port
        self._file = data / FILE
        self._socket = self._bind_first()

    def _bind_first(self) -> socket.socket:
        last = self._last()
        if not self._wanted and last is not None:
            bound = bind_or_any(self._host, None, last, _OPTION)
            if self._wanted == 0 or bound.getsockname()[1] == last:
                return bound
            bound.close()
        return bind_or_any(self._host, self._wanted, DEFAULT_PEER_PORT, _OPTION)

    def _last(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):  # damaged is as good as none
            last = int(self._file.read_text(encoding="ascii"))
            return last if 0 < last <= MAX_PORT else None
        return None

    def _remember(self) -> None:
        if self._last() != self.number:
            write_private(self._file, f"{self.number}\n")

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
        self._remember()
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
