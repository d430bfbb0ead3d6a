"""``telegraph web``: the page of a node that runs."""

import click

from telegraph.cli.options import Caller, client_options


@click.command()
@client_options
def web(caller: Caller) -> None:
    """Print a link that opens the node's page in a browser on this machine.

    It lets one browser in, once, within ten minutes; the browser stays known until somebody logs out.

    \b
    Examples:
      telegraph web
      xdg-open "$(telegraph web --data alice)"
    """  # noqa: D301 - click's \b keeps the lines apart
    link = caller.ask(lambda node: node.browser_link())
    caller.show(link, lambda: link.url)
