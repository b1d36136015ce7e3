-- Closings whose time holds too many lines to fold while somebody waits: the work goes on beside, and whoever asked sees how far
-- it is. The row stands before the work begins and ends in the transaction that prepares the closing, so that a process that dies
-- leaves one that is taken up again and never two.
create table long_closing (
    id         uuid primary key,
    agency_id  uuid not null references agency,
    kind       text not null constraint long_closing_kind check (kind in ('day', 'month', 'year')),
    first_day  date not null,
    last_day   date not null,
    asked_by   uuid not null,
    asked_at   timestamptz not null,
    state      text not null constraint long_closing_state check (state in ('waiting', 'done', 'refused')),
    holder     uuid,
    held_until timestamptz,
    tries      integer not null default 0,
    step       text constraint long_closing_step check (step in ('ledger', 'receipts')),
    so_far     bigint not null default 0,
    of_all     bigint,
    refusal    text,
    about      text,
    ended_at   timestamptz,
    constraint long_closing_days check (first_day <= last_day),
    constraint long_closing_held check (num_nulls(holder, held_until) in (0, 2)),
    constraint long_closing_refused check ((state = 'refused') = (refusal is not null)),
    constraint long_closing_about check (about is null or refusal is not null),
    constraint long_closing_ended check ((state = 'waiting') = (ended_at is null))
);
-- Asking again while one waits is asking for the same; of those that are over nobody looks for the next to take up.
create unique index long_closing_waits_once on long_closing (agency_id, kind, first_day) where state = 'waiting';
create index long_closing_waiting on long_closing (id) where state = 'waiting';
create index long_closing_of_agency on long_closing (agency_id, id);
comment on table long_closing is 'closings that are folded beside the request that asked for them';
comment on column long_closing.id is 'the name of the closing that will be prepared: one page tells how far it is, and then what it says';
comment on column long_closing.agency_id is 'whose accounting';
comment on column long_closing.kind is 'what is closed';
comment on column long_closing.first_day is 'its first day';
comment on column long_closing.last_day is 'its last day';
comment on column long_closing.asked_by is 'the accountant, who prepares it';
comment on column long_closing.asked_at is 'when they asked';
comment on column long_closing.state is 'waiting until the closing is prepared, or refused for good';
comment on column long_closing.holder is 'the run that works at it; another run of the same moves nothing';
comment on column long_closing.held_until is 'a run that is alive puts this off; after it the closing may be taken up';
comment on column long_closing.tries is 'how often it was taken up';
comment on column long_closing.step is 'what the run does: summing the ledger by months, counting the receipts';
comment on column long_closing.so_far is 'with how many months or receipts it is done in this step';
comment on column long_closing.of_all is 'of how many';
comment on column long_closing.refusal is 'the code of why it cannot be prepared';
comment on column long_closing.about is 'the day that stands in the way, where one does';
comment on column long_closing.ended_at is 'when it was done or refused';

-- An agency's system asks for days as well: whoever asked is a person or a client.
alter table long_day alter column asked_by drop not null;
alter table long_day add column asked_client uuid;
alter table long_day add constraint long_day_asked check (num_nonnulls(asked_by, asked_client) = 1);
comment on column long_day.asked_by is 'the person who asked, or who confirmed';
comment on column long_day.asked_client is 'the agency''s system that asked';
