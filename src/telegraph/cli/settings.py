"""``telegraph settings``."""

import click

from telegraph.cli.options import Caller, client_options
from telegraph.cli.render import settings_text
from telegraph.protocol.node_api import SettingsChange

_ON_OFF = click.Choice(["on", "off"])


@click.command()
@click.option("--read-receipts", type=_ON_OFF, help="Tell others that you have read their messages.")
@click.option("--last-seen", type=_ON_OFF, help="Let others see when you were last here; online is always shown.")
@client_options
def settings(caller: Caller, read_receipts: str | None, last_seen: str | None) -> None:
    """Show your choices, or change those that are given.

    \b
    Examples:
      telegraph settings --data alice
      telegraph settings --last-seen off --data alice
      telegraph settings --read-receipts off --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    change = SettingsChange(read_receipts=_choice(read_receipts), last_seen=_choice(last_seen))
    if change == SettingsChange():
        found = caller.ask(lambda node: node.settings())
    else:
        found = caller.ask(lambda node: node.change_settings(change))
    caller.show(found, lambda: settings_text(found))


def _choice(word: str | None) -> bool | None:
    return None if word is None else word == "on"
