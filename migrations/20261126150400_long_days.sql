-- Days whose matching somebody asked for and that are too long to wait for: the work goes on beside, and whoever asked sees how
-- far it is. The row stands before the work begins and ends in the transaction that keeps the day, so that a process that dies
-- leaves a day that is taken up again and never one that is done twice.
create table long_day (
    id         uuid primary key,
    account_id uuid not null references collecting_account,
    day        date not null,
    import_id  uuid references statement_import,
    lines      integer,
    asked_by   uuid not null,
    asked_at   timestamptz not null,
    state      text not null constraint long_day_state check (state in ('waiting', 'done', 'refused')),
    holder     uuid,
    held_until timestamptz,
    tries      integer not null default 0,
    step       text constraint long_day_step check (step in ('fetched', 'read', 'kept', 'judged')),
    so_far     integer not null default 0,
    of_all     integer,
    refusal    text,
    ended_at   timestamptz,
    constraint long_day_held check (num_nulls(holder, held_until) in (0, 2)),
    constraint long_day_refused check ((state = 'refused') = (refusal is not null)),
    constraint long_day_ended check ((state = 'waiting') = (ended_at is null))
);
-- Asking again while a day waits is asking for the same.
create unique index long_day_waits_once on long_day (account_id, day) where state = 'waiting' and import_id is null;
create unique index long_day_of_import on long_day (import_id) where import_id is not null;
comment on table long_day is 'days that are matched beside the request that asked for it';
comment on column long_day.id is 'its identifier, by which its page is found';
comment on column long_day.account_id is 'the collecting account';
comment on column long_day.day is 'the bank''s business day';
comment on column long_day.import_id is 'the confirmed import that is matched; null where the bank is asked';
comment on column long_day.lines is 'how many lines it has, where that is known before they are read';
comment on column long_day.asked_by is 'who asked, or who confirmed';
comment on column long_day.asked_at is 'when';
comment on column long_day.state is 'waiting until the day is kept and matched, or refused for good';
comment on column long_day.holder is 'the run that works at it; another run of the same day moves nothing';
comment on column long_day.held_until is 'a run that is alive puts this off; after it the day may be taken up';
comment on column long_day.tries is 'how often it was taken up';
comment on column long_day.step is 'what the run does: fetching, reading what is known, keeping, judging what is not plain';
comment on column long_day.so_far is 'with how many lines it is done in this step; told beside the work, so not to the line';
comment on column long_day.of_all is 'of how many, where that is known';
comment on column long_day.refusal is 'the code of why it cannot be matched';
comment on column long_day.ended_at is 'when it was done or refused';

-- An import is confirmed by its second person before it is matched, and may be refused by what the matching finds.
alter table statement_import drop constraint statement_import_state;
alter table statement_import add constraint statement_import_state
    check (state in ('waiting', 'confirmed', 'accepted', 'refused', 'withdrawn'));
alter table statement_import drop constraint statement_import_two_people;
alter table statement_import add constraint statement_import_two_people
    check (state not in ('confirmed', 'accepted', 'refused') or decided_by <> imported_by);
drop index statement_import_waits_once;
create unique index statement_import_waits_once on statement_import (account_id, day) where state in ('waiting', 'confirmed');
comment on column statement_import.state is 'waiting for a second person, confirmed, accepted once matched; refused by the matching or withdrawn by people';
comment on column statement_import.agency_id is 'whose officers brought it, and under whose key it is sealed; whoever answers for the account now decides';
