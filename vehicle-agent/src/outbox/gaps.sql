-- Of a gap record: the first and the last of the numbers that it declares.
ALTER TABLE record ADD COLUMN gap_from INTEGER;
ALTER TABLE record ADD COLUMN gap_to INTEGER;
CREATE INDEX record_gap ON record (gap_to) WHERE gap_to IS NOT NULL;
-- What the database has above stored_seq, as it said last: pairs of numbers in MessagePack.
ALTER TABLE identity ADD COLUMN stored_ranges BLOB;
