"""``telegraph send | inbox | history | read``."""

import sys

import click

from telegraph.cli.options import Caller, client_options
from telegraph.cli.render import TICKS, count, messages_text, visible
from telegraph.errors import BadInput


@click.command()
@click.argument("user")
@click.argument("text", nargs=-1, required=True)
@client_options
def send(caller: Caller, user: str, text: tuple[str, ...]) -> None:
    """Send TEXT to USER; the words are joined by a space. A single - reads the text from standard input.

    The message is on this machine's disk when the command ends, and goes out by itself. Put -- before a text that
    begins with a dash.

    \b
    Examples:
      telegraph send bob Hello there --data alice
      telegraph send bob --data alice -- -5 degrees tonight
      fortune | telegraph send bob - --data alice
      telegraph send bob Hello --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    words = _from_stdin() if text == ("-",) else " ".join(text)
    message = caller.ask(lambda node: node.send(user, words))
    caller.show(message, lambda: f"{TICKS[message.state]} {message.state}, to {visible(message.recipient)}")


def _from_stdin() -> str:
    """Standard input as text, without the end of its last line."""
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise BadInput(detail="the text on standard input is not UTF-8") from None


@click.command()
@client_options
def inbox(caller: Caller) -> None:
    """Show unread messages of all conversations; marks nothing as read.

    \b
    Examples:
      telegraph inbox --data alice
      telegraph inbox --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    found = caller.ask(lambda node: node.inbox())
    caller.show(found, lambda: messages_text(found, None, "Nothing unread."))


@click.command()
@click.argument("user")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the last N messages.  [default: all]")
@client_options
def history(caller: Caller, user: str, limit: int | None) -> None:
    """Show the conversation with USER, oldest message first; marks nothing as read.

    \b
    Examples:
      telegraph history bob --data alice
      telegraph history bob --limit 20 --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    found = caller.ask(lambda node: node.history(user, limit))
    caller.show(found, lambda: messages_text(found, None, f"No messages with {visible(user)} yet."))


@click.command()
@click.argument("user")
@client_options
def read(caller: Caller, user: str) -> None:
    """Mark everything from USER as read, and let them know.

    \b
    Examples:
      telegraph read bob --data alice
      telegraph read bob --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.read(user))
    caller.show(answer, lambda: f"{count(answer.marked, 'message')} from {visible(user)} marked as read.")
