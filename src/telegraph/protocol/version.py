"""The version of this release and of the wire protocols it speaks."""

__version__ = "0.1.0.dev0"

PEER_PROTOCOL = 1
"""Version of the node-to-node link; both ends use the highest that they share."""
