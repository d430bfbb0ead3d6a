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

-- `epoch`: how often the numbers with the contact's present device began anew, as both ends count it. `in_id`: the id of
-- the message, or of the empty number, that is number in_seq of theirs, x'' if that is not known.
ALTER TABLE contacts ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN in_id BLOB NOT NULL DEFAULT x'';
