"""Which SQLite every room uses: the one that comes with SQLCipher, so that all have the same version and features.

``sqlcipher3`` is Python's own ``sqlite3`` module built with SQLCipher (https://www.zetetic.net/sqlcipher/); without a
key it is plain SQLite. It ships no types, and needs none: its types are those of ``sqlite3``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlcipher3 import dbapi2 as sqlite3

__all__ = ["sqlite3"]
