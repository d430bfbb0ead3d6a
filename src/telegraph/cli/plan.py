"""``telegraph plan``: how many managers where."""

from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from telegraph.manager.sites.planning import Plan


@click.command("plan")
@click.option("--sites", required=True, type=int, metavar="N", help="How many sites, such as hosts, offices or racks.")
@click.option(
    "--tolerance",
    required=True,
    type=int,
    metavar="K",
    help="Each site shall go through K-1 failed managers on its own, also while it is cut off.",
)
@click.option("--format", "form", type=click.Choice(["pretty", "json"]), default="pretty", show_default=True)
def plan(sites: int, tolerance: int, form: str) -> None:
    """Say how many managers an organisation needs, where, and what they go through.

    \b
    Examples:
      telegraph plan --sites 2 --tolerance 2
      telegraph plan --sites 3 --tolerance 2 --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.sites.planning import plan as plan_of

    found = plan_of(sites, tolerance)
    click.echo(msgspec.json.encode(found).decode() if form == "json" else pretty(found))


def pretty(found: "Plan") -> str:
    """The plan as text for people."""
    tolerated = _count(found.failures_per_site, "failure")
    lines = [
        f"{_count(found.managers, 'manager')}: {found.per_site} at each of {_count(found.sites, 'site')}",
        f"Each site goes on with {found.quorum_per_site} of its {found.per_site}: it tolerates {tolerated} on its own.",
    ]
    if found.sites > 1:
        lines.append(
            f"All sites together tolerate {found.failures_in_all}, no more than {found.failures_per_site} at each; "
            "any link between them may break at the same time."
        )
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
