-- Messages that are given up, tried again, expire or are deleted.

-- `reason`: why a message of ours failed. `stamp`: the id that places it, if that is not its own (it was tried again).
ALTER TABLE messages ADD COLUMN reason TEXT;
ALTER TABLE messages ADD COLUMN stamp BLOB;

-- Numbers of theirs above in_read without a message: skipped, or deleted before they were read.
ALTER TABLE contacts ADD COLUMN in_holes INTEGER NOT NULL DEFAULT 0;

-- `detail`: the id of a message that is not here any more.
ALTER TABLE events ADD COLUMN detail BLOB;

-- A number of ours whose message was given up while it waited. It goes out as an empty number, and the row stays until
-- the other end has said whether it had stored the message before. `message`: NULL once it is deleted here. `again`: the
-- user wants it sent anew, under a new number, if they have not got it.
CREATE TABLE voids (
    contact INTEGER NOT NULL REFERENCES contacts (id),
    seq INTEGER NOT NULL,
    uuid BLOB NOT NULL,
    ord BLOB NOT NULL,
    message INTEGER,
    again INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (contact, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX voids_by_message ON voids (message);

-- Numbers of theirs that came empty.
CREATE TABLE skipped (
    contact INTEGER NOT NULL REFERENCES contacts (id),
    seq INTEGER NOT NULL,
    PRIMARY KEY (contact, seq)
) STRICT, WITHOUT ROWID;

-- Sort keys of numbers of ours whose message is deleted, or has another number by now: what answers them is placed by it.
CREATE TABLE former_places (
    contact INTEGER NOT NULL REFERENCES contacts (id),
    seq INTEGER NOT NULL,
    ord BLOB NOT NULL,
    PRIMARY KEY (contact, seq)
) STRICT, WITHOUT ROWID;

-- The outbox anew, without its reference to messages: each deletion of a message would search all of it.
ALTER TABLE outbox RENAME TO old_outbox;

CREATE TABLE outbox (
    contact INTEGER NOT NULL REFERENCES contacts (id),
    seq INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (contact, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO outbox SELECT contact, seq, message FROM old_outbox;

DROP TABLE old_outbox;

-- Messages that fail if they are not delivered by `due`: microseconds of this store's steady time (node/expiry.py).
CREATE TABLE expiries (
    message INTEGER PRIMARY KEY,
    due INTEGER NOT NULL
) STRICT;

CREATE INDEX expiries_by_time ON expiries (due);

-- The device keys of contacts' earlier streams; that of the current one is in contacts.
CREATE TABLE past_devices (
    contact INTEGER NOT NULL REFERENCES contacts (id),
    stream INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (contact, stream)
) STRICT, WITHOUT ROWID;

-- The words of all messages up to search_position, by the message's row (node/search.py). The conversation is a word too,
-- so that searching a small one among a million messages is quick.
CREATE VIEW searchable AS SELECT id, text, 'c' || contact AS conversation FROM messages;

CREATE VIRTUAL TABLE found USING fts5 (
    text,
    conversation,
    content = 'searchable',
    content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE search_position (upto INTEGER NOT NULL) STRICT;

INSERT INTO search_position VALUES (0);

-- Ids of deleted messages that came without a number: sent again, they are not stored again.
CREATE TABLE forgotten (uuid BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

-- `gone`: their account was deleted, as a manager said; nobody is asked about voids any more.
ALTER TABLE contacts ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

-- The highest row of `messages` that a deleted message had. Rows are not given out again: what is written of an old one
-- (events, search index) must not speak of a new one.
CREATE TABLE last_row (id INTEGER NOT NULL) STRICT;

INSERT INTO last_row VALUES (0);
