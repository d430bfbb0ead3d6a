from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.remembered import Reading, Remembered

KEYS = ("alice", "bob")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.sampled_from(KEYS)),
        st.tuples(st.just("tell"), st.integers(1, 3)),
        st.tuples(st.just("begin"), st.sampled_from(KEYS)),
        st.tuples(st.just("look"), st.integers(0, 5)),
        st.tuples(st.just("end"), st.integers(0, 5)),
        st.tuples(st.just("clear"), st.none()),
    ),
    max_size=60,
)


class World:
    """A store with a history, readers of it under way, and a watch that trails behind it."""

    def __init__(self, most: int) -> None:
        self.remembered: Remembered[int] = Remembered(most)
        self.commits: list[str] = []
        self.told = 0
        self.readings: list[tuple[Reading, str, list[int | None]]] = []

    def revision_of(self, key: str, upto: int) -> int:
        """The last change of a key as of a revision, 0 if there was none."""
        return max((at + 1 for at, changed in enumerate(self.commits[:upto]) if changed == key), default=0)

    def do(self, what: str, with_: object) -> None:
        if what == "commit":
            self.commits.append(str(with_))
        elif what == "tell":
            for _ in range(int(str(with_))):
                if self.told < len(self.commits):
                    self.remembered.changed(self.commits[self.told])
                    self.told += 1
        elif what == "begin":
            key = str(with_)
            self.readings.append((self.remembered.begin(key), key, []))
        elif what == "look" and self.readings:  # when the store itself answers, between begin and end
            _, key, seen = self.readings[int(str(with_)) % len(self.readings)]
            if not seen:
                seen.append(self.revision_of(key, len(self.commits)))
        elif what == "end" and self.readings:
            reading, key, seen = self.readings.pop(int(str(with_)) % len(self.readings))
            value = seen[0] if seen else self.revision_of(key, len(self.commits))
            self.remembered.end(reading, value or None)
        elif what == "clear":
            self.remembered.clear()


@given(STEPS, st.integers(1, 2))
def test_what_is_remembered_is_never_older_than_what_the_watch_has_told(
    steps: list[tuple[str, object]], most: int
) -> None:
    world = World(most)
    for what, with_ in steps:
        world.do(what, with_)
        assert len(world.remembered) <= most
        for key in KEYS:
            known = world.remembered.get(key)
            if known is not None:
                assert world.revision_of(key, world.told) <= known <= world.revision_of(key, len(world.commits))


@given(STEPS)
def test_when_the_watch_has_told_all_what_is_remembered_is_how_it_is(steps: list[tuple[str, object]]) -> None:
    world = World(10)
    for what, with_ in steps:
        world.do(what, with_)
    world.do("tell", len(world.commits))
    for key in KEYS:
        assert world.remembered.get(key) in (None, world.revision_of(key, len(world.commits)))


def test_what_was_read_is_remembered_until_it_changes() -> None:
    remembered: Remembered[str] = Remembered(2)
    remembered.end(remembered.begin("alice"), "here")
    assert remembered.get("alice") == "here"
    remembered.changed("bob")
    assert remembered.get("alice") == "here"
    remembered.changed("alice")
    assert remembered.get("alice") is None


def test_that_there_is_nothing_is_not_remembered_and_leaves_nothing_behind() -> None:
    remembered: Remembered[str] = Remembered(2)
    remembered.end(remembered.begin("alice"), None)
    assert (remembered.get("alice"), len(remembered), remembered._readings) == (None, 0, {})


def test_beyond_the_limit_the_one_read_longest_ago_goes() -> None:
    remembered: Remembered[str] = Remembered(2)
    for name in ("alice", "bob", "alice", "carol"):
        remembered.end(remembered.begin(name), name)
    assert [remembered.get(name) for name in ("alice", "bob", "carol")] == ["alice", None, "carol"]
