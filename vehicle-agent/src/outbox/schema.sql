-- AUTOINCREMENT: a number that was given is never given again, even when its record is gone.
CREATE TABLE IF NOT EXISTS record (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    INTEGER NOT NULL,
    urgent  INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    stored  INTEGER NOT NULL DEFAULT 0,
    body    BLOB    NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS identity (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    vin        TEXT    NOT NULL,
    vin_source TEXT    NOT NULL,
    epoch      INTEGER NOT NULL,
    store      TEXT,
    stored_seq INTEGER NOT NULL DEFAULT 0,
    -- The recording that is being replayed, and how many of its fixes are on disk.
    recording  TEXT,
    replayed   INTEGER NOT NULL DEFAULT 0
) STRICT;
-- What fleet and driver want.
CREATE TABLE IF NOT EXISTS wish (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    -- The message, in MessagePack.
    config         BLOB,
    driver_private INTEGER NOT NULL
) STRICT;
-- The same as older versions kept it.
CREATE TABLE IF NOT EXISTS wanted (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    private  INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS wanted_period (
    key       TEXT    PRIMARY KEY,
    period_ms INTEGER NOT NULL
) STRICT;
-- Commands that were taken on: each is carried out once.
CREATE TABLE IF NOT EXISTS command (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB    NOT NULL UNIQUE,
    name     TEXT    NOT NULL,
    taken_at INTEGER NOT NULL,
    ended    INTEGER NOT NULL DEFAULT 0
) STRICT;
-- What parts of the agent know and want to know after the next start, in MessagePack.
CREATE TABLE IF NOT EXISTS note (
    part TEXT PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
