"""What a look at everything that a node needs means: facts in, findings out. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec
from cryptography import x509

from telegraph.node.causes import CAUSES
from telegraph.node.renewal import renewal_due
from telegraph.protocol.doctor_api import Cause, ReachCause
from telegraph.protocol.manager_events import SiteState
from telegraph.protocol.node_api import AccountState

CLOCK_MAY_BE_OFF: Final = 30.0
"""Seconds. A manager's answer names whole seconds, and takes its time on the way."""
LOW: Final = 1024**3
FULL: Final = 64 * 1024**2
"""Bytes free on the disk."""

ManagerProblem = Literal["", "manager_away", "manager_foreign", "manager_dates", "no_quorum", "manager_not_ready"]


class Manager(msgspec.Struct, frozen=True):
    """A manager as it was found; ``problem`` is empty if it can do its work, ``detail`` the code that it gave.

    ``ahead``: by how many seconds this machine's clock is ahead of its, None if it did not say.
    """

    url: str
    problem: ManagerProblem
    detail: str = ""
    ahead: float | None = None


class Waiting(msgspec.Struct, frozen=True):
    """Messages that wait for somebody; ``cause`` None: a connection is open. ``since``: last seen (RFC 3339)."""

    user: str
    count: int
    cause: ReachCause | None
    since: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was looked at. None: it was not, or could not be.

    ``sites`` are the others. ``reached``: whether a manager reached this node at
    ``address``. ``certificate`` is PEM. ``free`` are bytes. ``damage`` is what is wrong with the store, a line each.
    """

    state: AccountState
    username: str | None = None
    provisional: bool = False
    ended: str = ""
    ended_at: str = ""
    managers: Sequence[Manager] | None = None
    sites: Sequence[SiteState] = ()
    certificate: str | None = None
    address: str | None = None
    reached: bool | None = None
    free: int | None = None
    damage: Sequence[str] | None = None
    waiting: Sequence[Waiting] | None = None


class Found(msgspec.Struct, frozen=True):
    """A cause, and what its sentences are filled with."""

    cause: Cause
    subject: str | None = None
    count: int | None = None
    at: str | None = None
    detail: str = ""
    seconds: int = 0

    @property
    def is_problem(self) -> bool:
        """Whether somebody has to do something."""
        return CAUSES[self.cause].level == "problem"


def findings(facts: Facts, now: datetime) -> list[Found]:
    """What is to be said of the facts; ``now`` is an aware time."""
    return [
        *_session(facts),
        *_managers(facts),
        *_clock(facts.managers or ()),
        *_certificate(facts, now),
        *_port(facts),
        *_disk(facts.free),
        *_store(facts.damage),
        *_waiting(facts.waiting),
    ]


def _session(facts: Facts) -> Iterator[Found]:
    match facts.state:
        case "none":
            yield Found("no_account")
        case "locked":
            yield Found("locked")
        case "ended":
            yield Found("session_ended", at=facts.ended_at or None, detail=facts.ended)
        case _:
            yield Found("session_open", subject=facts.username)
    if facts.provisional:
        yield Found("name_provisional", subject=facts.username)


def _managers(facts: Facts) -> Iterator[Found]:
    if facts.managers is None:
        return
    working = [manager for manager in facts.managers if not manager.problem]
    if working:
        yield Found("managers_work", count=len(working))
    else:
        yield Found("no_manager" if facts.managers else "no_manager_known")
    for manager in facts.managers:
        if manager.problem:
            yield Found(manager.problem, subject=manager.url, detail=manager.detail)
    if working and facts.state == "offline":
        yield Found("no_stream")
    if facts.state == "online":  # what a manager told before may be otherwise by now
        for site in facts.sites:
            if not site.up:
                yield Found("site_cut", subject=site.name, at=site.heard or None)


def _clock(managers: Sequence[Manager]) -> Iterator[Found]:
    """The middle one of what managers say, so that one whose own clock is wrong does not decide."""
    said = sorted(manager.ahead for manager in managers if manager.ahead is not None)
    if not said:
        return
    ahead = said[len(said) // 2]
    if abs(ahead) <= CLOCK_MAY_BE_OFF:
        yield Found("clock_right")
    else:
        yield Found("clock_off", seconds=round(abs(ahead)), detail=f"{'+' if ahead > 0 else '-'}{round(abs(ahead))} s")


def _certificate(facts: Facts, now: datetime) -> Iterator[Found]:
    if facts.certificate is None or facts.state in ("none", "locked", "ended"):
        return
    certificate = x509.load_pem_x509_certificate(facts.certificate.encode())
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    until = end.isoformat().replace("+00:00", "Z")
    if now < begin:
        yield Found("certificate_early", at=begin.isoformat().replace("+00:00", "Z"))
    elif now >= end:
        yield Found("certificate_expired", at=until)
    else:
        yield Found("certificate_old" if renewal_due(facts.certificate, now) else "certificate_valid", at=until)


def _port(facts: Facts) -> Iterator[Found]:
    if facts.address is None or facts.state in ("none", "locked", "ended"):
        return
    cause: Cause = "port_unchecked" if facts.reached is None else "port_reached" if facts.reached else "port_blocked"
    yield Found(cause, subject=facts.address)


def _disk(free: int | None) -> Iterator[Found]:
    if free is not None:
        cause: Cause = "disk_full" if free < FULL else "disk_low" if free < LOW else "disk_roomy"
        yield Found(cause, detail=_size(free))


def _store(damage: Sequence[str] | None) -> Iterator[Found]:
    if damage is not None:
        yield Found("store_damaged", detail="; ".join(damage[:3])) if damage else Found("store_whole")


def _waiting(waiting: Sequence[Waiting] | None) -> Iterator[Found]:
    if waiting is None:
        return
    if not waiting:
        yield Found("nothing_waits")
    for one in waiting:
        since = one.since if one.cause == "offline" else None
        yield Found(one.cause or "linked", subject=one.user, count=one.count, at=since)


def _size(count: int) -> str:
    """Bytes as people read them."""
    amount, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":  # noqa: PLR2004 - thousands, as disks are sold
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"  # noqa: PLR2004 - two digits
