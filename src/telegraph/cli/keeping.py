"""``telegraph backup | restore | export``: copies of what a node stores."""

import sys
from pathlib import Path
from typing import IO

import click
import msgspec

from telegraph.cli.client import NodeApi, private
from telegraph.cli.options import Caller, client_options, data_option, say
from telegraph.errors import BackupUnreadable
from telegraph.protocol.node_api import Conversation, Message

_STDOUT = "-"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@client_options
def backup(caller: Caller, file: Path) -> None:
    """Write a copy of everything on this node to FILE, still encrypted.

    The password of today or the recovery code opens it, nothing else does. The node goes on meanwhile.

    \b
    Example:
      telegraph backup alice-2026-11-24.tar --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    caller.ask(lambda node: node.back_up(file))
    caller.show({"file": str(file)}, lambda: f"The copy is in {file}.")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option("Where to; no node may run there, and nobody may have an account there.")
def restore(file: Path, data: Path) -> None:
    """Bring back a copy that "telegraph backup" wrote, into an empty data directory.

    Then start the node and log in with the password of the day of the copy, or with --unlock and the recovery code.
    Do not go on with the original as well: a device is in one place.

    \b
    Example:
      telegraph restore alice-2026-11-24.tar --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.node.backup import restore as bring_back

    bring_back(file, data)
    say(f"It is back in {data}; start the node and log in.")


@click.command()
@click.argument("file", type=click.Path(allow_dash=True, path_type=Path))
@client_options
def export(caller: Caller, file: Path) -> None:
    """Write all conversations to FILE ("-": the terminal) as readable JSON lines, one for each message.

    What is written is not encrypted any more: anybody who gets the file can read it.

    \b
    Examples:
      telegraph export everything.jsonl --data alice
      telegraph export - --data alice | grep -i invoice
    """  # noqa: D301 - click's \b keeps the lines apart
    if str(file) == _STDOUT:
        caller.ask(lambda node: _write_all(node, sys.stdout.buffer))
        return
    try:
        with open(file, "xb", opener=private) as opened:
            number = caller.ask(lambda node: _write_all(node, opened))
    except FileExistsError:
        raise BackupUnreadable(path=file, detail="there is a file of that name") from None
    except OSError as problem:
        raise BackupUnreadable(path=file, detail=problem.strerror) from problem
    caller.show({"file": str(file), "messages": number}, lambda: f"{number} messages are in {file}, readable to all.")


class _Line(msgspec.Struct):
    """One message of an export."""

    conversation: str
    user_id: str
    message: Message


async def _write_all(node: NodeApi, target: IO[bytes]) -> int:
    written = 0
    for conversation in await node.conversations():
        written += await _write_one(node, conversation, target)
    target.flush()
    return written


async def _write_one(node: NodeApi, conversation: Conversation, target: IO[bytes]) -> int:
    messages = await node.history(conversation.user)
    for message in messages:
        target.write(msgspec.json.encode(_Line(conversation.user, conversation.user_id, message)) + b"\n")
    return len(messages)
