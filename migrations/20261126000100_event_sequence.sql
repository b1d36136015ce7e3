-- Events are numbered per thing, signing keys overlap while they change, and what was told may be told again.

-- The last number given to an event of each thing (a bill, a case): 1, 2, 3, without gaps, so that whoever listens sees
-- that something is missing or came late. Drawn with the event; the row is the thing's own, so nobody waits for another.
create table event_sequence (
    object uuid primary key,              -- what the events are about
    last   integer not null constraint event_sequence_last check (last > 0)  -- the number drawn last
) with (fillfactor = 80);

-- The event's number among those of its thing; null for messages, and for events from before numbers were drawn.
alter table outbox add column sequence integer;

-- The signing key that a new one replaced. Both sign until then, so that a listener may change at leisure.
alter table endpoint
    add column secret_before bytea,       -- sealed as the present one
    add column key_before    integer,     -- the generation of that seal
    add column before_until  timestamptz, -- the old key's last moment
    add constraint endpoint_before check (num_nulls(secret_before, key_before, before_until) in (0, 3));

-- Since when it is tried: the event's own moment, or when somebody asked for it again. Three days count from here.
alter table delivery
    add column asked_at timestamptz,
    add column spent    integer not null default 0;  -- attempts made before it was asked for again; pauses begin anew
update delivery set asked_at = event_at;
alter table delivery alter column asked_at set not null;
drop index delivery_age;
create index delivery_age on delivery (asked_at) where state = 'pending';
-- A page of what an endpoint was told, the newest first.
create index delivery_of_endpoint on delivery (endpoint_id, event_id desc);
