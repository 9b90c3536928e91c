-- Batches of the tail stand in the order in which they came and nowhere else: to put each into an index by vehicle would write a
-- page of that index for each. An outbox knows its newest one, and each the one behind it.

ALTER TABLE progress ADD COLUMN newest BIGINT NOT NULL DEFAULT 0;
-- Its batches up to here are in columns; they are removed when there are many.
ALTER TABLE progress ADD COLUMN folded BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tail RENAME TO tail_by_vehicle;
-- number: rises within an outbox, and is never given twice: here it is counted by `counter`, on PostgreSQL by a sequence that is
-- made when the database is opened. SQLite calls a row's own number INTEGER, whatever its size; there it is made a BIGINT then.
-- behind: the number of the outbox's batch before it.
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
-- Keys are sorted, and bodies fetched by the index that there was: the tail may be larger than the memory.
INSERT INTO tail (number, behind, vin, epoch, seq, t0, t1, row_count, lane, received_ts, body)
SELECT linked.number, linked.behind, old.vin, old.epoch, old.seq, old.t0, old.t1, old.row_count, old.lane, old.received_ts, old.body
FROM (
    SELECT number, COALESCE(LAG(number) OVER (PARTITION BY vin, epoch ORDER BY number), 0) AS behind, vin, t0, epoch, seq
    FROM (SELECT ROW_NUMBER() OVER (ORDER BY vin, t0, epoch, seq) AS number, vin, t0, epoch, seq FROM tail_by_vehicle) AS numbered
) AS linked
JOIN tail_by_vehicle AS old
ON old.vin = linked.vin AND old.t0 = linked.t0 AND old.epoch = linked.epoch AND old.seq = linked.seq;
DROP TABLE tail_by_vehicle;

INSERT INTO progress (vin, epoch, seq, ranges) SELECT DISTINCT vin, epoch, CAST(0 AS BIGINT), '[]' FROM tail WHERE true ON CONFLICT (vin, epoch) DO NOTHING;
UPDATE progress SET newest = last.number
FROM (SELECT vin, epoch, MAX(number) AS number FROM tail GROUP BY vin, epoch) AS last
WHERE last.vin = progress.vin AND last.epoch = progress.epoch;
INSERT INTO counter (name, value) SELECT 'tail', COALESCE(MAX(number), 0) FROM tail;
