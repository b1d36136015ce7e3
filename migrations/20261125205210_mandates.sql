-- Acting for somebody: mandates, what procedures say about delegates, and in whose name a sign-in, a bill or a
-- payment was made.

-- Whether a procedure takes a delegate and in what form, dated. What no row allows is not allowed; a row `none` says so.
CREATE TABLE delegation_rule (
    procedure   text NOT NULL,
    allowed     text NOT NULL CONSTRAINT delegation_rule_allowed
                     CHECK (allowed IN ('electronic', 'certified_paper', 'kinship', 'none')),
    valid_from  date NOT NULL,
    valid_to    date,
    legal_basis text NOT NULL,
    PRIMARY KEY (procedure, allowed, valid_from),
    CONSTRAINT delegation_rule_order CHECK (valid_to >= valid_from)
);

-- What one person allows another, or an organisation, to do in their name. What was given never changes; only the
-- state moves on.
CREATE TABLE mandate (
    id              uuid        PRIMARY KEY,
    principal_id    uuid        NOT NULL REFERENCES citizen,
    delegate_id     uuid        REFERENCES citizen,   -- a person
    organisation_id uuid        REFERENCES agency,    -- or an organisation, whose officers act
    acts            text[]      NOT NULL CONSTRAINT mandate_acts
                                CHECK (cardinality(acts) > 0 AND acts <@ ARRAY['apply', 'pay', 'receive']),
    procedures      text[]      NOT NULL CONSTRAINT mandate_procedures CHECK (cardinality(procedures) > 0),
    agencies        uuid[]      NOT NULL,             -- none: every agency
    valid_from      date        NOT NULL,
    valid_to        date        NOT NULL,
    form            text        NOT NULL CONSTRAINT mandate_form CHECK (form IN ('electronic', 'certified_paper', 'counter')),
    certifier       text,                             -- of a paper: who certified it, its number there, and when
    certificate_no  text,
    certified_on    date,
    recorded_at     uuid        REFERENCES agency,    -- the agency whose officer recorded it
    officer_id      uuid        REFERENCES citizen,
    given_at        timestamptz NOT NULL,
    state           text        NOT NULL CONSTRAINT mandate_state CHECK (state IN ('offered', 'accepted', 'ended')),
    accepted_at     timestamptz,
    ended_at        timestamptz,
    ended_by        text        CONSTRAINT mandate_ended_by CHECK
                                (ended_by IN ('revoked_by_principal', 'revoked_by_delegate', 'declined', 'death', 'incapacity')),
    CONSTRAINT mandate_delegate CHECK (num_nonnulls(delegate_id, organisation_id) = 1),
    CONSTRAINT mandate_not_oneself CHECK (delegate_id <> principal_id),
    CONSTRAINT mandate_days CHECK (valid_to >= valid_from),
    CONSTRAINT mandate_paper CHECK (
        (form = 'certified_paper') = (num_nonnulls(certifier, certificate_no, certified_on) = 3)
        AND num_nonnulls(certifier, certificate_no, certified_on) IN (0, 3)),
    CONSTRAINT mandate_recorded CHECK ((form <> 'electronic') = (num_nonnulls(recorded_at, officer_id) = 2)),
    CONSTRAINT mandate_accepted CHECK (state <> 'accepted' OR accepted_at IS NOT NULL),
    CONSTRAINT mandate_ended CHECK ((state = 'ended') = (ended_at IS NOT NULL) AND (ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX mandate_of_principal ON mandate (principal_id, id DESC);
CREATE INDEX mandate_of_delegate ON mandate (delegate_id, id DESC) WHERE delegate_id IS NOT NULL;
CREATE INDEX mandate_of_organisation ON mandate (organisation_id, principal_id) WHERE organisation_id IS NOT NULL;
CREATE INDEX mandate_recorded_at ON mandate (recorded_at, id DESC) WHERE recorded_at IS NOT NULL;

-- For whom somebody signs in at a portal: chosen once, after it is known who signs in. A row without a principal says
-- "for myself".
CREATE TABLE authorization_principal (
    authorization_id uuid PRIMARY KEY REFERENCES "authorization",
    principal_id     uuid REFERENCES citizen,
    right_word       text CONSTRAINT authorization_principal_right CHECK (right_word IN ('mandate', 'parent', 'guardian')),
    mandate_id       uuid REFERENCES mandate,
    CONSTRAINT authorization_principal_shape CHECK (
        (principal_id IS NULL) = (right_word IS NULL) AND (mandate_id IS NOT NULL) = (right_word IS NOT DISTINCT FROM 'mandate'))
);
CREATE INDEX authorization_principal_mandate ON authorization_principal (mandate_id) WHERE mandate_id IS NOT NULL;
CREATE INDEX authorization_principal_of ON authorization_principal (principal_id) WHERE principal_id IS NOT NULL;

-- A consent given by a delegate names who gave it; the consent is the principal's all the same.
ALTER TABLE consent ADD COLUMN actor_id uuid REFERENCES citizen;

-- A verification of somebody for whom another acts: who, and by what right.
CREATE TABLE verification_acting (
    verification_id uuid PRIMARY KEY,
    principal_id    uuid NOT NULL,
    actor_id        uuid NOT NULL,
    right_word      text NOT NULL CONSTRAINT verification_acting_right CHECK (right_word IN ('mandate', 'parent', 'guardian')),
    mandate_id      uuid REFERENCES mandate,
    CONSTRAINT verification_acting_mandate CHECK ((mandate_id IS NOT NULL) = (right_word = 'mandate'))
);

-- Whose bill it is, where the agency's verification says so, and who filed for them: what lets the citizen see it.
CREATE TABLE bill_citizen (
    bill_id    uuid PRIMARY KEY,
    citizen_id uuid NOT NULL,
    actor_id   uuid,
    right_word text,
    mandate_id uuid,
    CONSTRAINT bill_citizen_acting CHECK ((actor_id IS NULL) = (right_word IS NULL))
);
CREATE INDEX bill_citizen_of ON bill_citizen (citizen_id, bill_id DESC);

-- Who paid, where the payer was signed in. Anybody may pay without.
CREATE TABLE payment_payer (
    payment_id uuid    PRIMARY KEY,
    citizen_id uuid    NOT NULL,
    parties    bytea   NOT NULL,   -- the bill's parties with the payer, as the receipts name them, under the agency's key
    key        integer NOT NULL    -- the generation of that key
);
CREATE INDEX payment_payer_of ON payment_payer (citizen_id, payment_id DESC);
CREATE INDEX authorization_by_consent ON "authorization" (consent_id) WHERE state = 'exchanged';
