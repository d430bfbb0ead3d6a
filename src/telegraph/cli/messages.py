"""``telegraph send | inbox | history | read``."""

import sys

import click

from telegraph.cli.options import Caller, client_options
from telegraph.cli.render import TICKS, count, found_text, messages_text, tick_of, visible, waiting_for
from telegraph.errors import BadInput


@click.command()
@click.argument("user")
@click.argument("text", nargs=-1, required=True)
@click.option(
    "--expires-in",
    type=click.FloatRange(1, 31_622_400),
    metavar="SECONDS",
    help="Let it fail unless it is delivered by then.  [default: it waits for ever]",
)
@client_options
def send(caller: Caller, user: str, text: tuple[str, ...], expires_in: float | None) -> None:
    """Send TEXT to USER; the words are joined by a space. A single - reads the text from standard input.

    The message is on this machine's disk when the command ends, and goes out by itself. Put -- before a text that
    begins with a dash.

    \b
    Examples:
      telegraph send bob Hello there --data alice
      telegraph send bob --data alice -- -5 degrees tonight
      fortune | telegraph send bob - --data alice
      telegraph send bob "Are you coming tonight?" --expires-in 7200 --data alice
      telegraph send bob Hello --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    words = _from_stdin() if text == ("-",) else " ".join(text)
    message = caller.ask(lambda node: node.send(user, words, expires_in))
    told = f"{TICKS[message.state]} {message.state}, to {visible(message.recipient)}{waiting_for(message)}"
    caller.show(message, lambda: told)


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
@click.option("--ids", is_flag=True, help="Show each message's id too, for cancel, retry and delete.")
@client_options
def history(caller: Caller, user: str, limit: int | None, ids: bool) -> None:
    """Show the conversation with USER, oldest message first; marks nothing as read.

    \b
    Examples:
      telegraph history bob --data alice
      telegraph history bob --limit 20 --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    found = caller.ask(lambda node: node.history(user, limit))
    caller.show(found, lambda: messages_text(found, None, f"No messages with {visible(user)} yet.", ids=ids))


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


@click.command()
@click.argument("message")
@client_options
def cancel(caller: Caller, message: str) -> None:
    """Give up the message with the id MESSAGE while it waits; `telegraph history --ids` shows the ids.

    If it turns out that the other machine had stored it already, it becomes delivered after all.

    \b
    Examples:
      telegraph cancel 01936f5e-0000-7000-8000-000000000001 --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.cancel(message))
    caller.show(answer, lambda: f"{tick_of(answer)}, to {visible(answer.recipient)}")


@click.command()
@click.argument("message")
@client_options
def retry(caller: Caller, message: str) -> None:
    """Send the message with the id MESSAGE after all, if it failed or was cancelled; try it now, if it waits.

    It goes to the end of the conversation, and does not expire any more.

    \b
    Examples:
      telegraph retry 01936f5e-0000-7000-8000-000000000001 --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.retry(message))
    caller.show(answer, lambda: f"{tick_of(answer)} {answer.state}, to {visible(answer.recipient)}")


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--with", "user", metavar="USER", help="Only in the conversation with USER.")
@client_options
def search(caller: Caller, words: tuple[str, ...], user: str | None) -> None:
    """Show the newest 50 messages that have all WORDS, oldest first. The last word may be the beginning of one.

    Upper and lower case and accents do not matter, and no character has a special meaning. With --format json the
    newest is first, and each says whose it is.

    \b
    Examples:
      telegraph search train ticket --data alice
      telegraph search rendez --with bob --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    found = caller.ask(lambda node: node.search(" ".join(words), user))
    caller.show(found, lambda: found_text(list(reversed(found)), None, "Nothing found."))


@click.command()
@click.argument("message", required=False)
@click.option("--conversation", "user", metavar="USER", help="Delete all messages with USER.")
@client_options
def delete(caller: Caller, message: str | None, user: str | None) -> None:
    """Delete the message with the id MESSAGE on this machine, or a whole conversation; the other keeps theirs.

    What still waits is given up, and does not go out any more. It cannot be undone.

    \b
    Examples:
      telegraph delete 01936f5e-0000-7000-8000-000000000001 --data alice
      telegraph delete --conversation bob --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    if message is not None and user is None:
        caller.show(caller.ask(lambda node: node.delete_message(message)), lambda: "The message is deleted here.")
    elif user is not None and message is None:
        answer = caller.ask(lambda node: node.delete_conversation(user))
        caller.show(answer, lambda: f"{count(answer.deleted, 'message')} with {visible(user)} deleted here.")
    else:
        raise click.UsageError("give either the id of a message or --conversation USER")
