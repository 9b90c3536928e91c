-- One text for SQLite and PostgreSQL: times are BIGINT milliseconds, UUIDs and JSON are TEXT, booleans BIGINT 0 or 1.
-- A VIN stands for itself everywhere: it is the vehicle's key on the wire, too.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE account (
    name          TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL,
    created_ts    BIGINT NOT NULL
);

CREATE TABLE vehicle (
    vin        TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    plate      TEXT,
    created_ts BIGINT NOT NULL
);

-- signals: {"spd": [time, value], …}. presence_epoch and presence_since tell which connection the presence is of.
CREATE TABLE last_state (
    vin            TEXT NOT NULL PRIMARY KEY REFERENCES vehicle (vin),
    presence       TEXT NOT NULL,
    presence_epoch BIGINT NOT NULL,
    presence_since BIGINT NOT NULL,
    source_ts      BIGINT NOT NULL,
    received_ts    BIGINT NOT NULL,
    signals        TEXT NOT NULL
);

-- Every batch as it came. There is no key but the one that a duplicate would break: a composite primary key on SQLite
-- would cost two thirds of the speed (rowid tables append).
CREATE TABLE tail (
    vin         TEXT NOT NULL,
    epoch       BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    t0          BIGINT NOT NULL,
    t1          BIGINT NOT NULL,
    row_count   BIGINT NOT NULL,
    lane        TEXT NOT NULL,
    received_ts BIGINT NOT NULL,
    body        BYTEA NOT NULL
);
CREATE UNIQUE INDEX tail_record ON tail (vin, epoch, seq);
CREATE INDEX tail_time ON tail (vin, t0, epoch, seq);

-- What of an outbox is committed: everything up to seq, and the ranges above it as [[from, to], …].
CREATE TABLE progress (
    vin    TEXT NOT NULL,
    epoch  BIGINT NOT NULL,
    seq    BIGINT NOT NULL,
    ranges TEXT NOT NULL,
    PRIMARY KEY (vin, epoch)
);

CREATE TABLE gap (
    vin         TEXT NOT NULL REFERENCES vehicle (vin),
    epoch       BIGINT NOT NULL,
    from_seq    BIGINT NOT NULL,
    to_seq      BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    received_ts BIGINT NOT NULL,
    PRIMARY KEY (vin, epoch, from_seq, to_seq)
);

CREATE TABLE birth (
    vin         TEXT NOT NULL PRIMARY KEY REFERENCES vehicle (vin),
    epoch       BIGINT NOT NULL,
    agent       TEXT NOT NULL,
    received_ts BIGINT NOT NULL,
    body        TEXT NOT NULL
);

-- The vehicle is in the key: nobody's ids can stand in another vehicle's way.
CREATE TABLE event (
    vin         TEXT NOT NULL REFERENCES vehicle (vin),
    id          TEXT NOT NULL,
    kind        TEXT NOT NULL,
    at_ts       BIGINT NOT NULL,
    received_ts BIGINT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (vin, id)
);
CREATE INDEX event_time ON event (vin, at_ts);

-- The newest picture of each vehicle, and every trouble code that it ever told.
CREATE TABLE diagnostics (
    vin         TEXT NOT NULL PRIMARY KEY REFERENCES vehicle (vin),
    at_ts       BIGINT NOT NULL,
    received_ts BIGINT NOT NULL,
    body        TEXT NOT NULL
);
CREATE TABLE dtc (
    vin        TEXT NOT NULL REFERENCES vehicle (vin),
    code       TEXT NOT NULL,
    status     TEXT NOT NULL,
    ecu        TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    PRIMARY KEY (vin, code, status, ecu)
);

CREATE TABLE media (
    vin         TEXT NOT NULL REFERENCES vehicle (vin),
    id          TEXT NOT NULL,
    camera      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL,
    at_ts       BIGINT NOT NULL,
    from_ts     BIGINT NOT NULL,
    received_ts BIGINT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (vin, id)
);
CREATE INDEX media_time ON media (vin, from_ts);

CREATE TABLE reply (
    vin         TEXT NOT NULL REFERENCES vehicle (vin),
    epoch       BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    command     TEXT NOT NULL,
    state       TEXT NOT NULL,
    at_ts       BIGINT NOT NULL,
    received_ts BIGINT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (vin, epoch, seq)
);
CREATE INDEX reply_command ON reply (command);

-- What could not be taken, to be examined. number rises; the oldest go beyond a fixed count.
CREATE TABLE dead_letter (
    number      BIGINT NOT NULL PRIMARY KEY,
    topic       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    size        BIGINT NOT NULL,
    payload     BYTEA NOT NULL,
    received_ts BIGINT NOT NULL
);

CREATE TABLE rule (
    id        TEXT NOT NULL PRIMARY KEY,
    title     TEXT NOT NULL,
    severity  TEXT NOT NULL,
    enabled   BIGINT NOT NULL,
    condition TEXT NOT NULL
);

-- The notifier may hear of a vehicle before ingest has stored it, hence no reference.
CREATE TABLE alert (
    id              TEXT NOT NULL PRIMARY KEY,
    vin             TEXT NOT NULL,
    rule            TEXT NOT NULL,
    title           TEXT NOT NULL,
    severity        TEXT NOT NULL,
    state           TEXT NOT NULL,
    opened          BIGINT NOT NULL,
    updated         BIGINT NOT NULL,
    resolved        BIGINT,
    count           BIGINT NOT NULL,
    value           DOUBLE PRECISION,
    acknowledged_by TEXT
);
CREATE INDEX alert_time ON alert (opened, id);
CREATE INDEX alert_active ON alert (opened, id) WHERE resolved IS NULL;
