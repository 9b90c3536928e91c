-- Samples: batches wait in `tail` as they came and are folded into an hour of columns; trips are made on the way.

-- What each committer last saw of a row that it keeps in memory: it writes on the condition that nobody else has.
ALTER TABLE progress ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE last_state ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

-- One index serves the order of time and refuses a record that is there. body is empty where the samples are elsewhere
-- (InfluxDB): the row then says what of the vehicle's history has changed.
DROP INDEX tail_record;
DROP INDEX tail_time;
CREATE UNIQUE INDEX tail_record ON tail (vin, t0, epoch, seq);

-- An hour (UTC) of a vehicle: the times of its rows, compressed.
CREATE TABLE block (
    vin       TEXT NOT NULL,
    hour      BIGINT NOT NULL,
    version   BIGINT NOT NULL,
    from_ts   BIGINT NOT NULL,
    to_ts     BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    times     BYTEA NOT NULL,
    PRIMARY KEY (vin, hour)
);

-- A signal in that hour: n values, the lowest, the highest, their sum, and all of them, compressed.
CREATE TABLE chunk (
    vin    TEXT NOT NULL,
    hour   BIGINT NOT NULL,
    signal TEXT NOT NULL,
    n      BIGINT NOT NULL,
    low    DOUBLE PRECISION NOT NULL,
    high   DOUBLE PRECISION NOT NULL,
    total  DOUBLE PRECISION NOT NULL,
    data   BYTEA NOT NULL,
    PRIMARY KEY (vin, hour, signal)
);
-- A year of a signal is drawn from this index alone.
CREATE INDEX chunk_summary ON chunk (vin, signal, hour, n, low, high, total);

-- Where the making of trips stands: everything up to upto_ts is in trips and stops, but what came late and begins at
-- late_ts. state: the machine, as JSON.
CREATE TABLE trip_state (
    vin     TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    upto_ts BIGINT,
    late_ts BIGINT,
    -- Samples before it have been removed: trips before it cannot be made again.
    floor_ts BIGINT,
    state   TEXT NOT NULL
);
-- body: the whole of it as JSON; the columns are for lists and sums.
CREATE TABLE trip (
    vin         TEXT NOT NULL,
    start_ts    BIGINT NOT NULL,
    end_ts      BIGINT NOT NULL,
    open        BIGINT NOT NULL,
    distance_m  DOUBLE PRECISION NOT NULL,
    moving_ms   BIGINT NOT NULL,
    idle_ms     BIGINT NOT NULL,
    fuel_l      DOUBLE PRECISION,
    energy_kwh  DOUBLE PRECISION,
    cost        DOUBLE PRECISION,
    co2_kg      DOUBLE PRECISION,
    score       BIGINT NOT NULL,
    start_place TEXT,
    end_place   TEXT,
    body        TEXT NOT NULL,
    PRIMARY KEY (vin, start_ts)
);
CREATE INDEX trip_time ON trip (start_ts, vin);
CREATE INDEX trip_open ON trip (end_ts) WHERE open = 1;
-- end_ts is null while it lasts.
CREATE TABLE stop (
    vin      TEXT NOT NULL,
    start_ts BIGINT NOT NULL,
    end_ts   BIGINT,
    idle_ms  BIGINT NOT NULL,
    place    TEXT,
    body     TEXT NOT NULL,
    PRIMARY KEY (vin, start_ts)
);
CREATE INDEX stop_time ON stop (start_ts, vin);

-- Records of an impossible time, whole. at_ts: what time that is, where it can be told; once it is possible they are released.
CREATE TABLE quarantine (
    number      BIGINT NOT NULL PRIMARY KEY,
    vin         TEXT NOT NULL,
    topic       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at_ts       BIGINT,
    received_ts BIGINT NOT NULL,
    payload     BYTEA NOT NULL
);
CREATE INDEX quarantine_time ON quarantine (at_ts) WHERE at_ts IS NOT NULL;
CREATE INDEX quarantine_vehicle ON quarantine (vin, number);

-- The last number that was given, where numbers rise.
CREATE TABLE counter (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counter (name, value) SELECT 'dead_letter', COALESCE(MAX(number), 0) FROM dead_letter;
INSERT INTO counter (name, value) VALUES ('quarantine', 0);

-- Retention works through old rows from the oldest on.
CREATE INDEX event_age ON event (received_ts);
CREATE INDEX alert_end ON alert (resolved) WHERE resolved IS NOT NULL;
CREATE INDEX media_age ON media (received_ts);
CREATE INDEX reply_age ON reply (received_ts);
CREATE INDEX dead_letter_age ON dead_letter (received_ts);
CREATE INDEX quarantine_age ON quarantine (received_ts);
CREATE INDEX block_age ON block (hour, vin);
