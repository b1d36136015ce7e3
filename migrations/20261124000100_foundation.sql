-- The ground that identity and payment share: who may ask, what was decided, and what is still to be told.
-- Nothing in SQL asks the time: every instant arrives as a parameter.

-- Row-level refusal for tables whose rows are history.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Monthly partitions from October 2026; `later` takes what comes after them until an operator adds months.
CREATE FUNCTION partition_by_month(parent text, months int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE month date := DATE '2026-10-01';
BEGIN
    FOR i IN 1..months LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || to_char(month, '_YYYYMM'), parent,
            month::timestamp AT TIME ZONE 'UTC', (month + INTERVAL '1 month')::timestamp AT TIME ZONE 'UTC');
        month := month + INTERVAL '1 month';
    END LOOP;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_later', parent);
END $$;

-- A government office that asks about citizens and charges fees.
CREATE TABLE agency (
    id             uuid        PRIMARY KEY,
    code           text        NOT NULL CONSTRAINT agency_code_key UNIQUE,  -- Decision 20/2020 form, e.g. H29.14
    name_vi        text        NOT NULL,
    name_en        text        NOT NULL,
    tax_code       text,                                                    -- printed on its receipts
    address_vi     text,
    state          text        NOT NULL CONSTRAINT agency_state CHECK (state IN ('active', 'suspended')),
    -- The agency's data key, sealed by a master key: what law keeps on vouchers is sealed under it.
    wrapped_key    bytea       NOT NULL,
    key_generation integer     NOT NULL,
    created_at     timestamptz NOT NULL
);

-- Where an agency's money of one kind is collected: the real account and its legal owner.
CREATE TABLE agency_account (
    agency_id    uuid NOT NULL REFERENCES agency,
    kind         text NOT NULL CONSTRAINT agency_account_kind CHECK (kind IN ('phi', 'le_phi')),
    account_no   text NOT NULL,
    agent_bic    text NOT NULL,   -- the bank or Treasury office that keeps the account, by its clearing code
    account_name text NOT NULL,   -- as the payer's bank app shows it
    PRIMARY KEY (agency_id, kind)
);

-- A person of the register who has dealt with this service. The identifier outlives cards and numbers.
CREATE TABLE citizen (
    id          uuid        PRIMARY KEY,
    number_hash bytea       NOT NULL CONSTRAINT citizen_number_key UNIQUE,  -- keyed hash of the current number
    since       timestamptz NOT NULL
);

-- A portal or an agency's system that holds credentials.
CREATE TABLE client (
    id             uuid        PRIMARY KEY,
    agency_id      uuid        NOT NULL REFERENCES agency,
    kind           text        NOT NULL CONSTRAINT client_kind CHECK (kind IN ('portal', 'agency_system')),
    name_vi        text        NOT NULL,
    name_en        text        NOT NULL,
    auth_method    text        NOT NULL CONSTRAINT client_auth_method
                               CHECK (auth_method IN ('client_secret_basic', 'private_key_jwt')),
    secret_digest  bytea,                                    -- SHA-256 of the secret; the secret is shown once
    jwks           text,                                     -- the client's public keys (RFC 7517)
    scopes         text[]      NOT NULL,                     -- what client_credentials may ask for
    redirect_uris  text[]      NOT NULL,                     -- compared exactly (RFC 9700 section 2.1)
    logout_uris    text[]      NOT NULL,                     -- post_logout_redirect_uris
    sector         text        NOT NULL,                     -- subjects are pairwise per sector
    acr_min        text,                                     -- the floor of a portal's sign-ins
    purpose_vi     text,                                     -- what the consent page says the data is for
    purpose_en     text,
    -- Claims that a legal basis gives the portal, and claims that it may ask consent for:
    -- {"by_law": {"claim": "basis"}, "by_consent": ["claim"]}
    claims_policy  jsonb       NOT NULL,
    state          text        NOT NULL CONSTRAINT client_state CHECK (state IN ('active', 'suspended')),
    expires_at     timestamptz,
    created_at     timestamptz NOT NULL,
    CONSTRAINT client_credential CHECK (
        (auth_method = 'client_secret_basic' AND secret_digest IS NOT NULL AND jwks IS NULL)
        OR (auth_method = 'private_key_jwt' AND jwks IS NOT NULL AND secret_digest IS NULL))
);

-- One officer's role at an agency, for a time. Separation of duties is decided in the flow under a lock on the
-- citizen's row; the same role is not granted twice.
CREATE TABLE role_grant (
    id         uuid        PRIMARY KEY,
    citizen_id uuid        NOT NULL REFERENCES citizen,
    agency_id  uuid        NOT NULL REFERENCES agency,
    role       text        NOT NULL CONSTRAINT role_grant_role CHECK
               (role IN ('officer', 'cashier', 'accountant', 'approver', 'auditor', 'administrator')),
    valid_from date        NOT NULL,
    valid_to   date,
    granted_by uuid        REFERENCES citizen,   -- absent for a grant from the command line
    granted_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX role_grant_once ON role_grant (citizen_id, agency_id, role) WHERE revoked_at IS NULL;

-- A claimed Idempotency-Key: the digest of the parsed body and the answer as the claiming transaction committed it.
CREATE TABLE idempotency_key (
    client_id uuid        NOT NULL,
    key       text        NOT NULL,
    digest    bytea       NOT NULL,
    object    uuid        NOT NULL,
    answer    jsonb       NOT NULL,
    at        timestamptz NOT NULL,
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (client_id, key)
);

-- The audit log. A leaf holds random identifiers, kind, time and a commitment; nothing that must ever be erased.
CREATE TABLE audit_leaf (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL,
    at         timestamptz NOT NULL,
    commitment bytea       NOT NULL CONSTRAINT audit_leaf_commitment CHECK (length(commitment) = 32),
    -- The writing transaction: the sequencer need not look below the oldest one still open.
    tx         bigint      NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)
);
CREATE INDEX audit_leaf_tx ON audit_leaf USING brin (tx) WITH (pages_per_range = 16);
CREATE TRIGGER audit_leaf_append_only BEFORE UPDATE OR DELETE ON audit_leaf
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What a leaf commits to, sealed under the key of the citizen or agency it concerns. Erasable: the log still verifies.
CREATE TABLE audit_detail (
    leaf_id    uuid    PRIMARY KEY REFERENCES audit_leaf,
    citizen_id uuid,               -- whose history shows it
    agency_id  uuid,
    object     uuid    NOT NULL,   -- the verification, bill, payment … decided upon
    sealed     bytea   NOT NULL,   -- 32 bytes of salt, then the details as JSON, sealed
    generation integer NOT NULL
);
CREATE INDEX audit_detail_citizen ON audit_detail (citizen_id, leaf_id) WHERE citizen_id IS NOT NULL;
CREATE INDEX audit_detail_object ON audit_detail (object);

-- A leaf's place in the tree, given once by the sequencer.
CREATE TABLE audit_place (
    place     bigint PRIMARY KEY CONSTRAINT audit_place_not_negative CHECK (place >= 0),
    leaf_id   uuid   NOT NULL CONSTRAINT audit_place_leaf_key UNIQUE REFERENCES audit_leaf,
    leaf_hash bytea  NOT NULL
);
CREATE TRIGGER audit_place_append_only BEFORE UPDATE OR DELETE ON audit_place
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Hashes of complete subtrees above the leaves: `idx` counts subtrees of 2^level leaves from the left.
CREATE TABLE audit_node (
    level smallint NOT NULL CONSTRAINT audit_node_level CHECK (level > 0),
    idx   bigint   NOT NULL,
    hash  bytea    NOT NULL,
    PRIMARY KEY (level, idx)
);
CREATE TRIGGER audit_node_append_only BEFORE UPDATE OR DELETE ON audit_node
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Signed tree heads, in order of size.
CREATE TABLE tree_head (
    size   bigint      PRIMARY KEY,
    root   bytea       NOT NULL,
    at     timestamptz NOT NULL,
    signed text        NOT NULL,   -- the head as a compact JWS
    low_tx bigint      NOT NULL    -- every leaf of an older transaction is placed below this size
);
CREATE TRIGGER tree_head_append_only BEFORE UPDATE OR DELETE ON tree_head
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What must still be told: events to an agency's systems, messages to people. Written with the decision, delivered
-- after it. Delivered rows age out by month.
CREATE TABLE outbox (
    id        uuid        NOT NULL,
    at        timestamptz NOT NULL,
    topic     text        NOT NULL CONSTRAINT outbox_topic CHECK (topic IN ('event', 'message')),
    agency_id uuid,                   -- whose endpoints hear an event
    object    uuid        NOT NULL,   -- the thing it is about: order is kept per object
    name      text        NOT NULL,   -- the event's or message's name, e.g. bill.paid
    body      bytea       NOT NULL,   -- JSON for events; sealed for messages
    state     text        NOT NULL DEFAULT 'pending'
              CONSTRAINT outbox_state CHECK (state IN ('pending', 'done', 'dead')),
    attempts  smallint    NOT NULL DEFAULT 0,
    due_at    timestamptz NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
SELECT partition_by_month('outbox', 15);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'pending';

-- Facts of this installation that no other table owns, by name.
CREATE TABLE setting (
    name  text  PRIMARY KEY,
    value jsonb NOT NULL
);
