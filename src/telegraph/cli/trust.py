"""``telegraph safety-number | verify | unverify | trust | block | unblock | blocked``."""

import sys

import click

from telegraph.cli.options import Caller, client_options
from telegraph.cli.render import visible
from telegraph.cli.trust_texts import blocked_text, qr_text, safety_number_text, trust_text
from telegraph.errors import BadInput


@click.command("safety-number")
@click.argument("user")
@click.option("--qr", is_flag=True, help="Draw a code that the other can scan.")
@client_options
def safety_number(caller: Caller, user: str, qr: bool) -> None:
    """Show the 60 digits that you and USER compare, by voice or side by side.

    If both see the same, nobody is between you. Then mark USER with: telegraph verify USER NUMBER

    \b
    Examples:
      telegraph safety-number bob --data alice
      telegraph safety-number bob --qr --data alice
      telegraph safety-number bob --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    found = caller.ask(lambda node: node.safety_number(user))
    code = qr_text(found.scan, colour=sys.stdout.isatty()) if qr and caller.format == "pretty" else ""
    caller.show(found, lambda: safety_number_text(found) + (f"\n\n{code}" if code else ""))


@click.command()
@click.argument("user")
@click.argument("number", nargs=-1)
@click.option("--without-number", is_flag=True, help="You have compared by other means, and vouch for it.")
@client_options
def verify(caller: Caller, user: str, number: tuple[str, ...], without_number: bool) -> None:
    """Mark USER as verified, if NUMBER is the safety number that you have with them.

    NUMBER is the 60 digits that the other reads, in any grouping, or the text of the code that you scanned from
    their screen. A key that was verified is never replaced without your word.

    \b
    Examples:
      telegraph verify bob 26155 26735 61346 28476 97846 99022 34504 58015 88624 31735 01806 24250 --data alice
      telegraph verify bob TELEGRAPH:SAFETY:1:ZHGQ…:ZMB7… --data alice
      telegraph verify bob --without-number --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    if without_number == bool(number):
        raise BadInput(detail="give the number that the other reads, or --without-number")
    answer = caller.ask(lambda node: node.verify(user, " ".join(number) or None))
    caller.show(answer, lambda: trust_text(answer))


@click.command()
@click.argument("user")
@client_options
def unverify(caller: Caller, user: str) -> None:
    """Take back that USER is verified.

    \b
    Examples:
      telegraph unverify bob --data alice
      telegraph unverify bob --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.unverify(user))
    caller.show(answer, lambda: trust_text(answer))


@click.command()
@click.argument("user")
@click.option("--keep", is_flag=True, help="Stay with the key that was verified, and do not ask again about this one.")
@click.option("--number", metavar="NUMBER", help="Only if the new key has this safety number.")
@client_options
def trust(caller: Caller, user: str, keep: bool, number: str | None) -> None:
    """Go on with the new device key of USER.

    If USER was verified, nothing was sent until now; what waits goes out, and USER is verified no more until you
    compare safety numbers again. Ask USER first, by other means, whether they have a new device.

    \b
    Examples:
      telegraph trust bob --data alice
      telegraph trust bob --keep --data alice
    """  # noqa: D301 - click's \b keeps the lines apart
    if keep and number is not None:
        raise BadInput(detail="--keep takes no number")
    answer = caller.ask(lambda node: node.decide_key(user, number, accept=not keep))
    caller.show(answer, lambda: trust_text(answer))


@click.command()
@click.argument("user")
@client_options
def block(caller: Caller, user: str) -> None:
    """Hear nothing of USER any more, and tell them nothing; what waits on either side waits on.

    \b
    Examples:
      telegraph block mallory --data alice
      telegraph block mallory --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.block(user, blocked=True))
    caller.show(answer, lambda: f"{visible(answer.user)} is blocked.")


@click.command()
@click.argument("user")
@client_options
def unblock(caller: Caller, user: str) -> None:
    """Hear USER again; what waited on either side goes out.

    \b
    Examples:
      telegraph unblock mallory --data alice
      telegraph unblock mallory --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    answer = caller.ask(lambda node: node.block(user, blocked=False))
    caller.show(answer, lambda: f"{visible(answer.user)} is not blocked any more.")


@click.command()
@client_options
def blocked(caller: Caller) -> None:
    """List the people whom you have blocked.

    \b
    Examples:
      telegraph blocked --data alice
      telegraph blocked --data alice --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    found = caller.ask(lambda node: node.blocked())
    caller.show(found, lambda: blocked_text(found))
