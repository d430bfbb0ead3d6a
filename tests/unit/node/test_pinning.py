"""What the directory's word about a key is worth, before and after the user has compared it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.pinning import KeyNews, Pinned, judge_key

KEYS = OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32


@pytest.mark.parametrize(
    ("pinned", "told", "news"),
    [
        (Pinned(), OLD, "first"),
        (Pinned(OLD), OLD, "none"),
        (Pinned(OLD), NEW, "changed"),
        (Pinned(OLD, verified_key=NEW), OTHER, "changed"),  # verified long ago, accepted another since
        (Pinned(OLD, verified_key=OLD), OLD, "none"),
        (Pinned(OLD, verified_key=OLD), NEW, "offered"),
        (Pinned(OLD, OLD, offered_key=NEW), NEW, "none"),
        (Pinned(OLD, OLD, offered_key=NEW), OTHER, "offered"),
        (Pinned(OLD, OLD, offered_key=NEW), OLD, "withdrawn"),
        (Pinned(OLD, OLD, refused_key=NEW), NEW, "none"),
        (Pinned(OLD, OLD, refused_key=NEW), OTHER, "offered"),
    ],
)
def test_the_directorys_word(pinned: Pinned, told: bytes, news: KeyNews) -> None:
    assert judge_key(pinned, told) == news


@pytest.mark.parametrize("told", [None, b"", b"short", b"l" * 33])
@pytest.mark.parametrize("pinned", [Pinned(), Pinned(OLD), Pinned(OLD, OLD), Pinned(OLD, OLD, NEW)])
def test_a_directory_that_tells_of_no_key_or_of_nonsense_changes_nothing(pinned: Pinned, told: bytes | None) -> None:
    assert judge_key(pinned, told) == "none"


@given(told=st.lists(st.sampled_from([None, b"nonsense", *KEYS]), max_size=30))
def test_nothing_that_a_directory_says_replaces_a_verified_key(told: list[bytes | None]) -> None:
    pinned = Pinned(OLD, OLD)
    for key in told:
        news = judge_key(pinned, key)
        assert news in ("none", "offered", "withdrawn")
        if news != "none":
            pinned = Pinned(OLD, OLD, offered_key=key if news == "offered" else None)

    last = next((key for key in reversed(told) if key in KEYS), OLD)
    assert (pinned.offered_key or OLD) == last
