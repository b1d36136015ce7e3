-- Ways to prove who you are beside the code by SMS: passkeys and the codes of an app; what is counted so that nobody
-- guesses; and the browsers that a citizen signs in with.

-- What a citizen enrolled to sign in with. Never deleted: whoever signed in with it can be told later.
CREATE TABLE authenticator (
    id              uuid        PRIMARY KEY,
    citizen_id      uuid        NOT NULL REFERENCES citizen,
    kind            text        NOT NULL CONSTRAINT authenticator_kind CHECK (kind IN ('passkey', 'app')),
    sealed_name     bytea       NOT NULL,        -- what the citizen calls it, under the citizen's key
    sealed          bytea       NOT NULL,        -- the credential, or the secret that the app shares, under the same key
    generation      integer     NOT NULL,
    credential_hash bytea,                       -- SHA-256 of a passkey's own name, by which an answer finds it
    last_step       bigint,                      -- the last step of an app whose code was used: each serves once
    enrolled_at     timestamptz NOT NULL,
    enrolled_by     text        NOT NULL,        -- the method of the session behind the enrolment, or counter
    trusted_from    timestamptz NOT NULL,        -- before that it is worth no more than the code that enrolled it
    last_used_at    timestamptz,
    removed_at      timestamptz,
    removed_by      text        CONSTRAINT authenticator_removed_by CHECK (removed_by IN ('citizen', 'counter', 'report')),
    CONSTRAINT authenticator_credential_once UNIQUE (credential_hash),
    CONSTRAINT authenticator_credential CHECK ((kind = 'passkey') = (credential_hash IS NOT NULL)),
    CONSTRAINT authenticator_step CHECK (kind = 'app' OR last_step IS NULL),
    CONSTRAINT authenticator_removed CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
CREATE INDEX authenticator_by_citizen ON authenticator (citizen_id) WHERE removed_at IS NULL;

-- What was begun and awaits the other half: a passkey's answer, the first code of a new app, the code sent to a new
-- phone or mailbox. One of each purpose for one owner; taken out when it is answered, worthless after its time.
CREATE TABLE ceremony (
    owner      uuid        NOT NULL,             -- the sign-in, or the session, that began it
    purpose    text        NOT NULL CONSTRAINT ceremony_purpose
                           CHECK (purpose IN ('sign_in', 'passkey', 'app', 'phone', 'mail')),
    state      bytea       NOT NULL,             -- what the answer is held against; sealed once a citizen is known
    generation integer     NOT NULL,             -- of the seal; 0 where there is none
    tries_left smallint    NOT NULL CONSTRAINT ceremony_tries CHECK (tries_left >= 0),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (owner, purpose)
);
CREATE INDEX ceremony_old ON ceremony (expires_at);

-- The browsers in which a number's holder signed in: they are counted apart, so that strangers who use up the codes of
-- a number shut nobody out. The cookie holds the token; who reads the row can neither use it nor name the number.
CREATE TABLE familiar_browser (
    digest      bytea       NOT NULL,            -- SHA-256 of the cookie's token
    number_hash bytea       NOT NULL,            -- keyed hash of the number
    since       timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (digest, number_hash)
);
CREATE INDEX familiar_browser_by_number ON familiar_browser (number_hash);

-- What the sign-in proved when it was done: the method's strength, or less while an authenticator is on trial.
ALTER TABLE session ADD COLUMN reached text NOT NULL DEFAULT 'urn:chung:acr:low';
ALTER TABLE session ALTER COLUMN reached DROP DEFAULT;
ALTER TABLE session ADD COLUMN authenticator_id uuid REFERENCES authenticator;   -- with which, where it was one

-- An app's code is awaited like one that was sent; of it nothing was sent.
ALTER TABLE challenge ADD COLUMN method text NOT NULL DEFAULT 'sms_code';
ALTER TABLE challenge ALTER COLUMN method DROP DEFAULT;
ALTER TABLE challenge DROP CONSTRAINT challenge_counts;
ALTER TABLE challenge ADD CONSTRAINT challenge_counts CHECK (tries_left >= 0 AND sends >= 0);

-- Each rule of counting has a name of its own; the rules themselves, with window and number, stand in the service.
ALTER TABLE code_counter DROP CONSTRAINT code_counter_kind;
UPDATE code_counter SET counter = CASE counter WHEN 'number' THEN 'send_number' ELSE 'ask_' || counter END;
ALTER TABLE code_counter ADD CONSTRAINT code_counter_kind CHECK (counter ~ '^(ask|send|guess|app|push|disown)_[a-z_]+$');
