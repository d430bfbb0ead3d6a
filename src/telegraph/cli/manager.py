"""``telegraph manager``: run an identity manager, hand out invites."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telegraph.cli.group import expel, leave, new_org, rekey, status, token
from telegraph.cli.manager_keeping import backup, restore
from telegraph.cli.running import collect_seldom, run_until_stopped
from telegraph.cli.sites import sites
from telegraph.errors import CannotStart, DataUnreadable
from telegraph.protocol.invites import Invite, check_manager_url

if TYPE_CHECKING:
    from telegraph.manager.settings import ManagerSettings


@click.group()
def manager() -> None:
    """Run an identity manager, which knows who is where.

    \b
    Examples:
      telegraph manager run --data manager
      telegraph manager run --data manager --host 0.0.0.0 --advertise chat.example.org
      telegraph manager invite --data manager
      telegraph manager status --data manager
    """  # noqa: D301 - click's \b keeps the lines apart


_data = click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the manager's data; made if need be.",
)


@manager.command()
@_data
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="TCP port; 0: any free.")
@click.option(
    "--udp-port", default=5353, show_default=True, type=click.IntRange(0, 65535), help="UDP port of discovery; 0: any."
)
@click.option(
    "--site",
    default="",
    metavar="NAME",
    help="Name of a new cluster's site: a-z, 0-9, hyphens; 16 at most.  [default: that of its cluster, or main]",
)
@click.option("--advertise", metavar="HOST[:PORT]", help="Address under which others reach it, if not --host.")
@click.option("--insecure-http", is_flag=True, help="Plain HTTP, on loopback only, for tests.")
@click.option(
    "--registration",
    type=click.Choice(["open", "invite", "closed"]),
    default="open",
    show_default=True,
    help="Who may register: everybody, whoever has an invite, nobody.",
)
@click.option("--heartbeat-interval", default=10.0, show_default=True, type=float, help="Seconds between heartbeats.")
@click.option("--offline-after", default=30.0, show_default=True, type=float, help="Silence that makes offline.")
@click.option(
    "--login-failures-per-minute",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="Per name and address; 0: no limit.",
)
@click.option(
    "--certificate-days", default=30.0, show_default=True, type=float, help="Lifetime of device certificates."
)
@click.option("--bcrypt-cost", default=12, show_default=True, type=click.IntRange(4, 16), help="Other for tests only.")
@click.option(
    "--metrics-token",
    envvar="TELEGRAPH_METRICS_TOKEN",
    show_envvar=True,
    help="Bearer token that may read /metrics from other machines.",
)
@click.option("--cluster-init", "init", is_flag=True, help="Become the first of several managers; needs etcd.")
@click.option("--join", metavar="URL", help="Join the managers of which one is at URL; needs etcd and a token.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the join token (see `manager token`): the way to prefer.",
)
@click.option(
    "--token",
    envvar=["TELEGRAPH_TOKEN", "TELEGRAPH_JOIN_TOKEN"],
    show_envvar=True,
    help="The join token itself. Everybody on the machine sees what a command was given; take a file or the variable.",
)
@click.option(
    "--join-site",
    metavar="URL",
    help="Become a further site beside the one of which a manager is at URL; needs a token, and --cluster-init or"
    " --bootstrap-expect.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="With --join: the manager that had this address has lost its data. With --join-site: so has the whole site.",
)
@click.option(
    "--etcd-port",
    type=click.IntRange(1, 65533),
    help="Port of its etcd; the next one is taken too, and the one after for other sites.  "
    "[default: 2379, or that of the last time]",
)
@click.option(
    "--org-file",
    "organisation",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Secrets of the organisation, see `manager new-org`.",
)
@click.option(
    "--bootstrap-expect",
    "expect",
    default=0,
    type=click.IntRange(0, 9),
    help="Become one of so many managers that are started together.",
)
@click.option(
    "--peers-dns",
    metavar="NAME",
    multiple=True,
    help="DNS name with the addresses of all of them, which use the same --port; may be repeated.",
)
def run(**options: Any) -> None:
    """Run an identity manager until it is told to stop (Ctrl-C, SIGTERM).

    At the first start it makes the organisation's certificate authority in the data directory. When it answers, it
    prints one line with its URL and the CA's fingerprint. Once it is part of a cluster, it stays so at every start.

    \b
    Examples:
      telegraph manager run --data manager
      telegraph manager run --data manager --host 0.0.0.0 --advertise 192.168.1.10 --registration invite
      telegraph manager run --data manager --port 0 --udp-port 0
      telegraph manager run --data manager --host 192.168.1.10 --cluster-init
      telegraph manager run --data manager --host 192.168.1.11 --join https://192.168.1.10:8000 --token-file token
      telegraph manager run --data manager --host 10.1.0.5 --site cusco --cluster-init \\
          --join-site https://192.168.1.10:8000 --token-file token
    """  # noqa: D301 - click's \b keeps the lines apart
    run_until_stopped(lambda stop: _serve(_settings(**options), stop))


def _settings(certificate_days: float, **options: Any) -> "ManagerSettings":
    from telegraph.manager.settings import ClusterSettings, ManagerSettings

    cluster = {name: options.pop(name) for name in ClusterSettings.__struct_fields__ if name != "token"}
    token = _token(options.pop("token"), options.pop("token_file"))

    try:
        lifetime = timedelta(days=certificate_days)
    except (ValueError, OverflowError):
        raise CannotStart(detail="--certificate-days is no number of days") from None
    settings = ClusterSettings(token=token, **cluster)
    return ManagerSettings(certificate_lifetime=lifetime, cluster=settings, **options)


def _token(given: str | None, file: Path | None) -> str | None:
    """An option goes before the variable."""
    source = click.get_current_context().get_parameter_source("token")
    if file is None or source is click.core.ParameterSource.COMMANDLINE:
        return given
    from telegraph.manager.cluster.token import read_token

    return read_token(file).text


async def _serve(settings: "ManagerSettings", stop: asyncio.Event) -> None:
    from telegraph.manager.app import Manager

    async with Manager(settings) as running:
        click.echo(f"Manager ready: {running.url} (CA SHA-256 {running.fingerprint})")
        sys.stdout.flush()
        collect_seldom()
        asked, ended = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(running.serve_forever())
        await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()


@manager.command()
@_data
@click.option("--single-use", is_flag=True, help="The invite is good for one registration.")
@click.option("--url", metavar="URL", help="Address of the manager; by default that of the running one.")
def invite(data: Path, single_use: bool, url: str | None) -> None:
    """Print a link with which others join: where the manager is, and which CA to trust.

    Works beside a running manager; of a cluster all managers are named. If the manager registers by invite, the link
    carries a code for it.

    \b
    Examples:
      telegraph manager invite --data manager
      telegraph manager invite --data manager --single-use
      telegraph manager invite --data manager --url https://chat.example.org:8000
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.cluster.beside import check_data

    check_data(data)
    where = check_manager_url(url) if url else _running_at(data)
    click.echo(asyncio.run(_invite(data, where, single_use=single_use)).link())


def _running_at(data: Path) -> str:
    from telegraph.manager.places import ENDPOINT_FILE

    try:
        return (data / ENDPOINT_FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise click.UsageError(
            f"no manager is running on {data}; start it, or say where it will be with --url"
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise DataUnreadable(data=data, detail=f"{ENDPOINT_FILE} cannot be read") from problem


async def _invite(data: Path, url: str, *, single_use: bool) -> Invite:
    from telegraph.directory.cluster_records import MANAGERS, ManagerRecord, decode
    from telegraph.manager.clock import read_clock
    from telegraph.manager.cluster.beside import directory_beside
    from telegraph.manager.invites import create_invite, stored_registration
    from telegraph.manager.places import ca_fingerprint

    ca = ca_fingerprint(data)
    async with directory_beside(data) as directory:
        needed = single_use or await stored_registration(directory) == "invite"
        code = await create_invite(directory, read_clock(), single_use=single_use) if needed else None
        records = (await directory.scan(MANAGERS)).entries
    urls = dict.fromkeys([url, *(decode(entry.value, ManagerRecord).url for entry in records)])
    return Invite(tuple(urls), ca, code)


for command in (token, leave, expel, status, sites, new_org, rekey, backup, restore):
    manager.add_command(command)
