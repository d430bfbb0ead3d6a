"""Bodies of the local API that say what works and what does not: ``GET /doctor``, ``GET /people/{user}/reach``.

Causes are stable names; ``says`` and ``advice`` are sentences for people, in the language of ``Accept-Language``.
"""

from typing import Literal

import msgspec

ReachCause = Literal[
    "blocked",
    "key_changed",
    "account_deleted",
    "logged_out",
    "not_tried",
    "no_address",
    "offline",
    "refused",
    "no_answer",
    "no_route",
    "certificate",
    "revoked",
    "unknown",
]
"""Why nothing goes to somebody now. ``offline``: the managers say that they are away. ``refused``: their machine
answers, but no node of theirs does. ``no_answer``: nobody answered in time, as behind a firewall. ``certificate``:
somebody else is there, or a clock is wrong."""

OwnCause = Literal[
    "session_open",
    "no_account",
    "locked",
    "session_ended",
    "name_provisional",
    "managers_work",
    "no_manager_known",
    "no_manager",
    "no_stream",
    "manager_away",
    "manager_foreign",
    "manager_dates",
    "no_quorum",
    "manager_not_ready",
    "site_cut",
    "clock_right",
    "clock_off",
    "certificate_valid",
    "certificate_old",
    "certificate_early",
    "certificate_expired",
    "port_reached",
    "port_blocked",
    "port_unchecked",
    "disk_roomy",
    "disk_low",
    "disk_full",
    "store_whole",
    "store_damaged",
    "nothing_waits",
    "linked",
    "node_away",
]
"""What is so with this node itself, well or not."""

Cause = OwnCause | ReachCause
Area = Literal["session", "managers", "clock", "certificate", "port", "disk", "store", "waiting"]
Level = Literal["good", "notice", "problem"]
"""``notice``: nothing has to be done, or it mends itself. ``problem``: somebody has to do something."""


class Reach(msgspec.Struct):
    """``GET /api/v1/people/{user}/reach``: whether messages go to somebody right now, and if not, why.

    ``linked``: a connection is open. ``managers``: one answers this node. ``address`` is where they were last known to
    be, HOST:PORT. ``tried_ago`` are the seconds since the last attempt that failed; null: none did.
    """

    user: str
    user_id: str
    linked: bool
    managers: bool
    pending: int
    says: str
    advice: str
    address: str | None = None
    cause: ReachCause | None = None
    tried_ago: float | None = None


class Finding(msgspec.Struct):
    """One thing that was looked at.

    ``subject`` is what it is about: a manager's URL, a person, an address; ``count`` messages wait for them. ``at``
    (RFC 3339): since when, or until when. ``advice`` is empty where there is nothing to do.
    """

    area: Area
    cause: Cause
    level: Level
    says: str
    advice: str
    subject: str | None = None
    count: int | None = None
    at: str | None = None


class Doctor(msgspec.Struct):
    """``GET /api/v1/doctor``: how everything is that this node needs; ``well``: no finding is a problem."""

    well: bool
    findings: list[Finding]
