"""What every client command shares: ``--data``, ``--format``, the call to the node, and what is printed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

import click
import msgspec

if TYPE_CHECKING:
    from telegraph.cli.client import NodeApi

P = ParamSpec("P")
T = TypeVar("T")

Format = Literal["pretty", "json"]
DEFAULT_DATA = "~/.local/share/telegraph/node"


class Caller(msgspec.Struct, frozen=True):
    """Who is asked and how the answer is to look."""

    data: Path
    format: Format

    def ask(self, question: "Callable[[NodeApi], Awaitable[T]]") -> T:
        """Asks the node of the data directory.

        Raises:
            TelegraphError: no node runs there, or what it answered.
        """
        from telegraph.cli.client import NodeApi

        async def asked() -> T:
            async with NodeApi(self.data) as node:
                return await question(node)

        return asyncio.run(asked())

    def show(self, value: object, pretty: Callable[[], str]) -> None:
        """Prints an answer, as JSON or as text for people."""
        from telegraph.cli.render import to_json

        say(to_json(value) if self.format == "json" else pretty())


def data_option(help_text: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """``--data``: a node's data directory."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=lambda: Path(DEFAULT_DATA).expanduser(),
        envvar="TELEGRAPH_DATA",
        show_envvar=True,
        show_default=DEFAULT_DATA,
        help=help_text,
    )


def client_options(command: Callable[Concatenate[Caller, P], T]) -> Callable[..., T]:
    """Gives a command ``--data`` and ``--format``, and a :class:`Caller` made of them as first argument."""

    @data_option("Data directory of the running node.")
    @click.option(
        "--format",
        "form",
        type=click.Choice(["pretty", "json"]),
        default="pretty",
        show_default=True,
        help="For people, or for programs.",
    )
    @wraps(command)
    def with_caller(*args: Any, data: Path, form: Format, **kwargs: Any) -> T:
        return command(Caller(data, form), *args, **kwargs)

    return with_caller


def say(text: str, *, error: bool = False) -> None:
    """Prints a line. What the terminal's encoding cannot show becomes a question mark, never an exception."""
    stream = sys.stderr if error else sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()
