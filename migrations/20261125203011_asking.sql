-- What each portal may ask about people, how much it has asked, and what a citizen takes home from a negative answer.

-- A portal's policy, one row a version; the newest holds. Rows are history: a statement names the version it was
-- decided by. The form is {"attributes": [...], "predicates": [...], "name_rule": "standard-1", "purposes": [...],
-- "daily_quota": n, "tells_which": bool, "stale_max_hours": n, "confirms_later": bool}.
CREATE TABLE portal_policy (
    client_id uuid        NOT NULL REFERENCES client,
    version   integer     NOT NULL CONSTRAINT portal_policy_version CHECK (version > 0),
    policy    jsonb       NOT NULL,
    set_at    timestamptz NOT NULL,
    set_by    uuid        NOT NULL REFERENCES client,   -- the administrators' system that set it
    CONSTRAINT portal_policy_pkey PRIMARY KEY (client_id, version)
);
CREATE TRIGGER portal_policy_append_only BEFORE UPDATE OR DELETE ON portal_policy
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A trial of a policy decides a portal's latest answers again.
CREATE INDEX verification_client ON verification (client_id, id DESC);

-- How much a portal has asked: its quota of the day, and the window in which misses are counted. One row a client,
-- locked by whoever decides on its questions.
CREATE TABLE portal_watch (
    client_id    uuid        PRIMARY KEY REFERENCES client,
    day          date        NOT NULL,   -- the Vietnam day that `asked` counts
    asked        integer     NOT NULL,
    window_start timestamptz NOT NULL,
    answered     integer     NOT NULL,   -- answers in the window
    misses       integer     NOT NULL,   -- those that found no match or nobody
    slowed_until timestamptz,
    last_at      timestamptz NOT NULL
);

-- A portal that looked like probing numbers. Told to its agency by an event, and read by administrators.
CREATE TABLE portal_alert (
    id        uuid        PRIMARY KEY,
    client_id uuid        NOT NULL REFERENCES client,
    agency_id uuid        NOT NULL REFERENCES agency,
    at        timestamptz NOT NULL,
    answered  integer     NOT NULL,
    misses    integer     NOT NULL,
    until     timestamptz NOT NULL    -- the portal is answered slowly until then
);

-- Look-ups of one number that nobody waited for, by day and portal; the sum over portals is the number's own budget.
-- Only today's rows matter; older ones are deleted.
CREATE TABLE number_budget (
    number_hash bytea   NOT NULL,
    day         date    NOT NULL,
    client_id   uuid    NOT NULL,
    asked       integer NOT NULL,
    PRIMARY KEY (number_hash, day, client_id)
);
CREATE INDEX number_budget_day ON number_budget (day);

-- Whom an officer has seen with their card: such questions are never held back.
CREATE INDEX card_check_passed ON card_check (citizen_id, at DESC) WHERE verdict = 'passed';

-- Which accepted dossiers have had their free look-up of a number: the keyed hash of agency, dossier and number.
CREATE TABLE first_check (
    hash bytea PRIMARY KEY,
    day  date  NOT NULL
);

-- What a citizen takes home from a negative answer: a reference that opens a page with the next step. The page names
-- the agency, purpose, procedure and dossier, which are sealed under the agency's key, and nothing about the person.
CREATE TABLE slip (
    reference  text        PRIMARY KEY,
    agency_id  uuid        NOT NULL REFERENCES agency,
    at         timestamptz NOT NULL,
    state      text        NOT NULL,
    sealed     bytea       NOT NULL,
    generation integer     NOT NULL
);

-- When a remote register last vouched for the row; null for what a file brought. A copy too old for a portal's policy
-- answers nothing while that register is down.
ALTER TABLE register_person ADD COLUMN copied_at timestamptz;

-- Numbers that were somebody's formerly. A number is never given to another person.
CREATE TABLE register_former_number (
    number_hash bytea PRIMARY KEY CONSTRAINT register_former_number_length CHECK (length(number_hash) = 32),
    citizen_id  uuid  NOT NULL REFERENCES register_person,
    until       date  NOT NULL   -- the day on which another number took its place
);
