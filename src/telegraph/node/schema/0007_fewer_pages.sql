-- Each page that a commit changes is encrypted, authenticated and written. The events' cursors need no table of their own
-- (AUTOINCREMENT's sqlite_sequence): the row with the highest one is never deleted (node/event_log.py), so none comes
-- again.
ALTER TABLE events RENAME TO old_events;

CREATE TABLE events (
    cursor INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    contact INTEGER NOT NULL,
    message INTEGER,
    mine INTEGER NOT NULL DEFAULT 0,
    stream INTEGER NOT NULL DEFAULT 0,
    first INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0,
    detail BLOB
) STRICT;

INSERT INTO events (cursor, kind, contact, message, mine, stream, first, last, detail)
SELECT cursor, kind, contact, message, mine, stream, first, last, detail FROM old_events;

DROP TABLE old_events;

-- `out_stored`: the highest number of ours that they have said to have on disk. What waits is what is above it and not given
-- up, so neither sending nor an acknowledgement changes a table of its own.
ALTER TABLE contacts ADD COLUMN out_stored INTEGER NOT NULL DEFAULT 0;

UPDATE contacts SET out_stored = ifnull((SELECT min(seq) - 1 FROM outbox o WHERE o.contact = contacts.id), out_seq);

-- Numbers above it that were known to have come all the same: an answer about a number given up overtook the
-- acknowledgements. Their messages are sent once more, and known again there.
UPDATE messages SET settled = 'delivered' WHERE mine = 1 AND settled IS NULL AND seq IS NOT NULL
    AND seq > (SELECT out_stored FROM contacts c WHERE c.id = messages.contact)
    AND stream = (SELECT stream FROM contacts c WHERE c.id = messages.contact)
    AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.contact = messages.contact AND o.seq = messages.seq);

DROP TABLE outbox;

-- 'delivered' and 'read' here: sent once more to somebody who lost it (node/epochs.py).
CREATE VIEW outbox AS
SELECT m.contact AS contact, m.seq AS seq, m.id AS message
FROM contacts c JOIN messages m ON m.contact = c.id AND m.mine = 1 AND m.stream = c.stream AND m.seq > c.out_stored
WHERE m.settled IS NULL OR m.settled IN ('delivered', 'read');
