"""The etcd program: found on PATH, and new enough."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Final

from telegraph.errors import EtcdMissing, EtcdTooOld

_OLDEST: Final = (3, 4)
"""The first with learners, so that a newcomer never endangers the quorum (etcd's CHANGELOG-3.4)."""

_VERSION: Final = re.compile(r"etcd Version: (\d+)\.(\d+)\.(\S+)")
_ANSWERS_WITHIN: Final = 10.0


async def find_etcd() -> tuple[Path, str]:
    """The program's path and its version, as ``3.4.23``.

    Raises:
        EtcdMissing: there is none on PATH, or what is there is no etcd.
        EtcdTooOld: it is older than 3.4.
    """
    found = shutil.which("etcd")
    if found is None:
        raise EtcdMissing
    return Path(found), check_version(await _asked(found))


async def _asked(program: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            program, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), _ANSWERS_WITHIN)
    except (OSError, TimeoutError):
        raise EtcdMissing from None
    return output.decode("utf-8", "replace")


def check_version(output: str) -> str:
    """The version in what ``etcd --version`` prints.

    Raises:
        EtcdMissing: there is none in it.
        EtcdTooOld: it is older than 3.4.
    """
    parts = _VERSION.search(output)
    if parts is None:
        raise EtcdMissing
    version = ".".join(parts.groups())
    if (int(parts[1]), int(parts[2])) < _OLDEST:
        raise EtcdTooOld(version=version)
    return version
