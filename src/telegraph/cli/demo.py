"""``telegraph demo``: a whole Telegraph on this machine to try, with a bot that answers."""

import asyncio
import contextlib
import secrets
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telegraph.cli.running import run_until_stopped
from telegraph.storage.datadir import write_private

if TYPE_CHECKING:
    from telegraph.manager.app import Manager
    from telegraph.node.api.server import LocalApi
    from telegraph.node.app import Node

PEOPLE = ("alice", "bob")
BOT = "echo"
_GREETING = "Hello, {name}! I am a bot on a node of my own. Write to me and I answer."
_FIRST_API_PORT = 8420


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("telegraph-demo"),
    show_default=True,
    help="Directory for the manager's and everybody's data; kept, so that the next demo goes on where this one ended.",
)
def demo(data: Path) -> None:
    """Start a manager, the nodes of alice and bob, and a bot that answers, all on this machine.

    On a terminal it then opens a conversation of alice with the bot; Ctrl-D ends it all.

    \b
    Examples:
      telegraph demo
      telegraph demo --data /tmp/try
    """  # noqa: D301 - click's \b keeps the lines apart
    run_until_stopped(lambda stop: _demo(data, stop))


async def _demo(data: Path, stop: asyncio.Event) -> None:
    from telegraph.manager.app import Manager
    from telegraph.manager.settings import ManagerSettings

    async with AsyncExitStack() as running:
        manager = await running.enter_async_context(Manager(ManagerSettings(data=data / "manager", port=0, udp_port=0)))
        password = _password(data)
        links: list[str] = []
        for number, name in enumerate(PEOPLE):
            node = await _start(running, data / name, name, password, manager)
            links.append((await _serve(running, node, _FIRST_API_PORT + number)).browser_link())
        bot = await _start(running, data / BOT, BOT, password, manager)
        answering = asyncio.create_task(answer(bot))
        running.callback(answering.cancel)
        await _greet(bot)
        _explain(data, manager.url, links)
        await _chat_or_wait(data / PEOPLE[0], stop)


def _password(data: Path) -> str:
    file = data / "password"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(12))
    return file.read_text(encoding="utf-8")


async def _start(running: AsyncExitStack, data: Path, name: str, password: str, manager: "Manager") -> "Node":
    """One person's node, registered and logged in."""
    from telegraph.errors import NameTaken
    from telegraph.node.app import Node
    from telegraph.node.settings import NodeSettings

    settings = NodeSettings(data=data, managers=(manager.url,), ca_file=manager.ca_path, host="127.0.0.1", peer_port=0)
    node = await running.enter_async_context(Node.with_settings(settings))
    if node.account_state == "none":
        with contextlib.suppress(NameTaken):
            await node.register(name, password)
    if node.account_state != "online":
        await node.login(name, password)
    return node


async def _serve(running: AsyncExitStack, node: "Node", port: int) -> "LocalApi":
    """The page and local API of a node, on a port or, if that is taken, on any."""
    from telegraph.errors import PortTaken
    from telegraph.node.api.server import LocalApi

    try:
        api = LocalApi(node, port=port)
    except PortTaken:
        api = LocalApi(node, port=0)
    return await running.enter_async_context(api)


async def answer(bot: "Node") -> None:
    """Answers every message that comes, for ever."""
    from telegraph.node.model import MessageReceived

    for waiting in bot.inbox():
        await _reply(bot, waiting.sender, waiting.text)
    async for event in bot.events():
        if isinstance(event, MessageReceived):
            await _reply(bot, event.message.sender, event.message.text)


async def _reply(bot: "Node", sender: str, text: str) -> None:
    await bot.read(sender)
    await bot.send(sender, f"You said: {text}")


async def _greet(bot: "Node") -> None:
    """Begins a conversation with everybody who has none with the bot yet."""
    known = {contact.username for contact in bot.conversations()}
    for name in PEOPLE:
        if name not in known:
            await bot.send(name, _GREETING.format(name=name))


def _program() -> str:
    """How this program is called from another terminal: by name, if the shell finds it so."""
    return "telegraph" if shutil.which("telegraph") else sys.argv[0]


def _explain(data: Path, manager_url: str, links: list[str]) -> None:
    program = _program()
    pages = [f"  {name:<9} {link}" for name, link in zip(PEOPLE, links, strict=True)]
    click.echo(
        "\n".join(
            (
                "Demo ready: a Telegraph with one manager and three nodes runs on this machine.",
                "Open these two pages, side by side; each link works once (telegraph web makes another):",
                *pages,
                "Or talk in a terminal:",
                f"  manager   {manager_url}",
                f"  alice     {program} chat bob --data {data / 'alice'}",
                f"  bob       {program} chat alice --data {data / 'bob'}",
                f"  the bot   {program} chat echo --data {data / 'alice'}   (it answers)",
                "In a second terminal try also: status, inbox, history bob, people; each has --help.",
                f"Everything is kept in {data}; remove it to begin anew. Ctrl-C stops the demo.",
            )
        )
    )
    sys.stdout.flush()


async def _chat_or_wait(data: Path, stop: asyncio.Event) -> None:
    """On a terminal, alice talks with the bot here; otherwise the demo runs until it is stopped."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        await stop.wait()
        return
    from telegraph.cli.conversation import Conversation, Script, toolbar
    from telegraph.cli.screens import TerminalScreen
    from telegraph.cli.talk import Talk

    conversation, script = Conversation(BOT), Script(None)
    screen = TerminalScreen(script, lambda: toolbar(conversation))
    chatting = asyncio.create_task(Talk(data, conversation, screen).run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((chatting, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in (chatting, stopping):
        task.cancel()
    await asyncio.gather(chatting, stopping, return_exceptions=True)
