"""A random life of some sites: people use them while links break, clocks are wrong, and batches come late and again.

Links break one way or both; batches are cut, repeated and out of order. In the end everything heals. What was promised
on the way is kept in :class:`Facts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from telegraph.directory import records
from telegraph.directory.merging import names
from telegraph.directory.records import Account, Claim, ClaimState
from telegraph.testing.sites_world import SiteModel

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from telegraph.manager.endings import SessionEntry
    from telegraph.protocol.manager_events import EndReason

NAMES: Final = ("alice", "bob")
DAY: Final = 86_400.0
STEPS: Final = 36
ANSWERED: Final = 0.9
"""How many of the answers arrive whose question did."""

COMES_BACK, BOTH_WAYS = 0.4, 0.7
"""How many changes of a link make it whole, and how many concern both directions."""

AGAIN, WHOLE, LATE = 0.15, 0.6, 0.2
"""How many batches repeat something, have all that is new, and arrive at some other time."""

SITES: Final = ("lima", "quito", "sucre", "zaruma")


@dataclass
class Registering:
    """A registration under way; ``missing`` are sites that did not answer."""

    claim: Claim
    home: int
    pending: list[int]
    missing: list[int] = field(default_factory=list)
    refused: bool = False


@dataclass
class Facts:
    """What was promised, and what was given up.

    Attributes:
        answered: whose registration was answered by 201, and how.
        refused: whose by 409.
        final: who has a name for good.
        deleted: who deleted the account.
        given_up: passwords that were changed.
        revoked: keys of devices that were given up.
        ended: sessions that ended, by key.
        began: with which password and device key a session began, by the hash of its token.
        kept: by which session a password was changed.
    """

    answered: dict[str, Claim] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    final: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    revoked: set[bytes] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    began: dict[str, tuple[str, bytes | None]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


class History:
    """One life; ``await``-less and quick, for there are to be many."""

    def __init__(self, rng: Random, watch: Callable[[History], None] = lambda _history: None) -> None:
        """``watch`` looks after every step."""
        self.rng = rng
        self.facts = Facts()
        count = rng.choice((2, 2, 3, 4))
        self.sites = [SiteModel(SITES[index], rng.uniform(-DAY, DAY)) for index in range(count)]
        self.hears = [[True] * count for _ in range(count)]
        self.registering: list[Registering] = []
        self.late: list[tuple[int, dict[str, bytes]]] = []
        self.drawn = 0
        self.healed = False
        self._watch = watch

    def live(self) -> None:
        """Lives; :meth:`heal` it then."""
        steps = (
            (self.register, 5),
            (self.go_on, 9),
            (self.pull, 8),
            (self.cut, 2),
            (self.log_in, 6),
            (self.end_session, 3),
            (self.change_password, 3),
            (self.change_settings, 1),
            (self.move, 2),
            (self.delete, 1),
            (self.retry, 2),
            (self.deliver_late, 2),
        )
        chosen = self.rng.choices([step for step, _ in steps], [weight for _, weight in steps], k=STEPS)
        for step in chosen:
            for site in self.sites:
                site.ticks += self.rng.expovariate(0.1)
            step()
            self._watch(self)

    def heal(self) -> None:
        """All links are up, all registrations come to their end, everybody hears of everything."""
        self.healed = True
        self.hears = [[True] * len(self.sites) for _ in self.sites]
        while self.registering:
            self.go_on()
        while self.late:
            self.deliver_late()
        for _ in range(2):
            self.exchange_all()
            for index in range(len(self.sites)):
                self.reserve_again(index)
        self.exchange_all()

    def exchange_all(self) -> None:
        """Until nobody has any news."""
        while True:
            before = [len(site.log) for site in self.sites]
            pairs = [(one, other) for one in range(len(self.sites)) for other in range(len(self.sites)) if one != other]
            self.rng.shuffle(pairs)
            for one, other in pairs:
                self._pull(one, other, whole=True)
            if before == [len(site.log) for site in self.sites]:
                return

    # --- the network ---

    def _happens(self, chance: float) -> bool:
        return self.rng.random() < chance

    def cut(self) -> None:
        """A link breaks or comes back, mostly both ways."""
        one, other = self.rng.sample(range(len(self.sites)), 2)
        up = self._happens(COMES_BACK)
        self.hears[one][other] = up
        if self._happens(BOTH_WAYS):
            self.hears[other][one] = up

    def pull(self) -> None:
        """A site hears another one."""
        self._pull(*self.rng.sample(range(len(self.sites)), 2))

    def _pull(self, one: int, other: int, *, whole: bool = False) -> None:
        """One site hears another: some of its changes, perhaps some of them again, or later."""
        here, there = self.sites[one], self.sites[other]
        if not self.hears[one][other]:
            return
        after = here.cursors.get(there.name, 0)
        if self._happens(AGAIN):
            after = self.rng.randint(0, after)
        upto = len(there.log) if whole or self._happens(WHOLE) else self.rng.randint(after, len(there.log))
        batch = there.since(after, upto)
        if not whole and self._happens(LATE):
            self.late.append((one, batch))
            return
        here.hear(batch)
        here.cursors[there.name] = max(here.cursors.get(there.name, 0), upto)

    def deliver_late(self) -> None:
        """Something that a site was told long ago arrives."""
        if self.late:
            index, batch = self.late.pop(self.rng.randrange(len(self.late)))
            self.sites[index].hear(batch)

    # --- registration ---

    def register(self) -> None:
        """Somebody asks for one of few names."""
        home = self.rng.randrange(len(self.sites))
        self.drawn += 1
        user_id = f"{self.rng.getrandbits(32):08x}{self.drawn:04x}"
        claim = self.sites[home].begin(user_id, self.rng.choice(NAMES))
        if claim is not None:
            others = [index for index in range(len(self.sites)) if index != home]
            self.rng.shuffle(others)
            self.registering.append(Registering(claim, home, others))

    def go_on(self) -> None:
        """One step of a registration: ask another site, or decide and answer."""
        if not self.registering:
            return
        one = self.rng.choice(self.registering)
        if one.pending and not one.refused:
            other = one.pending.pop()
            answer = self._ask(one.home, other, one.claim)
            one.refused = answer is False
            one.missing += [other] if answer is None else []
            return
        self.registering.remove(one)
        wanted: ClaimState = "aborted" if one.refused else "provisional" if one.missing else "final"
        self._answer(one.claim, self.sites[one.home].finish(one.claim, wanted))

    def _ask(self, home: int, other: int, claim: Claim) -> bool | None:
        """None: no answer came, whether or not the question did."""
        if not self.hears[other][home]:
            return None
        current = names.claim_of(self.sites[home].claim(records.name_record_key(claim.username)), claim.user_id)
        answer = self.sites[other].reserve(current or claim)
        arrives = self.healed or (self.hears[home][other] and self._happens(ANSWERED))
        return answer if arrives else None

    def _answer(self, claim: Claim, state: str) -> None:
        if state == "aborted":
            self.facts.refused.add(claim.user_id)
            return
        self.facts.answered[claim.user_id] = claim
        if state == "final":
            self.facts.final[claim.user_id] = claim.username

    def retry(self) -> None:
        """The leader of a site does its job."""
        self.reserve_again(self.rng.randrange(len(self.sites)))

    def reserve_again(self, index: int) -> None:
        """The leader's job: own provisional claims become final when all sites acknowledge them."""
        site = self.sites[index]
        for claim in site.own_provisional():
            others = [other for other in range(len(self.sites)) if other != index]
            if all(self._ask(index, other, claim) for other in others) and site.finish(claim, "final") == "final":
                self.facts.final[claim.user_id] = claim.username

    # --- people ---

    def _somebody(self) -> tuple[SiteModel, Account] | None:
        site = self.rng.choice(self.sites)
        found = site.accounts()
        return (site, self.rng.choice(found)) if found else None

    def _session(self) -> tuple[SiteModel, Account, SessionEntry] | None:
        somebody = self._somebody()
        sessions = somebody[0].sessions(somebody[1].user_id) if somebody else []
        return (*somebody, self.rng.choice(sessions)) if somebody and sessions else None

    def log_in(self) -> None:
        """With a device, an old one or a new one, or without."""
        somebody = self._somebody()
        if somebody is None:
            return
        site, account = somebody
        self.drawn += 1
        token_hash = f"s{self.drawn}"
        keys = (None, f"{account.user_id} phone".encode(), f"{account.user_id} desk".encode(), b"key %d" % self.drawn)
        device = self.rng.choice(keys)
        before = [entry.key for entry, session in site.sessions(account.user_id) if session.device]
        if site.log_in(account, token_hash, device):
            self.facts.began[token_hash] = (account.password_hash, device)
            self.facts.ended |= set(before) if device else set()
            if device and account.device_key not in (None, device):
                self.facts.revoked.add(account.device_key)

    def end_session(self) -> None:
        """By a log-out, or from elsewhere."""
        found = self._session()
        if found is None:
            return
        site, account, pair = found
        reason: EndReason = self.rng.choice(("logged_out", "ended_elsewhere"))
        if reason == "ended_elsewhere" and pair[1].device and account.device_key is not None:
            self.facts.revoked.add(account.device_key)
        site.end(account, [pair], reason)
        self.facts.ended.add(pair[0].key)

    def change_password(self) -> None:
        """By one of the user's sessions."""
        found = self._session()
        if found is None:
            return
        site, account, by = found
        self.drawn += 1
        password = f"password {self.drawn}"
        self.facts.given_up.add(account.password_hash)
        self.facts.kept[password] = by[0].key
        self.facts.ended |= {entry.key for entry, _ in site.sessions(account.user_id)} - {by[0].key}
        site.change_password(account, by, password)

    def change_settings(self) -> None:
        """Somebody hides when they were last seen, or shows it."""
        somebody = self._somebody()
        if somebody is not None:
            somebody[0].change_settings(somebody[1])

    def move(self) -> None:
        """Somebody has another address."""
        somebody = self._somebody()
        if somebody is not None:
            somebody[0].move(somebody[1].user_id, f"192.0.2.{self.rng.randrange(1, 255)}", self.rng.randrange(3))

    def delete(self) -> None:
        """Somebody deletes the account."""
        somebody = self._somebody()
        if somebody is not None:
            self.facts.deleted.add(somebody[1].user_id)
            somebody[0].delete(somebody[1])
