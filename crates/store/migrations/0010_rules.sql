-- Rules of many kinds, and what the notifier remembers of vehicles.

-- Which vehicles a rule is about.
ALTER TABLE rule ADD COLUMN scope TEXT NOT NULL DEFAULT '"all"';

-- late: it was found in data that came late, and nobody was told. detail: what else is to be said of its cause.
ALTER TABLE alert ADD COLUMN late BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alert ADD COLUMN detail TEXT;

-- How far each rule has come on a vehicle. The notifier may hear of a vehicle before ingest has stored it, hence no reference.
CREATE TABLE rule_state (
    vin        TEXT NOT NULL PRIMARY KEY,
    body       TEXT NOT NULL,
    updated_ts BIGINT NOT NULL
);
