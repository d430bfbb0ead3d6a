"""Telegraph: a self-hosted, peer-to-peer messenger.

The public Python API. A bot is a few lines::

    async with telegraph.Node("bot-data", manager="https://localhost:8000", ca="ca.pem") as node:
        events = node.events()  # from here on nothing is missed
        await node.login("bot", password)
        async for event in events:
            if isinstance(event, telegraph.MessageReceived):
                await node.send(event.message.sender, "I got: " + event.message.text)

Its names are loaded when they are first used, so that the command line is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from telegraph.errors import TelegraphError

if TYPE_CHECKING:
    from telegraph.node.app import Node
    from telegraph.node.model import (
        AccountChanged,
        ContactChanged,
        ContactKeyChanged,
        Event,
        Message,
        MessageReceived,
        MessageSent,
        PresenceChanged,
        Reset,
        StateChanged,
    )

__all__ = [
    "AccountChanged",
    "ContactChanged",
    "ContactKeyChanged",
    "Event",
    "Message",
    "MessageReceived",
    "MessageSent",
    "Node",
    "PresenceChanged",
    "Reset",
    "StateChanged",
    "TelegraphError",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'telegraph' has no attribute {name!r}")
    return getattr(import_module("telegraph.node.app" if name == "Node" else "telegraph.node.model"), name)
