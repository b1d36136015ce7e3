-- Money at a desk, followed to the statement: transfers as a part of a payment, one deposit slip for many tills, card
-- slips until the card company pays, and what a desk owes the agency that it collects for.

-- A transfer that came for the bill with too little, made up for at the desk.
alter table desk_payment add column transfer bigint not null default 0 constraint desk_payment_transfer check (transfer >= 0);
alter table desk_payment add column case_id uuid;
alter table desk_payment add constraint desk_payment_case_once unique (case_id);
alter table desk_payment add constraint desk_payment_case check ((transfer > 0) = (case_id is not null));
comment on column desk_payment.case_id is 'the money in suspense that the transfer was';

-- What a till took for another agency: it owes that agency from then on, until it is carried to its account.
create table desk_collection (
    payment_id uuid not null references desk_payment,
    agency_id  uuid not null references agency,      -- whose money it is
    drawer_id  uuid not null references drawer,      -- whose till has it
    amount     bigint not null constraint desk_collection_amount check (amount > 0),
    constraint desk_collection_once primary key (payment_id, agency_id)
);
create index desk_collection_of_drawer on desk_collection (drawer_id, agency_id);
create trigger desk_collection_is_append_only before update or delete on desk_collection
    for each row execute function refuse_change();

-- A slip of the bank covers what several shifts and tills brought; it is confirmed whole, by one line of a statement.
alter table cash_deposit drop constraint cash_deposit_slip_once;
alter table cash_deposit drop constraint cash_deposit_case_once;
alter table cash_deposit add constraint cash_deposit_slip_once unique (agency_id, slip, shift_id);
create index cash_deposit_of_case on cash_deposit (case_id) where case_id is not null;
comment on column cash_deposit.agency_id is 'into whose account: the till''s agency, or one that it collects for';
comment on column cash_deposit.case_id is 'the credit that the whole slip turned out to be';

-- Card slips that a card company paid for: one credit, and its discount beside it.
create table card_settlement (
    case_id   uuid constraint card_settlement_once primary key,  -- the credit in suspense
    agency_id uuid not null,
    amount    bigint not null constraint card_settlement_amount check (amount > 0),       -- what came
    discount  bigint not null constraint card_settlement_discount check (discount >= 0),  -- what the company kept
    by        uuid not null,
    at        timestamptz not null
);
create index card_settlement_of_agency on card_settlement (agency_id, case_id);
create trigger card_settlement_is_append_only before update or delete on card_settlement
    for each row execute function refuse_change();
create table card_slip_settled (
    payment_id uuid constraint card_slip_settled_once primary key references desk_payment,
    case_id    uuid not null references card_settlement
);
create index card_slip_settled_of_case on card_slip_settled (case_id);
create trigger card_slip_settled_is_append_only before update or delete on card_slip_settled
    for each row execute function refuse_change();

-- An account of the books between two agencies: whose it is, and who is at its other side.
alter table ledger_account add column counterpart_id uuid references agency;
comment on column ledger_account.counterpart_id is 'the other agency, for desk_owes and owed_by_desk alone';
alter table ledger_account drop constraint ledger_account_once;
alter table ledger_account add constraint ledger_account_once
    unique nulls not distinct (kind, account_id, agency_id, drawer_id, counterpart_id);
alter table ledger_account drop constraint ledger_account_kind;
alter table ledger_account add constraint ledger_account_kind check (kind in (
    'clearing', 'suspense', 'fee_phi', 'fee_le_phi', 'fee_tax', 'fee_phi_retained', 'refund_due', 'unclaimed',
    'bank_charges', 'card_discount', 'card_receivable', 'cash_drawer', 'cash_in_transit', 'cash_difference',
    'bank_claim', 'desk_owes', 'owed_by_desk'));
alter table ledger_account add constraint ledger_account_counterpart check (
    (counterpart_id is not null) = (kind in ('desk_owes', 'owed_by_desk'))
    and coalesce(counterpart_id <> agency_id, true));
insert into chart_mapping (kind, valid_from, code, name_vi, name_en, basis)
select kind, from_day::date, code, name_vi, name_en, basis
from (values ('2018-01-01', 'Circular 107/2017'), ('2025-01-01', 'Circular 24/2024 (illustrative)')) as r (from_day, basis),
    (values ('desk_owes', '3388', 'Phải trả khác', 'Other amounts payable'),
            ('owed_by_desk', '1388', 'Phải thu khác', 'Other amounts due')) as k (kind, code, name_vi, name_en);

-- A whole slip, a settlement of cards and a payment at a desk are ways out of suspense, each for exactly its amount.
create or replace function suspense_needs_decision() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'suspense is kept' using errcode = 'restrict_violation';
    end if;
    if new.state = 'released'
        and not exists (
            select from suspense_decision d where d.suspense_id = new.id and d.approved_by is not null)
        and not exists (
            select from refund r where r.case_id = new.id and r.decided_at is not null and r.state <> 'declined')
        and coalesce((select sum(d.amount) from cash_deposit d where d.case_id = new.id), 0) <> new.amount
        and not exists (select from card_settlement c where c.case_id = new.id and c.amount = new.amount)
        and not exists (select from desk_payment p where p.case_id = new.id and p.transfer = new.amount)
    then
        raise exception 'money leaves suspense by a decision only'
            using errcode = 'check_violation', constraint = 'suspense_released_by_decision';
    end if;
    if (new.id, new.amount, new.account_id, new.servicer_reference)
        is distinct from (old.id, old.amount, old.account_id, old.servicer_reference) then
        raise exception 'suspense is kept' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

-- The alarm that cash was kept past the limit is told once a day for each agency.
create table cash_alarm (
    agency_id uuid not null references agency,
    day       date not null,              -- Vietnam
    since     timestamptz not null,       -- since when cash lay in a till
    at        timestamptz not null,
    constraint cash_alarm_once primary key (agency_id, day)
);
