"""Keeps a conversation, a screen and a node together while ``telegraph chat`` runs."""

import asyncio
import contextlib
from pathlib import Path

from telegraph.cli.client import NodeApi
from telegraph.cli.conversation import Conversation, Shown, ShowNote, enough
from telegraph.cli.options import say
from telegraph.cli.render import count
from telegraph.cli.screens import Screen
from telegraph.errors import BadInput, TelegraphError, Unavailable
from telegraph.protocol.names import name_key
from telegraph.protocol.node_api import Message, ResetEvent

SHOWN_FIRST = 20
SETTLE = 5.0
"""Seconds at most to wait at the end of the input for what is still on its way."""
RETRY = 0.5
"""Seconds between attempts to reach a node that went away."""


class Talk:
    """One run of ``telegraph chat``."""

    def __init__(self, data: Path, conversation: Conversation, screen: Screen) -> None:
        self._node = NodeApi(data)
        self._conversation = conversation
        self._screen = screen
        self._cursor: int | None = None
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()
        self._failure: TelegraphError | None = None

    async def run(self) -> None:
        """Talks until the input ends.

        Raises:
            TelegraphError: the node, the user or the session is not there; or a line could not be sent, after the rest
                was.
        """
        async with self._node:
            listening = asyncio.create_task(self._listen())
            typing = asyncio.create_task(self._type())
            try:
                await asyncio.wait((listening, typing), return_when=asyncio.FIRST_COMPLETED)
                await (listening if listening.done() else typing)
            finally:
                for task in (listening, typing):
                    task.cancel()
                await asyncio.gather(listening, typing, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    # --- what comes ---

    async def _listen(self) -> None:
        """Follows the node's events; if the node goes away waits for it, and misses nothing."""
        while True:
            try:
                await self._follow()
            except Unavailable:
                if not self._ready.is_set():
                    raise
                self._show([ShowNote("The node is away; waiting for it.")])
            while True:
                await asyncio.sleep(RETRY)
                with contextlib.suppress(Unavailable):
                    await self._node.status()
                    break

    async def _follow(self) -> None:
        stream = await self._node.events(self._cursor)
        try:
            await self._catch_up()
            self._ready.set()
            async for event in stream:
                if isinstance(event, ResetEvent):
                    await self._catch_up()
                self._cursor = event.cursor
                self._show(self._conversation.happened(event))
                await self._mark()
        finally:
            await stream.close()

    async def _catch_up(self) -> None:
        """Shows the last messages; more if more are unread, or came while the node was away."""
        user = self._conversation.user
        known = {name_key(found.user): found for found in await self._node.conversations()}
        found = known.get(name_key(user))
        unread = found.unread if found else 0
        page = await self._node.page(user, limit=SHOWN_FIRST)
        messages = page.messages
        while page.more and page.messages and not (enough(messages, unread) and self._joins(messages)):
            page = await self._node.page(user, before=messages[0].id)
            messages = page.messages + messages
        self._show(self._conversation.catch_up(messages))
        await self._mark()

    def _joins(self, messages: list[Message]) -> bool:
        """Whether these reach back to what is on the screen, if there is anything."""
        return not self._ready.is_set() or any(self._conversation.knows(message) for message in messages)

    async def _mark(self) -> None:
        if self._conversation.unread:
            await self._node.read(self._conversation.user)
            self._conversation.unread = False

    # --- what is typed ---

    async def _type(self) -> None:
        await self._ready.wait()
        try:
            async with contextlib.aclosing(self._screen.lines()) as lines:
                async for line in lines:
                    if line.strip():
                        await self._send(line)
        except UnicodeDecodeError:
            raise BadInput(detail="a line on standard input is not UTF-8") from None
        if self._screen.waits_at_end:
            await self._settle()

    async def _send(self, text: str) -> None:
        """Sends a line; if that fails says so and goes on, and the exit code tells in the end."""
        try:
            message = await self._node.send(self._conversation.user, text)
        except TelegraphError as error:
            if self._screen.waits_at_end:
                self._failure = error
                say(f"telegraph: not sent: {error}", error=True)
            else:
                self._show([ShowNote(f"Not sent: {error}")])
            return
        self._show(self._conversation.sent(message))

    async def _settle(self) -> None:
        """Waits until everything typed here has arrived, a few seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE):
                while self._conversation.pending:
                    self._changed.clear()
                    await self._changed.wait()
        if pending := self._conversation.pending:
            self._show([ShowNote(f"{count(pending, 'message')} on the way; it goes on without this command.")])

    def _show(self, items: list[Shown]) -> None:
        self._screen.show(items)
        if items:
            self._screen.refresh()
            self._changed.set()
