"""The site that a manager belongs to, and what differs once there are several (DESIGN.md 6)."""

from telegraph.directory import records
from telegraph.directory.port import Directory, Unchanged
from telegraph.directory.records import Version


class Home:
    """One for all parts of a manager.

    Attributes:
        name: of the site.
        several: whether there are, or were, other sites, as far as is known here.
    """

    def __init__(self, name: str = "") -> None:
        """A site, alone until :meth:`look` or somebody else says otherwise."""
        self.name = name
        self.several = False

    def next(self, version: Version) -> Version:
        """The version of a value that is written here, over one of this version."""
        return (version[0] + 1, self.name)

    @property
    def still_alone(self) -> list[Unchanged]:
        """Conditions of a commit that leaves out what only other sites need.

        The key that it names is written before another site may read anything. So no session ends without its mark that
        another site has heard of, whatever this manager has not heard yet.
        """
        return [] if self.several else [Unchanged(records.SEVERAL, 0)]

    async def look(self, directory: Directory) -> None:
        """Looks whether there are several; to be called after a commit with :attr:`still_alone` was refused.

        Raises:
            DirectoryUnavailable: that cannot be said.
        """
        self.several = self.several or await directory.get(records.SEVERAL) is not None
