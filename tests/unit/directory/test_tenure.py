from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.tenure import Tenure

TIMES = st.floats(0, 1e6)
TTLS = st.floats(0.1, 100)


def test_it_counts_from_when_a_renewal_was_sent_and_gives_a_tenth_away() -> None:
    tenure = Tenure(100, 10)
    assert tenure.end == 109
    tenure.renewed(104, 10)
    assert tenure.end == 113
    assert tenure.certain(112.9)
    assert not tenure.certain(113)


def test_renewals_come_three_to_a_lease_and_sooner_after_a_failure() -> None:
    tenure = Tenure(0, 12)
    assert tenure.next == 4
    tenure.failed(4)
    assert tenure.next == 5
    tenure.failed(10.5)
    assert tenure.next == tenure.end


@given(TIMES, TTLS, st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), TTLS, st.booleans())))
def test_nobody_believes_longer_than_the_directory(
    start: float, ttl: float, renewals: list[tuple[float, float, float, bool]]
) -> None:
    """The directory counts from when a renewal reaches it, later than it was sent; an answer may get lost."""
    tenure, now, granted = Tenure(start, ttl), start, start + ttl
    for waited, under_way, given_ttl, answered in renewals:
        sent = now + waited
        if sent >= granted:
            break  # the lease has run out
        granted = max(granted, sent + under_way + given_ttl)
        if answered:
            tenure.renewed(sent, given_ttl)
        else:
            tenure.failed(sent)
        assert tenure.end < granted
        assert not tenure.certain(granted)
        assert tenure.next <= max(tenure.end, sent + given_ttl)
        now = sent


@given(TIMES, TTLS)
def test_an_answer_that_comes_late_takes_nothing_away(sent: float, ttl: float) -> None:
    tenure = Tenure(sent + ttl, ttl)
    end = tenure.end
    tenure.renewed(sent, ttl)
    assert tenure.end == end
