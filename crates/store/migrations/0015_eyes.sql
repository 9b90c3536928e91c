-- Cameras of a vehicle that the server reaches by itself, by RTSP. What opens one is in secret and is never shown.
CREATE TABLE eye (
    vin         TEXT NOT NULL REFERENCES vehicle (vin),
    camera      TEXT NOT NULL,
    label       TEXT NOT NULL,
    url         TEXT NOT NULL,
    sub_url     TEXT,
    photo_url   TEXT,
    transport   TEXT NOT NULL,
    user_name   TEXT,
    secret      TEXT,
    enabled     BIGINT NOT NULL,
    made_by     TEXT NOT NULL,
    created_ts  BIGINT NOT NULL,
    updated_ts  BIGINT NOT NULL,
    PRIMARY KEY (vin, camera)
);
