-- The cashier's desk: tills, shifts, what was taken and paid out in each, and cash on its way to the bank.

-- A till of an agency; its cash is an account of the books.
create table drawer (
    id        uuid primary key,
    agency_id uuid not null references agency,
    name      text not null,
    constraint drawer_once unique (agency_id, name)
);

-- One cashier at one till, from count to count.
create table shift (
    id         uuid primary key,
    drawer_id  uuid not null references drawer,
    agency_id  uuid not null,
    cashier_id uuid not null,
    opened_at  timestamptz not null,
    opening    bigint not null constraint shift_opening check (opening >= 0),   -- counted at the beginning
    closed_at  timestamptz,
    expected   bigint,                    -- what must be there at the end
    counted    bigint constraint shift_counted check (counted >= 0),
    constraint shift_closed check (num_nulls(closed_at, expected, counted) in (0, 3))
);
create unique index shift_of_drawer on shift (drawer_id) where closed_at is null;
create unique index shift_of_cashier on shift (cashier_id) where closed_at is null;
create index shift_of_agency on shift (agency_id, id);

-- How a payment at a desk was made: cash, a card slip, or both.
create table desk_payment (
    payment_id uuid primary key,
    shift_id   uuid not null references shift,
    cash       bigint not null,
    card       bigint not null,
    slip       text,                      -- the card terminal's slip
    at         timestamptz not null,
    constraint desk_payment_parts check (cash >= 0 and card >= 0 and cash + card > 0),
    constraint desk_payment_slip check ((card > 0) = (slip is not null))
);
create index desk_payment_of_shift on desk_payment (shift_id);
create trigger desk_payment_is_append_only before update or delete on desk_payment
    for each row execute function refuse_change();

-- A refund paid out in cash, against the payee's card and a signed slip.
create table desk_payout (
    refund_id uuid primary key references refund,
    shift_id  uuid not null references shift,
    amount    bigint not null constraint desk_payout_amount check (amount > 0),
    slip      text not null,              -- the number of the signed slip
    payee     bytea not null,             -- name and document, sealed under the agency's key
    key       integer not null,
    at        timestamptz not null
);
create index desk_payout_of_shift on desk_payout (shift_id);
create trigger desk_payout_is_append_only before update or delete on desk_payout
    for each row execute function refuse_change();

-- Cash that was carried to the bank: one slip, many shifts, one line of a statement.
create table cash_deposit (
    id           uuid primary key,
    agency_id    uuid not null,
    drawer_id    uuid not null references drawer,
    shift_id     uuid not null references shift,     -- during which it left the till
    amount       bigint not null constraint cash_deposit_amount check (amount > 0),
    slip         text not null,           -- the bank's deposit slip
    cashier_id   uuid not null,
    at           timestamptz not null,
    case_id      uuid,                    -- the credit that it turned out to be
    confirmed_by uuid,
    confirmed_at timestamptz,
    constraint cash_deposit_slip_once unique (agency_id, slip),
    constraint cash_deposit_case_once unique (case_id),
    constraint cash_deposit_confirmed check (num_nulls(case_id, confirmed_by, confirmed_at) in (0, 3))
);
create index cash_deposit_of_agency on cash_deposit (agency_id, id);

-- What card companies owe until they pay.
alter table ledger_account drop constraint ledger_account_kind;
alter table ledger_account add constraint ledger_account_kind check (kind in (
    'clearing', 'suspense', 'fee_phi', 'fee_le_phi', 'fee_tax', 'fee_phi_retained', 'refund_due', 'unclaimed',
    'bank_charges', 'card_discount', 'card_receivable', 'cash_drawer', 'cash_in_transit', 'cash_difference'));

-- A deposit that is confirmed is another way out of suspense.
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
        and not exists (select from cash_deposit d where d.case_id = new.id and d.confirmed_at is not null)
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
