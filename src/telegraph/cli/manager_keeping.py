"""``telegraph manager backup | restore``: copies of the directory that a manager or a cluster keeps."""

import asyncio
import json
from pathlib import Path

import click

from telegraph.cli.options import say
from telegraph.cli.passwords import password_from
from telegraph.cli.running import configure_logging
from telegraph.errors import IllegalPassphrase

_VARIABLE = "TELEGRAPH_BACKUP_PASSPHRASE"
_OPTION = "--passphrase-file"
_SHORTEST = 12

_passphrase_file = click.option(
    _OPTION,
    "passphrase_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File with the passphrase; else {_VARIABLE} or the terminal.",
)
_format = click.option("--format", "form", type=click.Choice(["pretty", "json"]), default="pretty", show_default=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the manager's data; of a cluster any of them that runs.",
)
@_passphrase_file
@_format
def backup(file: Path, data: Path, passphrase_file: Path | None, form: str) -> None:
    """Write the whole directory and the organisation's CA to FILE, encrypted with a passphrase.

    A single manager may run meanwhile or not; a cluster must run, with a quorum. Keep FILE and the passphrase apart:
    whoever has both is the organisation, and without the passphrase nobody can open it.

    \b
    Examples:
      telegraph manager backup /media/stick/directory-2026-11-24.backup --data manager
      telegraph manager backup directory.backup --data manager --passphrase-file /root/passphrase
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.keeping.writing import back_up, check_target

    configure_logging()
    check_target(data, file)
    passphrase = password_from("Passphrase of the backup", _VARIABLE, passphrase_file, _OPTION, confirm=True)
    if len(passphrase) < _SHORTEST:
        raise IllegalPassphrase
    kept = asyncio.run(back_up(data, file, passphrase))
    shown = {"file": str(file), "accounts": kept.accounts, "revision": kept.revision, "state_hash": kept.state_hash}
    say(json.dumps(shown) if form == "json" else f"{kept.accounts} accounts and the CA are in {file}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="A directory that is not there yet, or empty.",
)
@_passphrase_file
@click.option(
    "--keep-sessions",
    is_flag=True,
    help="Log-ins of that day are valid again, also those that were ended since; for a move without a loss.",
)
@_format
def restore(file: Path, data: Path, passphrase_file: Path | None, keep_sessions: bool, form: str) -> None:
    """Make a new manager of a backup that "telegraph manager backup" wrote, of a single manager or a cluster.

    What comes back is a single manager. Start it at the old address; with --cluster-init it becomes the first of a new
    cluster, which is the only way into etcd: nothing is restored into a cluster that runs. Managers of before must not
    run any more. Everybody logs in again, with the password of the backup's day.

    \b
    Examples:
      telegraph manager restore directory-2026-11-24.backup --data manager
      telegraph manager run --data manager --host 192.168.1.10 --cluster-init
    """  # noqa: D301 - click's \b keeps the lines apart
    from telegraph.manager.keeping.restoring import check_place
    from telegraph.manager.keeping.restoring import restore as bring_back

    configure_logging()
    check_place(file, data)
    passphrase = password_from("Passphrase of the backup", _VARIABLE, passphrase_file, _OPTION)
    kept = asyncio.run(bring_back(file, data, passphrase, sessions=keep_sessions))
    shown = {"data": str(data), "accounts": kept.accounts, "state_hash": kept.state_hash}
    say(json.dumps(shown) if form == "json" else f"{kept.accounts} accounts and the CA are in {data}; start it there.")
