"""Random histories of two to four sites: whatever is cut, late, repeated or wrongly dated, nobody is hurt at the heal.

The same checks, on the same histories, catch each bug that is planted below.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from telegraph.directory.merging import claims, merge, names, settle
from telegraph.directory.merging.registers import join
from telegraph.directory.records import NameClaim
from telegraph.manager.endings import end_writes
from telegraph.manager.home import Home
from telegraph.testing import sites_world
from telegraph.testing.sites_checks import Watcher, unequal_orders, violations_of
from telegraph.testing.sites_history import History
from telegraph.testing.sites_world import SiteModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telegraph.directory.records import Claim, Version

ENOUGH_TO_CATCH = 400
"""Histories in which each planted bug shows at least once."""


def wrong_with(seed: int) -> list[str]:
    """What is wrong in the history of this number."""
    watcher = Watcher()
    history = History(Random(seed), watcher)
    history.live()
    found = unequal_orders(history, Random(seed))
    history.heal()
    watcher(history)
    return [*found, *watcher.violations, *violations_of(history)]


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])])
def test_every_history_ends_the_same_everywhere_and_keeps_what_was_promised(count: int) -> None:
    for seed in range(count):
        assert wrong_with(seed) == [], f"history {seed}"


def test_the_histories_have_in_them_what_they_are_about() -> None:
    histories = [History(Random(seed)) for seed in range(150)]
    for history in histories:
        history.live()
        history.heal()
    shown = [account.username for history in histories for account in history.sites[0].accounts()]
    facts = [history.facts for history in histories]
    assert sum("~" in name for name in shown) >= 4
    assert sum(len(each.final) for each in facts) >= 100
    assert sum(len(each.refused) for each in facts) >= 20
    assert min(sum(map(len, (each.deleted for each in facts))), sum(map(len, (each.kept for each in facts)))) >= 10
    assert min(sum(map(len, (each.revoked for each in facts))), sum(map(len, (each.ended for each in facts)))) >= 10


# --- planted bugs ---


class WallClock(Home):
    """Takes the time for the version."""

    def __init__(self, site: SiteModel) -> None:
        super().__init__(site.name)
        self.several = True
        self._site = site

    def next(self, version: Version) -> Version:
        del version
        return (int(self._site.now.wall), self.name)


def by_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SiteModel, "__post_init__", lambda site: setattr(site, "home", WallClock(site)))


def last_merge_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "join", lambda key, _ours, theirs: join(key, None, theirs))


def aborted_claims_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late word of them brings them back."""
    whole: Callable[..., NameClaim | None] = names.record_of

    def without_aborted(place: str, found: Iterable[Claim], *, gone: bool = False) -> NameClaim | None:
        return whole(place, [claim for claim in found if claim.state != "aborted"], gone=gone)

    monkeypatch.setattr(names, "record_of", without_aborted)
    monkeypatch.setattr(claims, "record_of", without_aborted)


def provisional_beats_final(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong_way(place: str, claim: Claim) -> tuple[bool, bytes]:
        return claim.state == "final", names.hashed(place, claim)

    monkeypatch.setattr(names, "precedence", wrong_way)
    monkeypatch.setattr(claims, "precedence", wrong_way)


def a_site_acknowledges_whatever_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def blindly(place: str, record: NameClaim | None, claim: Claim, **_more: object) -> claims.Acknowledged:
        return claims.Acknowledged(names.join_claims(place, record or NameClaim(""), NameClaim("", (claim,))))

    monkeypatch.setattr(claims, "reserve", blindly)


def tombstones_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "_USER_TOMBSTONES", "nowhere/")


def ends_of_plain_sessions_leave_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a single site has it."""
    monkeypatch.setattr(sites_world, "end_writes", lambda *of, several: end_writes(*of, several=not several))


def old_passwords_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "has_old_password", lambda *_of: False)


def replaced_devices_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "is_of_old_device", lambda *_of: False)


@pytest.mark.parametrize(
    "plant",
    [
        by_wall_clock,
        last_merge_wins,
        aborted_claims_are_dropped,
        provisional_beats_final,
        a_site_acknowledges_whatever_it_is_asked,
        tombstones_are_forgotten,
        ends_of_plain_sessions_leave_no_mark,
        old_passwords_open,
        replaced_devices_stay,
    ],
)
def test_a_planted_bug_is_caught(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(wrong_with(seed) for seed in range(ENOUGH_TO_CATCH))
