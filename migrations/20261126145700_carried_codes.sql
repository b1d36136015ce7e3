-- A code that is given without a page carries its sign-in, sealed; the row is written when the code is exchanged, in its
-- last state. Such a row has no digest of its code: it is found by its identifier, which the code names, and whoever
-- writes it first has exchanged the code. Codes that pages gave are found by their digests as before.
ALTER TABLE "authorization"
    DROP CONSTRAINT authorization_code_once,
    DROP CONSTRAINT authorization_poll_once,
    DROP CONSTRAINT authorization_coded;
ALTER TABLE "authorization" ADD CONSTRAINT authorization_coded CHECK (
    (state = 'code_issued') <= (code_digest IS NOT NULL)
    AND (state IN ('code_issued', 'exchanged')) <= (consent_id IS NOT NULL AND code_expires_at IS NOT NULL));
-- Most rows have neither: the indexes are spared them.
CREATE UNIQUE INDEX authorization_code_once ON "authorization" (code_digest) WHERE code_digest IS NOT NULL;
CREATE UNIQUE INDEX authorization_poll_once ON "authorization" (poll_digest) WHERE poll_digest IS NOT NULL;
