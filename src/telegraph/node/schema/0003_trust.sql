-- What the user has said of people. `device_key` stays the key that links are made with; `verified_key` is the one that
-- the user compared, `offered_key` one that the directory vouches for and that waits for the user's word, `refused_key`
-- the last that the user did not want. While `offered_key` or `blocked` is set, nothing is sent.
ALTER TABLE contacts ADD COLUMN verified_key BLOB;
ALTER TABLE contacts ADD COLUMN offered_key BLOB;
ALTER TABLE contacts ADD COLUMN refused_key BLOB;
ALTER TABLE contacts ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
