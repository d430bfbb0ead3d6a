"""Many people at once ask any of several managers about a few shared names and many of their own; all is written down.

Where the managers are, and how one of them is called, is somebody else's business (:class:`Caller`): real ones over
HTTPS (directory_town.py), or simulated ones in this process (directory_simulation.py).
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Any, Final, Protocol

import msgspec

from telegraph.testing.directory_model import (
    THE_END,
    Asked,
    ChangePassword,
    DeleteAccount,
    Happened,
    LogIn,
    LogOut,
    LookUp,
    Record,
    Refused,
    Register,
    Use,
)
from telegraph.testing.linearizability import Operation

SHARED: Final = 3
"""Names that everybody fights about at one time."""

CALLS_OF_SHARED, CALLS_OF_OWN = 60, 12
"""After so many calls a name is left alone and the next one comes; with 64 sessions a manager would end the oldest."""

TO_SHARED: Final = 0.5
"""Share of the calls that are about shared names."""

RETRIES: Final = 3
AWAY: Final = 0.05
"""Seconds after which a client asks on when a manager is away or has no quorum."""

ASKED_AGAIN_WITHIN: Final = 60.0
"""Seconds in which everything must be answered once all faults are over."""

Fault = Callable[[], Awaitable[None]]


class NotSent(Exception):
    """The manager could not be reached: it never heard of the call."""


class Unanswered(Exception):
    """Nobody knows what became of the call."""


class Caller(Protocol):
    """Calls managers, each known by a name; several calls at once."""

    managers: Sequence[str]

    async def call(
        self, manager: str, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status and the answer.

        Raises:
            NotSent, Unanswered: there is none.
        """
        ...


class Name:
    """What is known about a name by those who use it: perhaps wrong, since others use it too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.passwords: list[str] = []
        """Every password that it may have, the one that was acknowledged last at the end."""
        self.registered = False
        self.calls = 0

    def now_has(self, password: str) -> None:
        if password in self.passwords:
            self.passwords.remove(password)
        self.passwords.append(password)

    def may_have(self, password: str) -> None:
        if password not in self.passwords:
            self.passwords.insert(0, password)

    def likely(self, rng: Random) -> str:
        if not self.passwords or rng.random() < 0.1:
            return "nobody's password"
        return self.passwords[-1] if rng.random() < 0.8 else rng.choice(self.passwords)


class Load:
    """The traffic, and its history in ``records``; it depends on its seed, and on who is quicker."""

    def __init__(self, caller: Caller, seed: int, *, clients: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.records: list[Record] = []
        self.counts: Counter[str] = Counter()
        self.names: dict[str, Name] = {}
        self.asked = 0
        self.clock = clock
        self.caller = caller
        self._seed = seed
        self._shared = [self._name(f"shared-{number}") for number in range(SHARED)]
        self._shared_count = SHARED
        self._clients = [Client(self, number, Random(f"{seed} {number}")) for number in range(clients)]

    def _name(self, name: str) -> Name:
        return self.names.setdefault(name, Name(name))

    def shared(self, rng: Random) -> Name:
        """One of the names of the moment."""
        place = rng.randrange(SHARED)
        if self._shared[place].calls >= CALLS_OF_SHARED:
            self._shared[place] = self._name(f"shared-{self._shared_count}")
            self._shared_count += 1
        return self._shared[place]

    def own(self, client: int, number: int) -> Name:
        return self._name(f"own-{client}-{number}")

    def reader(self, client: int, number: int) -> Name:
        """Nobody but its client asks about it, and it never logs out."""
        return self._name(f"reader-{client}-{number}")

    def note(self, what: Asked | Refused | Happened, called: float) -> None:
        """Writes down what is over, or what nobody knows the fate of."""
        is_open = isinstance(what, Asked) and what.answer is None
        self.records.append(Operation(what, called, None if is_open else self.clock()))
        answer = getattr(what, "answer", None) or (what.error if isinstance(what, Refused) else "open")
        self.counts[f"{type(what).__name__} {answer}"] += not isinstance(what, Happened)

    async def run(self, operations: int, faults: Sequence[Fault] = ()) -> None:
        """At least so many calls, and all the faults, one after the other; then the last look at every name."""
        began = self.clock()
        for client in self._clients:
            await client.enter()
        enough = asyncio.Event()
        talking = [asyncio.create_task(client.talk(operations, enough)) for client in self._clients]
        try:
            for fault in faults:
                await fault()
        finally:
            enough.set()
            await asyncio.gather(*talking)
        self.note(Happened(THE_END), self.clock())
        await self._look_at_all()
        self.counts["seconds"] = round(self.clock() - began)

    async def _look_at_all(self) -> None:
        waiting = iter(sorted(self.names.values(), key=lambda name: name.name))
        await asyncio.gather(*(client.look_at(waiting) for client in self._clients))

    def report(self) -> str:
        """What was asked and answered, in one line of JSON."""
        told = {"seed": self._seed, "asked": self.asked, "names": len(self.names), **dict(sorted(self.counts.items()))}
        return msgspec.json.encode(told).decode()


class Client:
    """One of those who ask; one call after another."""

    def __init__(self, load: Load, number: int, rng: Random) -> None:
        self.load, self.number, self._rng = load, number, rng
        self._reader = load.reader(number, 0)
        self._token = ""
        self._reader_session = ""
        self._own_number = 1
        self._sessions: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._made = 0

    def _fresh(self, what: str) -> str:
        self._made += 1
        return f"{what} {self.number}.{self._made}, never used before"

    # --- what they do ---

    async def enter(self) -> None:
        """Makes an account whose session look-ups go by; another one each time."""
        async with asyncio.timeout(ASKED_AGAIN_WITHIN):
            while not await self._entered():  # noqa: ASYNC110 - managers have no event for it
                await asyncio.sleep(0.1)

    async def _entered(self) -> bool:
        name = self._reader = self.load.reader(self.number, self._made)
        await self._register(name)
        for _ in range(RETRIES):
            if await self._log_in(name) == "ok":
                self._reader_session, self._token = self._sessions[name.name].pop()
                return True
            await asyncio.sleep(0.2)  # lost, if this is a simulation with such a bug; not there yet, in another
        return False

    async def talk(self, operations: int, enough: asyncio.Event) -> None:
        """One thing after another, until there were so many calls and it is also enough."""
        while self.load.asked < operations or not enough.is_set():
            shared = self._rng.random() < TO_SHARED
            name = self.load.shared(self._rng) if shared else self.load.own(self.number, self._own_number)
            name.calls += 1
            if not shared and name.calls >= CALLS_OF_OWN:
                self._own_number += 1
            await self._do_something(name)

    async def _do_something(self, name: Name) -> None:
        sessions = self._sessions[name.name]
        if not name.registered and self._rng.random() < 0.6:
            await self._register(name)
            return
        chance = self._rng.random()
        if chance < 0.4:
            await self._look_up(name)
        elif chance < 0.47:
            await self._register(name)
        elif not sessions or chance < 0.7:
            await self._log_in(name)
        elif chance < 0.9:
            await self._change_password(name, *self._rng.choice(sessions))
        elif chance < 0.98 or name.calls < CALLS_OF_OWN // 2:
            await self._log_out(name, *sessions[self._rng.randrange(len(sessions))])
        else:
            await self._delete(name, *self._rng.choice(sessions))

    async def look_at(self, waiting: Iterable[Name]) -> None:
        """The last look: each name is looked up, and every password tried until one opens it."""
        for name in waiting:
            called = self.load.clock()
            try:
                async with asyncio.timeout(ASKED_AGAIN_WITHIN):
                    await self._look_closely_at(name)
            except TimeoutError:
                refusal = Refused(**self._who(name), asked="anything", error="nobody could tell in the end")
                self.load.note(refusal, called)

    async def _look_closely_at(self, name: Name) -> None:
        while not await self._look_up(name):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.1)
        for password in list(reversed(name.passwords)):
            while (answer := await self._log_in(name, password)) is None:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.1)
            if answer == "ok":
                return

    # --- the calls ---

    async def _register(self, name: Name) -> None:
        password = self._fresh("password")
        with_id = self._rng.random() < 0.9
        request_id = self._fresh("request") if with_id else None
        body = {"username": name.name, "password": password, "ip": "192.0.2.1", "port": 8000, "request_id": request_id}
        for _ in range(RETRIES):
            what = Register(**self._who(name), password=password, request_id=request_id)
            called, status, answer = await self._ask(what, "POST", "/register", body)
            code = answer.get("error")
            if status == 201:
                name.registered = True
                name.now_has(password)
                self._told(what, called, answer="created", user_id=answer["user_id"])
            elif code == "name_taken":
                name.registered = True
                self._told(what, called, answer="taken")
            if status != 0:
                return
            name.may_have(password)
            if not with_id:
                return

    async def _log_in(self, name: Name, password: str | None = None) -> str | None:
        """What came out, None if nothing did."""
        chosen, session = password or name.likely(self._rng), self._fresh("session")
        what = LogIn(**self._who(name), password=chosen, session=session, answer="wrong")
        body = {"username": name.name, "password": chosen, "ip": "192.0.2.1", "port": 8000}
        called, status, answer = await self._ask(what, "POST", "/login", body)
        if status == 200:
            self._sessions[name.name].append((session, answer["token"]))
            self._told(what, called, answer="ok", user_id=answer["user_id"])
            return "ok"
        if answer.get("error") == "wrong_credentials":
            self._told(what, called)
            return "wrong"
        return None

    async def _look_up(self, name: Name) -> bool:
        what = LookUp(**self._who(name), answer="nobody")
        called, status, answer = await self._ask(what, "GET", f"/users/{name.name}", token=self._token)
        code = answer.get("error")
        if status == 200:
            user = answer["message"]
            self._told(what, called, answer="found", user_id=user["user_id"], stale=user["stale"])
        elif code in ("unknown_user", "account_deleted"):
            self._told(what, called, answer="nobody" if code == "unknown_user" else "deleted")
        elif code == "not_logged_in":
            who = {**self._who(self._reader), "manager": what.manager}
            self.load.note(Use(**who, session=self._reader_session, answer="no_session"), called)
            await self.enter()
        return status == 200 or code in ("unknown_user", "account_deleted")

    async def _change_password(self, name: Name, session: str, token: str) -> None:
        old, new = name.likely(self._rng), self._fresh("password")
        what = ChangePassword(**self._who(name), session=session, old=old, new=new)
        status = await self._with_session(what, token, "POST", "/password", {"old": old, "new": new})
        if status == 200:
            name.now_has(new)
        elif status == 0:
            name.may_have(new)

    async def _log_out(self, name: Name, session: str, token: str) -> None:
        self._sessions[name.name].remove((session, token))
        await self._with_session(LogOut(**self._who(name), session=session), token, "POST", "/logout")

    async def _delete(self, name: Name, session: str, token: str) -> None:
        password = name.likely(self._rng)
        what = DeleteAccount(**self._who(name), session=session, password=password)
        await self._with_session(what, token, "DELETE", "/account", {"password": password})

    async def _with_session(
        self,
        what: ChangePassword | LogOut | DeleteAccount,
        token: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
    ) -> int:
        """The status, as of :meth:`_ask`."""
        called, status, answer = await self._ask(what, method, path, body, token)
        told = {"not_logged_in": "no_session", "wrong_credentials": "wrong"}.get(str(answer.get("error")))
        if status == 200:
            self._told(what, called, answer="ok")
        elif told is not None:
            self._told(what, called, answer=told)
        if told == "no_session":
            sessions = self._sessions[what.name]
            sessions[:] = [pair for pair in sessions if pair[0] != what.session]
        return status

    # --- asking ---

    def _who(self, name: Name) -> dict[str, Any]:
        return {"name": name.name, "client": self.number, "manager": self._rng.choice(self.load.caller.managers)}

    def _told(self, what: Asked, called: float, **answer: Any) -> None:
        self.load.note(msgspec.structs.replace(what, **answer), called)

    async def _ask(
        self,
        what: Asked,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        token: str | None = None,
    ) -> tuple[float, int, dict[str, Any]]:
        """When it was called, the status, the answer; status 0 if nobody knows whether it was done.

        Writes down whatever has no answer of its own.
        """
        called = self.load.clock()
        try:
            status, answer = await self.load.caller.call(what.manager, method, path, body, token)
        except NotSent:
            await asyncio.sleep(AWAY)
            return called, self._refused(what, called, "not_sent"), {}
        except Unanswered:
            return called, self._fate_unknown(what, called), {}
        self.load.asked += 1
        error = answer.get("error")
        if error in ANSWERS or status in (200, 201):
            return called, status, answer
        if error == "fate_unknown" or status == 500:
            return called, self._fate_unknown(what, called), answer
        if status == 503:
            await asyncio.sleep(AWAY)
        return called, self._refused(what, called, str(error)), answer

    def _refused(self, what: Asked, called: float, error: str) -> int:
        kind = type(what).__name__
        refusal = Refused(name=what.name, client=what.client, manager=what.manager, asked=kind, error=error)
        self.load.note(refusal, called)
        return -1

    def _fate_unknown(self, what: Asked, called: float) -> int:
        if isinstance(what, LogIn | LookUp | Use):
            self.load.counts[f"{type(what).__name__} unanswered"] += 1  # it says nothing, and nobody has the session
        else:
            self.load.note(what, called)
        return 0


ANSWERS: Final = frozenset(
    ("name_taken", "wrong_credentials", "unknown_user", "account_deleted", "not_logged_in"),
)
"""Errors that say something about the name; all others say that nothing was done, but for ``fate_unknown``."""
