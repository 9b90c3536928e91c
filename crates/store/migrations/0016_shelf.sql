-- Films of alerts, small pictures, and how long pictures are kept.

-- film: an alert of this rule is to have a film of the moment; the vehicle is asked for one if it makes none by itself.
ALTER TABLE rule ADD COLUMN film BIGINT NOT NULL DEFAULT 0;

-- seen_ts: when what is seen happened, no later than the offer. gone_ts: since when the file is no longer kept; the row says so.
-- thumb_bytes: size of the small picture of it, 0 where none can be made; none while nobody has tried.
ALTER TABLE media_file ADD COLUMN seen_ts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE media_file ADD COLUMN gone_ts BIGINT;
ALTER TABLE media_file ADD COLUMN thumb_bytes BIGINT;
UPDATE media_file SET seen_ts = CASE WHEN from_ts < offered_ts THEN from_ts ELSE offered_ts END;
CREATE INDEX media_file_age ON media_file (seen_ts, vin, id) WHERE stored_ts IS NOT NULL AND gone_ts IS NULL;
CREATE INDEX media_file_thumb ON media_file (vin, seen_ts) WHERE thumb_bytes > 0 AND gone_ts IS NULL;
CREATE INDEX media_file_raw ON media_file (stored_ts)
    WHERE kind = 'photo' AND stored_ts IS NOT NULL AND gone_ts IS NULL AND thumb_bytes IS NULL;
CREATE INDEX media_file_gone ON media_file (gone_ts) WHERE gone_ts IS NOT NULL;
CREATE INDEX media_received ON media (received_ts);
