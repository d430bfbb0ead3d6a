-- Devices that are given up.

-- The managers' list of revoked device keys, for the time when none of them answers. `key`: SHA-256 of the raw key, hex.
-- `until`: RFC 3339; no certificate of the key is valid after it.
CREATE TABLE revoked (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    until TEXT NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;
