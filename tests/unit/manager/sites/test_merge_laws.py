"""What makes all sites end with one state: laws of join and merge, and that a part may be merged for the whole."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.merging.merge import merge
from telegraph.directory.merging.registers import join
from telegraph.directory.merging.settle import settle
from telegraph.directory.port import Put
from telegraph.directory.records import (
    Account,
    Claim,
    Ending,
    NameClaim,
    Presence,
    Revocation,
    Session,
    Site,
    Tombstone,
    Use,
    decode,
    encode,
)
from telegraph.manager.home import Home
from telegraph.manager.moment import Moment
from telegraph.manager.sites.applying import Applier
from telegraph.manager.sites.consequences import Here, incorporate
from telegraph.testing.sites_history import History

if TYPE_CHECKING:
    from collections.abc import Mapping

LIFETIME = timedelta(days=30)
NOW = Moment(1000.0, 1_900_000_000.0)

few = st.sampled_from(["", "a", "b"])
versions = st.tuples(st.integers(0, 2), few)
states = st.sampled_from(["tentative", "provisional", "final", "aborted"])
claims = st.builds(Claim, st.sampled_from(["u1", "u2"]), few, few, states, few)
claim_sets = st.lists(claims, max_size=2, unique_by=lambda claim: claim.user_id).map(
    lambda found: tuple(sorted(found, key=lambda claim: claim.user_id))
)
keys = st.sampled_from([None, b"1", b"2"])
kinds: dict[str, st.SearchStrategy[Any]] = {
    "account/u1": st.builds(
        Account,
        st.just("u1"),
        few,
        few,
        few,
        few,
        keys,
        few,
        st.booleans(),
        few,
        versions,
        versions,
        versions,
        few,
        few,
        st.sampled_from(["tentative", "provisional", "final"]),
    ),
    "name/bob": st.builds(NameClaim, few, claim_sets),
    "session/u1/s": st.builds(Session, st.booleans(), few, versions, versions),
    "presence/u1": st.builds(
        Presence, few, st.integers(1, 2), st.integers(0, 2), st.just("online"), few, keys, few, st.integers(0, 2)
    ),
    "use/u1/s": st.builds(Use, few),
    "ended/u1/s": st.builds(Ending, st.sampled_from(["removed", "logged_out"]), few, few),
    "revoked/u1/f": st.builds(Revocation, few, few),
    "tombstone/user/u1": st.builds(Tombstone, few),
    "site/lima": st.builds(Site, st.just("lima"), st.tuples(few), st.tuples(few), version=st.integers(0, 2)),
}


@pytest.mark.parametrize("key", kinds)
def test_a_join_is_commutative_associative_and_idempotent(key: str) -> None:
    one_kind = kinds[key].map(encode).map(lambda value: join(key, None, value))

    @given(one_kind, one_kind, one_kind)
    def holds(one: bytes, two: bytes, three: bytes) -> None:
        assert join(key, one, two) == join(key, two, one)
        assert join(key, join(key, one, two), three) == join(key, one, join(key, two, three))
        assert join(key, one, one) == one

    holds()


@pytest.mark.parametrize("key", ["attached/u1", "invite/x", "setting/x", "cluster/ca", "exchange/lima", "leader/jobs"])
def test_what_belongs_to_one_site_is_never_joined(key: str) -> None:
    with pytest.raises(ValueError, match="not exchanged"):
        join(key, None, b"{}")


def test_every_kind_that_is_exchanged_has_its_join() -> None:
    assert {key.split("/")[0] + "/" for key in kinds} == set(records.EXCHANGED)


def lived(seed: int) -> History:
    """Sites that have not heard of everything."""
    history = History(Random(seed))
    history.live()
    return history


seeds = st.integers(0, 2**32)


@given(seeds, seeds)
def test_whole_states_are_merged_in_any_order_and_grouping(seed: int, mixed: int) -> None:
    sites = lived(seed).sites
    one, two, three = Random(mixed).choices([site.state for site in sites], k=3)
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one


@given(seeds)
def test_what_managers_leave_is_settled_and_settling_early_or_late_comes_to_the_same(seed: int) -> None:
    one, two = (site.state for site in lived(seed).sites[:2])
    assert settle(one) == one
    joined = {**one, **{key: join(key, one.get(key), value) for key, value in two.items()}}
    assert settle(joined) == merge(one, two)


@given(seeds)
def test_what_is_read_around_a_batch_is_enough_to_merge_it(seed: int) -> None:
    here, there = lived(seed).sites[:2]
    batch = there.since(Random(seed).randint(0, len(there.log)), len(there.log))
    expected = incorporate(here.state, batch, Here(here.name, NOW, LIFETIME))
    assert asyncio.run(applied(here.name, here.state, batch)) == expected


async def applied(site: str, state: Mapping[str, bytes], batch: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a directory holds that held a state, after a batch came."""
    directory = MemoryDirectory()
    await directory.commit([], [Put(key, value) for key, value in state.items()])
    await Applier(directory, Home(site), lambda: NOW, LIFETIME).apply("other", batch, None, ())
    return {entry.key: entry.value for entry in (await directory.scan("")).entries}


def test_the_part_is_enough_wherever_the_batch_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegraph.manager.sites.applying.AT_ONCE", 1)
    for seed in range(40):
        here, there = lived(seed).sites[:2]
        batch = there.since(0, len(there.log))
        piecewise = asyncio.run(applied(here.name, here.state, batch))
        assert settle(piecewise) == piecewise
        assert without_acts(piecewise) == without_acts(incorporate(here.state, batch, Here(here.name, NOW, LIFETIME)))


def without_acts(state: Mapping[str, bytes]) -> dict[str, bytes]:
    """Without the reasons of endings: which of two is found first depends on what comes first."""
    return {key: value for key, value in state.items() if not key.startswith(records.ENDINGS)}


def test_records_of_a_single_site_without_the_new_fields_are_merged_as_they_are() -> None:
    old = b'{"user_id":"u1","username":"alice","password_hash":"x","created":"y"}'
    state = {"account/u1": old, "name/alice": b'{"user_id":"u1"}'}
    merged = merge({}, state)
    assert decode(merged["account/u1"], Account) == decode(old, Account)
    assert decode(merged["name/alice"], NameClaim) == NameClaim("u1")
    assert merge(state, merged) == merge(merged, state) == merged
