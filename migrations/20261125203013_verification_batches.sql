-- Many questions about people in one file: uploaded in parts, answered chunk by chunk, given back as one signed file.
-- Nothing is ever held whole: each chunk is a row of its own, sealed under the agency's key.

CREATE TABLE verification_batch (
    id            uuid        PRIMARY KEY,
    agency_id     uuid        NOT NULL REFERENCES agency,
    client_id     uuid        NOT NULL REFERENCES client,
    created_at    timestamptz NOT NULL,
    format        text        NOT NULL CONSTRAINT verification_batch_format CHECK (format IN ('csv', 'jsonl')),
    ground        bytea       NOT NULL,   -- purpose, procedure, officer and a CSV file's columns, sealed
    generation    integer     NOT NULL,
    state         text        NOT NULL DEFAULT 'receiving' CONSTRAINT verification_batch_state
                  CHECK (state IN ('receiving', 'running', 'finished')),
    bytes         bigint      NOT NULL DEFAULT 0,   -- of the file, kept so far: where an upload goes on
    rows_received bigint      NOT NULL DEFAULT 0,
    rows_done     bigint      NOT NULL DEFAULT 0,
    chunks        integer     NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL,             -- when the next chunk is worked on
    signed        text,                             -- the JWS over the result's digest
    finished_at   timestamptz
);
CREATE INDEX verification_batch_due ON verification_batch (due_at) WHERE state = 'running';

-- Some rows of the file. The uploaded lines are emptied when they are answered.
CREATE TABLE verification_batch_chunk (
    batch_id   uuid    NOT NULL REFERENCES verification_batch,
    place      integer NOT NULL,
    first_row  bigint  NOT NULL,
    rows       integer NOT NULL,
    lines      bytea   NOT NULL,
    answers    bytea,
    generation integer NOT NULL,
    PRIMARY KEY (batch_id, place)
);
