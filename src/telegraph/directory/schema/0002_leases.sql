-- What keys may be bound to. deadline: seconds on this machine's clock since its start (CLOCK_BOOTTIME); ids are never
-- given twice.
CREATE TABLE leases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ttl REAL NOT NULL,
    deadline REAL NOT NULL
) STRICT;

-- 0: the key is bound to none. The index has only those that are.
ALTER TABLE entries ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
CREATE INDEX bound_entries ON entries (lease) WHERE lease <> 0;
