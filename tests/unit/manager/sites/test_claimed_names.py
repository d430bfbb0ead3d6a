"""alice and bob register at several sites: who gets a name, and what becomes of whoever does not."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import pytest
from tests.unit.manager.conftest import PASSWORD, House

from telegraph.directory import records
from telegraph.directory.port import Put
from telegraph.directory.records import Account, Claim, ClaimState, NameClaim, decode, encode
from telegraph.errors import (
    AccountDeleted,
    Conflict,
    FateUnknown,
    MalformedBody,
    ManagerAway,
    NameTaken,
    NoQuorum,
    Renamed,
    WrongCredentials,
)
from telegraph.manager.moment import as_text
from telegraph.manager.naming import account_of, look
from telegraph.manager.sites.applying import Applier
from telegraph.manager.sites.claims import ASKED_WITHIN, Claims, Word, outcome
from telegraph.manager.sites.reserving import Reserving
from telegraph.manager.sites.unsettled import EVERY, LEFT_ALONE, Unsettled, is_due, own_open_claims
from telegraph.protocol.reserving import ReserveAnswer, ReserveRequest
from telegraph.testing.virtual_time import run

LIFETIME = timedelta(days=30)


@dataclass
class Sites:
    """Houses at different sites; every pair can be cut."""

    houses: dict[str, House]
    cut: set[frozenset[str]] = field(default_factory=set)
    trouble: list[str] = field(default_factory=list)
    reserving: dict[str, Reserving] = field(default_factory=dict)

    async def meet(self) -> None:
        """They are sites of one organisation from now on."""
        for name, house in self.houses.items():
            puts = [Put(records.site_key(other), encode(records.Site(other))) for other in self.houses]
            await house.directory.commit([], [*puts, Put(records.SEVERAL, b'"yes"')])
            applier = Applier(house.directory, house.attendance.itself.home, house.clock, LIFETIME)
            self.reserving[name] = Reserving(house.directory, house.attendance.itself.home, applier)
            house.accounts.claims = self.claims_of(name)

    def claims_of(self, name: str) -> Claims:
        house = self.houses[name]

        async def ask(site: str, request: ReserveRequest, _within: float) -> ReserveAnswer:
            if frozenset((name, site)) in self.cut:
                raise ManagerAway
            if self.trouble:
                self.trouble.pop()
                raise NoQuorum
            return await self.reserving[site].answer(msgspec.msgpack.encode(request))

        home = house.attendance.itself.home
        return Claims(house.directory, home, house.clock, ask, lambda: list(self.houses))

    def part(self, one: str, other: str) -> None:
        self.cut.add(frozenset((one, other)))

    async def exchange(self) -> None:
        """Everybody hears everything of everybody."""
        for _ in range(2):
            for name, house in self.houses.items():
                applier = Applier(house.directory, house.attendance.itself.home, house.clock, LIFETIME)
                for other, there in self.houses.items():
                    if other != name:
                        told = (await there.content()).items()
                        await applier.apply(other, {k: v for k, v in told if _told(k)}, None, ())

    def unsettled(self, name: str, *, all_heard: bool = True) -> Unsettled:
        house = self.houses[name]
        home = house.attendance.itself.home
        return Unsettled(house.directory, home, house.accounts.claims, house.clock, lambda: all_heard)


def _told(key: str) -> bool:
    return key.startswith(records.EXCHANGED)


@pytest.fixture
async def sites(make_house: type[House]) -> Sites:
    made = Sites({name: make_house(site=name) for name in ("lima", "cusco")})
    await made.meet()
    return made


async def account(house: House, user_id: str) -> Account:
    found = await account_of(house.directory, user_id)
    assert found is not None
    return found


async def claim_at(house: House, name: str) -> list[tuple[str, ClaimState]]:
    entry = await house.directory.get(records.name_record_key(name))
    return [] if entry is None else [(each.site, each.state) for each in decode(entry.value, NameClaim).claims]


async def registered(house: House, name: str) -> str:
    return await house.register(name)


# --- one after the other ---


async def test_what_all_sites_acknowledge_is_final_there_and_taken_elsewhere_before_anything_is_exchanged(
    sites: Sites,
) -> None:
    lima, cusco = sites.houses.values()
    alice = await lima.register("Alice")

    assert (await account(lima, alice)).name_state == "final"
    assert await claim_at(lima, "alice") == [("lima", "final")]
    assert await claim_at(cusco, "alice") == [("lima", "tentative")]
    with pytest.raises(NameTaken):
        await cusco.register("alice")
    assert (await look(cusco.directory, "alice")).user_id is None  # until the exchange says that it is decided
    await sites.exchange()
    assert (await look(cusco.directory, "alice")).user_id == alice


async def test_what_another_site_refuses_leaves_nothing_but_the_mark_that_it_was_given_up(sites: Sites) -> None:
    lima, cusco = sites.houses.values()
    await lima.register("alice")
    entry = await lima.directory.get(records.name_record_key("alice"))
    assert entry is not None
    here = await cusco.directory.get(records.name_record_key("alice"))
    assert here is not None
    await cusco.directory.commit([], [Put(here.key, encode(NameClaim("")))])  # as if its word had been lost

    with pytest.raises(NameTaken):
        await cusco.register("alice")

    kept = [key for key in await cusco.content() if key.startswith((records.ACCOUNTS, records.PRESENCES))]
    assert kept == []
    assert await claim_at(cusco, "alice") == [("cusco", "aborted")]


async def test_a_name_is_provisional_while_a_site_cannot_be_asked_and_final_once_it_can(sites: Sites) -> None:
    lima, cusco = sites.houses.values()
    sites.part("lima", "cusco")
    sites.claims_of("lima")._heard = list
    lima.accounts.claims._heard = list  # it is known to be cut off, so nobody waits
    alice = await lima.register("alice")

    assert (await account(lima, alice)).name_state == "provisional"
    found = await lima.people.find("alice")
    assert found.provisional
    sites.cut.clear()
    lima.accounts.claims = sites.claims_of("lima")
    job = sites.unsettled("lima")
    job._take("alice", (await lima.content())[records.name_record_key("alice")], 1)
    await job.once(())
    assert (await account(lima, alice)).name_state == "final"
    assert not (await lima.people.find("alice")).provisional
    await sites.exchange()
    assert await claim_at(cusco, "alice") == [("lima", "final")]


async def test_a_site_that_cannot_say_it_at_once_is_asked_again(sites: Sites) -> None:
    sites.trouble = ["once"]
    alice = await sites.houses["lima"].register("alice")
    assert (await account(sites.houses["lima"], alice)).name_state == "final"


def test_nobody_waits_longer_than_said_for_a_site_that_does_not_answer() -> None:
    async def story() -> float:
        house = House(site="lima")
        home = house.attendance.itself.home
        home.several = True
        await house.directory.commit([], [Put(records.site_key("cusco"), encode(records.Site("cusco")))])

        async def hangs(*_: object) -> ReserveAnswer:
            await asyncio.Event().wait()
            raise AssertionError

        claims = Claims(house.directory, home, house.clock, hangs, lambda: ["cusco"])
        begun = await claims.begin(Account("id", "alice", "hash", "now"))
        assert begun is not None
        await house.directory.commit(begun.conditions, [*begun.writes, Put("account/id", encode(begun.account))])
        began = asyncio.get_running_loop().time()
        assert await claims.settle(begun.account) == "provisional"
        house.passwords.close()
        return asyncio.get_running_loop().time() - began

    assert run(story()) == pytest.approx(ASKED_WITHIN, abs=0.01)


async def test_a_repeated_registration_finds_its_own_and_finishes_it(sites: Sites) -> None:
    lima = sites.houses["lima"]
    first = await lima.register("alice", request_id="r" * 16)
    assert await lima.register("alice", request_id="r" * 16) == first


async def test_only_the_site_of_the_registration_decides_it_though_it_is_repeated_elsewhere(sites: Sites) -> None:
    lima, cusco = sites.houses.values()
    lima.attendance.itself.home.several = True
    hashed = await lima.passwords.hash(PASSWORD.encode())
    made = Account("a" * 32, "alice", hashed, lima.clock().text, request_id="r" * 16)
    begun = await lima.accounts.claims.begin(made)
    assert begun is not None
    written = Put(records.account_key("a" * 32), encode(begun.account))
    await lima.directory.commit(begun.conditions, [*begun.writes, written])
    await sites.exchange()

    with pytest.raises(FateUnknown):
        await cusco.register("alice", request_id="r" * 16)

    assert await claim_at(cusco, "alice") == [("lima", "tentative")]
    assert await lima.register("alice", request_id="r" * 16) == "a" * 32  # its own site finishes it


async def test_what_fails_after_the_account_is_there_is_told_as_unknown(sites: Sites) -> None:
    lima = sites.houses["lima"]
    settle = lima.accounts.claims.settle

    async def fails(*_: object) -> ClaimState:
        raise NoQuorum

    lima.accounts.claims.settle = fails  # type: ignore[method-assign, assignment]
    with pytest.raises(FateUnknown):
        await lima.register("alice", request_id="r" * 16)
    lima.accounts.claims.settle = settle  # type: ignore[method-assign]
    alice = await lima.register("alice", request_id="r" * 16)
    assert (await account(lima, alice)).name_state == "final"


async def test_a_claim_without_an_account_does_not_block_the_name_for_ever(sites: Sites) -> None:
    lima = sites.houses["lima"]
    place, long_ago = records.name_record_key("alice"), as_text(lima.clock().utc - LEFT_ALONE)
    lost = NameClaim("", (Claim("a" * 32, "alice", "lima", "tentative", long_ago),))
    await lima.directory.commit([], [Put(place, encode(lost))])
    job = sites.unsettled("lima")
    job._take("alice", encode(lost), 1)
    await job.once(())
    assert await claim_at(lima, "alice") == [("lima", "aborted")]
    assert await lima.register("alice")


async def test_whoever_knows_more_sites_does_not_acknowledge(sites: Sites) -> None:
    cusco = sites.houses["cusco"]
    await cusco.directory.commit([], [Put(records.site_key("puno"), encode(records.Site("puno")))])
    place, claim = records.name_record_key("alice"), Claim("a" * 32, "alice", "lima", "tentative")
    with pytest.raises(Conflict):
        await sites.reserving["cusco"].answer(
            msgspec.msgpack.encode(ReserveRequest(place, encode(NameClaim("", (claim,))), ("cusco", "lima")))
        )
    assert await claim_at(cusco, "alice") == []


# --- at the same time ---


@pytest.mark.parametrize("number", range(12))
async def test_of_two_who_race_exactly_one_gets_the_name(sites: Sites, number: int) -> None:
    name = f"racer{number}"
    outcomes = await asyncio.gather(
        *(registered(house, name) for house in sites.houses.values()), return_exceptions=True
    )
    made = [each for each in outcomes if isinstance(each, str)]
    assert len(made) == 1
    assert sum(isinstance(each, NameTaken) for each in outcomes) == 1
    await sites.exchange()
    for house in sites.houses.values():
        assert (await look(house.directory, name)).user_id == made[0]


async def test_after_a_cut_one_keeps_the_name_and_the_other_the_account_under_a_longer_one(sites: Sites) -> None:
    sites.part("lima", "cusco")
    ids, words = {}, {"lima": "password of lima", "cusco": "password of cusco"}
    for site, house in sites.houses.items():
        house.accounts.claims._heard = list
        ids[site] = await house.register("Bob", words[site])
    sites.cut.clear()
    await sites.exchange()

    lima, cusco = sites.houses.values()
    found = await look(lima.directory, "bob")
    winner, loser = sorted(ids, key=lambda site: ids[site] != found.user_id)
    for house in (lima, cusco):
        assert (await account(house, ids[winner])).username == "Bob"
        assert (await account(house, ids[loser])).username == f"Bob~{loser}"
        assert (await look(house.directory, f"BOB~{loser}")).user_id == ids[loser]
        with pytest.raises(Renamed, match=f"Bob~{loser}"):
            await house.log_in("bob", words[loser])
        with pytest.raises(WrongCredentials):
            await house.log_in("bob", "neither of them")
        assert (await house.log_in("bob", words[winner])).account.user_id == ids[winner]
        assert (await house.log_in(f"bob~{loser}", words[loser])).account.user_id == ids[loser]
        shown = await house.people.find("bob")
        assert [(each.username, each.user_id, each.site) for each in shown.namesakes] == [
            (f"Bob~{loser}", ids[loser], loser)
        ]
        assert {user.user_id for user in await house.people.search("bo")} == set(ids.values())


async def test_a_loser_who_deletes_the_account_takes_the_name_from_nobody(sites: Sites) -> None:
    await test_after_a_cut_one_keeps_the_name_and_the_other_the_account_under_a_longer_one(sites)
    lima = sites.houses["lima"]
    loser = (await lima.people.find("bob")).namesakes[0]
    password = f"password of {loser.site}"
    caller = await lima.caller((await lima.log_in(loser.username, password)).token)

    await lima.care.delete_account(caller, password, "192.0.2.1")
    await sites.exchange()

    for house in sites.houses.values():
        assert (await house.people.find("bob")).username == "Bob"
        with pytest.raises(AccountDeleted):
            await house.people.find(loser.username)


# --- who is asked ---


async def test_a_claim_that_was_given_up_is_not_brought_back_by_a_late_question(sites: Sites) -> None:
    lima, cusco = sites.houses.values()
    place = records.name_record_key("alice")
    claim = Claim("a" * 32, "alice", "lima", "tentative", lima.clock().text)
    given_up = NameClaim("", (msgspec.structs.replace(claim, state="aborted"),))
    await cusco.directory.commit([], [Put(place, encode(given_up))])

    answer = await sites.reserving["cusco"].answer(
        msgspec.msgpack.encode(ReserveRequest(place, encode(NameClaim("", (claim,))), ("lima", "cusco")))
    )

    assert not answer.acknowledged
    await cusco.register("alice")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        msgspec.msgpack.encode(ReserveRequest("name/alice", b"{}")),
        msgspec.msgpack.encode(ReserveRequest("name/alice", encode(NameClaim("", ())))),
        msgspec.msgpack.encode(ReserveRequest("name/alice", encode(NameClaim("", (Claim("i", "bob", "lima"),))))),
    ],
)
async def test_what_is_no_claim_of_that_name_is_refused_and_changes_nothing(sites: Sites, body: bytes) -> None:
    before = await sites.houses["cusco"].content()
    with pytest.raises(MalformedBody):
        await sites.reserving["cusco"].answer(body)
    assert await sites.houses["cusco"].content() == before


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ([], "final"),
        (["acknowledged", "acknowledged"], "final"),
        (["acknowledged", "missing"], "provisional"),
        (["missing", "refused"], "aborted"),
    ],
)
def test_what_becomes_of_a_claim_by_the_words_of_the_others(words: list[Word], state: ClaimState) -> None:
    assert outcome(words) == state


# --- a single site ---


async def test_a_single_site_asks_nobody_and_writes_what_it_always_wrote(house: House) -> None:
    alice = await house.register("alice")
    assert (await house.content())[records.name_record_key("alice")] == encode(NameClaim(alice))


async def test_a_site_that_has_just_got_another_one_asks_it(sites: Sites) -> None:
    lima = sites.houses["lima"]
    before = lima.attendance.itself.home.several
    await lima.register("alice")
    assert (before, lima.attendance.itself.home.several) == (False, True)
    assert await claim_at(sites.houses["cusco"], "alice") == [("lima", "tentative")]


# --- what was left open ---


@pytest.mark.parametrize(
    ("state", "age", "all_heard", "due"),
    [
        ("provisional", 0.0, True, True),
        ("provisional", 0.0, False, False),
        ("tentative", 29.0, True, False),
        ("tentative", 30.0, False, True),
        ("final", 99.0, True, False),
        ("aborted", 99.0, True, False),
    ],
)
def test_when_the_leader_asks_again(house: House, state: ClaimState, age: float, *, all_heard: bool, due: bool) -> None:
    now = house.clock().utc
    claim = Claim("id", "alice", "lima", state, as_text(now - timedelta(seconds=age)))
    assert is_due(claim, now, all_heard=all_heard) is due


def test_only_what_the_own_site_has_yet_to_decide_is_open() -> None:
    holds, lost, tentative, foreign = (
        Claim("a", "bob", "lima", "provisional"),
        Claim("b", "bob", "lima", "provisional"),
        Claim("c", "bob", "lima", "tentative"),
        Claim("d", "bob", "cusco", "tentative"),
    )
    assert own_open_claims(NameClaim("a", (holds, lost, tentative, foreign)), "lima") == [holds, tentative]
    assert own_open_claims(NameClaim("a"), "lima") == own_open_claims(None, "lima") == []


def test_the_leader_finishes_what_a_manager_left_that_died() -> None:
    async def story() -> tuple[str, str]:
        sites = Sites({name: House(site=name) for name in ("lima", "cusco")})
        await sites.meet()
        lima = sites.houses["lima"]
        lima.attendance.itself.home.several = True
        begun = await lima.accounts.claims.begin(Account("a" * 32, "alice", "hash", lima.clock().text))
        assert begun is not None
        await lima.directory.commit(
            begun.conditions, [*begun.writes, Put(f"account/{'a' * 32}", encode(begun.account))]
        )
        job = asyncio.create_task(sites.unsettled("lima").run(()))
        await asyncio.sleep(EVERY * 3)
        young = (await account(lima, "a" * 32)).name_state
        lima.clock.forward(LEFT_ALONE.total_seconds())
        await asyncio.sleep(EVERY * 3)
        old = (await account(lima, "a" * 32)).name_state
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        for house in sites.houses.values():
            house.passwords.close()
        return young, old

    assert run(story()) == ("tentative", "final")
