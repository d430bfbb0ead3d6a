"""Several sites of one organisation, each a :class:`~telegraph.testing.groups.ManagerGroup` of real processes.

::

    with ManagerSites(tmp_path, "lima", "cusco") as sites:
        sites["cusco"].kill(0)
        sites["cusco"].start(0)
        sites.agree()
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from telegraph.manager.sites.status import SitesStatus, read_sites
from telegraph.testing.groups import ManagerGroup
from telegraph.testing.processes import PROGRAM, eventually, telegraph

AGREED_WITHIN: Final = 15.0


class ManagerSites:
    """Sites by their names. The first has begun the organisation; the others have joined it one after the other."""

    def __init__(
        self,
        root: Path,
        *names: str,
        count: int = 1,
        options: Sequence[str] = (),
        host: Callable[[int, int], str] = lambda site, number: f"127.0.{site}.{number + 1}",
        program: Callable[[int, int], Sequence[str]] = lambda _site, _number: PROGRAM,
    ) -> None:
        """Starts them.

        Args:
            root: an existing directory for their data.
            names: of the sites.
            count: managers a site; several of one form their group by themselves.
            options: further options of ``telegraph manager run``, for all managers.
            host: the address that a manager of a site listens on; sites have numbers too, from 0 on.
            program: what to start instead of ``telegraph``.
        """
        self._root, self._count, self._options = root, count, options
        self._host, self._program = host, program
        self.groups: dict[str, ManagerGroup] = {}
        try:
            for name in names:
                self.add(name)
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> ManagerGroup:
        return self.groups[name]

    def add(self, name: str) -> ManagerGroup:
        """Starts one more site, which joins the first one that runs."""
        site, folder = len(self.groups), self._root / name
        folder.mkdir()
        group = self.groups[name] = ManagerGroup(
            folder,
            0,
            *("--site", name, *self._options),
            host=lambda number: self._host(site, number),
            program=lambda number: self._program(site, number),
        )
        if self._count == 1:
            group.add(*self.joining(name))
        else:
            group.form(self._count, "--org-file", str(self._organisation()), *self.joining(name)[:2])
        return group

    def _organisation(self) -> Path:
        """The secrets with which managers form a group by themselves."""
        folder = self._root / "organisation"
        if not folder.exists():
            made = telegraph("manager", "new-org", "--out", folder)
            assert made.code == 0, made.err  # noqa: S101 - it is a test's
        return folder / "organisation.json"

    def joining(self, name: str) -> tuple[str, ...]:
        """The options with which a site joins the others; none for the first."""
        known = next((group for site, group in self.groups.items() if site != name and group.running), None)
        if known is None:
            return ()
        number = next(iter(known.running))
        return ("--join-site", known.urls[number], "--token", known.say(number, "token")["token"])

    def seen(self, name: str) -> SitesStatus:
        """What ``telegraph manager sites`` finds beside a manager of a site that runs."""
        group = self.groups[name]
        number = next(iter(group.running))
        if self._program(list(self.groups).index(name), number) == PROGRAM:
            return asyncio.run(read_sites(group.data(number)))  # quicker than a command
        return msgspec.convert(group.say(number, "sites"), SitesStatus)

    def agree(self, within: float = AGREED_WITHIN) -> None:
        """Waits until every site that runs hears all others, and all have the same state.

        Raises:
            AssertionError: they do not in time.
        """

        def all_agree() -> bool:
            found = [self.seen(name) for name, group in self.groups.items() if group.running]
            return all(each.equal and all(other.up for other in each.others) for each in found)

        eventually(all_agree, within)

    def close(self) -> None:
        """Kills all."""
        for group in self.groups.values():
            group.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
