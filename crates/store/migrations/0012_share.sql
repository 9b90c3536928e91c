-- Several notifiers share the vehicles, and alerts are told again in time.

-- The notifiers that run. beat rises while one lives; who sees it stand still for long enough takes over.
CREATE TABLE notifier (
    id   TEXT NOT NULL PRIMARY KEY,
    beat BIGINT NOT NULL
);

-- Who looks after the vehicles of a shard. fence rises whenever it changes hands: what is written under an older number is
-- refused.
CREATE TABLE lease (
    shard  BIGINT NOT NULL PRIMARY KEY,
    holder TEXT,
    fence  BIGINT NOT NULL
);
CREATE INDEX lease_holder ON lease (holder);
INSERT INTO lease (shard, holder, fence)
    WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 63)
    SELECT n, NULL, 0 FROM number;

-- When it was told again because nobody had seen to it.
ALTER TABLE alert ADD COLUMN escalated_ts BIGINT;

-- One active alert of a rule and a vehicle. Of older ones that stand beside a newer one the cause is taken to be gone.
UPDATE alert SET state = 'resolved', resolved = updated
    WHERE resolved IS NULL AND EXISTS (
        SELECT 1 FROM alert AS newer
        WHERE newer.rule = alert.rule AND newer.vin = alert.vin AND newer.resolved IS NULL
            AND (newer.opened, newer.id) > (alert.opened, alert.id));
CREATE UNIQUE INDEX alert_active_once ON alert (rule, vin) WHERE resolved IS NULL;
