-- Questions that the remote register did not answer and that the portal's policy wants asked again. The answer
-- `source_unavailable` stays as it was given; an event tells the one that decided.
CREATE TABLE unconfirmed (
    verification_id uuid        PRIMARY KEY,   -- the answer that was given
    agency_id       uuid        NOT NULL REFERENCES agency,
    client_id       uuid        NOT NULL REFERENCES client,
    asked_at        timestamptz NOT NULL,
    sealed          bytea       NOT NULL,      -- the question under the agency's key; emptied when it is over
    generation      integer     NOT NULL,
    due_at          timestamptz NOT NULL,      -- when it is asked again
    attempts        smallint    NOT NULL DEFAULT 0,
    finished_at     timestamptz,
    answer_id       uuid                       -- the verification that decided; absent when the register stayed silent
);
CREATE INDEX unconfirmed_due ON unconfirmed (due_at) WHERE finished_at IS NULL;
