-- What a page or program handed in under an id of its own: handed in again, it is not sent again. `message` is the row,
-- also after the message was deleted.
CREATE TABLE requests (
    message INTEGER PRIMARY KEY,
    request TEXT NOT NULL UNIQUE
) STRICT;

-- What the user began to write and has not sent.
CREATE TABLE drafts (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id),
    text TEXT NOT NULL
) STRICT;
