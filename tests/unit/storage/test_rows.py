import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.storage.engine import sqlite3
from telegraph.storage.rows import insert_rows


def _table() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE words (word TEXT, number INTEGER UNIQUE) STRICT")
    return connection


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=5), max_size=300))
def test_any_number_of_rows_is_there_in_order_and_unchanged(words: list[str]) -> None:
    connection = _table()
    insert_rows(connection, "words (word, number)", [(word, number) for number, word in enumerate(words)])
    assert [word for (word,) in connection.execute("SELECT word FROM words ORDER BY rowid")] == words


def test_many_rows_take_few_statements() -> None:
    connection = _table()
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    insert_rows(connection, "words (word, number)", [("x", number) for number in range(1000)])
    assert len(statements) < 20


def test_a_row_that_does_not_fit_raises_as_ever() -> None:
    connection = _table()
    with pytest.raises(sqlite3.IntegrityError):
        insert_rows(connection, "words (word, number)", [("x", 1), ("y", 1)])
