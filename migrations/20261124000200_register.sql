-- The local population register, its imports, and what agencies asked about people in it.

-- One person of the register. Everything that describes the person is in `sealed`; the number is found by its keyed
-- hash. The citizen's data key stands here because it must exist before anything about the citizen can be sealed.
CREATE TABLE register_person (
    citizen_id     uuid        PRIMARY KEY,     -- the identity that outlives cards and numbers
    number_hash    bytea       NOT NULL CONSTRAINT register_person_number_key UNIQUE
                               CONSTRAINT register_person_number_length CHECK (length(number_hash) = 32),
    wrapped_key    bytea       NOT NULL,        -- the citizen's data key, sealed by a master key
    key_generation integer     NOT NULL,
    sealed         bytea       NOT NULL,        -- the record, under the data key
    record_hash    bytea       NOT NULL,        -- keyed hash of the record: an import changes a row only if this differs
    imported_at    timestamptz NOT NULL         -- the import that last changed the row
);

-- One run of an import. The newest finished one says of which day the register's answers are.
CREATE TABLE population_import (
    id          uuid        PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    added       bigint      NOT NULL DEFAULT 0,
    changed     bigint      NOT NULL DEFAULT 0,
    unchanged   bigint      NOT NULL DEFAULT 0,
    rejected    bigint      NOT NULL DEFAULT 0
);
CREATE INDEX population_import_finished ON population_import (started_at DESC) WHERE finished_at IS NOT NULL;

-- Which numbers the running import has met, so that a file that names one twice is caught with flat memory. Worthless
-- after the run, hence unlogged.
CREATE UNLOGGED TABLE population_seen (
    number_hash bytea  PRIMARY KEY,
    line        bigint NOT NULL
);

-- Rows on their way in: COPY fills it, one statement merges it, and it is emptied in the same transaction.
CREATE UNLOGGED TABLE population_staging (
    citizen_id     uuid    NOT NULL,
    number_hash    bytea   NOT NULL,
    wrapped_key    bytea   NOT NULL,
    key_generation integer NOT NULL,
    sealed         bytea   NOT NULL,
    record_hash    bytea   NOT NULL
);

-- One question of an agency about a person and its answer, as the signed statement says them. The statement and the
-- salt that opens its number digest are sealed under the agency's key; what the citizen may read of it is the sealed
-- detail of the audit leaf. Rows are history, partitioned by month.
CREATE TABLE verification (
    id         uuid        NOT NULL,
    at         timestamptz NOT NULL,
    agency_id  uuid        NOT NULL,
    client_id  uuid        NOT NULL,
    citizen_id uuid,                            -- absent when the number is not on record
    state      text        NOT NULL CONSTRAINT verification_state CHECK
               (state IN ('match', 'no_match', 'not_on_record', 'locked', 'deceased', 'source_unavailable')),
    sealed     bytea       NOT NULL,
    generation integer     NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
SELECT partition_by_month('verification', 15);
CREATE TRIGGER verification_append_only BEFORE UPDATE OR DELETE ON verification
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
