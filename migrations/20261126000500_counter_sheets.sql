-- A sign-in at a counter asks the citizen's phone, unless it was asked too often; a signed sheet answers either.
ALTER TABLE "authorization"
    ADD asks_phone boolean NOT NULL DEFAULT true,  -- false: too many were started for this number, so that only paper answers
    ADD officer_id uuid;                           -- the officer who started it on a page, who watches what becomes of it
CREATE INDEX authorization_by_officer ON "authorization" (officer_id, started_at DESC) WHERE officer_id IS NOT NULL;

-- A client's secret is replaced with overlap: the one before proves the client until its end, so that a portal changes
-- over without a failed request.
ALTER TABLE client
    ADD former_secret_digest bytea,                -- SHA-256 of the secret before the last rotation
    ADD former_secret_until  timestamptz,          -- when it proves nothing any more
    ADD CONSTRAINT client_former_secret CHECK (
        (former_secret_digest IS NULL) = (former_secret_until IS NULL)
        AND (former_secret_digest IS NULL OR secret_digest IS NOT NULL));
