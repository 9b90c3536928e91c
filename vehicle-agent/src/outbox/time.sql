-- Of a record that is held back, because its time is only that since the computer's start: which start.
ALTER TABLE record ADD COLUMN boot INTEGER;
CREATE INDEX record_boot ON record (boot) WHERE boot IS NOT NULL;
-- Starts of the computer: the latest, and those that records are held back for.
CREATE TABLE boot (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL UNIQUE,
    -- When it was by the computer's clock, which may be wrong.
    guess   INTEGER NOT NULL,
    -- When it was by a good time, and what that came from.
    started INTEGER,
    clock   INTEGER
) STRICT;
-- Bytes that went over the network on a day (UTC, days since 1970).
CREATE TABLE usage (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    day   INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;
-- CRC-32 of the body; of a record of an older version there is none.
ALTER TABLE record ADD COLUMN crc INTEGER;
