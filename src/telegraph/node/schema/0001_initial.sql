-- One person's messages and whom they know. Integer primary keys throughout: the UUID of a message is a unique
-- blob beside them, which keeps every index small.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A contact is also a conversation and the two streams in it. `stream` counts up when the contact's device key changes,
-- and the numbers begin at 1 again.
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    name_key TEXT NOT NULL,
    device_key BLOB,
    key_changed INTEGER NOT NULL DEFAULT 0,
    host TEXT,
    port INTEGER,
    counter INTEGER NOT NULL DEFAULT 0,
    stream INTEGER NOT NULL DEFAULT 1,
    out_seq INTEGER NOT NULL DEFAULT 0,      -- highest number given to a message of ours
    out_id BLOB NOT NULL DEFAULT x'',        -- its id
    out_ord BLOB NOT NULL DEFAULT x'',       -- its sort key
    out_read INTEGER NOT NULL DEFAULT 0,     -- highest number of ours that they have read
    in_seq INTEGER NOT NULL DEFAULT 0,       -- highest number stored of theirs
    in_seen INTEGER NOT NULL DEFAULT 0,      -- what that one had seen of ours
    in_ord BLOB NOT NULL DEFAULT x'',        -- its sort key
    in_read INTEGER NOT NULL DEFAULT 0,      -- highest number of theirs read here
    read_told INTEGER NOT NULL DEFAULT 0,    -- highest of those that they have acknowledged the receipt of
    read_ord BLOB NOT NULL DEFAULT x''       -- sort key of the last message that was there when the user last read
) STRICT;

CREATE INDEX contacts_by_name ON contacts (name_key);

-- `settled` is the state of a message that the numbers above no longer tell: failed, cancelled, of an earlier stream, or
-- received outside the stream (seq NULL). Otherwise: ours in the outbox = pending, then delivered, read up to out_read.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    contact INTEGER NOT NULL REFERENCES contacts (id),
    mine INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    seq INTEGER,
    seen INTEGER NOT NULL,
    ord BLOB NOT NULL,
    depth INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    sent_at INTEGER NOT NULL,                -- the sender's clock, microseconds since 1970
    reply_to BLOB,
    late INTEGER NOT NULL DEFAULT 0,
    settled TEXT
) STRICT;

CREATE INDEX messages_in_order ON messages (contact, ord, depth, uuid);
CREATE UNIQUE INDEX messages_in_stream ON messages (contact, mine, stream, seq) WHERE seq IS NOT NULL;
CREATE INDEX messages_unread_outside ON messages (contact) WHERE seq IS NULL AND settled = 'delivered';

CREATE TABLE outbox (
    contact INTEGER NOT NULL REFERENCES contacts (id),
    seq INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES messages (id),
    PRIMARY KEY (contact, seq)
) STRICT, WITHOUT ROWID;

-- What a page or bot has to be told, resumable by cursor. A row of kind 'state' covers a range of numbers of one stream.
CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    contact INTEGER NOT NULL,
    message INTEGER,
    mine INTEGER NOT NULL DEFAULT 0,
    stream INTEGER NOT NULL DEFAULT 0,
    first INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0
) STRICT;
