-- The books of a fleet: what is to be done to vehicles and was, lists that people look at again, and sums over trips.

-- Harsh events of a trip, for sums; unknown of those that an older version has made.
ALTER TABLE trip ADD COLUMN harsh BIGINT;

-- The fleet as it is.
CREATE INDEX vehicle_current ON vehicle (vin) WHERE archived_ts IS NULL;

-- Contracts of all clients, by when they begin and by when they end.
CREATE INDEX contract_start ON contract (starts_ts, id);
CREATE INDEX contract_end ON contract (ends_ts, id);
CREATE INDEX contract_client_end ON contract (client, ends_ts, id);

-- Something that is to be done to a vehicle again and again, or once at due_ts. since_ts, since_km: when it was done last,
-- or from when on it counts.
CREATE TABLE maintenance_item (
    id           TEXT NOT NULL PRIMARY KEY,
    vin          TEXT NOT NULL REFERENCES vehicle (vin),
    title        TEXT NOT NULL,
    every_km     BIGINT,
    every_hours  BIGINT,
    every_months BIGINT,
    due_ts       BIGINT,
    since_ts     BIGINT NOT NULL,
    since_km     DOUBLE PRECISION,
    note         TEXT,
    created_ts   BIGINT NOT NULL,
    archived_ts  BIGINT
);
CREATE INDEX maintenance_item_vehicle ON maintenance_item (vin, created_ts, id);
CREATE INDEX maintenance_item_open ON maintenance_item (vin, id) WHERE archived_ts IS NULL;

-- What was done. title: of the item as it was called then, or what was done besides.
CREATE TABLE maintenance_entry (
    id          TEXT NOT NULL PRIMARY KEY,
    vin         TEXT NOT NULL REFERENCES vehicle (vin),
    item        TEXT REFERENCES maintenance_item (id),
    title       TEXT NOT NULL,
    done_ts     BIGINT NOT NULL,
    odometer_km DOUBLE PRECISION,
    cost        DOUBLE PRECISION,
    workshop    TEXT,
    note        TEXT,
    created_ts  BIGINT NOT NULL,
    by_user     TEXT NOT NULL
);
CREATE INDEX maintenance_entry_vehicle ON maintenance_entry (vin, done_ts, id);
CREATE INDEX maintenance_entry_item ON maintenance_entry (item, done_ts, id);

-- A list with its filters as somebody wants to see it again. query: of its address, without the `?`.
CREATE TABLE saved_view (
    id         TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    page       TEXT NOT NULL,
    name       TEXT NOT NULL,
    query      TEXT NOT NULL,
    created_ts BIGINT NOT NULL
);
CREATE INDEX saved_view_account ON saved_view (account, page, created_ts, id);
