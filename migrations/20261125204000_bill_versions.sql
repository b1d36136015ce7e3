-- A bill may be amended (a new version under the same reference), replaced by another bill, revived after it was withdrawn,
-- and paid late for a time, with interest.

alter table bill add column version integer not null default 1 constraint bill_version_positive check (version > 0);
alter table bill add column payable_until date;   -- the last day on which it can be paid at all; null: the due day
alter table bill add constraint bill_payable_until check (payable_until >= due);
alter table bill drop constraint bill_state;
alter table bill add constraint bill_state check (
    case state when 'open' then paid_by is null and ended_at is null
               when 'paid' then paid_by is not null and ended_at is not null
               when 'cancelled' then paid_by is null and ended_at is not null
               when 'superseded' then paid_by is null and ended_at is not null
               else false end);

-- What a bill said before it was amended. The row of the bill holds the newest version.
create table bill_version (
    bill_id     uuid        not null,
    version     integer     not null,
    due         date        not null,
    payable_until date,
    lines       jsonb       not null,
    schedule_id uuid        not null,
    trace       bytea       not null,       -- sealed under the agency's key
    key         integer     not null,
    until       timestamptz not null,       -- when the next version took its place
    reason      text        not null constraint bill_version_reason check (reason in ('amended', 'late', 'revived')),
    constraint bill_version_once primary key (bill_id, version)
);
create trigger bill_version_is_append_only before update or delete on bill_version
    for each row execute function refuse_change();

-- Money for a bill that another one has replaced waits like any other money without a home.
alter table credit drop constraint credit_outcome;
alter table credit add constraint credit_outcome check (outcome in
    ('settled', 'unmatched', 'wrong_amount', 'late_success', 'second_money', 'bill_cancelled', 'bill_superseded'));
alter table suspense drop constraint suspense_reason;
alter table suspense add constraint suspense_reason check (reason in
    ('unmatched', 'wrong_amount', 'late_success', 'second_money', 'bill_cancelled', 'bill_superseded'));

-- Late interest is a dated rule of the schedule, approved like every other.
alter table fee_adjustment drop constraint fee_adjustment_effect;
alter table fee_adjustment add constraint fee_adjustment_effect
    check (effect in ('percent_off', 'fixed_amount', 'exempt', 'late_daily'));

-- A search by reference, state or day stays within the agency.
create index bill_of_agency_due on bill (agency_id, due, id) where state = 'open';
