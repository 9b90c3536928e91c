-- At most one enrolment code of a vehicle, of which only the hash is kept. serial: of the certificate that it was used
-- up for; until the code expires, the same key gets the same certificate again.
CREATE TABLE enrolment (
    vin         TEXT NOT NULL PRIMARY KEY REFERENCES vehicle (vin),
    code_sha256 TEXT NOT NULL UNIQUE,
    created_ts  BIGINT NOT NULL,
    expires_ts  BIGINT NOT NULL,
    serial      TEXT
);
CREATE INDEX enrolment_end ON enrolment (expires_ts);

CREATE TABLE certificate (
    serial     TEXT NOT NULL PRIMARY KEY,
    vin        TEXT NOT NULL REFERENCES vehicle (vin),
    key_sha256 TEXT NOT NULL,
    issued_ts  BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after  BIGINT NOT NULL,
    revoked_ts BIGINT,
    pem        TEXT NOT NULL
);
CREATE INDEX certificate_vehicle ON certificate (vin, issued_ts);
CREATE INDEX certificate_end ON certificate (not_after);
CREATE INDEX certificate_revoked ON certificate (not_after) WHERE revoked_ts IS NOT NULL;
