-- Batches of the tail stand in the order in which they came and nowhere else: to put each into an index by vehicle would write a
-- page of that index for each. An outbox knows its newest one, and each the one behind it.

ALTER TABLE progress ADD COLUMN newest BIGINT NOT NULL DEFAULT 0;
-- Its batches up to here are in columns; they are removed when there are many.
ALTER TABLE progress ADD COLUMN folded BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tail RENAME TO tail_by_vehicle;
-- number: rises within an outbox, and is never given twice. SQLite calls a row's own number INTEGER, whatever its size; on
-- PostgreSQL it is made a BIGINT when the database is opened. behind: the number of the outbox's batch before it.
CREATE TABLE tail (
    number      INTEGER NOT NULL PRIMARY KEY,
    behind      BIGINT NOT NULL,
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
INSERT INTO tail (number, behind, vin, epoch, seq, t0, t1, row_count, lane, received_ts, body)
SELECT number, COALESCE(LAG(number) OVER (PARTITION BY vin, epoch ORDER BY number), 0),
    vin, epoch, seq, t0, t1, row_count, lane, received_ts, body
FROM (SELECT ROW_NUMBER() OVER (ORDER BY received_ts, vin, epoch, seq) AS number, tail_by_vehicle.* FROM tail_by_vehicle) AS numbered;
DROP TABLE tail_by_vehicle;

INSERT INTO progress (vin, epoch, seq, ranges) SELECT DISTINCT vin, epoch, CAST(0 AS BIGINT), '[]' FROM tail WHERE true ON CONFLICT (vin, epoch) DO NOTHING;
UPDATE progress SET newest = last.number
FROM (SELECT vin, epoch, MAX(number) AS number FROM tail GROUP BY vin, epoch) AS last
WHERE last.vin = progress.vin AND last.epoch = progress.epoch;
INSERT INTO counter (name, value) SELECT 'tail', COALESCE(MAX(number), 0) FROM tail;
