"""What the directory's watch has told about everybody: who is online, and which manager each is attached to. Pure.

Every manager keeps one, so that all give the same answers, and each hears when a user of its own went to another. It
trails the directory by what the watch has not told yet, so whatever is decided from it is checked again by the
conditions of the commit that carries it out.
"""

from typing import Literal

import msgspec

from telegraph.directory.records import Attachment, Presence

Standing = Literal["away", "attached", "silent", "missing"]
"""Of a user: offline; online and attached to a manager; given up by that manager as silent; online and not attached.

Who is online at another site and attached to nobody here is away: no matter of this one.
"""


class Held(msgspec.Struct, frozen=True):
    """An attachment, its revision, and when it was heard of, on the monotonic clock."""

    attachment: Attachment
    revision: int
    heard: float


class Roll:
    """See the module."""

    def __init__(self, site: str = "") -> None:
        """``site`` is that of the manager."""
        self._site = site
        self._online: set[str] = set()
        self._elsewhere: set[str] = set()
        self._attached: dict[str, Held] = {}
        self._heard = 0

    @property
    def online(self) -> frozenset[str]:
        """Everybody who is online."""
        return frozenset(self._online)

    @property
    def attached(self) -> list[str]:
        """Everybody of whom there is an attachment, silent or not."""
        return list(self._attached)

    def attachment(self, user_id: str) -> Held | None:
        """What attaches a user, None if nothing does."""
        return self._attached.get(user_id)

    def take_presence(self, user_id: str, presence: Presence | None) -> None:
        """A user's presence is this now."""
        self._online.discard(user_id)
        self._elsewhere.discard(user_id)
        if presence is not None and presence.status == "online":
            self._online.add(user_id)
            if presence.site not in ("", self._site):
                self._elsewhere.add(user_id)

    def take_attachment(self, user_id: str, attachment: Attachment | None, revision: int, now: float) -> None:
        """A user is attached like this since a revision, or no more; told twice it changes nothing."""
        self._heard = max(self._heard, revision)
        known = self._attached.get(user_id)
        if known is not None and known.revision >= revision:
            return
        if attachment is None:
            self._attached.pop(user_id, None)
        else:
            self._attached[user_id] = Held(attachment, revision, now)

    def overtook(self, user_id: str, revision: int) -> bool:
        """Whether it is known already that an attachment of this revision is not the user's last one."""
        known = self._attached.get(user_id)
        return self._heard > revision and (known is None or known.revision != revision)

    def standing(self, user_id: str) -> Standing:
        """How a user stands."""
        if user_id not in self._online:
            return "away"
        held = self._attached.get(user_id)
        if held is None:
            return "away" if user_id in self._elsewhere else "missing"
        return "silent" if held.attachment.silent else "attached"
