"""Whom the leader marks offline, and when. Pure.

===================  =====================================================================================
how a user stands    decision
===================  =====================================================================================
away                 none
attached             none
silent               offline at once: the manager that they were attached to did not hear them for too long
missing              offline after the patience, counted from when the leader first saw it so
===================  =====================================================================================

*Missing* is who is online and attached to nobody: their manager died, or lost its lease, or all were down. That says
nothing yet about the user, who may show life elsewhere any moment; so the patience is the time that everybody has
(``offline_after``). A new leader counts it anew.
"""

from collections import OrderedDict

from telegraph.manager.moment import Moment
from telegraph.manager.roll import Standing


class Absences:
    """Who is to be marked offline."""

    def __init__(self, patience: float) -> None:
        """``patience`` in seconds."""
        self._patience = patience
        self._silent: OrderedDict[str, None] = OrderedDict()
        self._missing: OrderedDict[str, float] = OrderedDict()  # the first due first: all have the same time

    def consider(self, user_id: str, standing: Standing, now: Moment) -> None:
        """A user stands like this now; said again it changes nothing."""
        if standing != "silent":
            self._silent.pop(user_id, None)
        else:
            self._silent.setdefault(user_id)
        if standing != "missing":
            self._missing.pop(user_id, None)
        else:
            self._missing.setdefault(user_id, now.mono + self._patience)

    def due(self, now: Moment) -> list[str]:
        """Who is to be marked offline now."""
        found = list(self._silent)
        for user_id, deadline in self._missing.items():
            if deadline > now.mono:
                break
            found.append(user_id)
        return found

    def next_look(self, now: Moment) -> float | None:
        """Seconds until somebody is due, None if nobody will be."""
        if self._silent:
            return 0.0
        first = next(iter(self._missing.values()), None)
        return None if first is None else max(0.0, first - now.mono)
