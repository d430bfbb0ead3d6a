"""``telegraph``: the command line. Each command's module is loaded only when it is used, so that start is quick.

Exit codes: 0 done · 1 something failed inside · 2 wrong use of the command line · 3 nobody answers (node, manager or
peer away) · 4 refused (bad input, wrong password, unknown user, …) · 5 cannot start (port taken, data in use, …).
"""

import importlib
import sys
from typing import Any

import click

from telegraph.errors import BadInput, CannotStart, Conflict, Missing, Refused, TelegraphError, TooMany, Unavailable
from telegraph.protocol.version import __version__

_COMMANDS = {
    "manager": "telegraph.cli.manager:manager",
    "node": "telegraph.cli.node:node",
    "plan": "telegraph.cli.plan:plan",
    "doctor": "telegraph.cli.doctor:doctor",
    "web": "telegraph.cli.web:web",
    "demo": "telegraph.cli.demo:demo",
    "register": "telegraph.cli.account:register",
    "login": "telegraph.cli.account:login",
    "logout": "telegraph.cli.account:logout",
    "password": "telegraph.cli.account:password",
    "recovery-code": "telegraph.cli.account:recovery_code",
    "status": "telegraph.cli.account:status",
    "sessions": "telegraph.cli.owner:sessions",
    "settings": "telegraph.cli.settings:settings",
    "delete-account": "telegraph.cli.owner:delete_account",
    "people": "telegraph.cli.people:people",
    "send": "telegraph.cli.messages:send",
    "inbox": "telegraph.cli.messages:inbox",
    "history": "telegraph.cli.messages:history",
    "read": "telegraph.cli.messages:read",
    "search": "telegraph.cli.messages:search",
    "cancel": "telegraph.cli.messages:cancel",
    "retry": "telegraph.cli.messages:retry",
    "delete": "telegraph.cli.messages:delete",
    "chat": "telegraph.cli.chat:chat",
    "safety-number": "telegraph.cli.trust:safety_number",
    "verify": "telegraph.cli.trust:verify",
    "unverify": "telegraph.cli.trust:unverify",
    "trust": "telegraph.cli.trust:trust",
    "block": "telegraph.cli.trust:block",
    "unblock": "telegraph.cli.trust:unblock",
    "blocked": "telegraph.cli.trust:blocked",
    "backup": "telegraph.cli.keeping:backup",
    "restore": "telegraph.cli.keeping:restore",
    "export": "telegraph.cli.keeping:export",
}

EXIT_CODES: tuple[tuple[type[TelegraphError], int], ...] = (
    (CannotStart, 5),
    (Unavailable, 3),
    (BadInput, 4),
    (Refused, 4),
    (Missing, 4),
    (Conflict, 4),
    (TooMany, 4),
    (TelegraphError, 1),
)


class LateGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order in which a newcomer meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of this name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.command(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="telegraph")
def telegraph() -> None:
    """Telegraph: a self-hosted, peer-to-peer messenger.

    \b
    A manager knows who is where:   telegraph manager run --data manager
    Everybody runs a node:          telegraph node run --data alice --manager https://HOST:8000
    and talks through it:           telegraph register alice --data alice
                                    telegraph send bob "Hello!" --data alice

    Exit codes: 0 done, 1 failed inside, 2 wrong use, 3 nobody answers, 4 refused, 5 cannot start.
    """  # noqa: D301 - click's \b keeps the lines apart


def exit_code(error: TelegraphError) -> int:
    """The process's exit code for an error, see the module."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the ``telegraph`` script: errors become one sentence on stderr and an exit code."""
    try:
        return telegraph.main(arguments, prog_name="telegraph", standalone_mode=True)
    except TelegraphError as error:
        click.echo(f"telegraph: {error}", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)
