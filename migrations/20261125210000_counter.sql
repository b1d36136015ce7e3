-- At a counter, with the chip card in hand: ways restored, and acts agreed to on paper by whoever has no phone.

-- A slip that an officer printed after reading a card. Typed once by its holder it ends the trial of their ways; the
-- code stands as a keyed digest.
CREATE TABLE recovery_slip (
    id          uuid        PRIMARY KEY,
    citizen_id  uuid        NOT NULL REFERENCES citizen,
    agency_id   uuid        NOT NULL REFERENCES agency,
    officer_id  uuid        NOT NULL REFERENCES citizen,
    code_digest bytea       NOT NULL CONSTRAINT recovery_slip_code_once UNIQUE,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX recovery_slip_open ON recovery_slip (citizen_id) WHERE used_at IS NULL;

-- A sheet: what a citizen without a phone agrees to at the counter, printed, signed by hand and kept with the dossier.
-- Printing uses up the card check; what was agreed to is sealed under the citizen's key and never changes.
CREATE TABLE sheet (
    id         uuid        PRIMARY KEY,
    number     text        NOT NULL CONSTRAINT sheet_number_once UNIQUE,  -- as it stands on the paper
    citizen_id uuid        NOT NULL REFERENCES citizen,
    agency_id  uuid        NOT NULL REFERENCES agency,
    officer_id uuid        NOT NULL REFERENCES citizen,
    sealed     bytea       NOT NULL,               -- the portal, the act and the dossier, in words
    generation integer     NOT NULL,
    object     uuid,                               -- the request that a phone would have been asked to approve
    printed_at timestamptz NOT NULL,
    state      text        NOT NULL CONSTRAINT sheet_state CHECK (state IN ('printed', 'signed', 'void')),
    ended_at   timestamptz,
    CONSTRAINT sheet_ended CHECK ((state = 'printed') = (ended_at IS NULL))
);
CREATE INDEX sheet_by_officer ON sheet (officer_id, id DESC);
