import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telegraph.errors import DataUnreadable, NewerSchema
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import backup_name, connect, migrate, schema_steps

FIRST = "CREATE TABLE people (name TEXT PRIMARY KEY) STRICT;"
SECOND = "ALTER TABLE people ADD COLUMN age INTEGER; UPDATE people SET age = 7;"
BROKEN = "INSERT INTO people VALUES ('ghost', 1); INSERT INTO nowhere VALUES (1);"

Release = Callable[..., str]


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    """Makes a package that owns a schema of these steps, as a release of the program would."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(*steps: str) -> str:
        name = f"release_{tmp_path.name.replace('-', '_')}_{len(made)}"
        schema = tmp_path / name / "schema"
        schema.mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        (schema / "README.md").write_text("Not a step.")
        for number, step in enumerate(steps, start=1):
            (schema / f"{number:04}_step.sql").write_text(step)
        made.append(name)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


@pytest.fixture
def connection(database: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(database)
    yield connection
    connection.close()


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_a_new_database_gets_every_step_in_order(
    connection: sqlite3.Connection, database: Path, release: Release
) -> None:
    migrate(connection, release(FIRST, SECOND), database)
    connection.execute("INSERT INTO people VALUES ('alice', 30)")
    assert _version(connection) == 2


def test_an_older_database_gets_only_what_is_new_and_keeps_its_rows(
    connection: sqlite3.Connection, database: Path, release: Release
) -> None:
    migrate(connection, release(FIRST), database)
    connection.execute("INSERT INTO people VALUES ('alice')")
    migrate(connection, release(FIRST, SECOND), database)
    assert connection.execute("SELECT * FROM people").fetchall() == [("alice", 7)]


def test_a_database_that_is_up_to_date_is_left_alone(
    connection: sqlite3.Connection, database: Path, release: Release
) -> None:
    package = release(FIRST)
    migrate(connection, package, database)
    before = connection.total_changes
    migrate(connection, package, database)
    assert (connection.total_changes, _version(connection)) == (before, 1)


def test_a_database_of_a_newer_release_is_refused_and_untouched(
    connection: sqlite3.Connection, database: Path, release: Release
) -> None:
    migrate(connection, release(FIRST, SECOND), database)
    with pytest.raises(NewerSchema) as refused:
        migrate(connection, release(FIRST), database)
    assert str(database.parent) in str(refused.value)
    assert _version(connection) == 2


def test_a_step_that_fails_leaves_the_database_as_it_was_before_that_step(
    connection: sqlite3.Connection, database: Path, release: Release
) -> None:
    with pytest.raises(DataUnreadable, match="schema step 3 failed"):
        migrate(connection, release(FIRST, SECOND, BROKEN), database)
    assert _version(connection) == 2
    assert connection.execute("SELECT * FROM people").fetchall() == []
    assert not connection.in_transaction
    migrate(connection, release(FIRST, SECOND, "INSERT INTO people VALUES ('alice', 1);"), database)
    assert _version(connection) == 3


def test_two_processes_that_start_at_the_same_moment_both_find_the_schema(database: Path, release: Release) -> None:
    package = release(FIRST, SECOND, *["INSERT INTO people SELECT 'p' || count(*), 1 FROM people;"] * 20)
    start = threading.Barrier(2)
    failures: list[Exception] = []

    def process() -> None:
        start.wait()
        try:
            connection = connect(database)
        except DataUnreadable as problem:
            failures.append(problem)
            return
        try:
            migrate(connection, package, database)
        except DataUnreadable as problem:
            failures.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=process) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    reader = connect(database)
    assert reader.execute("SELECT count(*) FROM people").fetchone() == (20,)
    reader.close()


def test_a_second_connection_leaves_the_locks_of_the_first_alone(database: Path) -> None:
    """Opening the file beside SQLite and closing it would drop them; another process would think itself alone."""
    first = connect(database)
    first.execute("CREATE TABLE people (name TEXT)")
    locks = Path("/proc/locks").read_text().count(f":{database.stat().st_ino} ")
    second = connect(database)

    assert Path("/proc/locks").read_text().count(f":{database.stat().st_ino} ") >= locks > 0
    second.close()
    first.close()


def test_a_new_database_is_its_owners_alone(database: Path) -> None:
    connection = connect(database)
    connection.execute("CREATE TABLE people (name TEXT)")

    assert {file.stat().st_mode & 0o777 for file in database.parent.glob(f"{database.name}*")} == {0o600}
    connection.close()


def test_steps_are_the_sql_files_in_the_order_of_their_numbers(release: Release) -> None:
    assert schema_steps(release(*"abcdefghijk")) == list("abcdefghijk")


def test_commits_are_durable_and_foreign_keys_hold(connection: sqlite3.Connection) -> None:
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "2 is FULL: each commit is synced"
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"not a database" * 100), lambda path: path.mkdir()])
def test_what_is_no_database_is_refused_in_one_sentence(database: Path, make: Callable[[Path], object]) -> None:
    make(database)
    with pytest.raises(DataUnreadable) as refused:
        connect(database)
    assert str(database) in str(refused.value)


KEY = bytes(range(32))


def test_before_an_upgrade_everything_is_copied_beside_it(database: Path, release: Release) -> None:
    keyed = connect(database, KEY)
    migrate(keyed, release(FIRST), database)
    keyed.execute("INSERT INTO people VALUES ('alice')")

    migrate(keyed, release(FIRST, SECOND), database)
    keyed.close()

    copy = connect(backup_name(database, 1), KEY)
    assert copy.execute("SELECT * FROM people").fetchall() == [("alice",)]
    assert _version(copy) == 1
    copy.close()
    assert backup_name(database, 1).stat().st_mode & 0o777 == 0o600
    assert b"alice" not in backup_name(database, 1).read_bytes()


def test_of_earlier_copies_only_the_newest_is_kept(
    connection: sqlite3.Connection, database: Path, release: Release
) -> None:
    for steps in (
        (FIRST,),
        (FIRST, SECOND),
        (FIRST, SECOND, "CREATE TABLE more (x) STRICT;".replace("x", "x INTEGER")),
    ):
        migrate(connection, release(*steps), database)
    assert not backup_name(database, 1).exists()
    assert backup_name(database, 2).exists()


def test_a_new_database_needs_no_copy(connection: sqlite3.Connection, database: Path, release: Release) -> None:
    migrate(connection, release(FIRST, SECOND), database)
    assert list(database.parent.glob("*-version-*")) == []


def test_without_a_copy_there_is_no_upgrade(connection: sqlite3.Connection, database: Path, release: Release) -> None:
    migrate(connection, release(FIRST), database)
    (backup_name(database, 1)).mkdir()  # in the way

    with pytest.raises(DataUnreadable):
        migrate(connection, release(FIRST, SECOND), database)

    assert _version(connection) == 1
    assert [path.name for path in database.parent.glob("people-version-1*")] == [backup_name(database, 1).name]


def test_with_a_key_nothing_is_readable_on_the_disk(database: Path, release: Release) -> None:
    keyed = connect(database, KEY)
    migrate(keyed, release(FIRST), database)
    keyed.execute("INSERT INTO people VALUES ('a very secret name')")
    assert not any(b"very secret" in file.read_bytes() for file in database.parent.glob("people.sqlite3*"))
    keyed.close()
    assert not any(b"very secret" in file.read_bytes() for file in database.parent.glob("people.sqlite3*"))


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_a_database_of_another_key_is_unreadable(
    database: Path, release: Release, key: bytes | None, capfd: pytest.CaptureFixture[str]
) -> None:
    keyed = connect(database, KEY)
    migrate(keyed, release(FIRST), database)
    keyed.close()
    with pytest.raises(DataUnreadable):
        connect(database, key)
    if key is not None:
        assert capfd.readouterr().err == ""  # SQLCipher's own log stays silent
