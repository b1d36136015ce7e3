-- A sign-in that an officer vouches for: the browser shows a code, the officer reads the citizen's card, sees the person,
-- types the code, and the browser goes on. The code is worthless without a card that was just read.
CREATE TABLE vouched_sign_in (
    authorization_id uuid        PRIMARY KEY,        -- which sign-in
    code_digest      bytea       NOT NULL CONSTRAINT vouched_sign_in_code_once UNIQUE
                                 CONSTRAINT vouched_sign_in_code_length CHECK (length(code_digest) = 32),
    drawn_at         timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,           -- for the officer and the browser alike
    citizen_id       uuid,                           -- whose card was read
    officer_id       uuid,                           -- who saw the person
    agency_id        uuid,                           -- where
    vouched_at       timestamptz,
    used_at          timestamptz,                    -- when the browser went on: once
    CONSTRAINT vouched_sign_in_vouched CHECK (num_nulls(citizen_id, officer_id, agency_id, vouched_at) IN (0, 4)),
    CONSTRAINT vouched_sign_in_used CHECK (used_at IS NULL OR vouched_at IS NOT NULL)
);
CREATE INDEX vouched_sign_in_over ON vouched_sign_in (expires_at);
