"""The network of nodes in memory, with its faults: see :mod:`telegraph.peer.memory`."""

from telegraph.peer.memory import Counters, MemoryEndpoint, MemoryNetwork

__all__ = ["Counters", "MemoryEndpoint", "MemoryNetwork"]
