"""The two faces of ``telegraph chat``: a terminal with a prompt, and plain lines for pipes and programs."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Protocol

from telegraph.cli.conversation import Script, Shown
from telegraph.cli.options import say
from telegraph.cli.render import to_json


class Screen(Protocol):
    """Where a conversation is typed and shown."""

    waits_at_end: bool
    """Whether the end of the input must wait for what is still on its way: nobody will look afterwards."""

    def show(self, items: Iterable[Shown]) -> None:
        """Shows what is new."""

    def refresh(self) -> None:
        """Something in the toolbar may have changed."""

    def lines(self) -> AsyncGenerator[str, None]:
        """What is typed, line by line, until the end of the input."""


class PlainScreen:
    """Lines in from standard input, lines out to standard output; as JSON if so asked, one object a line.

    Raises:
        UnicodeDecodeError: from :meth:`lines`, a line is not UTF-8.
    """

    waits_at_end = True

    def __init__(self, script: Script, *, json: bool) -> None:
        self._script = script
        self._json = json

    def show(self, items: Iterable[Shown]) -> None:
        """Prints."""
        lines = [to_json(item) for item in items] if self._json else self._script.lines(items)
        for line in lines:
            say(line)

    def refresh(self) -> None:
        """There is no toolbar."""

    async def lines(self) -> AsyncGenerator[str, None]:
        """Standard input is read in a thread of its own, a daemon: a read that blocks must not hold up the end."""
        typed: asyncio.Queue[bytes] = asyncio.Queue()
        turn, ended = threading.Semaphore(1), threading.Event()
        loop = asyncio.get_running_loop()

        def read() -> None:
            """Reads one line when it is wanted, so that a long input waits in its pipe."""
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody wants the rest
                while turn.acquire() and not ended.is_set():
                    loop.call_soon_threadsafe(typed.put_nowait, sys.stdin.buffer.readline())

        threading.Thread(target=read, name="stdin", daemon=True).start()
        try:
            while line := await typed.get():
                yield line.decode().removesuffix("\n").removesuffix("\r")
                turn.release()
        finally:
            ended.set()
            turn.release()


class TerminalScreen:
    """A prompt at the bottom that stays while messages come in above it."""

    waits_at_end = False

    def __init__(self, script: Script, toolbar: Callable[[], str]) -> None:
        from prompt_toolkit import PromptSession

        self._script = script
        self._session: PromptSession[str] = PromptSession(
            "› ", bottom_toolbar=toolbar, erase_when_done=True, enable_suspend=True
        )

    def show(self, items: Iterable[Shown]) -> None:
        """Prints above the prompt."""
        for line in self._script.lines(items):
            say(line)
        self.refresh()

    def refresh(self) -> None:
        """Draws the toolbar anew."""
        self._session.app.invalidate()

    async def lines(self) -> AsyncGenerator[str, None]:
        """What is typed; Ctrl-D or Ctrl-C ends.

        One prompt lasts for the whole conversation: between two prompts the terminal would be in its ordinary mode for
        a moment, and swallow what is typed just then.
        """
        from prompt_toolkit.patch_stdout import patch_stdout

        typed: asyncio.Queue[str | None] = asyncio.Queue()
        with patch_stdout():
            prompting = asyncio.create_task(self._prompt(typed.put_nowait))
            prompting.add_done_callback(lambda _: typed.put_nowait(None))
            try:
                while (line := await typed.get()) is not None:
                    yield line
                await prompting
            finally:
                prompting.cancel()
                await asyncio.gather(prompting, return_exceptions=True)

    async def _prompt(self, take: Callable[[str], None]) -> None:
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

        keys = KeyBindings()

        @keys.add("enter")
        def accept(event: KeyPressEvent) -> None:
            take(event.current_buffer.text)
            event.current_buffer.reset(append_to_history=True)

        with contextlib.suppress(EOFError, KeyboardInterrupt):
            await self._session.prompt_async(key_bindings=keys)
