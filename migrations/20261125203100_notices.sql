-- What citizens are told about their own identity, where they are reached, and what the messages cost.

-- Where a citizen is reached beside the register: another phone, set with the card in hand or by a strong sign-in, and
-- a mailbox for notices. Absent columns mean the register's phone and no mailbox.
CREATE TABLE contact (
    citizen_id   uuid        PRIMARY KEY REFERENCES citizen,
    sealed_phone bytea,                          -- under the citizen's key
    phone_since  timestamptz,
    sealed_mail  bytea,
    mail_since   timestamptz,
    generation   integer     NOT NULL,
    CONSTRAINT contact_phone CHECK ((sealed_phone IS NULL) = (phone_since IS NULL)),
    CONSTRAINT contact_mail CHECK ((sealed_mail IS NULL) = (mail_since IS NULL))
);

-- One thing that a citizen was told, and may disown. Its code stands as a keyed digest: whoever reads the table cannot
-- lock anybody.
CREATE TABLE notice (
    id               uuid        PRIMARY KEY,
    citizen_id       uuid        NOT NULL REFERENCES citizen,
    what             text        NOT NULL,
    at               timestamptz NOT NULL,
    sealed           bytea       NOT NULL,       -- which portal, which way, under the citizen's key
    generation       integer     NOT NULL,
    code_digest      bytea       NOT NULL CONSTRAINT notice_code_once UNIQUE,
    phone_hash       bytea,                      -- keyed hash of the phone that an SMS went to: only from there it is answered
    authenticator_id uuid REFERENCES authenticator,  -- the way that it is about
    disowned_at      timestamptz,
    disowned_via     text        CONSTRAINT notice_disowned_via CHECK (disowned_via IN ('page', 'code', 'sms', 'counter')),
    CONSTRAINT notice_disowned CHECK ((disowned_at IS NULL) = (disowned_via IS NULL))
);
CREATE INDEX notice_by_citizen ON notice (citizen_id, id DESC);
CREATE INDEX notice_by_phone ON notice (phone_hash, at DESC) WHERE phone_hash IS NOT NULL AND disowned_at IS NULL;

-- Segments of SMS and what they cost, per agency and calendar month of Vietnam: who sends a citizen to sign in pays the
-- code. The nil agency is the service itself, for its own pages and for warnings, which no cap holds back.
CREATE TABLE sms_count (
    agency_id uuid     NOT NULL,
    month     date     NOT NULL CONSTRAINT sms_count_month CHECK (extract(day FROM month) = 1),
    kind      text     NOT NULL,                 -- the message's name, e.g. sign_in.code
    shard     smallint NOT NULL,                 -- keeps one busy agency from being one hot row
    segments  bigint   NOT NULL CONSTRAINT sms_count_segments CHECK (segments >= 0),
    cost      bigint   NOT NULL CONSTRAINT sms_count_cost CHECK (cost >= 0),  -- in dong, at the price of each day
    PRIMARY KEY (agency_id, month, kind, shard)
);

-- An agency's own cap, where it is not the configured one.
CREATE TABLE sms_cap (
    agency_id uuid        PRIMARY KEY REFERENCES agency,
    month_max bigint      NOT NULL CONSTRAINT sms_cap_positive CHECK (month_max >= 0),
    set_at    timestamptz NOT NULL
);
