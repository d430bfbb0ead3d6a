"""A live conversation with bob: alice types, bob's messages and ticks come over a real stream."""

import asyncio
import codecs
import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from telegraph.cli import talk as talk_module
from telegraph.cli.conversation import Conversation, Script, ShowMessage, Shown, ShowNote, ShowPresence, ShowState
from telegraph.cli.screens import TerminalScreen
from telegraph.cli.talk import Talk
from telegraph.errors import NotLoggedIn, UnknownUser
from telegraph.protocol.node_api import ResetEvent

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Cli, FakeNode


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk_module, "SETTLE", 0.05)
    monkeypatch.setattr(talk_module, "RETRY", 0.01)


class Stage:
    """A screen that a test types on and looks at."""

    waits_at_end = False
    run: asyncio.Task[None]

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    def show(self, items: Iterable[Shown]) -> None:
        self.shown.extend(items)
        self._changed.set()

    def refresh(self) -> None:
        pass

    async def lines(self) -> AsyncGenerator[str, None]:
        while (line := await self._typed.get()) is not None:
            yield line

    def type(self, line: str | None) -> None:
        self._typed.put_nowait(line)

    @property
    def texts(self) -> list[str]:
        return [item.message.text for item in self.shown if isinstance(item, ShowMessage)]

    @property
    def notes(self) -> list[str]:
        return [item.text for item in self.shown if isinstance(item, ShowNote)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def talking(node: "FakeNode", user: str = "bob") -> AsyncIterator[Stage]:
    """Alice talks; the talk ends with the block."""
    stage = Stage()
    stage.run = run = asyncio.create_task(Talk(node.data, Conversation(user), stage).run())
    run.add_done_callback(lambda _: stage.show([]))
    try:
        await stage.until(lambda: any(isinstance(item, ShowPresence) for item in stage.shown) or run.done())
        yield stage
    finally:
        stage.type(None)
        async with asyncio.timeout(5):
            await run


async def off(work: Callable[..., object], *arguments: object) -> object:
    """The fake node lives in a thread; asking it must not hold up this loop."""
    return await asyncio.to_thread(work, *arguments)


async def test_the_last_messages_come_first_and_are_marked_as_read(node: "FakeNode") -> None:
    for number in range(30):
        await off(node.wrote, "bob", f"old {number}")
    await off(node.receive, "bob", "new")
    async with talking(node) as stage:
        await stage.until(lambda: len(stage.texts) == 20)
        assert stage.texts == [f"old {number}" for number in range(11, 30)] + ["new"]
    assert node.messages[-1].read


async def test_all_that_is_unread_is_shown_however_much_it_is(node: "FakeNode") -> None:
    for number in range(45):
        await off(node.receive, "bob", f"unread {number}")
    async with talking(node) as stage:
        assert stage.texts == [f"unread {number}" for number in range(45)]
    assert all(message.read for message in node.messages)


async def test_a_message_that_comes_is_shown_and_marked_and_others_are_not(node: "FakeNode") -> None:
    async with talking(node) as stage:
        await off(node.receive, "carol", "not for this screen")
        await off(node.receive, "bob", "hi")
        await stage.until(lambda: stage.texts == ["hi"])
        await stage.until(lambda: ("POST", "/api/v1/conversations/bob/read", None) in node.bodies)
    assert [message.read for message in node.messages] == [False, True]


async def test_what_is_typed_is_sent_and_gets_its_ticks(node: "FakeNode") -> None:
    async with talking(node) as stage:
        stage.type("   ")
        stage.type("Hello\x1b")
        await stage.until(lambda: stage.texts == ["Hello\x1b"])
        for state in ("delivered", "read"):
            await off(node.advance, node.messages[0], state)
        await stage.until(lambda: len(_ticks(stage)) == 2)
        assert _ticks(stage) == ["delivered", "read"]
    assert [message.text for message in node.messages] == ["Hello\x1b"]


async def test_presence_is_shown_as_it_changes(node: "FakeNode") -> None:
    async with talking(node) as stage:
        await off(node.presence, "bob", "offline")
        await stage.until(lambda: len([item for item in stage.shown if isinstance(item, ShowPresence)]) == 2)
        assert stage.shown[-1] == ShowPresence("bob", "offline", None)


async def test_when_the_stream_is_cut_nothing_is_missed_and_nothing_is_shown_twice(node: "FakeNode") -> None:
    async with talking(node) as stage:
        await off(node.receive, "bob", "before")
        await stage.until(lambda: stage.texts == ["before"])
        await off(node.cut_streams)
        await off(node.receive, "bob", "meanwhile")
        await stage.until(lambda: "meanwhile" in stage.texts)
        await off(node.receive, "bob", "after")
        await stage.until(lambda: "after" in stage.texts)
        assert stage.texts == ["before", "meanwhile", "after"]


async def test_when_the_node_restarts_elsewhere_the_talk_goes_on(node: "FakeNode") -> None:
    async with talking(node) as stage:
        await off(node.stop)
        await stage.until(lambda: stage.notes == ["The node is away; waiting for it."])
        stage.type("lost?")
        await stage.until(lambda: any("Not sent" in note for note in stage.notes))
        for number in range(25):  # more than a first page
            await off(node.receive, "bob", f"meanwhile {number}")
        await off(node.start)
        await stage.until(lambda: len(stage.texts) == 25)
        stage.type("here again")
        await stage.until(lambda: stage.texts[-1] == "here again")
        assert stage.texts[:25] == [f"meanwhile {number}" for number in range(25)]


async def test_a_cursor_that_the_node_does_not_know_loads_everything_anew(node: "FakeNode") -> None:
    async with talking(node) as stage:
        await off(node.receive, "bob", "one")
        await stage.until(lambda: stage.texts == ["one"])
        await off(node.slip_in, "bob", "silent")
        await off(node.publish, ResetEvent(9))
        await stage.until(lambda: stage.texts == ["one", "silent"])


async def test_somebody_who_does_not_exist_ends_it_at_once(node: "FakeNode") -> None:
    with pytest.raises(UnknownUser, match="Nobody here is called nobody"):
        async with talking(node, "nobody"):
            pass


async def test_a_log_out_elsewhere_is_met_when_the_stream_opens_again(node: "FakeNode") -> None:
    async def logged_out_meanwhile() -> None:
        async with talking(node) as stage:
            node.failing = NotLoggedIn()
            await off(node.cut_streams)
            await asyncio.wait([stage.run], timeout=5)

    with pytest.raises(NotLoggedIn):
        await logged_out_meanwhile()


def _ticks(stage: Stage) -> list[str]:
    return [item.message.state for item in stage.shown if isinstance(item, ShowState)]


# --- plain lines ---


def test_piped_lines_are_sent_one_by_one(cli: "Cli", node: "FakeNode") -> None:
    node.answers_on_send = "delivered"
    ran = cli("chat", "bob", stdin="one\n\ntwo ü\nlast without end".encode())
    assert ran.code == 0
    assert [message.text for message in node.messages] == ["one", "two ü", "last without end"]
    assert "you  one" in ran.out
    assert "✓ delivered: two ü" in ran.out


def test_at_the_end_of_the_input_what_still_waits_is_said(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("chat", "bob", stdin=b"one\n")
    assert ran.code == 0
    assert "1 message on the way" in ran.out
    assert node.messages[0].state == "pending"


def test_as_json_everything_shown_is_an_object_a_line(cli: "Cli", node: "FakeNode") -> None:
    node.receive("bob", "hi")
    node.answers_on_send = "delivered"
    ran = cli("chat", "bob", "--format", "json", stdin=b"one\n")
    items = [json.loads(line) for line in ran.out.splitlines()]
    assert items[0]["type"] == "message"
    assert items[0]["message"]["from"] == "bob"
    assert [item["message"]["state"] for item in items if item["type"] == "state"] == ["delivered"]
    assert {item["type"] for item in items} <= {"message", "state", "presence", "note"}


def test_a_line_that_is_no_text_ends_it(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("chat", "bob", stdin=b"\xff\n")
    assert ran.code == 4
    assert "UTF-8" in ran.err
    assert node.messages == []


def test_a_line_that_is_refused_is_said_and_the_exit_code_tells(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("chat", "bob", stdin=b"one\n" + b"x" * 100_000 + b"\nthree\n")
    assert ran.code == 4
    assert "not sent" in ran.err
    assert [message.text for message in node.messages] == ["one", "three"]


# --- on a terminal ---


@pytest.fixture
def screen() -> Iterator[tuple[TerminalScreen, Callable[[str], None]]]:
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        yield TerminalScreen(Script(None), lambda: "toolbar"), keyboard.send_text


@pytest.mark.parametrize("end", ["\x04", "\x03"])
async def test_lines_are_typed_at_the_prompt_until_ctrl_d_or_ctrl_c(
    screen: tuple[TerminalScreen, Callable[[str], None]], end: str
) -> None:
    terminal, keys = screen
    keys(f"Hello\ründ wie\r{end}")
    async with asyncio.timeout(5):
        assert [line async for line in terminal.lines()] == ["Hello", "ünd wie"]


def test_on_a_real_terminal_messages_come_while_alice_types(node: "FakeNode", tmp_path: Path) -> None:
    node.answers_on_send = "delivered"
    with Terminal([sys.executable, "-m", "telegraph", "chat", "bob", "--data", str(node.data)], tmp_path) as terminal:
        terminal.expect("bob · online")
        terminal.type("Hello")
        node.receive("bob", "Are you \x1b[31mthere?")
        terminal.expect("bob  Are you ␛[31mthere?")
        terminal.type(" there\r")
        terminal.expect("you  Hello there")
        terminal.expect("✓ delivered: Hello there")
        terminal.expect("Ctrl-D ends")  # drawn anew; while a message is printed the terminal itself would take the key
        terminal.type("\x04")
        assert terminal.wait() == 0
    assert [message.text for message in node.messages if message.mine] == ["Hello there"]
    assert all(message.read for message in node.messages if not message.mine)


_WHERE_IS_THE_CURSOR = "\x1b[6n"


class Terminal:
    """A process on a pseudo terminal."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm", "HOME": str(home), "TZ": "UTC"},
        )
        os.close(slave)
        self._seen, self._passed, self._answered = "", 0, 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, text: str) -> None:
        """Waits until the process has written a text, after what was expected before."""
        while text not in self._seen[self._passed :]:
            assert self._read(), f"{text!r} did not come; seen: {self._seen!r}"
        self._passed = self._seen.index(text, self._passed) + len(text)

    def _read(self) -> bool:
        """Takes what the process writes and answers its questions; whether there was anything."""
        ready, _, _ = select.select([self._master], [], [], 15)
        if ready:
            self._seen += self._decoder.decode(os.read(self._master, 65536))
            while self._seen.count(_WHERE_IS_THE_CURSOR) > self._answered:
                self._answered += 1
                self.type("\x1b[1;1R")  # as terminals answer; without it no toolbar is drawn
        return bool(ready)

    def wait(self) -> int:
        with contextlib.suppress(OSError):  # the other side of the terminal has been closed
            while self._read():
                pass
        return self._process.wait(15)
