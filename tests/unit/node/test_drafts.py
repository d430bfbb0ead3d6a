"""What alice began to write is there until she sends it or takes it back."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from telegraph.node import drafts
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import migrate

PEOPLE = ("bob", "carol")


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.text(st.characters(exclude_categories=["Cs"])))))
def test_the_last_word_counts_and_an_empty_one_is_none(written: list[tuple[str, str]]) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, "telegraph.node", Path("memory/db"))
    for name in PEOPLE:
        db.execute("INSERT INTO contacts (user_id, username, name_key) VALUES (?, ?, ?)", (name, name, name))

    for name, text in written:
        drafts.keep(db, PEOPLE.index(name) + 1, text)

    kept = {PEOPLE[contact - 1]: text for contact, text in drafts.kept(db)}
    assert kept == {name: text for name, text in dict(written).items() if text}
