-- The national e-ID as upstream: sign-ins on their way through it, the accounts behind citizens, and what it reported.

-- One trip of a browser to the national e-ID and back. Used once; worthless after its time.
CREATE TABLE national_id_trip (
    state_digest     bytea       PRIMARY KEY CONSTRAINT national_id_trip_digest CHECK (length(state_digest) = 32),
    authorization_id uuid        NOT NULL,     -- the sign-in it belongs to: another's answer does not fit
    started_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    ended_at         timestamptz               -- its answer came, whatever it said
);
CREATE INDEX national_id_trip_over ON national_id_trip (expires_at);

-- Which account of the national e-ID is whose. It is found by the keyed hash of the account's stable name (TechID) and
-- was linked by the personal number that the national e-ID signed. An account never moves to another citizen.
CREATE TABLE national_id_account (
    account_hash bytea       PRIMARY KEY CONSTRAINT national_id_account_hash CHECK (length(account_hash) = 32),
    citizen_id   uuid        NOT NULL REFERENCES citizen,
    linked_at    timestamptz NOT NULL
);
CREATE INDEX national_id_account_of_citizen ON national_id_account (citizen_id);

-- The account level as the national e-ID reported it, with its evidence and date: the only level that a fee rule may
-- read. It says nothing about how a sign-in was proved, and no sign-in says anything about it.
CREATE TABLE account_level_report (
    id          uuid        PRIMARY KEY,
    citizen_id  uuid        NOT NULL REFERENCES citizen,
    level       smallint    NOT NULL CONSTRAINT account_level_report_level CHECK (level IN (1, 2)),
    reported_at timestamptz NOT NULL,
    sealed      bytea       NOT NULL,          -- the signed token that says so, under the citizen's key
    generation  integer     NOT NULL
);
CREATE INDEX account_level_report_latest ON account_level_report (citizen_id, reported_at DESC);
