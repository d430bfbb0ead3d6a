"""Where the command line gets passwords from: a file, the environment or the terminal, never an argument.

Arguments are seen by every user of a machine (``ps``) and kept in the shell's history.
"""

import os
import sys
from pathlib import Path
from typing import IO, Any

import click


class NoPassword(click.ClickException):
    """There is nobody to ask and nothing was given: wrong use of the command line, exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's signature
        """One sentence on stderr."""
        click.echo(f"telegraph: {self.message}", err=True)


def password_from(question: str, variable: str, file: Path | None, option: str, *, confirm: bool = False) -> str:
    """The password from ``file`` if one is given, else from the environment's ``variable``, else from the terminal.

    ``option`` is what names the file, for the sentence when nothing else is left. A new password is asked for twice
    (``confirm``).

    Raises:
        NoPassword: the file cannot be used, or there is no terminal to ask on.
    """
    if file is not None:
        return _from_file(file)
    given = os.environ.get(variable)
    if given:
        return given
    if not sys.stdin.isatty():
        raise NoPassword(f"A password is needed, and there is no terminal to ask on; set {variable} or give {option}.")
    answer: str = click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


def _from_file(file: Path) -> str:
    """The file's content without the line's end."""
    try:
        return file.read_bytes().decode().removesuffix("\n").removesuffix("\r")
    except OSError as problem:
        raise NoPassword(f"The password file {file} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise NoPassword(f"The password file {file} is not UTF-8.") from problem
