-- How people are told of alerts.

-- What happened to an alert is told when this is set; all that is older than this version has been seen by whoever looked.
ALTER TABLE alert_event ADD COLUMN posted_ts BIGINT;
UPDATE alert_event SET posted_ts = at_ts;
CREATE INDEX alert_event_unposted ON alert_event (at_ts, alert, number) WHERE posted_ts IS NULL;

-- A way to reach somebody; without an account it is the whole fleet's. settings: JSON, with nothing secret in it. secret: what
-- opens the way, written and never shown. failing: the alert that says that it does not work.
CREATE TABLE channel (
    id         TEXT NOT NULL PRIMARY KEY,
    account    TEXT REFERENCES account (name) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    label      TEXT NOT NULL,
    settings   TEXT NOT NULL,
    secret     TEXT,
    enabled    BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    failing    TEXT
);
CREATE INDEX channel_account ON channel (account, id);
CREATE INDEX channel_fleet ON channel (id) WHERE account IS NULL;

-- When somebody wants to hear: quiet hours, digest. JSON.
CREATE TABLE attention (
    account    TEXT NOT NULL PRIMARY KEY REFERENCES account (name) ON DELETE CASCADE,
    body       TEXT NOT NULL,
    updated_ts BIGINT NOT NULL
);

-- A step of an alert on its way into a channel, once. bundle: rows with the same one go in one message, which has an identity
-- from the first try on. claimed_by, claimed_until: who is about to send it, and until when nobody else does. A test is about
-- no alert, and has its own identity in the place of one.
CREATE TABLE delivery (
    id            TEXT NOT NULL PRIMARY KEY,
    channel       TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    alert         TEXT NOT NULL,
    number        BIGINT NOT NULL,
    step          TEXT NOT NULL,
    rule          TEXT NOT NULL,
    vin           TEXT,
    bundle        TEXT,
    message       TEXT,
    state         TEXT NOT NULL,
    tries         BIGINT NOT NULL,
    made_ts       BIGINT NOT NULL,
    next_ts       BIGINT NOT NULL,
    claimed_by    TEXT,
    claimed_until BIGINT NOT NULL,
    error         TEXT,
    sent_ts       BIGINT,
    UNIQUE (alert, number, channel)
);
CREATE INDEX delivery_due ON delivery (channel, next_ts, id) WHERE state = 'waiting';
CREATE INDEX delivery_recent ON delivery (channel, rule, step, made_ts);
CREATE INDEX delivery_channel ON delivery (channel, made_ts, id);
CREATE INDEX delivery_made ON delivery (made_ts, id);
CREATE INDEX delivery_message ON delivery (message);
CREATE INDEX delivery_vehicle ON delivery (vin);
