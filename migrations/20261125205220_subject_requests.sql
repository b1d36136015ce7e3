-- What citizens ask about their data: rights under the Law on personal data protection, and disputes of an entry of
-- their history. Each has days by which it must be answered, fixed when it is filed.

CREATE TABLE subject_request (
    id              uuid        PRIMARY KEY,
    citizen_id      uuid        NOT NULL REFERENCES citizen,
    kind            text        NOT NULL CONSTRAINT subject_request_kind CHECK
                    (kind IN ('access', 'correction', 'restriction', 'objection', 'erasure', 'dispute')),
    leaf_id         uuid        REFERENCES audit_leaf,   -- the entry that is disputed
    agency_id       uuid        REFERENCES agency,       -- who must answer; absent: whoever operates the service
    filed_at        timestamptz NOT NULL,
    acknowledge_by  date        NOT NULL,                -- the first answer: two working days
    decide_by       date        NOT NULL,                -- the decision; moved once at most
    words           bytea       NOT NULL,                -- the citizen's words, under the citizen's key
    generation      integer     NOT NULL,
    state           text        NOT NULL CONSTRAINT subject_request_state CHECK
                    (state IN ('filed', 'acknowledged', 'granted', 'declined')),
    acknowledged_at timestamptz,
    extended_at     timestamptz,                         -- the one extension that the law knows
    decided_at      timestamptz,
    answer          bytea,                               -- the officer's words, under the citizen's key
    officer_id      uuid        REFERENCES citizen,      -- who acted last
    CONSTRAINT subject_request_dispute CHECK ((kind = 'dispute') = (leaf_id IS NOT NULL)),
    CONSTRAINT subject_request_decided CHECK
        ((state IN ('granted', 'declined')) = (decided_at IS NOT NULL) AND (decided_at IS NULL) = (answer IS NULL)),
    CONSTRAINT subject_request_order CHECK (decide_by >= acknowledge_by)
);
CREATE INDEX subject_request_of ON subject_request (citizen_id, id DESC);
CREATE INDEX subject_request_open ON subject_request (decide_by, id) WHERE decided_at IS NULL;
-- One open dispute for an entry.
CREATE UNIQUE INDEX subject_request_dispute_once ON subject_request (leaf_id) WHERE decided_at IS NULL AND leaf_id IS NOT NULL;
