-- What a car said was wrong with it, each time that it said so: rules are judged on it when some of it came late. Without
-- freeze frames; the newest whole one is in `diagnostics`.
CREATE TABLE picture (
    vin         TEXT NOT NULL REFERENCES vehicle (vin),
    at_ts       BIGINT NOT NULL,
    received_ts BIGINT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (vin, at_ts)
);
CREATE INDEX picture_received ON picture (received_ts);
INSERT INTO picture (vin, at_ts, received_ts, body) SELECT vin, at_ts, received_ts, body FROM diagnostics;
