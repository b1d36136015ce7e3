-- Sign-in: authorizations, challenges, sessions, consents, pairwise subjects, and the counters that limit guessing.
--
-- Nothing here can be used by whoever reads it: codes, cookies and tokens stand as digests, numbers and network
-- addresses as keyed hashes. Rows of ended sign-ins are kept as evidence for the consent they carry; challenges,
-- counters and used assertions are worthless after their time and may be deleted then.

-- A signed-in browser.
CREATE TABLE session (
    id               uuid PRIMARY KEY,
    citizen_id       uuid NOT NULL REFERENCES citizen,
    digest           bytea NOT NULL,            -- SHA-256 of the cookie's token
    method           text NOT NULL,             -- how the person proved who they are; strength follows from it
    authenticated_at timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    ended_at         timestamptz,               -- signed out, or ended by a lock
    CONSTRAINT session_digest_once UNIQUE (digest),
    CONSTRAINT session_digest_length CHECK (octet_length(digest) = 32),
    CONSTRAINT session_order CHECK (authenticated_at <= expires_at)
);
CREATE INDEX session_by_citizen ON session (citizen_id) WHERE ended_at IS NULL;

-- The evidence of what a citizen allowed a portal to learn. Never changed but by a withdrawal.
CREATE TABLE consent (
    id           uuid PRIMARY KEY,
    citizen_id   uuid NOT NULL REFERENCES citizen,
    client_id    uuid NOT NULL REFERENCES client,
    notified     text[] NOT NULL,               -- claims shown as required by law
    allowed      text[] NOT NULL,               -- claims the citizen ticked
    given_at     timestamptz NOT NULL,
    withdrawn_at timestamptz,
    CONSTRAINT consent_order CHECK (withdrawn_at >= given_at)
);
CREATE INDEX consent_latest ON consent (citizen_id, client_id, given_at DESC);

-- One sign-in on its way from the portal to the code. The word is reserved in SQL, hence the quotes; it is the one
-- noun for the thing everywhere else, so it stays.
CREATE TABLE "authorization" (
    id               uuid PRIMARY KEY,
    client_id        uuid REFERENCES client,    -- the portal that asked; null: a page of ours
    return_to        text,                      -- where a page of ours wants the person back
    redirect_uri     text,                      -- as registered when asked; a later registration changes nothing
    request_state    text,                      -- the portal's state, given back unchanged
    nonce            text,
    code_challenge   bytea,                     -- PKCE S256
    scopes           text[] NOT NULL DEFAULT '{}',
    claims           text[] NOT NULL DEFAULT '{}',
    acr_least        text NOT NULL,
    acr_aim          text NOT NULL,
    prompt           text[] NOT NULL DEFAULT '{}',
    max_age_s        bigint,
    lang             text,
    browser_digest   bytea NOT NULL,            -- SHA-256 of the cookie that ties the pages to the browser that began
    started_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    state            text NOT NULL,
    -- since confirmed: who, how, when; the session holds how and when
    citizen_id       uuid REFERENCES citizen,
    session_id       uuid REFERENCES session,
    -- since code_issued
    consent_id       uuid REFERENCES consent,
    code_digest      bytea,                     -- SHA-256 of the one-time code
    code_expires_at  timestamptz,
    -- since exchanged
    exchanged_at     timestamptz,
    -- refused, revoked
    cause            text,
    ended_at         timestamptz,
    CONSTRAINT authorization_code_once UNIQUE (code_digest),
    CONSTRAINT authorization_browser_length CHECK (octet_length(browser_digest) = 32),
    CONSTRAINT authorization_errand CHECK (
        (client_id IS NULL) = (return_to IS NOT NULL) AND (client_id IS NULL) = (redirect_uri IS NULL)
        AND (client_id IS NULL) = (code_challenge IS NULL)),
    CONSTRAINT authorization_state CHECK (state IN
        ('started', 'challenged', 'confirmed', 'code_issued', 'exchanged', 'revoked', 'entered', 'refused', 'expired')),
    -- A state holds exactly its facts.
    CONSTRAINT authorization_confirmed CHECK (
        (state IN ('confirmed', 'code_issued', 'exchanged', 'entered')) <= (citizen_id IS NOT NULL AND session_id IS NOT NULL)),
    CONSTRAINT authorization_coded CHECK (
        (state IN ('code_issued', 'exchanged')) <= (consent_id IS NOT NULL AND code_digest IS NOT NULL AND code_expires_at IS NOT NULL)),
    CONSTRAINT authorization_exchanged CHECK ((state = 'exchanged') <= (exchanged_at IS NOT NULL)),
    CONSTRAINT authorization_ended CHECK (
        (state IN ('refused', 'revoked')) = (ended_at IS NOT NULL) AND (ended_at IS NULL) = (cause IS NULL))
);
CREATE INDEX authorization_by_session ON "authorization" (session_id) WHERE state = 'exchanged';
CREATE INDEX authorization_open ON "authorization" (expires_at) WHERE state IN ('started', 'challenged', 'confirmed');

-- The code that an open sign-in awaits. A number that nobody has, and one whose holder may not be sent a code, get
-- the same row without a citizen.
CREATE TABLE challenge (
    authorization_id uuid PRIMARY KEY REFERENCES "authorization",
    number_hash      bytea NOT NULL,            -- keyed hash of the number that was typed
    citizen_id       uuid,                      -- in the register; not yet a citizen here, since typing a number proves nothing
    digest           bytea NOT NULL,            -- keyed digest of the code, bound to this sign-in
    sent_at          timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    tries_left       smallint NOT NULL,
    sends            smallint NOT NULL,
    CONSTRAINT challenge_digest_length CHECK (octet_length(digest) = 32 AND octet_length(number_hash) = 32),
    CONSTRAINT challenge_counts CHECK (tries_left >= 0 AND sends >= 1)
);

-- How often codes were asked for, per number, address and portal, known or not. The shard keeps one portal's counter
-- from being one hot row; it is drawn from the number's hash.
CREATE TABLE code_counter (
    counter      text NOT NULL CONSTRAINT code_counter_kind CHECK (counter IN ('number', 'address', 'portal')),
    key          bytea NOT NULL,                -- keyed hash, or the client's id
    window_start timestamptz NOT NULL,
    shard        smallint NOT NULL,
    count        bigint NOT NULL CONSTRAINT code_counter_positive CHECK (count > 0),
    PRIMARY KEY (counter, key, window_start, shard)
);
CREATE INDEX code_counter_old ON code_counter (window_start);

-- The name by which one sector knows a citizen: drawn once, so it survives a new number and a new card.
CREATE TABLE pseudonym (
    citizen_id uuid NOT NULL REFERENCES citizen,
    sector     text NOT NULL,
    subject    text NOT NULL,
    drawn_at   timestamptz NOT NULL,
    PRIMARY KEY (citizen_id, sector),
    CONSTRAINT pseudonym_subject_once UNIQUE (subject)
);

-- Assertions that clients have used: each proves its client once (RFC 7523, section 3).
CREATE TABLE used_assertion (
    client_id  uuid NOT NULL REFERENCES client,
    jti_digest bytea NOT NULL,                  -- SHA-256 of jti
    expires_at timestamptz NOT NULL,            -- may be forgotten afterwards: it would be refused as expired
    PRIMARY KEY (client_id, jti_digest)
);
CREATE INDEX used_assertion_old ON used_assertion (expires_at);
