-- Caring for clients: what they do wrong, that their time is running out, and who follows whom.

-- The last refusal of each step of a client, for the self-test that tells its developer what is still wrong. Written
-- at most once a second per step, so that nobody can keep the row busy. Words of ours only, never what was sent.
CREATE TABLE client_refusal (
    client_id  uuid        NOT NULL REFERENCES client,
    step       text        NOT NULL,                       -- where: authenticate, push, authorize, token, ...
    refused_at timestamptz NOT NULL,
    code       text        NOT NULL,                       -- the error code that was answered
    reason     text        NOT NULL,                       -- the error_description that was answered
    count      bigint      NOT NULL DEFAULT 1,             -- how many were written
    PRIMARY KEY (client_id, step)
);
-- When a client last got as far as tokens.
CREATE INDEX authorization_by_client ON "authorization" (client_id, exchanged_at DESC) WHERE exchanged_at IS NOT NULL;

-- Warnings that were given before a registration or a key ends: each once. A new end is warned of anew.
CREATE TABLE client_warning (
    client_id uuid        NOT NULL REFERENCES client,
    kid       text        NOT NULL DEFAULT '',             -- the key; empty: the registration itself
    ends_at   timestamptz NOT NULL,
    days      smallint    NOT NULL,                        -- 60, 30 or 7
    told_at   timestamptz NOT NULL,
    PRIMARY KEY (client_id, kid, ends_at, days)
);

-- A portal that takes over from others (agencies merge).
ALTER TABLE client ADD predecessors uuid[] NOT NULL DEFAULT '{}';
-- The map from a predecessor's subjects to its successor's: handed out once, and never kept.
CREATE TABLE subject_map (
    successor   uuid        NOT NULL REFERENCES client,
    predecessor uuid        NOT NULL REFERENCES client,
    made_at     timestamptz NOT NULL,
    subjects    bigint      NOT NULL,                      -- how many citizens it names
    PRIMARY KEY (successor, predecessor)
);
