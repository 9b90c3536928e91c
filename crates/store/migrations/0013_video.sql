-- Files of photos and clips that vehicles upload. Until stored_ts the file is not whole: the bytes that are there lie in the
-- server's folder for what is coming in. No reference to media: that a clip is ready may come after the clip.
CREATE TABLE media_file (
    vin        TEXT NOT NULL,
    id         TEXT NOT NULL,
    camera     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    bytes      BIGINT NOT NULL,
    sha256     TEXT NOT NULL,
    object_key TEXT NOT NULL,
    cause      TEXT,
    from_ts    BIGINT,
    to_ts      BIGINT,
    offered_ts BIGINT NOT NULL,
    stored_ts  BIGINT,
    PRIMARY KEY (vin, id)
);
CREATE INDEX media_file_coming ON media_file (offered_ts) WHERE stored_ts IS NULL;
