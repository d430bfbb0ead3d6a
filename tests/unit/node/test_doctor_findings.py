from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.causes import CAUSES, ENDINGS, ending
from telegraph.node.doctor import FULL, LOW, Facts, Found, Manager, Waiting, findings
from telegraph.protocol.doctor_api import Area, Cause, OwnCause, ReachCause
from telegraph.protocol.manager_events import SiteState
from telegraph.protocol.node_api import AccountState, SessionEnd
from telegraph.testing.certificates import Organisation

NOW = datetime.now(UTC)
ALICE = Organisation().device("alice").credentials.certificate_pem
ONE, TWO = "https://192.0.2.1:8000", "https://192.0.2.2:8000"
CAUSE_NAMES = [*get_args(OwnCause), *get_args(ReachCause)]


def facts(**more: object) -> Facts:
    """A node with which all is well."""
    well: dict[str, object] = {
        "state": "online",
        "username": "alice",
        "managers": [Manager(ONE, "", ahead=0.4)],
        "certificate": ALICE,
        "address": "192.0.2.7:8000",
        "reached": True,
        "free": 10 * LOW,
        "damage": [],
        "waiting": [],
    }
    return Facts(**{**well, **more})  # type: ignore[arg-type]


def named(**more: object) -> list[Cause]:
    return [found.cause for found in findings(facts(**more), NOW)]


def test_all_that_was_looked_at_is_said_when_all_is_well() -> None:
    found = findings(facts(), NOW)

    assert [CAUSES[one.cause].area for one in found] == list(get_args(Area))
    assert not any(one.is_problem for one in found)


@pytest.mark.parametrize(
    ("state", "cause"),
    [("none", "no_account"), ("locked", "locked"), ("ended", "session_ended"), ("offline", "session_open")],
)
def test_the_session_comes_first(state: AccountState, cause: Cause) -> None:
    assert named(state=state)[0] == cause


def test_where_nobody_is_logged_in_nothing_is_said_of_certificate_and_port() -> None:
    for state in ("none", "locked", "ended"):
        assert not {CAUSES[cause].area for cause in named(state=state)} & {"certificate", "port"}


def test_one_manager_that_is_away_is_no_problem_while_another_works() -> None:
    found = findings(facts(managers=[Manager(ONE, ""), Manager(TWO, "manager_away")]), NOW)

    assert Found("managers_work", count=1) in found
    assert Found("manager_away", subject=TWO) in found
    assert not any(one.is_problem for one in found)


@pytest.mark.parametrize("problem", ["manager_away", "no_quorum", "manager_not_ready", "manager_dates"])
def test_if_none_can_do_its_work_that_is_said_and_why(problem: str) -> None:
    causes = named(managers=[Manager(ONE, problem), Manager(TWO, problem)])  # type: ignore[arg-type]

    assert causes.count("no_manager") == 1
    assert causes.count(problem) == 2  # type: ignore[arg-type]
    assert "managers_work" not in causes


def test_no_manager_at_all_is_another_thing_than_one_that_is_away() -> None:
    assert "no_manager_known" in named(managers=[])
    assert not any(CAUSES[cause].area == "managers" for cause in named(managers=None))


def test_a_node_that_is_not_attached_though_managers_work_says_so() -> None:
    assert "no_stream" in named(state="offline")
    assert "no_stream" not in named(state="offline", managers=[Manager(ONE, "manager_away")])


def test_a_site_that_is_cut_off_is_named_while_a_manager_tells_of_it() -> None:
    sites = [SiteState("lima", up=False, heard="2026-11-24T20:00:00Z"), SiteState("quito", up=True)]
    found = findings(facts(sites=sites), NOW)

    assert Found("site_cut", subject="lima", at="2026-11-24T20:00:00Z") in found
    assert not any(one.subject == "quito" or one.is_problem for one in found)
    assert "site_cut" not in named(sites=sites, state="offline")


def test_one_manager_with_a_wrong_clock_does_not_make_ours_wrong() -> None:
    assert "clock_right" in named(
        managers=[Manager(ONE, "", ahead=1), Manager(TWO, "", ahead=-2), Manager(ONE, "", ahead=9e4)]
    )
    assert "clock_off" in named(managers=[Manager(ONE, "", ahead=-3600.0)])
    assert not any(CAUSES[cause].area == "clock" for cause in named(managers=[Manager(ONE, "manager_away")]))


@pytest.mark.parametrize(
    ("later", "cause"),
    [
        (timedelta(), "certificate_valid"),
        (timedelta(hours=20), "certificate_old"),
        (timedelta(days=2), "certificate_expired"),
        (-timedelta(days=3), "certificate_early"),
    ],
)
def test_the_certificate_is_judged_by_this_machines_clock(later: timedelta, cause: Cause) -> None:
    assert cause in [found.cause for found in findings(facts(), NOW + later)]


@pytest.mark.parametrize(
    ("reached", "cause"), [(True, "port_reached"), (False, "port_blocked"), (None, "port_unchecked")]
)
def test_whether_others_reach_this_node(reached: bool | None, cause: Cause) -> None:
    assert cause in named(reached=reached)


@given(st.integers(0, 2**50))
def test_the_less_room_the_worse(free: int) -> None:
    (found,) = [one for one in findings(facts(free=free), NOW) if CAUSES[one.cause].area == "disk"]
    assert found.cause == ("disk_full" if free < FULL else "disk_low" if free < LOW else "disk_roomy")
    assert 0 < len(found.detail) <= 8


def test_what_waits_is_said_for_each_person_with_its_cause() -> None:
    waiting = [
        Waiting("bob", 2, "offline", "2026-11-24T20:00:00Z"),
        Waiting("carla", 1, "certificate", "2026-11-24T20:00:00Z"),
        Waiting("dora", 1, None),
    ]
    found = findings(facts(waiting=waiting), NOW)[-3:]

    assert found == [
        Found("offline", subject="bob", count=2, at="2026-11-24T20:00:00Z"),
        Found("certificate", subject="carla", count=1),
        Found("linked", subject="dora", count=1),
    ]
    assert [one.is_problem for one in found] == [False, True, False]


def test_a_damaged_store_is_a_problem() -> None:
    (found,) = [one for one in findings(facts(damage=["row 7 missing"]), NOW) if one.cause == "store_damaged"]
    assert (found.detail, found.is_problem) == ("row 7 missing", True)


# --- the words ---


def test_every_cause_has_words_and_no_words_are_without_a_cause() -> None:
    assert set(CAUSES) == set(CAUSE_NAMES)
    assert set(ENDINGS) == set(get_args(SessionEnd))


@pytest.mark.parametrize("cause", CAUSE_NAMES)
def test_every_cause_says_in_both_languages_what_is_so_and_if_it_is_not_well_what_to_do(cause: Cause) -> None:
    words = CAUSES[cause]
    for language in ("en", "es"):
        says, advice = words.filled(language, subject="S", count=1, detail="D", seconds=1)
        assert says.endswith((".", "!"))
        assert bool(advice) == (words.level != "good")
        assert "{" not in says + advice
    assert words.says[0] != words.says[1]


@given(st.text())
def test_a_reason_of_a_newer_version_is_shown_by_its_name(reason: str) -> None:
    assert ending(reason, "en") == ENDINGS.get(reason, (reason,))[0]
