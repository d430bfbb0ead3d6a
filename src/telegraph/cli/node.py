"""``telegraph node run``: one person's daemon."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telegraph.cli.options import data_option
from telegraph.cli.running import run_until_stopped

if TYPE_CHECKING:
    from telegraph.node.settings import NodeSettings
    from telegraph.node.trust import Ask


@click.group()
def node() -> None:
    """Run a node: one person's messages, links and page."""


def ask_to_trust(url: str, fingerprint: str) -> bool:
    """Asks on the terminal whether to trust a CA that is not known yet."""
    click.echo(f"The manager at {url} belongs to an organisation whose CA is not known here yet.")
    click.echo(f"  SHA-256 {fingerprint}")
    return click.confirm("Compare it with what its administrators told you. Is it the same?", default=False)


@node.command()
@data_option("Directory of account, keys and messages.")
@click.option("--manager", "managers", multiple=True, metavar="URL", help="An identity manager; may be repeated.")
@click.option("--invite", metavar="LINK", help="A telegraph:// link: names managers and the CA.")
@click.option(
    "--ca", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The organisation's CA certificate."
)
@click.option("--ca-fingerprint", metavar="HEX", help="SHA-256 of the CA certificate, instead of the file.")
@click.option("--scan", multiple=True, metavar="CIDR", help="Range to look for managers in, if DNS finds none.")
@click.option("--udp-port", type=click.IntRange(1, 65535), default=5353, show_default=True, help="Their UDP port.")
@click.option("--host", default="0.0.0.0", show_default=True, help="Address that other nodes connect to.")  # noqa: S104 - others must reach it
@click.option(
    "--peer-port",
    type=click.IntRange(0, 65535),
    show_default="that of the last time, or 8000, or a free one",
    help="Port for other nodes; 0: any free one.",
)
@click.option("--advertise", metavar="HOST[:PORT]", help="How others reach this node, if not where it sends from.")
@click.option(
    "--api-port",
    type=click.IntRange(0, 65535),
    show_default="8420, or a free one if it is taken",
    help="Port of the local API and the page; 0: any free one.",
)
@click.option(
    "--api-host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where the page is served; off loopback over HTTPS only, with log-in by password.",
)
@click.option(
    "--api-origin",
    "api_origins",
    multiple=True,
    envvar="TELEGRAPH_API_ORIGIN",
    show_envvar=True,
    metavar="URL",
    help="https://HOST:PORT under which browsers reach the page; may be repeated.",
)
@click.option(
    "--api-cert",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Certificate chain for the page, PEM; without one it makes its own and prints the fingerprint.",
)
@click.option("--api-key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Its key, PEM.")
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Unlock without a password from the second start on; made at the next login. Who has it can read all.",
)
@click.option("--keyring", is_flag=True, help="The same, with the keyring of the desktop session.")
@click.option(
    "--argon2-memory",
    type=click.IntRange(min=8),
    default=64 * 1024,
    show_default=True,
    metavar="KIB",
    help="Memory to stretch a password in; less for tests only.",
)
def run(
    data: Path,
    managers: tuple[str, ...],
    invite: str | None,
    ca: Path | None,
    ca_fingerprint: str | None,
    scan: tuple[str, ...],
    udp_port: int,
    host: str,
    peer_port: int | None,
    advertise: str | None,
    api_port: int | None,
    api_host: str,
    api_origins: tuple[str, ...],
    api_cert: Path | None,
    api_key: Path | None,
    key_file: Path | None,
    keyring: bool,
    argon2_memory: int,
) -> None:
    """Run a node until it is stopped (Ctrl-C or SIGTERM; a second time: without farewell).

    What it stores is encrypted: after a start it is locked until "telegraph login", unless a key file or the keyring
    unlocks it.

    \b
    Examples:
      telegraph node run --data alice --manager https://localhost:8000 --ca manager/ca.pem
      telegraph node run --data alice --invite "telegraph://join?manager=..."
      telegraph node run --data alice --scan 192.168.1.0/24
      telegraph node run --data alice --api-host 0.0.0.0 --api-port 8443 --api-origin https://alice.example:8443

    Exit codes: 0 stopped, 2 wrong use, 4 an option is not usable, 5 cannot start.
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.node.settings import NodeSettings, settings_of

    settings = settings_of(
        NodeSettings(
            data=data,
            managers=managers,
            ca_file=ca,
            ca_fingerprint=ca_fingerprint,
            scan=scan,
            udp_port=udp_port,
            host=host,
            peer_port=peer_port,
            advertise=advertise,
            api_port=api_port,
            api_host=api_host,
            api_origins=api_origins,
            api_cert=api_cert,
            api_key=api_key,
            key_file=key_file,
            keyring=keyring,
            argon2_memory=argon2_memory,
        ),
        invite,
    )
    ask = ask_to_trust if sys.stdin.isatty() and sys.stdout.isatty() else None
    run_until_stopped(lambda stop: _serve(settings, ask, stop))


async def _serve(settings: "NodeSettings", ask: "Ask | None", stop: asyncio.Event) -> None:
    from telegraph.node.api.server import LocalApi
    from telegraph.node.app import Node

    async with Node.with_settings(settings, ask) as node, LocalApi(node) as api:
        if api.elsewhere is not None:
            click.echo(f"Page: {' '.join(api.elsewhere.urls)} (certificate SHA-256 {api.elsewhere.fingerprint})")
        click.echo(f"Node ready: {api.url} (account: {node.account_state}, peers on port {node.peer_port})")
        if sys.stdout.isatty():  # the link lets a browser in, so it does not belong into a log
            click.echo(f"Open {api.browser_link()}")
        sys.stdout.flush()
        await stop.wait()
        await node.depart()
