-- The newest address that a contact's device signed, as it signed it, so that it can be passed on. `device_key` is the
-- key that it was checked with; once the contact has another one it is worth nothing.
CREATE TABLE addresses (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id),
    device_key BLOB NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;
