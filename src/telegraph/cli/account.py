"""``telegraph register | login | logout | password | recovery-code | status``."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from telegraph.cli.options import Caller, client_options
from telegraph.cli.passwords import password_from
from telegraph.cli.render import status_text, visible
from telegraph.protocol.node_api import Account

_VARIABLE = "TELEGRAPH_PASSWORD"
_NEW_VARIABLE = "TELEGRAPH_NEW_PASSWORD"
_UNLOCK_VARIABLE = "TELEGRAPH_UNLOCK"


def _file_option(name: str, help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(name, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help=help_text)


_password_file = _file_option("--password-file", f"Holds the password; else {_VARIABLE}, else the terminal is asked.")


@click.command()
@click.argument("user")
@click.option("--invite", metavar="CODE", help="Code of an invite, or the whole telegraph:// link.")
@_password_file
@client_options
def register(caller: Caller, user: str, invite: str | None, password_file: Path | None) -> None:
    """Make the account USER and log in.

    The password has at least 8 characters and at most 72 bytes. It is asked for, or read from TELEGRAPH_PASSWORD or
    a file; it is never an argument, where everybody on this machine could see it.

    \b
    Examples:
      telegraph register alice --data alice
      telegraph register alice --data alice --invite "telegraph://join?manager=..."
      telegraph register alice --data alice --password-file secret.txt --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    code = _invite_code(invite) if invite else None
    password = password_from("New password", _VARIABLE, password_file, "--password-file", confirm=True)
    account = caller.ask(lambda node: node.register(user, password, code))
    caller.show(account, lambda: _welcome(account))


def _invite_code(invite: str) -> str | None:
    from telegraph.protocol.invites import parse_invite

    return parse_invite(invite).code if "://" in invite else invite


def _welcome(account: Account) -> str:
    text = f"You are {visible(account.username)}, and {account.account}."
    if account.moved:
        text += " Your session moved here from another device, which sends nothing any more."
    if account.provisional:
        text += " The name is provisional until every site has confirmed it."
    if account.recovery_code:
        text += "\n" + _recovery(account.recovery_code)
    return text


def _recovery(code: str) -> str:
    return (
        f"Recovery code: {code}\n"
        "Write it down and keep it away from this machine: it opens your messages here if the password is lost,"
        " and it is not shown again."
    )


@click.command()
@click.argument("user")
@_password_file
@click.option("--unlock", is_flag=True, help=f"Ask for the last password or recovery code; or {_UNLOCK_VARIABLE}.")
@_file_option("--unlock-file", "Holds the password before, or the recovery code.")
@click.option("--set-aside", is_flag=True, help="Begin without the messages that are locked here; they are kept.")
@client_options
def login(
    caller: Caller, user: str, password_file: Path | None, unlock: bool, unlock_file: Path | None, set_aside: bool
) -> None:
    """Unlock the messages on this machine and log in as USER.

    The password unlocks what is stored here, for which no manager is needed; the session follows once one answers. If
    the password was changed on another machine or reset, give the one before or the recovery code as well.

    \b
    Examples:
      telegraph login alice --data alice
      telegraph login alice --data alice --unlock
      TELEGRAPH_PASSWORD=... telegraph login alice --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    password = password_from("Password", _VARIABLE, password_file, "--password-file")
    before = _password_before(unlock, unlock_file)
    account = caller.ask(lambda node: node.login(user, password, unlock=before, set_aside=set_aside))
    caller.show(account, lambda: _welcome(account))


def _password_before(wanted: bool, file: Path | None) -> str | None:
    if not (wanted or file or os.environ.get(_UNLOCK_VARIABLE)):
        return None
    return password_from("Password before, or recovery code", _UNLOCK_VARIABLE, file, "--unlock-file")


@click.command("recovery-code")
@_password_file
@client_options
def recovery_code(caller: Caller, password_file: Path | None) -> None:
    """Make a new recovery code for the messages on this machine; the one before is worth nothing any more.

    \b
    Example:
      telegraph recovery-code --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    password = password_from("Password", _VARIABLE, password_file, "--password-file")
    answer = caller.ask(lambda node: node.renew_recovery_code(password))
    caller.show(answer, lambda: _recovery(answer.recovery_code))


@click.command()
@client_options
def logout(caller: Caller) -> None:
    """Log out: offline at once, and the messages are locked until the next login.

    \b
    Example:
      telegraph logout --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.logout())
    caller.show(answer, lambda: "You are logged out.")


@click.command()
@_file_option("--password-file", f"Holds the present password; else {_VARIABLE}, else the terminal is asked.")
@_file_option("--new-password-file", f"Holds the new one; else {_NEW_VARIABLE}, else the terminal is asked.")
@client_options
def password(caller: Caller, password_file: Path | None, new_password_file: Path | None) -> None:
    """Change the account's password.

    \b
    Examples:
      telegraph password --data alice
      telegraph password --data alice --password-file old.txt --new-password-file new.txt
    """  # noqa: D301 - click's \b keeps the lines apart
    old = password_from("Present password", _VARIABLE, password_file, "--password-file")
    new = password_from("New password", _NEW_VARIABLE, new_password_file, "--new-password-file", confirm=True)
    answer = caller.ask(lambda node: node.change_password(old, new))
    caller.show(answer, lambda: "The password is changed.")


@click.command()
@client_options
def status(caller: Caller) -> None:
    """Show how the node is: account, managers, what waits.

    Exits 0 whenever a node answers; with --format json "account" says none, locked, ended, online or offline.

    \b
    Examples:
      telegraph status --data alice
      telegraph status --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.status())
    caller.show(answer, lambda: status_text(answer))
