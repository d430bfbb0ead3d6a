"""Who gets a name that two people want: each step of a registration, as stories of two bobs at two sites."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.merging import claims, names
from telegraph.directory.merging.claims import Acknowledged, Refused
from telegraph.directory.records import Claim, ClaimState, NameClaim

PLACE = "name/bob"


def drawn(before: bytes | None = None) -> str:
    """A user id whose hash comes before another one's, if one is given, else after most."""
    for number in count():
        value = names.hashed(PLACE, Claim(f"u{number}"))
        if (before is None and value[0] > 0xF0) or (before is not None and value < before):
            return f"u{number}"
    raise AssertionError


LATER = drawn()
EARLIER = drawn(names.hashed(PLACE, Claim(LATER)))


def claim(user_id: str, state: ClaimState, site: str = "lima") -> Claim:
    return Claim(user_id, "Bob", site, state, "2030-01-01T00:00:00Z")


def record(*of: Claim) -> NameClaim:
    made = names.record_of(PLACE, of)
    assert made is not None
    return made


def states(of: NameClaim | None) -> dict[str, ClaimState]:
    return {each.user_id: each.state for each in names.claims_of(of)}


# --- begin ---


def test_a_free_name_can_be_claimed_tentatively() -> None:
    begun = claims.begin(PLACE, None, claim("u1", "final"))
    assert states(begun) == {"u1": "tentative"}


@pytest.mark.parametrize("state", ["tentative", "provisional", "final"])
def test_a_name_that_anybody_claims_is_not_free(state: ClaimState) -> None:
    assert claims.begin(PLACE, record(claim("u1", state)), claim("u2", "tentative")) is None


def test_a_name_of_a_single_sites_account_is_not_free() -> None:
    assert claims.begin(PLACE, NameClaim("u1"), claim("u2", "tentative")) is None


def test_a_name_with_a_tombstone_is_never_free() -> None:
    assert claims.begin(PLACE, None, claim("u1", "tentative"), gone=True) is None


def test_a_name_whose_claims_were_all_aborted_is_free_and_their_marks_stay() -> None:
    begun = claims.begin(PLACE, record(claim("u1", "aborted")), claim("u2", "tentative"))
    assert states(begun) == {"u1": "aborted", "u2": "tentative"}
    assert begun is not None
    assert begun.user_id == "u2"


# --- reserve ---


def test_another_sites_claim_of_a_free_name_is_acknowledged_and_again() -> None:
    answer = claims.reserve(PLACE, None, claim("u1", "tentative"), home="quito")
    assert isinstance(answer, Acknowledged)
    again = claims.reserve(PLACE, answer.record, claim("u1", "provisional"), home="quito")
    assert isinstance(again, Acknowledged)
    assert states(again.record) == {"u1": "provisional"}


def test_of_two_tentative_claims_exactly_one_is_acknowledged_by_the_others_home() -> None:
    first, second = claim(EARLIER, "tentative", "lima"), claim(LATER, "tentative", "quito")
    at_quito = claims.reserve(PLACE, record(second), first, home="quito")
    at_lima = claims.reserve(PLACE, record(first), second, home="lima")
    assert isinstance(at_quito, Acknowledged)
    assert (at_quito.aborted, states(at_quito.record)) == (LATER, {EARLIER: "tentative", LATER: "aborted"})
    assert at_lima == Refused(first)


@pytest.mark.parametrize("mine", ["provisional", "final"])
def test_a_tentative_claim_is_refused_where_somebody_was_answered(mine: ClaimState) -> None:
    known = claim(LATER, mine, "quito")
    assert claims.reserve(PLACE, record(known), claim(EARLIER, "tentative"), home="quito") == Refused(known)


def test_an_own_provisional_claim_that_loses_stays_and_is_renamed() -> None:
    answer = claims.reserve(
        PLACE, record(claim(LATER, "provisional", "quito")), claim(EARLIER, "provisional"), home="quito"
    )
    assert isinstance(answer, Acknowledged)
    assert (answer.aborted, answer.record.user_id) == (None, EARLIER)
    loser = names.claim_of(answer.record, LATER)
    assert loser is not None
    assert names.shown_name(loser, claim(EARLIER, "provisional"), "Bob") == "Bob~quito"


def test_a_third_sites_tentative_claim_is_not_aborted_here() -> None:
    answer = claims.reserve(
        PLACE, record(claim(LATER, "tentative", "sucre")), claim(EARLIER, "tentative"), home="quito"
    )
    assert isinstance(answer, Acknowledged)
    assert states(answer.record) == {EARLIER: "tentative", LATER: "tentative"}


def test_a_word_that_comes_late_does_not_bring_an_aborted_claim_back() -> None:
    known = record(claim("u1", "aborted"))
    assert claims.reserve(PLACE, known, claim("u1", "tentative"), home="quito") == Refused(None)


def test_nobody_is_acknowledged_where_the_name_has_a_tombstone() -> None:
    assert claims.reserve(PLACE, None, claim("u1", "provisional"), home="quito", gone=True) == Refused(None)


# --- finish ---


@pytest.mark.parametrize("state", ["final", "provisional", "aborted"])
def test_the_home_site_decides(state: ClaimState) -> None:
    assert states(claims.finish(PLACE, record(claim("u1", "tentative")), "u1", state)) == {"u1": state}


def test_a_claim_that_has_lost_meanwhile_does_not_become_final() -> None:
    known = record(claim(EARLIER, "provisional", "quito"), claim(LATER, "provisional"))
    assert claims.finish(PLACE, known, LATER, "final") is None
    assert claims.finish(PLACE, known, EARLIER, "final") is not None


def test_what_was_answered_is_not_aborted() -> None:
    for state in ("provisional", "final"):
        assert claims.finish(PLACE, record(claim("u1", state)), "u1", "aborted") is None


def test_what_is_decided_stays_decided() -> None:
    final, aborted = record(claim("u1", "final")), record(claim("u1", "aborted"))
    assert claims.finish(PLACE, final, "u1", "provisional") == final
    assert claims.finish(PLACE, aborted, "u1", "final") is None
    assert claims.finish(PLACE, None, "u1", "final") is None


def test_nothing_becomes_final_under_a_tombstone() -> None:
    assert claims.finish(PLACE, record(claim("u1", "provisional")), "u1", "final", gone=True) is None


def test_an_own_tentative_claim_that_lost_is_conceded_and_no_other() -> None:
    known = record(claim(EARLIER, "provisional", "quito"), claim(LATER, "tentative"))
    assert states(claims.conceded(PLACE, known, home="lima")) == {EARLIER: "provisional", LATER: "aborted"}
    assert claims.conceded(PLACE, known, home="quito") is None
    assert claims.conceded(PLACE, record(claim("u1", "tentative")), home="lima") is None


# --- names ---


def test_who_is_found_under_a_name_and_under_a_losers() -> None:
    known = record(claim(EARLIER, "final", "lima"), claim(LATER, "provisional", "quito"))
    assert names.find(PLACE, known, None) == EARLIER
    assert names.find(PLACE, known, "quito") == LATER
    assert names.find(PLACE, known, "lima") is None
    assert names.find(PLACE, record(claim("u1", "tentative")), None) is None
    assert names.find(PLACE, record(claim("u1", "provisional")), None, gone=True) is None
    assert names.find(PLACE, record(claim("u1", "provisional", "quito")), "quito", gone=True) == "u1"
    assert names.find(PLACE, NameClaim("u1"), None) == "u1"
    assert names.find(PLACE, None, None) is None


def test_a_name_is_provisional_until_it_is_final_and_a_losers_name_does_not_change_again() -> None:
    first, loser, waiting = claim("u1", "provisional"), claim("u2", "provisional"), claim("u3", "tentative")
    assert [names.name_state(each, first) for each in (first, loser, waiting)] == ["provisional", "final", "tentative"]
    assert names.name_state(claim("u1", "aborted"), None) == "tentative"


def test_a_deleted_user_leaves_no_claim() -> None:
    known = record(claim("u1", "final"), claim("u2", "provisional", "quito"))
    left = names.without(PLACE, known, ["u1"], gone=True)
    assert (states(left), left and left.user_id) == ({"u2": "provisional"}, "")
    assert names.without(PLACE, left, ["u2"], gone=True) is None


ORDER: list[ClaimState] = ["final", "provisional", "tentative"]


@given(
    st.permutations(
        [claim("u1", "final"), claim("u2", "provisional"), claim("u3", "tentative"), claim("u4", "aborted")]
    )
)
def test_final_comes_before_provisional_before_tentative_whoever_it_is(some: list[Claim]) -> None:
    found = []
    while (first := names.holder(PLACE, some)) is not None:
        found.append(first.state)
        some = [each for each in some if each != first]
    assert found == ORDER
