-- Portals are told when a session ends (OpenID Connect Back-Channel Logout 1.0), through the outbox.

-- A third kind of message: to a client's backchannel_logout_uri; the body is JSON and names nobody but by pseudonym.
ALTER TABLE outbox DROP CONSTRAINT outbox_topic;
ALTER TABLE outbox ADD CONSTRAINT outbox_topic CHECK (topic IN ('event', 'message', 'logout'));

-- A session that the same person replaced by a newer one (step-up): portals that were signed in under it are told
-- when the newer one ends.
ALTER TABLE session ADD replaced_by uuid REFERENCES session;
CREATE INDEX session_by_successor ON session (replaced_by) WHERE replaced_by IS NOT NULL;
