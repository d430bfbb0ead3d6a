"""``telegraph manager token | leave | remove | status | new-org | rekey``: several managers as one."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telegraph.cli.running import configure_logging

if TYPE_CHECKING:
    from telegraph.manager.cluster.status import GroupStatus, MemberStatus

_data = click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the manager's data.",
)
_format = click.option("--format", "form", type=click.Choice(["pretty", "json"]), default="pretty", show_default=True)


@click.command()
@_data
@click.option(
    "--rotate", "--new", "new", is_flag=True, help="Make another one; all managers refuse the old one from then on."
)
@_format
def token(data: Path, new: bool, form: str) -> None:
    """Print the token with which other managers join this one's cluster. It is a secret.

    Who joined with an old token stays a member.

    \b
    Examples:
      telegraph manager token --data manager
      telegraph manager token --data manager --rotate --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    configure_logging()
    text = asyncio.run(_join_token(data, new=new))
    click.echo(json.dumps({"token": text}) if form == "json" else text)


async def _join_token(data: Path, *, new: bool) -> str:
    from telegraph.manager.cluster.beside import group_beside
    from telegraph.manager.cluster.secret import ClusterSecret
    from telegraph.manager.cluster.vault import load_token, renew_token

    async with group_beside(data) as links:
        secret = ClusterSecret.load(data)
        found = await (renew_token if new else load_token)(links.directory, secret)
    return found.text


@click.command()
@_data
@_format
def leave(data: Path, form: str) -> None:
    """Take a manager out of its cluster for good; if it runs, it ends. The others go on without it.

    \b
    Examples:
      telegraph manager leave --data manager
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.cluster.leaving import leave as leave_group

    configure_logging()
    left = asyncio.run(leave_group(data))
    click.echo(
        json.dumps({"managers": left}) if form == "json" else f"Left the cluster, which has {_managers(left)} now."
    )


def _managers(count: int) -> str:
    return "1 manager" if count == 1 else f"{count} managers"


@click.command("remove")
@click.argument("manager_id")
@_data
@_format
def expel(manager_id: str, data: Path, form: str) -> None:
    """Take another manager out of the cluster for good: one whose machine is stolen, or dead and not replaced.

    MANAGER_ID is the one of `telegraph manager status`. If it runs, it ends. It keeps the cluster's secrets: if
    somebody has its disk, change them (`telegraph manager rekey`).

    \b
    Examples:
      telegraph manager remove 3f0c2b9d51a7e684 --data manager
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.cluster.leaving import expel as expel_from_group

    configure_logging()
    left = asyncio.run(expel_from_group(data, manager_id))
    click.echo(json.dumps({"managers": left}) if form == "json" else f"The cluster has {left} managers now.")


@click.command()
@_data
@_format
def status(data: Path, form: str) -> None:
    """Show how a manager and its cluster fare: members, leader, quorum, a hash of what they agree on.

    \b
    Examples:
      telegraph manager status --data manager
      telegraph manager status --data manager --format json
    """  # noqa: D301 - click's \b keeps the lines apart
    import msgspec

    from telegraph.manager.cluster.status import read_status

    configure_logging()
    found = asyncio.run(read_status(data))
    click.echo(msgspec.json.encode(found).decode() if form == "json" else pretty(found))


def pretty(found: "GroupStatus") -> str:
    """The status as text for people."""
    kind = f"cluster of {_managers(len(found.members))}" if found.clustered else "single manager"
    lines = [
        f"{kind}, site {found.site}" if found.site else kind,
        f"quorum      {'yes' if found.quorum else 'NO: the directory cannot be written'}",
        f"leader      {found.leader or '-'}",
        f"raft leader {found.raft_leader or '-'}",
        f"revision    {'-' if found.revision is None else found.revision}",
        f"state hash  {found.state_hash or '-'}",
        *(_pretty_member(member, clustered=found.clustered) for member in found.members),
    ]
    return "\n".join(lines)


def _pretty_member(member: "MemberStatus", *, clustered: bool) -> str:
    words = [_health(member) if clustered else "runs" if member.healthy else "does not run"]
    if member.is_learner:
        words.append("learner")
    if member.lag is not None:
        words.append(f"lag {member.lag}")
    if member.version:
        words.append(f"telegraph {member.version}")
    if member.etcd_version:
        words.append(f"etcd {member.etcd_version}")
    return f"  {member.id}  {member.url or '-'}  {', '.join(words)}"


def _health(member: "MemberStatus") -> str:
    if member.healthy:
        return "well"
    if not member.started:
        return "never started"
    return "AWAY" if member.raft_index is None else "alive, waits for the others"


@click.command("new-org")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="A new directory.")
@click.option("--name", default="Telegraph", show_default=True, help="Of the organisation, as its CA shows it.")
def new_org(out: Path, name: str) -> None:
    """Make an organisation's CA and join token before any of its managers runs.

    \b
    ca.pem             the CA's certificate: for everybody
    token              the join token: for machines that are to become managers
    organisation.json  all secrets: for managers that start together (--org-file, --bootstrap-expect)

    \b
    Examples:
      telegraph manager new-org --out organisation
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.clock import read_clock
    from telegraph.manager.cluster.organisation import found_organisation

    fingerprint = found_organisation(out, name, read_clock().utc)
    click.echo(f"Organisation made in {out} (CA SHA-256 {fingerprint})")


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the manager's data.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Draw new secrets into a new file; the cluster runs."
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take those of a file; the manager is stopped.",
)
def rekey(data: Path, out: Path | None, source: Path | None) -> None:
    """Change the cluster secret, the CA of the managers' etcd and the join token, all at once.

    First draw them beside a running manager (--out). Then stop all managers, hand the file to each (--from) and start
    them again: those that have different secrets do not hear each other. The organisation's CA stays.

    \b
    Examples:
      telegraph manager rekey --data manager --out new-secrets.json
      telegraph manager rekey --data manager --from new-secrets.json
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.cluster.rekeying import draw_secrets, take_secrets

    configure_logging()
    if (out is None) == (source is None):
        raise click.UsageError("choose one of --out and --from")
    if out is not None:
        asyncio.run(draw_secrets(data, out))
        click.echo(
            f"New secrets are in {out}. Stop all managers, then: telegraph manager rekey --data DIR --from {out}"
        )
    elif source is not None:
        take_secrets(data, source)
        click.echo("They count from the next start of this manager on.")
