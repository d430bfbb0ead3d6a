"""``telegraph chat``: a live conversation in the terminal."""

import asyncio
import contextlib
import sys

import click

from telegraph.cli.options import Caller, client_options


@click.command()
@click.argument("user")
@client_options
def chat(caller: Caller, user: str) -> None:
    """Talk with USER: the last messages, then what comes, as it comes. Ctrl-D ends.

    Marks what it shows as read. Ticks: … waits on this machine, ✓ on theirs, ✓✓ read. If standard input is no
    terminal each of its lines is sent, and at its end the command waits a few seconds for what is still on its way.
    With --format json everything shown is one JSON object a line, with a "type": message, state, presence or note.

    \b
    Examples:
      telegraph chat bob --data alice
      printf 'Hello\\nAre you there?\\n' | telegraph chat bob --data alice
      telegraph chat bob --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.cli.conversation import Conversation, Script, toolbar
    from telegraph.cli.screens import PlainScreen, Screen, TerminalScreen
    from telegraph.cli.talk import Talk

    conversation, script = Conversation(user), Script(None)
    screen: Screen
    if caller.format == "pretty" and sys.stdin.isatty() and sys.stdout.isatty():
        screen = TerminalScreen(script, lambda: toolbar(conversation))
    else:
        screen = PlainScreen(script, json=caller.format == "json")
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C ends as Ctrl-D does
        asyncio.run(Talk(caller.data, conversation, screen).run())
