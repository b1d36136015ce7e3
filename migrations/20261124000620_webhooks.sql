-- Who hears of events, and what has become of telling them.
--
-- An event stands once in outbox, written with the decision it tells of. A worker routes it: one delivery for each
-- endpoint that wants it. So the decision never waits for the list of endpoints, and an endpoint that fails holds up
-- nobody but itself.

-- Where an agency's system wants to be told.
create table endpoint (
    id         uuid primary key,
    agency_id  uuid not null references agency,   -- whose events it hears
    client_id  uuid not null references client,   -- the system that asked; suspending it silences the endpoint
    url        text not null,
    types      text[] not null,                   -- which events; empty: all
    secret     bytea not null,                    -- the signing key, sealed under the agency's key; shown once
    key        integer not null,                  -- the generation of that key
    state      text not null constraint endpoint_state check (state in ('active', 'suspended')),
    -- Attempts that failed since the last success: while there are any, the endpoint gets one at a time.
    failures   integer not null default 0 constraint endpoint_failures check (failures >= 0),
    rest_until timestamptz,                       -- nothing is sent before; null: at once
    outcome    text,                              -- how the last attempt went
    created_at timestamptz not null,
    constraint endpoint_url_once unique (client_id, url)
);
create index endpoint_of_agency on endpoint (agency_id, id);

-- One event for one endpoint, until it was told or given up. Ended ones are kept for a month and then deleted.
create table delivery (
    endpoint_id uuid not null references endpoint,
    event_id    uuid not null,
    event_at    timestamptz not null,             -- the other half of the event's key
    object      uuid not null,                    -- what it is about: an endpoint hears of one thing in order
    state       text not null default 'pending',
    -- Claims so far. A claim raises it, and its outcome is recorded only while it stands: whoever was overtaken
    -- records nothing.
    attempts    integer not null default 0,
    due_at      timestamptz not null,             -- the next attempt, or the end of the running one's lease
    outcome     text,                             -- how the last attempt went
    ended_at    timestamptz,
    primary key (endpoint_id, event_id),
    constraint delivery_state check (
        case state when 'pending' then ended_at is null
                   when 'done' then ended_at is not null
                   when 'dead' then ended_at is not null
                   else false end)
);
create index delivery_due on delivery (endpoint_id, due_at) where state = 'pending';
create index delivery_order on delivery (endpoint_id, object, event_id) where state = 'pending';
create index delivery_age on delivery (event_at) where state = 'pending';
create index delivery_ended on delivery (ended_at) where state <> 'pending';

-- An agency reads its events a page at a time.
create index outbox_of_agency on outbox (agency_id, id) where topic = 'event';
