"""``telegraph people``."""

import click

from telegraph.cli.options import Caller, client_options
from telegraph.cli.render import people_text, visible


@click.command()
@click.argument("query", required=False, default="")
@client_options
def people(caller: Caller, query: str) -> None:
    """List people whose name begins with QUERY; without one, those who are online.

    \b
    Examples:
      telegraph people --data alice
      telegraph people bo --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    found = caller.ask(lambda node: node.people(query))
    empty = f"Nobody's name begins with {visible(query)}." if query else "Nobody is online."
    caller.show(found, lambda: people_text(found, None, empty))
