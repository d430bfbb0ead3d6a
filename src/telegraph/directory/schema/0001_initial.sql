-- The present entries. Keys are printable ASCII, so SQLite's byte order is the port's key order.
CREATE TABLE entries (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What watches read: every change, with its place inside its commit; value is NULL for a delete.
CREATE TABLE changes (
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB,
    PRIMARY KEY (revision, place)
) STRICT, WITHOUT ROWID;

-- One row. The revision lies in the database, not in a process, because several may commit.
-- forgotten: changes up to this revision are no longer kept.
CREATE TABLE counter (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT;
INSERT INTO counter VALUES (1, 0, 0);
