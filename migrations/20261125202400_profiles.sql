-- Profiles of clients, their keys one by one, pushed requests, refresh tokens, what may be used once, and what the
-- self-test of a portal reads.

-- What a client agreed to at registration. `fapi2` is what the registration gives unless it says otherwise; the
-- column's default is the weaker one, because only a client with keys can be the stronger.
ALTER TABLE client
    ADD profile          text    NOT NULL DEFAULT 'basic' CONSTRAINT client_profile CHECK (profile IN ('fapi2', 'basic')),
    ADD offline          boolean NOT NULL DEFAULT false,  -- may ask for refresh tokens (scope offline_access)
    ADD counter          boolean NOT NULL DEFAULT false,  -- may start sign-ins at a counter (CIBA)
    ADD id_token_alg     text    NOT NULL DEFAULT 'ES256' CONSTRAINT client_id_token_alg CHECK (id_token_alg IN ('ES256', 'RS256')),
    ADD logout_told_at   text,                            -- backchannel_logout_uri: where it is told that a session ended
    ADD resources        text[]  NOT NULL DEFAULT '{}',   -- protected resources that it serves (RFC 8707)
    ADD inherits         text[]  NOT NULL DEFAULT '{}';   -- sectors of its predecessors, whose subjects it goes on using

-- A client's public keys, each with a life of its own, so that one can be replaced or refused without the others.
CREATE TABLE client_key (
    client_id  uuid        NOT NULL REFERENCES client,
    kid        text        NOT NULL,
    jwk        text        NOT NULL,                      -- RFC 7517, public members only
    added_at   timestamptz NOT NULL,
    expires_at timestamptz,                               -- its own end, or that of the certificate it came with
    revoked_at timestamptz,
    PRIMARY KEY (client_id, kid)
);
INSERT INTO client_key (client_id, kid, jwk, added_at)
    SELECT c.id, coalesce(key ->> 'kid', 'key-' || place), key::text, c.created_at
    FROM client c, jsonb_array_elements(c.jwks::jsonb -> 'keys') WITH ORDINALITY AS k (key, place)
    WHERE c.jwks IS NOT NULL;
ALTER TABLE client DROP CONSTRAINT client_credential, DROP COLUMN jwks;
ALTER TABLE client
    ADD CONSTRAINT client_credential CHECK ((auth_method = 'client_secret_basic') = (secret_digest IS NOT NULL)),
    ADD CONSTRAINT client_profile_keys CHECK (profile = 'basic' OR auth_method = 'private_key_jwt');
-- The resources of an agency are looked up by their address.
CREATE INDEX client_by_resource ON client USING gin (resources);

-- A request that a portal pushed (RFC 9126), until the citizen's browser brings its name. A browser may bring it again,
-- as long as nobody has come to the end of a sign-in with it.
CREATE TABLE pushed_request (
    digest     bytea       PRIMARY KEY,                   -- SHA-256 of the request_uri
    client_id  uuid        NOT NULL REFERENCES client,
    body       bytea       NOT NULL,                      -- the parameters, sealed: a login_hint is personal
    dpop_jkt   text,                                      -- the key that the code will be bound to
    expires_at timestamptz NOT NULL,
    used_at    timestamptz                                -- a sign-in by it was answered
);
CREATE INDEX pushed_request_old ON pushed_request (expires_at);

-- What a sign-in carries further.
ALTER TABLE "authorization"
    ADD pushed_digest bytea,                              -- the pushed request that it came from
    ADD dpop_jkt     text,                                -- the code is exchanged with a proof by this key only
    ADD resource     text,                                -- what the access token is for, besides userinfo
    ADD hint_subject text,                                -- from id_token_hint: the person must be this one
    ADD number_hint  bytea;                               -- from a pushed login_hint, sealed: fills the form

-- Refresh tokens. One family per sign-in; under `basic` each use draws the next, and an old one that comes again
-- ends the family; under `fapi2` the one token stays.
CREATE TABLE refresh_token (
    digest           bytea       PRIMARY KEY,             -- SHA-256 of the token
    authorization_id uuid        NOT NULL REFERENCES "authorization",
    issued_at        timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,                -- the family's end: rotation does not move it
    used_at          timestamptz,                         -- replaced by the next
    CONSTRAINT refresh_token_digest_length CHECK (octet_length(digest) = 32)
);
CREATE INDEX refresh_token_family ON refresh_token (authorization_id);
CREATE INDEX refresh_token_old ON refresh_token (expires_at);

-- Access tokens that were given back before their time (RFC 7009), by the digest of their jti.
CREATE TABLE revoked_token (
    digest     bytea       PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_token_old ON revoked_token (expires_at);

-- Assertions of clients and proofs of possession that were used: each is good once. The digest covers who and which.
DROP TABLE used_assertion;
CREATE TABLE used_once (
    digest     bytea       PRIMARY KEY,
    expires_at timestamptz NOT NULL                       -- may be forgotten afterwards: it would be refused as expired
);
CREATE INDEX used_once_old ON used_once (expires_at);
