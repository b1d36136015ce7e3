-- The life of a version of the fee schedule, what it rests on, and what a reduction rested on.

-- A version is drafted, submitted by its drafter's side, approved by a second person for a day from which it is in
-- force, and perhaps discontinued. The first version of an installation comes from the command line and has no people.
alter table fee_schedule add column state text not null default 'approved'
    constraint fee_schedule_state check (state in ('draft', 'submitted', 'approved'));
alter table fee_schedule add column instrument text;          -- number and title of the legal instrument
alter table fee_schedule add column instrument_file bytea;    -- its text as it was attached (a public document)
alter table fee_schedule add column instrument_media text;
alter table fee_schedule add column agency_id uuid references agency;   -- whose people draft and approve it
alter table fee_schedule add column drafted_by uuid;
alter table fee_schedule add column submitted_by uuid;
alter table fee_schedule add column submitted_at timestamptz;
alter table fee_schedule add column approved_by uuid;
alter table fee_schedule add column approved_at timestamptz;
alter table fee_schedule add column in_force_from date;       -- Vietnam day; null: from its import on
alter table fee_schedule add column discontinued_from date;   -- the first day on which it is no longer in force
alter table fee_schedule add column discontinued_by uuid;
alter table fee_schedule add constraint fee_schedule_second_person
    check (approved_by is null or (approved_by is distinct from drafted_by and approved_by is distinct from submitted_by));
alter table fee_schedule add constraint fee_schedule_instrument
    check (state = 'draft' or agency_id is null or instrument is not null);
comment on column fee_schedule.digest is 'of the imported files; importing the same files twice changes nothing';

-- How the amount follows from what is counted or declared (payment::formula), and why a part may be kept.
alter table fee_item add column formula text not null default 'unit';
alter table fee_item add column retained_basis text;

-- What the budget knows an agency by. Without it no fee of the agency is approved.
create table agency_budget (
    agency_id       uuid primary key references agency,
    area            text not null constraint agency_budget_area check (area ~ '^[0-9]{5}$'),        -- địa bàn hành chính
    unit_code       text not null constraint agency_budget_unit check (unit_code ~ '^[0-9]{7}$'),   -- mã ĐVQHNS
    treasury_office text not null constraint agency_budget_treasury check (treasury_office ~ '^[0-9]{4}$'),
    retained_account text not null,   -- where the kept part goes, at the Treasury
    remitted_account text not null,   -- where the budget's part goes
    valid_from      date not null,
    set_at          timestamptz not null
);

-- A reduction that was granted on a verified fact: what it rested on is kept, and may be revoked. Revoking makes a new
-- bill for the difference; the bill and its receipts stay as they are.
create table fee_evidence (
    id              uuid primary key,
    agency_id       uuid not null,
    bill_id         uuid not null,
    line            integer not null constraint fee_evidence_line check (line >= 0),   -- its place on the bill
    adjustment      text not null,
    whose_fact      text not null constraint fee_evidence_whose check (whose_fact in ('applicant', 'submitter')),
    condition       text not null,
    governing_date  text not null,
    governing_day   date not null,
    verification_id uuid not null,       -- the answer of the register that the fact was taken from
    saving          bigint not null constraint fee_evidence_saving check (saving > 0),
    at              timestamptz not null,
    revoked_at      timestamptz,
    revoked_by      uuid,
    reason          bytea,               -- sealed under the agency's key
    key             integer,
    difference_id   uuid,                -- the bill for the difference
    constraint fee_evidence_revoked check (num_nulls(revoked_at, revoked_by, reason, key, difference_id) in (0, 5))
);
create index fee_evidence_of_bill on fee_evidence (bill_id);
