"""Opening a SQLite database with a versioned schema.

The schema is a folder of files ``0001_name.sql``, ``0002_…`` inside the package that owns the database; each is run
once, in order, in one transaction with the new version number (``PRAGMA user_version``).
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

from telegraph.errors import DataUnreadable, NewerSchema
from telegraph.storage.engine import sqlite3

_BUSY_SECONDS = 5
_BUSY_PAUSE = 0.01

Connect = Callable[[], sqlite3.Connection]


def connect(path: Path, key: bytes | None = None) -> sqlite3.Connection:
    """A connection to a database in WAL mode whose commits are durable once acknowledged.

    WAL with ``synchronous=FULL`` syncs the log at each commit (https://sqlite.org/pragma.html#pragma_synchronous).
    With a ``key`` (32 random bytes) the database, its log and its temporary files are encrypted by SQLCipher, each
    page on its own, with AES-256 and an HMAC (https://www.zetetic.net/sqlcipher/design/).

    Raises:
        DataUnreadable: the file cannot be opened, is no database, or is not one of this key.
    """
    try:
        _make_private(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    except (OSError, sqlite3.Error) as problem:
        raise DataUnreadable(data=path, detail=str(problem)) from problem
    try:
        if key is not None:
            _unlock(connection, key)
        connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
        _use_wal(connection)
        for setting in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error as problem:
        connection.close()
        raise DataUnreadable(data=path, detail=str(problem)) from problem
    return connection


def _unlock(connection: sqlite3.Connection, key: bytes) -> None:
    """Gives SQLCipher the key itself: 32 random bytes need no derivation. Its own log goes nowhere (stderr is ours).

    Temporary tables and indices stay in memory, where no key is needed.
    """
    connection.execute("PRAGMA cipher_log_level=NONE")
    connection.execute(f"PRAGMA key=\"x'{key.hex()}'\"")
    connection.execute("PRAGMA temp_store=MEMORY")


def _make_private(path: Path) -> None:
    """Makes the file for its owner alone if it is not there; SQLite gives its log the same mode.

    One that is there must not be opened here: closing any descriptor of it drops the locks that SQLite holds on it
    in this
    process (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switches a new database to WAL; SQLite does not wait by itself while another process does the same."""
    give_up = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_BUSY_PAUSE)
        else:
            return


def migrate(connection: sqlite3.Connection, package: str, path: Path) -> None:
    """Brings the database to the newest schema of ``package``'s folder ``schema``.

    Before the first step of an older database everything is copied beside it, see :func:`backup_name`.

    Raises:
        NewerSchema: the database has a version that this release does not know.
        DataUnreadable: a step failed; the database is as it was before that step.
    """
    steps = schema_steps(package)
    if 0 < _version(connection) < len(steps):
        _back_up(connection, path)
    while (version := _version(connection)) < len(steps):
        try:
            _one_step(connection, steps)
        except sqlite3.Error as problem:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise DataUnreadable(data=path.parent, detail=f"schema step {version + 1} failed ({problem})") from problem
    if version > len(steps):
        raise NewerSchema(data=path.parent)


def backup_name(path: Path, version: int) -> Path:
    """Where a database is copied before it leaves a version of its schema; under its own key if it has one."""
    return path.with_name(f"{path.stem}-version-{version}{path.suffix}")


def _back_up(connection: sqlite3.Connection, path: Path) -> None:
    """Copies the database as it is; of earlier copies only the newest is kept.

    ``VACUUM INTO`` (https://sqlite.org/lang_vacuum.html) takes a snapshot under the connection's own key. A copy that
    did not come to its end has another name, and is made anew.
    """
    copy = backup_name(path, _version(connection))
    unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        unfinished.unlink(missing_ok=True)
        _make_private(unfinished)
        connection.execute("VACUUM INTO ?", (str(unfinished),))
        for earlier in path.parent.glob(f"{path.stem}-version-*{path.suffix}"):
            earlier.unlink()
        unfinished.replace(copy)
    except (OSError, sqlite3.Error) as problem:
        unfinished.unlink(missing_ok=True)
        raise DataUnreadable(
            data=path.parent, detail=f"it could not be copied before the upgrade ({problem})"
        ) from problem


def _one_step(connection: sqlite3.Connection, steps: list[str]) -> None:
    """Runs the next step in one transaction, in which it is also seen which is the next: another process may migrate.

    Statement by statement, for Python's executescript would commit before it begins.
    """
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)
    if version < len(steps):
        for statement in _statements(steps[version]):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={version + 1}")
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; what is not complete at its end too, for SQLite to complain of."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip(" \n;"):
        yield statement


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def schema_steps(package: str) -> list[str]:
    """The scripts of a package's schema folder, in order."""
    files = sorted(
        (file for file in resources.files(package).joinpath("schema").iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    return [file.read_text(encoding="utf-8") for file in files]
