-- Matching by people, and days that a bank tells again.

-- How much a match of an account may leave open when one person says it; what has no row leaves nothing open.
create table match_tolerance (
    account_id uuid constraint match_tolerance_once primary key references collecting_account,
    amount     bigint not null constraint match_tolerance_amount check (amount between 0 and 10000000),
    since      timestamptz not null,
    client_id  uuid not null              -- the administrators' system that said so
);

-- Several cases that are one matter. Beyond the tolerance it holds only when a second person has approved it.
create table match_group (
    id          uuid primary key,
    account_id  uuid not null references collecting_account,
    agency_id   uuid not null references agency,  -- whose cases they are
    reason      text not null constraint match_group_reason check (reason in
                ('collected', 'divided', 'bank_fee', 'rounding', 'taken_back', 'other')),
    stated      bigint not null,          -- what the statement says moved
    held        bigint not null,          -- what the books hold for it
    tolerance   bigint not null,          -- of the account when it was proposed
    words       bytea not null,           -- why, sealed under the agency's key
    key         integer not null,         -- the generation of that seal
    state       text not null constraint match_group_state check (state in ('proposed', 'matched', 'withdrawn')),
    proposed_by uuid not null,            -- the accountant
    proposed_at timestamptz not null,
    decided_by  uuid,                     -- the approver, or whoever took it back; null when the tolerance sufficed
    decided_at  timestamptz,
    constraint match_group_two_people check (
        state <> 'matched' or abs(stated - held) <= tolerance or (decided_by is not null and decided_by <> proposed_by)),
    constraint match_group_decided check (num_nulls(decided_by, decided_at) in (0, 2))
);
create index match_group_of_agency on match_group (agency_id, id);

-- Which cases a match joins; a case is in at most one that lives.
create table match_member (
    group_id uuid not null references match_group,
    case_id  uuid not null references "case",
    living   boolean not null default true,  -- false once the match was taken back or its ground is gone
    constraint match_member_once primary key (group_id, case_id)
);
create unique index match_member_lives_once on match_member (case_id) where living;

-- A case may end by a match, and begin again when the bank takes back what it rested on: nobody did that.
alter table "case" drop constraint case_state;
alter table "case" add constraint case_state check (
    case state when 'open' then owner_id is null and resolution is null and ended_at is null
               when 'assigned' then owner_id is not null and resolution is null and ended_at is null
               when 'resolved' then resolution in
                    ('explained', 'refund_proposed', 'bank_corrects', 'attributed', 'matched') and ended_at is not null
               when 'cleared' then resolution is null and ended_at is not null
               else false end);
alter table case_note drop constraint case_note_act;
alter table case_note add constraint case_note_act check (act in ('assigned', 'noted', 'resolved', 'matched', 'reopened'));
alter table case_note drop constraint case_note_by;
alter table case_note add constraint case_note_by check (
    num_nonnulls(citizen_id, client_id) = case act when 'reopened' then 0 else 1 end);

-- A day told again with other content. What was told before stays as it is: its head, and every line.
create table statement_revision (
    id           uuid primary key,
    statement_id uuid not null references statement,
    version      integer not null constraint statement_revision_version check (version > 1),
    digest       bytea not null constraint statement_revision_digest check (octet_length(digest) = 32),
    message      uuid not null,           -- what brought it
    opening      bigint not null,
    closing      bigint not null,
    lines        integer not null,
    told_at      timestamptz not null,
    constraint statement_revision_once unique (statement_id, version)
);
create trigger statement_revision_is_append_only before update or delete on statement_revision
    for each row execute function refuse_change();

-- Lines that a revision added; null for those of the first telling.
alter table statement_line add column revision_id uuid;
create index statement_line_of_revision on statement_line (revision_id) where revision_id is not null;

-- Lines that a revision left out.
create table withdrawn_line (
    line_id     uuid constraint withdrawn_line_once primary key,
    revision_id uuid not null references statement_revision
);
create index withdrawn_line_of_revision on withdrawn_line (revision_id);
create trigger withdrawn_line_is_append_only before update or delete on withdrawn_line
    for each row execute function refuse_change();

-- What was matched may be more than the first telling had lines.
alter table statement drop constraint statement_result;
alter table statement add constraint statement_result check (
    num_nulls(matched, posted, explained, reconciled_at) in (0, 4) and coalesce(matched >= 0, true));

-- A statement as its bank tells it now.
create view statement_now as
    select s.id, s.account_id, s.day, coalesce(r.version, 1) as version, coalesce(r.digest, s.digest) as digest,
        coalesce(r.message, s.message) as message, coalesce(r.opening, s.opening) as opening,
        coalesce(r.closing, s.closing) as closing, coalesce(r.lines, s.lines) as lines,
        s.fetched_at, s.matched, s.posted, s.explained, s.reconciled_at
    from statement s
    left join lateral (
        select * from statement_revision r where r.statement_id = s.id order by r.version desc limit 1) r on true;

-- Money that a bank showed and then took back is no longer in the account: a claim on the bank, until it is shown again.
alter table ledger_account drop constraint ledger_account_kind;
alter table ledger_account add constraint ledger_account_kind check (kind in (
    'clearing', 'suspense', 'fee_phi', 'fee_le_phi', 'fee_tax', 'fee_phi_retained', 'refund_due', 'unclaimed',
    'bank_charges', 'card_discount', 'card_receivable', 'cash_drawer', 'cash_in_transit', 'cash_difference',
    'bank_claim'));
alter table ledger_account drop constraint ledger_account_owner;
alter table ledger_account add constraint ledger_account_owner check (
    (account_id is not null) = (kind in ('clearing', 'suspense', 'bank_claim'))
    and (agency_id is not null) = (kind not in ('clearing', 'suspense', 'bank_claim'))
    and (drawer_id is not null) = (kind = 'cash_drawer'));
insert into chart_mapping (kind, valid_from, code, name_vi, name_en, basis)
select 'bank_claim', from_day::date, '1388', 'Phải thu khác', 'Other amounts due', basis
from (values ('2018-01-01', 'Circular 107/2017'), ('2025-01-01', 'Circular 24/2024 (illustrative)')) as r (from_day, basis);

-- The reversing entries: one for a movement that its bank took back, and one more when it is shown again.
create table reversal (
    entry_id           uuid primary key,  -- the reversing entry
    account_id         uuid not null,
    servicer_reference text not null,     -- the movement
    amount             bigint not null constraint reversal_moves check (amount <> 0),  -- below nothing: money that had left
    revision_id        uuid not null references statement_revision,
    undone_by          uuid,              -- the entry that took the reversal back
    at                 timestamptz not null
);
create unique index reversal_stands_once on reversal (account_id, servicer_reference) where undone_by is null;
