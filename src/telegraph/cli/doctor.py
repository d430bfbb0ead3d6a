"""``telegraph doctor``: what works, what does not, and what to do."""

import sys

import click

from telegraph.cli.options import Caller, client_options


@click.command()
@client_options
def doctor(caller: Caller) -> None:
    """Look whether everything works, and say what to do where it does not.

    Managers, session, clock, certificate, whether others reach this node, disk, store, and what waits for whom and why:
    the same that the page shows under "Network". Takes some seconds if somebody does not answer.

    \b
    Examples:
      telegraph doctor --data alice
      telegraph doctor --data alice --format json

    Exit codes: 0 all is well (what waits for somebody who is away is), 1 something has to be done.
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.cli.doctor_text import doctor_text, nobody_home
    from telegraph.errors import NodeAway

    try:
        found = caller.ask(lambda node: node.doctor())
    except NodeAway:
        found = nobody_home(caller.data)
    caller.show(found, lambda: doctor_text(found))
    sys.exit(0 if found.well else 1)
