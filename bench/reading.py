"""How long reading takes in a store of a million messages: opening a conversation, the overview, searching.

``python bench/reading.py [MESSAGES]`` makes an encrypted store in a temporary directory (a minute or two for a
million), with one conversation of a tenth of the messages and forty others, indexes it as a node does, and prints
medians of what a user waits for. Texts are about 200 bytes of words drawn from a vocabulary of 20,000 by Zipf's law.
"""

import bisect
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from telegraph.node import history, search
from telegraph.node.database import Database
from telegraph.node.ids import earliest_id
from telegraph.storage.engine import sqlite3
from telegraph.storage.rows import insert_rows

CONVERSATIONS = 41
NOW = 1_700_000_000_000
REPEATS = 15
_COLUMNS = "messages (id, uuid, contact, mine, stream, seq, seen, ord, depth, kind, text, sent_at, reply_to, late)"


class Words:
    """Texts, each word drawn by how common it is."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.all = ["".join(rng.choice(letters) for _ in range(rng.randrange(2, 10))) for _ in range(20_000)]
        self._weights = list(itertools.accumulate((rank + 1) ** -0.9 for rank in range(len(self.all))))

    def text(self) -> str:
        """About 200 bytes."""
        return " ".join(self._one() for _ in range(32))[:200]

    def _one(self) -> str:
        return self.all[bisect.bisect(self._weights, self._rng.random() * self._weights[-1])]


def fill(connection: sqlite3.Connection, count: int, words: Words, rng: Random) -> None:
    """A tenth of the messages in the first conversation, the rest in the others."""
    texts = [words.text() for _ in range(20_000)]
    for contact in range(1, CONVERSATIONS + 1):
        connection.execute(
            "INSERT INTO contacts (id, user_id, username, name_key) VALUES (?, ?, ?, ?)",
            (contact, f"user-{contact}", f"user{contact}", f"user{contact}"),
        )
    numbers = [0] * (CONVERSATIONS + 1)
    for start in range(1, count + 1, 10_000):
        rows = []
        for row in range(start, min(start + 10_000, count + 1)):
            contact = 1 if row % 10 == 0 else rng.randrange(2, CONVERSATIONS + 1)
            numbers[contact] += 1
            uuid = (int.from_bytes(earliest_id(NOW + row)) + row).to_bytes(16)
            numbered = (row, uuid, contact, 0, 1, numbers[contact], 0, uuid, numbers[contact])
            rows.append((*numbered, "text", texts[rng.randrange(len(texts))], (NOW + row) * 1000, None, 0))
        connection.execute("BEGIN")
        insert_rows(connection, _COLUMNS, rows)
        connection.execute("COMMIT")
    connection.executemany(
        "UPDATE contacts SET in_seq = ?, in_read = ? WHERE id = ?",
        [(number, number, contact) for contact, number in enumerate(numbers)],
    )


def measured(what: str, question: Callable[[], object]) -> None:
    """Prints the median and the longest of several looks."""
    took = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        question()
        took.append((time.perf_counter() - begun) * 1000)
    print(f"{what:<52} {statistics.median(took):8.2f} ms   longest {max(took):8.2f} ms", flush=True)


def main(count: int) -> None:
    """Makes the store and reads from it."""
    rng = Random(1)  # noqa: S311 - texts, no keys
    words = Words(rng)
    with tempfile.TemporaryDirectory() as folder:
        key = bytes(32)
        Database.open(Path(folder), key)
        database = Database.open(Path(folder), key)
        connection = database.connect()
        fill(connection, count, words, rng)
        begun = time.process_time()
        while _indexed(connection):
            pass
        print(f"indexed in {(time.process_time() - begun) / count * 1e6:.1f} us of processor a message")
        reader = database.reader
        measured(f"open: last 50 of {count // 10:,}", lambda: history.page(reader, 1, "me", before=None, limit=50))
        middle = count // 20 * 10
        measured("one page of 50 in the middle", lambda: history.page(reader, 1, "me", before=middle, limit=50))
        measured("overview: conversations, latest first", lambda: history.conversations(reader))
        measured("overview: last message of each", lambda: [history.latest(reader, one, "me") for one in range(1, 42)])
        for label, query in _queries(words):
            for where, contact in (("all", None), ("one of 41", 7)):
                measured(f"search {label}, {where}", partial(search.find, reader, query, "me", contact=contact))
        drawn = [words.text().split()[0] for _ in range(200)]
        asked = iter(drawn * 2)
        measured("search words as they are drawn, all", lambda: search.find(reader, next(asked), "me"))
        connection.close()


def _indexed(connection: sqlite3.Connection) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    more = search.index_some(connection)
    connection.execute("COMMIT")
    return more


def _queries(words: Words) -> list[tuple[str, str]]:
    return [
        ("the most common word", words.all[0]),
        ("a word of middling rank", words.all[300]),
        ("a rare word", words.all[15_000]),
        ("three words", f"{words.all[3]} {words.all[50]} {words.all[200][:3]}"),
        ("two letters", "ab"),
        ("a word that is nowhere", "zzzzzzzzzzz"),
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
