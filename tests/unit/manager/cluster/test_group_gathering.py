"""What a manager promises while a group is formed is on disk before anybody hears of it."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telegraph.errors import CannotJoin, DataUnreadable, TooManyJoins, WrongToken
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.doorkeeper import WRONG_TOKENS_PER_MINUTE
from telegraph.manager.cluster.formation import (
    Begin,
    Candidate,
    FormationAnswer,
    FormationRequest,
    Proposal,
    Standing,
    Wait,
)
from telegraph.manager.cluster.gathering import STANDING_FILE, Gathering, load_standing
from telegraph.manager.cluster.organisation import Organisation
from telegraph.manager.cluster.place import Place
from telegraph.manager.places import DIRECTORY_FILE
from telegraph.manager.settings import ClusterSettings, ManagerSettings


def candidate(name: str) -> Candidate:
    return Candidate(name, f"https://{name}:8000", f"https://{name}:2380")


FROM = "10.0.0.9"
PROPOSAL = Proposal("a", 1, (candidate("a"), candidate("b"), candidate("c")))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    settings = ManagerSettings(data=tmp_path, cluster=ClusterSettings(expect=3))
    with socket.socket() as listening:
        yield Place(settings, "b", "https://b:8000", "b", "10.0.0.2", listening, read_clock)


def test_an_accepted_proposal_is_kept_over_a_restart(place: Place, organisation: Organisation) -> None:
    gathering = Gathering(place, organisation)
    answer = gathering.answer(FormationRequest(organisation.join_secret, PROPOSAL), FROM)
    assert answer.standing.accepted == PROPOSAL
    assert load_standing(place.data) == answer.standing
    again = Gathering(place, organisation)
    other = Proposal("c", 1, PROPOSAL.members)
    assert again.answer(FormationRequest(organisation.join_secret, other), FROM).standing.accepted == PROPOSAL


def test_who_was_not_invited_changes_nothing(place: Place, organisation: Organisation) -> None:
    gathering = Gathering(place, organisation)
    before = gathering.standing
    with pytest.raises(WrongToken):
        gathering.answer(FormationRequest("guess", PROPOSAL), FROM)
    assert (gathering.standing, load_standing(place.data)) == (before, before)
    assert organisation.join_secret not in repr(FormationRequest(organisation.join_secret, PROPOSAL))


def test_a_manager_with_a_directory_of_its_own_takes_no_part(place: Place, organisation: Organisation) -> None:
    (place.data / DIRECTORY_FILE).touch()
    with pytest.raises(CannotJoin, match="directory of its own"):
        Gathering(place, organisation)


def test_a_damaged_promise_is_not_taken_for_none(place: Place, organisation: Organisation) -> None:
    (place.data / STANDING_FILE).write_text("{")
    with pytest.raises(DataUnreadable, match=STANDING_FILE):
        Gathering(place, organisation)


def test_who_moved_says_where_it_is_now(place: Place, organisation: Organisation) -> None:
    (place.data / STANDING_FILE).write_bytes(msgspec.json.encode(Standing(Candidate("b", "https://old", "old"), 4)))
    assert Gathering(place, organisation).standing == Standing(
        Candidate("b", "https://b:8000", "https://b:2380"), round=4
    )


async def test_it_begins_when_the_others_have_accepted_and_waits_before(
    place: Place, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {"c": Standing(candidate("c")), "d": Standing(candidate("d"))}

    async def answers(_urls: Any, _path: str, request: FormationRequest, *_: object) -> dict[str, FormationAnswer]:
        if request.proposal is not None:
            assert load_standing(place.data) == msgspec.structs.replace(gathering.standing)
            for name, standing in others.items():
                others[name] = msgspec.structs.replace(standing, accepted=request.proposal)
        return {name: FormationAnswer("", 200, standing) for name, standing in others.items()}

    monkeypatch.setattr("telegraph.manager.cluster.gathering.gather_answers", answers)
    gathering = Gathering(place, organisation)
    action = await gathering.result()
    assert isinstance(action, Begin)
    assert not isinstance(action, Wait)
    assert [member.id for member in action.proposal.members] == ["b", "c", "d"]
    kept = load_standing(place.data)
    assert kept is not None
    assert kept.decided == action.proposal


class Caller:
    """Makes one ASGI request."""

    def __init__(self, body: bytes, method: str = "POST", path: str = "/cluster/formation") -> None:
        self.scope = {"type": "http", "method": method, "path": path, "client": (FROM, 40000)}
        self.body = body
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def answer(self) -> tuple[int, Any]:
        return self.sent[0]["status"], msgspec.json.decode(self.sent[1]["body"])


async def test_over_http_only_managers_are_answered(place: Place, organisation: Organisation) -> None:
    gathering = Gathering(place, organisation)
    asked = Caller(msgspec.json.encode(FormationRequest(organisation.join_secret)))
    await gathering(asked.scope, asked.receive, asked.send)
    assert (asked.answer[0], asked.answer[1]["standing"]["me"]["id"]) == (200, "b")
    for other, status in (
        (Caller(b"{"), 401),
        (Caller(b"x" * 70_000), 401),
        (Caller(msgspec.json.encode(FormationRequest("guess"))), 401),
        (Caller(b"", "POST", "/login"), 503),
        (Caller(b"", "GET"), 503),
    ):
        await gathering(other.scope, other.receive, other.send)
        assert other.answer[0] == status
        assert {"message", "status", "error"} == set(other.answer[1])


async def test_whoever_guesses_is_not_listened_to_for_long(place: Place, organisation: Organisation) -> None:
    gathering = Gathering(place, organisation)
    guess = msgspec.json.encode(FormationRequest("guess"))
    refused = [Caller(guess) for _ in range(WRONG_TOKENS_PER_MINUTE + 1)]
    for each in refused:
        await gathering(each.scope, each.receive, each.send)
    assert [each.answer[0] for each in refused] == [401] * WRONG_TOKENS_PER_MINUTE + [429]
    with pytest.raises(TooManyJoins):  # not even with the right one, or there would be no end of guessing
        gathering.answer(FormationRequest(organisation.join_secret), FROM)
    gathering.answer(FormationRequest(organisation.join_secret), "10.0.0.10")
