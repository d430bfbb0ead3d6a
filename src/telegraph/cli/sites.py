"""``telegraph manager sites``: the other sites of the organisation, and whether all agree."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telegraph.cli.running import configure_logging

if TYPE_CHECKING:
    from telegraph.manager.sites.status import OtherSite, SitesStatus


@click.command("sites")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the manager's data.",
)
@click.option("--format", "form", type=click.Choice(["pretty", "json"]), default="pretty", show_default=True)
def sites(data: Path, form: str) -> None:
    """Show the other sites: whether they are heard, how far behind this one is, and whether all have the same state.

    \b
    Examples:
      telegraph manager sites --data manager
      telegraph manager sites --data manager --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    import msgspec

    from telegraph.manager.sites.status import read_sites

    configure_logging()
    found = asyncio.run(read_sites(data))
    click.echo(msgspec.json.encode(found).decode() if form == "json" else pretty(found))


def pretty(found: "SitesStatus") -> str:
    """The sites as text for people."""
    lines = [f"site {found.site}", f"revision    {found.revision}", f"state hash  {found.state_hash}"]
    if not found.others:
        return "\n".join([*lines, "There are no other sites."])
    agree = "all sites have the same state" if found.equal else "NOT all sites are known to have the same state"
    return "\n".join([*lines, *map(_pretty_site, found.others), agree])


def _pretty_site(site: "OtherSite") -> str:
    if site.up:
        words = [f"heard since {site.since}"]
    else:
        words = [f"CUT OFF, last heard {site.since}" if site.since else "NEVER HEARD"]
    if site.lag is not None:
        words.append(f"lag {site.lag}")
    if site.problem:
        words.append(site.problem)
    words.append({True: "same state", False: "OTHER STATE", None: "does not answer"}[site.equal])
    return f"  {site.site}  {', '.join(words)}\n" + "\n".join(f"    {url}" for url in site.managers)
