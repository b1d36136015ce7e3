-- Locks: what a citizen forbids to be done with their electronic identity, and the laws that go on all the same.

-- One lock of a citizen. It holds from the transaction that sets it, to the end of its last day or until it is lifted.
-- The row says what was forbidden when; it is never deleted.
CREATE TABLE citizen_lock (
    id          uuid        PRIMARY KEY,
    citizen_id  uuid        NOT NULL REFERENCES citizen,
    scope       text        NOT NULL CONSTRAINT citizen_lock_scope
                            CHECK (scope IN ('everything', 'portal', 'verifications', 'method')),
    client_id   uuid        REFERENCES client,     -- the portal, where the scope is one
    method      text,                              -- the way of signing in, where the scope is one
    set_at      timestamptz NOT NULL,
    set_by      text        NOT NULL CONSTRAINT citizen_lock_set_by CHECK (set_by IN ('citizen', 'counter', 'report')),
    last_day    date,                              -- a Vietnam date, included; absent: until it is lifted
    lifted_at   timestamptz,
    lifted_by   text        CONSTRAINT citizen_lock_lifted_by CHECK (lifted_by IN ('citizen', 'counter', 'replaced')),
    officer_id  uuid        REFERENCES citizen,    -- the officer who lifted it at a counter
    CONSTRAINT citizen_lock_portal CHECK ((scope = 'portal') = (client_id IS NOT NULL)),
    CONSTRAINT citizen_lock_method CHECK ((scope = 'method') = (method IS NOT NULL)),
    CONSTRAINT citizen_lock_lifted CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
    CONSTRAINT citizen_lock_officer CHECK (officer_id IS NULL OR lifted_by = 'counter')
);
-- Read with every decision that a lock may forbid; and the same lock is not set twice.
CREATE UNIQUE INDEX citizen_lock_once
    ON citizen_lock (citizen_id, scope, client_id, method) NULLS NOT DISTINCT WHERE lifted_at IS NULL;

-- The laws on which a client may look citizens up without asking them, dated. Only such a look-up passes a lock; one
-- that names no law, or none of these, rests on the citizen's consent.
CREATE TABLE client_legal_basis (
    client_id  uuid NOT NULL REFERENCES client,
    basis      text NOT NULL,                      -- the citation, as statements and histories repeat it
    valid_from date NOT NULL,
    valid_to   date,
    PRIMARY KEY (client_id, basis, valid_from),
    CONSTRAINT client_legal_basis_order CHECK (valid_to >= valid_from)
);

-- A portal's sign-ins of one citizen, for the lock that revokes them.
CREATE INDEX authorization_by_citizen ON "authorization" (citizen_id) WHERE state = 'exchanged';
