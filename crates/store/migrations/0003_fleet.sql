-- Whom the fleet serves, who looks after it, what may be done to it and what was.

-- name_key: the name as it is searched for, as bytes: these every database orders alike, whatever its collation.
CREATE TABLE client (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    name_key    BYTEA NOT NULL,
    contact     TEXT,
    email       TEXT,
    phone       TEXT,
    note        TEXT,
    created_ts  BIGINT NOT NULL,
    archived_ts BIGINT
);
CREATE INDEX client_name ON client (name_key, id);
CREATE INDEX client_current ON client (name_key, id) WHERE archived_ts IS NULL;

-- Runs from starts_ts until before ends_ts. No days of its own: those of the fleet's settings count.
CREATE TABLE contract (
    id                   TEXT NOT NULL PRIMARY KEY,
    client               TEXT NOT NULL REFERENCES client (id),
    title                TEXT NOT NULL,
    starts_ts            BIGINT NOT NULL,
    ends_ts              BIGINT,
    retention_days       BIGINT,
    media_retention_days BIGINT,
    video                BIGINT NOT NULL,
    options              TEXT NOT NULL,
    note                 TEXT
);
CREATE INDEX contract_client ON contract (client, starts_ts, id);

-- A vehicle is in a contract from from_ts until before to_ts; it may leave and come back.
CREATE TABLE contract_vehicle (
    contract TEXT NOT NULL REFERENCES contract (id),
    vin      TEXT NOT NULL REFERENCES vehicle (vin),
    from_ts  BIGINT NOT NULL,
    to_ts    BIGINT,
    PRIMARY KEY (contract, vin, from_ts)
);
CREATE INDEX contract_vehicle_vin ON contract_vehicle (vin, from_ts, contract);

-- What was signed. The file itself is in the object store, under object_key.
CREATE TABLE contract_document (
    id         TEXT NOT NULL PRIMARY KEY,
    contract   TEXT NOT NULL REFERENCES contract (id),
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size       BIGINT NOT NULL,
    sha256     TEXT NOT NULL,
    object_key TEXT NOT NULL,
    created_ts BIGINT NOT NULL
);
CREATE INDEX contract_document_time ON contract_document (contract, created_ts, id);

-- client: whose vehicles somebody of role client sees. Tokens issued before sessions_after_ts are void.
ALTER TABLE account ADD COLUMN email TEXT;
ALTER TABLE account ADD COLUMN display_name TEXT;
ALTER TABLE account ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
ALTER TABLE account ADD COLUMN client TEXT REFERENCES client (id);
ALTER TABLE account ADD COLUMN disabled_ts BIGINT;
ALTER TABLE account ADD COLUMN sessions_after_ts BIGINT NOT NULL DEFAULT 0;
CREATE INDEX account_client ON account (client, name);
CREATE INDEX account_role ON account (role, name);

-- Describes the roles, which the programs know by their names.
CREATE TABLE role (
    name        TEXT NOT NULL PRIMARY KEY,
    label       TEXT NOT NULL,
    permissions TEXT NOT NULL,
    builtin     BIGINT NOT NULL
);
INSERT INTO role (name, label, permissions, builtin) VALUES
    ('administrator', 'Administrator',
     '["watch","handle_alerts","command","vehicles","clients","rules","geofences","users","settings","export","erase","audit"]',
     1),
    ('operator', 'Operator', '["watch","handle_alerts"]', 1),
    ('client', 'Client', '["watch_own"]', 1);

-- A box in a vehicle. vin: where it was last.
CREATE TABLE device (
    id         TEXT NOT NULL PRIMARY KEY,
    vin        TEXT REFERENCES vehicle (vin),
    model      TEXT,
    agent      TEXT,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    note       TEXT
);
CREATE INDEX device_vehicle ON device (vin, last_seen, id);
ALTER TABLE certificate ADD COLUMN device TEXT REFERENCES device (id);
CREATE INDEX certificate_device ON certificate (device, issued_ts, serial);
-- With the serial number, so that the newest one is found without sorting.
DROP INDEX certificate_vehicle;
CREATE INDEX certificate_vehicle ON certificate (vin, issued_ts, serial);

-- What people know of a vehicle: what it burns, its tank in litres (CNG: kg), its traction battery.
ALTER TABLE vehicle ADD COLUMN fuel_kind TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE vehicle ADD COLUMN tank_l DOUBLE PRECISION;
ALTER TABLE vehicle ADD COLUMN battery_kwh DOUBLE PRECISION;
ALTER TABLE vehicle ADD COLUMN class TEXT;
ALTER TABLE vehicle ADD COLUMN note TEXT;
ALTER TABLE vehicle ADD COLUMN archived_ts BIGINT;

CREATE TABLE geofence (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    shape      TEXT NOT NULL,
    client     TEXT REFERENCES client (id),
    colour     TEXT,
    created_ts BIGINT NOT NULL,
    updated_ts BIGINT NOT NULL
);
CREATE INDEX geofence_client ON geofence (client, id);

-- state: issued, then what the vehicle's replies say; it only moves on. state_ts: since when.
CREATE TABLE command (
    id        TEXT NOT NULL PRIMARY KEY,
    vin       TEXT NOT NULL REFERENCES vehicle (vin),
    name      TEXT NOT NULL,
    arguments TEXT NOT NULL,
    issued    BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    by_user   TEXT NOT NULL,
    state     TEXT NOT NULL,
    state_ts  BIGINT NOT NULL,
    detail    TEXT
);
CREATE INDEX command_vehicle ON command (vin, issued, id);
CREATE INDEX command_open ON command (vin, issued, id) WHERE state IN ('issued', 'accepted', 'running');
CREATE INDEX command_age ON command (issued);

ALTER TABLE alert ADD COLUMN assigned_to TEXT;
ALTER TABLE alert ADD COLUMN snoozed_until BIGINT;

-- What happened to an alert. number rises by one with each of the same alert. An alert takes its history along.
CREATE TABLE alert_event (
    alert   TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    number  BIGINT NOT NULL,
    at_ts   BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    by_user TEXT,
    text    TEXT,
    PRIMARY KEY (alert, number)
);

-- Who did what, to what. Rows are added and, when they are old, deleted, and never changed. No references: what it tells of
-- may be gone.
CREATE TABLE audit (
    id          TEXT NOT NULL PRIMARY KEY,
    at_ts       BIGINT NOT NULL,
    who         TEXT NOT NULL,
    what        TEXT NOT NULL,
    object_kind TEXT,
    object_id   TEXT,
    detail      TEXT NOT NULL,
    address     TEXT
);
CREATE INDEX audit_time ON audit (at_ts, id);
CREATE INDEX audit_who ON audit (who, at_ts, id);
CREATE INDEX audit_object ON audit (object_kind, object_id, at_ts, id);

CREATE TABLE setting (
    key        TEXT NOT NULL PRIMARY KEY,
    value      TEXT NOT NULL,
    updated_ts BIGINT NOT NULL,
    updated_by TEXT
);

-- What was erased: how many rows of each table, and of whom as a hash, so that a receipt tells nothing but to who asks
-- about the right one.
CREATE TABLE receipt (
    id             TEXT NOT NULL PRIMARY KEY,
    at_ts          BIGINT NOT NULL,
    by_user        TEXT NOT NULL,
    subject_kind   TEXT NOT NULL,
    subject_sha256 TEXT NOT NULL,
    erased         TEXT NOT NULL,
    sha256         TEXT NOT NULL
);
CREATE INDEX receipt_time ON receipt (at_ts, id);
CREATE INDEX receipt_subject ON receipt (subject_sha256, at_ts, id);
