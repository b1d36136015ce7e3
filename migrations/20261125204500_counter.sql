-- Sign-ins that an officer starts at a counter (CIBA, poll mode): a third errand of an authorization.
ALTER TABLE "authorization"
    ADD poll_digest     bytea,                             -- SHA-256 of auth_req_id, by which the client asks
    ADD binding_message text,                              -- what officer and citizen both see
    ADD expects_citizen uuid,                              -- whom the officer named; null: nobody who may sign in
    ADD polled_at       timestamptz,                       -- when the client asked last, to slow it down
    ADD CONSTRAINT authorization_poll_once UNIQUE (poll_digest);
ALTER TABLE "authorization" DROP CONSTRAINT authorization_errand;
ALTER TABLE "authorization" ADD CONSTRAINT authorization_errand CHECK (
    (client_id IS NULL) = (return_to IS NOT NULL)
    AND (client_id IS NOT NULL) = (redirect_uri IS NOT NULL OR poll_digest IS NOT NULL)
    AND (redirect_uri IS NULL OR poll_digest IS NULL)
    AND (redirect_uri IS NULL) = (code_challenge IS NULL)
    AND (poll_digest IS NULL) = (binding_message IS NULL));
CREATE INDEX authorization_waiting ON "authorization" (expects_citizen, expires_at)
    WHERE expects_citizen IS NOT NULL AND state IN ('started', 'confirmed');
