import re
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from telegraph.directory.records import Presence
from telegraph.errors import StaleCounter
from telegraph.manager import absence, presence
from telegraph.manager.announcement import Announcement
from telegraph.manager.moment import Moment
from telegraph.manager.presence import LiveUsers, first_presence, next_counter, placed, put_offline, put_online

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "presence.md"


def cells(module: ModuleType) -> list[list[str]]:
    """The rows of the table in a module's docstring."""
    lines = (module.__doc__ or "").splitlines()
    bars = [number for number, line in enumerate(lines) if line.startswith("===")]
    starts = [bar.start() for bar in re.finditer("=+", lines[bars[0]])]
    ends = [*starts[1:], None]
    rows = [*lines[bars[0] + 1 : bars[1]], *lines[bars[1] + 1 : bars[2]]]
    return [[row[start:end].strip() for start, end in zip(starts, ends, strict=True)] for row in rows]


@pytest.mark.parametrize("module", [presence, absence])
def test_the_tables_of_the_rules_and_of_their_page_are_the_same(module: ModuleType) -> None:
    text = PAGE.read_text()
    rows = cells(module)
    assert len(rows) > 4
    head, *others = ["| " + " | ".join(row) + " |" for row in rows]
    assert "\n".join([head, "|" + "---|" * len(rows[0]), *others]) + "\n\n" in text


NOW = Moment(mono=50.0, wall=1_900_000_000.0)
AT_HOME = Presence("10.0.0.1", 8000, counter=7, status="online", last_seen="earlier", signature=b"signed")
AWAY = replace(AT_HOME, status="offline")


def test_whoever_registers_is_offline_at_the_given_address_and_was_never_seen() -> None:
    first = first_presence(Announcement("10.0.0.1", 8000), NOW)
    assert (first.host, first.port, first.status, first.last_seen) == ("10.0.0.1", 8000, "offline", None)
    assert first.counter == 1_900_000_000_000


def test_a_new_address_is_stored_under_a_greater_counter() -> None:
    moved = placed(AT_HOME, Announcement("10.0.0.9", 8000), NOW)
    assert moved is not None
    assert (moved.host, moved.status, moved.last_seen) == ("10.0.0.9", "online", NOW.text)
    assert moved.counter > AT_HOME.counter
    assert moved.signature is None, "the old signature is of the old address"


def test_the_same_address_said_again_by_a_user_who_is_online_is_not_written() -> None:
    assert placed(AT_HOME, Announcement("10.0.0.1", 8000), NOW) is None


def test_the_same_address_after_an_absence_keeps_its_counter_and_signature() -> None:
    back = placed(AWAY, Announcement("10.0.0.1", 8000), NOW)
    assert back == replace(AT_HOME, last_seen=NOW.text)


def test_a_new_device_at_the_same_address_does_not_inherit_the_old_ones_signature() -> None:
    other = placed(AT_HOME, Announcement("10.0.0.1", 8000), NOW, new_device=True)
    assert other is not None
    assert other.signature is None
    assert other.counter > AT_HOME.counter


def test_a_given_counter_is_stored_with_its_signature_even_at_the_same_address() -> None:
    signed = placed(AT_HOME, Announcement("10.0.0.1", 8000, counter=8, signature=b"new"), NOW)
    assert signed is not None
    assert (signed.counter, signed.signature) == (8, b"new")


@pytest.mark.parametrize("counter", [0, 6, 7])
def test_a_counter_that_is_not_above_the_known_one_is_stale(counter: int) -> None:
    with pytest.raises(StaleCounter) as refused:
        placed(AT_HOME, Announcement("10.0.0.9", 8000, counter=counter), NOW)
    assert refused.value.details["counter"] == 7


@given(st.integers(0, 2**62), st.none() | st.integers(0, 2**62), st.floats(0, 4e9))
def test_counters_only_ever_rise(last: int, given_: int | None, wall: float) -> None:
    now = Moment(0.0, wall)
    if given_ is not None and given_ <= last:
        with pytest.raises(StaleCounter):
            next_counter(last, given_, now)
        return
    chosen = next_counter(last, given_, now)
    assert chosen > last
    assert given_ in (None, chosen)
    assert given_ is not None or chosen >= int(wall * 1000)


def test_a_sign_of_life_puts_somebody_who_was_offline_online_where_they_were() -> None:
    back = put_online(AWAY, NOW)
    assert back == replace(AT_HOME, last_seen=NOW.text)
    assert put_online(AT_HOME, NOW) is None


def test_whoever_falls_silent_was_last_seen_at_the_last_sign_of_life() -> None:
    gone = put_offline(AT_HOME, "last heartbeat")
    assert gone == replace(AWAY, last_seen="last heartbeat")
    assert put_offline(AWAY, "later") is None


def test_whoever_was_not_heard_since_the_managers_start_keeps_the_stored_time() -> None:
    gone = put_offline(AT_HOME, None)
    assert gone is not None
    assert gone.last_seen == "earlier"


def test_a_user_is_due_after_the_silence_and_not_before() -> None:
    live = LiveUsers(30.0)
    live.attach("alice", Moment(0.0, 0.0), 1)
    assert live.due(Moment(29.9, 0.0)) == []
    assert live.due(Moment(30.0, 0.0)) == ["alice"]
    assert live.is_due("alice", Moment(30.0, 0.0))
    assert not live.is_due("bob", Moment(30.0, 0.0))


def test_a_heartbeat_starts_the_time_anew() -> None:
    live = LiveUsers(30.0)
    live.attach("alice", Moment(0.0, 0.0), 1)
    assert live.touch("alice", Moment(20.0, 20.0))
    assert live.due(Moment(49.0, 0.0)) == []
    assert live.last_seen("alice") == "1970-01-01T00:00:20.000000Z"
    assert live.due(Moment(50.0, 0.0)) == ["alice"]


def test_a_heartbeat_alone_brings_nobody_back() -> None:
    live = LiveUsers(30.0)
    assert not live.touch("alice", NOW)
    assert "alice" not in live
    assert live.last_seen("alice") is None


def test_whoever_leaves_is_never_due() -> None:
    live = LiveUsers(30.0)
    live.attach("alice", Moment(0.0, 0.0), 1)
    live.leave("alice")
    live.leave("alice")
    assert live.due(Moment(1e9, 0.0)) == []
    assert len(live) == 0


def test_the_next_look_is_when_the_longest_silent_could_be_due() -> None:
    live = LiveUsers(30.0)
    assert live.next_look(Moment(5.0, 0.0)) == 30.0
    live.attach("alice", Moment(0.0, 0.0), 1)
    live.attach("bob", Moment(4.0, 0.0), 1)
    assert live.next_look(Moment(5.0, 0.0)) == 25.0
    live.touch("alice", Moment(6.0, 0.0))
    assert live.next_look(Moment(6.0, 0.0)) == 28.0
    assert live.next_look(Moment(99.0, 0.0)) == 0.0


def test_after_a_restart_everybody_gets_the_full_time_without_having_been_seen() -> None:
    live = LiveUsers(30.0)
    live.attach("alice", Moment(0.0, 0.0), 1, seen=False)
    assert live.last_seen("alice") is None
    assert live.due(Moment(29.0, 0.0)) == []
    assert live.user_ids == ["alice"]


class LiveMachine(RuleBasedStateMachine):
    """Users come, beat and go in any order; the table agrees with a dict of deadlines."""

    def __init__(self) -> None:
        super().__init__()
        self.live = LiveUsers(30.0)
        self.now = 0.0
        self.deadlines: dict[str, float] = {}

    users = st.sampled_from(["alice", "bob", "carol", "dave"])

    @property
    def moment(self) -> Moment:
        return Moment(self.now, self.now)

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(user=users, seen=st.booleans())
    def attach(self, user: str, seen: bool) -> None:
        self.live.attach(user, self.moment, 1, seen=seen)
        self.deadlines[user] = self.now + 30.0

    @rule(user=users)
    def touch(self, user: str) -> None:
        assert self.live.touch(user, self.moment) == (user in self.deadlines)
        if user in self.deadlines:
            self.deadlines[user] = self.now + 30.0

    @rule(user=users)
    def leave(self, user: str) -> None:
        self.live.leave(user)
        self.deadlines.pop(user, None)

    @invariant()
    def agrees(self) -> None:
        assert set(self.live.due(self.moment)) == {user for user, due in self.deadlines.items() if due <= self.now}
        expected = max(0.0, min(self.deadlines.values()) - self.now) if self.deadlines else 30.0
        assert self.live.next_look(self.moment) == pytest.approx(expected)


TestLiveMachine = LiveMachine.TestCase
