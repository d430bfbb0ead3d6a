"""``telegraph sessions | delete-account``: what an account's owner can do with it."""

import sys
from pathlib import Path

import click

from telegraph.cli.options import Caller, client_options
from telegraph.cli.passwords import NoPassword, password_from
from telegraph.cli.render import sessions_text, visible

_VARIABLE = "TELEGRAPH_PASSWORD"


@click.command()
@click.argument("action", required=False, type=click.Choice(["end"]))
@click.argument("session", metavar="ID", required=False)
@client_options
def sessions(caller: Caller, action: str | None, session: str | None) -> None:
    """List your sessions, or end one of them.

    The device's key is revoked when its session is ended from elsewhere: it is told at once, and nobody speaks with it
    any more, so this is what to do when a machine is lost.

    \b
    Examples:
      telegraph sessions --data alice
      telegraph sessions end 0123456789abcdef --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    if action is None:
        found = caller.ask(lambda node: node.sessions())
        caller.show(found, lambda: sessions_text(found, None))
        return
    if session is None:
        raise click.UsageError("Say which: telegraph sessions end ID")
    answer = caller.ask(lambda node: node.end_session(session))
    caller.show(answer, lambda: "The session has ended.")


@click.command("delete-account")
@click.option("--erase", is_flag=True, help="Erase the messages on this machine too.")
@click.option("--confirm", metavar="NAME", help="The account's name, instead of typing it when asked.")
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"Holds the password; else {_VARIABLE}, else the terminal is asked.",
)
@client_options
def delete_account(caller: Caller, erase: bool, confirm: str | None, password_file: Path | None) -> None:
    """Delete your account for good. Nobody ever gets its name again, you neither.

    Those you talked with are told. The messages on this machine stay and can be read, unless you --erase them.

    \b
    Examples:
      telegraph delete-account --data alice
      telegraph delete-account --erase --confirm alice --password-file secret.txt --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    username = caller.ask(lambda node: node.status()).username or ""
    _confirm(username, confirm, erase=erase)
    password = password_from("Password", _VARIABLE, password_file, "--password-file")
    answer = caller.ask(lambda node: node.delete_account(password, erase=erase))
    caller.show(answer, lambda: f"The account {visible(username)} is deleted." + (_ERASED if erase else ""))


_ERASED = " The messages on this machine are erased."


def _confirm(username: str, given: str | None, *, erase: bool) -> None:
    if given is None:
        if not sys.stdin.isatty():
            raise NoPassword("This cannot be undone, and there is no terminal to ask on; give --confirm NAME.")
        what = "your account and the messages on this machine" if erase else "your account"
        given = click.prompt(f"This deletes {what} for good. Type the name of the account to go on", err=True)
    if given != username:
        raise NoPassword("That is not the name of the account; nothing was deleted.")
