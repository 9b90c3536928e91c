-- What the page of a vehicle shows, and what is wanted of it.

-- What an alert is about, and where the vehicle was.
ALTER TABLE alert ADD COLUMN signal TEXT;
ALTER TABLE alert ADD COLUMN threshold DOUBLE PRECISION;
ALTER TABLE alert ADD COLUMN lat DOUBLE PRECISION;
ALTER TABLE alert ADD COLUMN lon DOUBLE PRECISION;

-- gone_ts: when the vehicle told its codes and this one was no longer among them. times: how often it came.
ALTER TABLE dtc ADD COLUMN gone_ts BIGINT;
ALTER TABLE dtc ADD COLUMN times BIGINT NOT NULL DEFAULT 1;

-- What people want of a vehicle. said: the whole of down/config as it was said last, without its revision.
CREATE TABLE wish (
    vin        TEXT NOT NULL PRIMARY KEY REFERENCES vehicle (vin),
    revision   BIGINT NOT NULL,
    wishes     TEXT NOT NULL,
    said       TEXT NOT NULL,
    updated_ts BIGINT NOT NULL,
    updated_by TEXT
);

-- Rises with each change of the rules.
INSERT INTO counter (name, value) VALUES ('rule', 0);

-- When trips of a vehicle were made last, by our clock.
ALTER TABLE trip_state ADD COLUMN changed_ts BIGINT;
CREATE INDEX trip_state_changed ON trip_state (changed_ts, vin) WHERE changed_ts IS NOT NULL;

-- Commands that their vehicles have not heard.
CREATE INDEX command_issued ON command (issued, id) WHERE state = 'issued';
