-- What is booked by hand, and how money leaves suspense: each with its own row that says who decided it and why.

-- A charge of a bank or a discount of a card company, as an agency's system reports it. The name is the caller's: the
-- same name with the same content exists, with another content the difference is named.
create table ledger_record (
    agency_id  uuid        not null references agency,
    name       text        not null,
    kind       text        not null constraint ledger_record_kind check (kind in ('bank_charge', 'card_discount')),
    account_id uuid        not null references collecting_account,
    amount     bigint      not null constraint ledger_record_amount check (amount > 0),
    day        date        not null,        -- the bank's business day
    words      text        not null,        -- what it was for: no personal values
    entry_id   uuid        not null,
    client_id  uuid        not null,        -- who reported it
    at         timestamptz not null,
    constraint ledger_record_once primary key (agency_id, name)
);
create trigger ledger_record_is_append_only before update or delete on ledger_record
    for each row execute function refuse_change();

-- The decision by which money leaves suspense: the one way out. Two people: whoever proposes does not approve.
create table suspense_decision (
    suspense_id uuid        primary key references suspense,   -- decided once
    toward      text        not null constraint suspense_decision_toward check (toward in ('refund_due', 'unclaimed')),
    legal_basis text        not null,
    words       bytea       not null,       -- why, sealed under the agency's key
    key         integer     not null,
    proposed_by uuid        not null,       -- the officer
    approved_by uuid,                       -- another officer; absent until then
    client_id   uuid,                       -- the system that reported the proposal, if one did
    entry_id    uuid,                       -- the entry, once approved
    proposed_at timestamptz not null,
    approved_at timestamptz,
    constraint suspense_decision_two_people check (approved_by <> proposed_by),
    constraint suspense_decision_approved check (num_nulls(approved_by, entry_id, approved_at) in (0, 3))
);

-- Held money is released only with an approved decision, and no row of suspense vanishes.
create function suspense_needs_decision() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'suspense is kept' using errcode = 'restrict_violation';
    end if;
    if new.state = 'released' and not exists (
        select from suspense_decision d where d.suspense_id = new.id and d.approved_by is not null) then
        raise exception 'money leaves suspense by a decision only'
            using errcode = 'check_violation', constraint = 'suspense_released_by_decision';
    end if;
    if (new.id, new.amount, new.account_id, new.servicer_reference)
        is distinct from (old.id, old.amount, old.account_id, old.servicer_reference) then
        raise exception 'suspense is kept' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger suspense_is_kept before update or delete on suspense
    for each row execute function suspense_needs_decision();
