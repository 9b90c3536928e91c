-- How people sign in and stay so. totp_secret: of the second factor (base32), which counts since totp_since_ts; totp_step is the
-- last step of time whose code was taken. password_hash is empty until an invited person has set one.
ALTER TABLE account ADD COLUMN totp_secret TEXT;
ALTER TABLE account ADD COLUMN totp_since_ts BIGINT;
ALTER TABLE account ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN password_asked_ts BIGINT;
ALTER TABLE account ADD COLUMN signed_in_ts BIGINT;
ALTER TABLE account ADD COLUMN preferences TEXT;

-- Each is good once: then its row is gone.
CREATE TABLE recovery_code (
    account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    sha256  TEXT NOT NULL,
    PRIMARY KEY (account, sha256)
);

-- From a sign-in to its end: a family of refresh tokens, each of which is good once. expires_ts: when it ends if it is not used. No
-- reference to the account: that the session was ended must be known for a while after the account is gone.
CREATE TABLE session (
    id              TEXT NOT NULL PRIMARY KEY,
    account         TEXT NOT NULL,
    program         BIGINT NOT NULL,
    family_sha256   TEXT NOT NULL UNIQUE,
    refresh_sha256  TEXT NOT NULL,
    previous_sha256 TEXT,
    rotated_ts      BIGINT NOT NULL,
    created_ts      BIGINT NOT NULL,
    used_ts         BIGINT NOT NULL,
    expires_ts      BIGINT NOT NULL,
    revoked_ts      BIGINT,
    address         TEXT,
    user_agent      TEXT
);
CREATE INDEX session_account ON session (account, used_ts, id);
CREATE INDEX session_revoked ON session (revoked_ts, id);
CREATE INDEX session_expires ON session (expires_ts, id);
CREATE INDEX account_sessions_after ON account (sessions_after_ts, name);

-- One that is open for each account at most. Used up, it is gone.
CREATE TABLE invitation (
    account    TEXT NOT NULL PRIMARY KEY REFERENCES account (name) ON DELETE CASCADE,
    sha256     TEXT NOT NULL UNIQUE,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

-- A key of a third party's program, which may what is in rights (JSON) and its account may too.
CREATE TABLE api_token (
    id         TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL,
    label      TEXT NOT NULL,
    sha256     TEXT NOT NULL UNIQUE,
    rights     TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT,
    used_ts    BIGINT,
    revoked_ts BIGINT
);
CREATE INDEX api_token_account ON api_token (account, id);
CREATE INDEX api_token_revoked ON api_token (revoked_ts, id);
