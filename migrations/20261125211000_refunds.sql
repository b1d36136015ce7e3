-- Money that goes back: refunds, what may still be given back, the movements that took it out, and requests of banks
-- for money back.

-- One refund: a record of its own, never a change of what was settled. Its identifier is RtrId in the message to the
-- clearing system and EndToEndId of the entry that books it.
create table refund (
    id             uuid primary key,
    agency_id      uuid not null,         -- who gives back
    bill_id        uuid,                  -- what was paid, where a bill was
    payment_id     uuid,                  -- the payment that is given back
    case_id        uuid,                  -- or the money in suspense
    account_id     uuid,                  -- the collecting account in which the money lies; null for cash
    amount         bigint not null constraint refund_amount check (amount > 0),
    way            text not null constraint refund_way check (way in ('clearing', 'cash', 'treasury')),
    reason         text not null constraint refund_reason check (reason in ('paid_twice', 'wrong_amount', 'late_money',
                       'unexplained', 'agency_error', 'exempted_later', 'dossier_withdrawn', 'dossier_refused',
                       'recalled', 'decision')),
    words          bytea not null,        -- the reason in words, sealed under the agency's key
    key            integer not null,
    state          text not null,
    requested_by   uuid,                  -- the officer
    client_id      uuid,                  -- the system that reported the request, if one did
    rule           text constraint refund_rule check (rule in ('second_money')),  -- or the rule that asks nobody
    requested_at   timestamptz not null,
    decided_at     timestamptz,
    entry_id       uuid,                  -- the entry that says what is owed back
    bounced        text,                  -- why the payer's bank did not take it
    inquiries      smallint not null default 0 constraint refund_inquiries check (inquiries between 0 and 3),
    silent_since   timestamptz,
    next_at        timestamptz,           -- when it is looked after next; null: nothing to do here
    ended_at       timestamptz,
    constraint refund_of_something check (num_nonnulls(payment_id, case_id) = 1),
    constraint refund_asked_by check (num_nonnulls(requested_by, rule) = 1),
    constraint refund_state check (
        case state when 'requested' then decided_at is null and ended_at is null
                   when 'declined' then decided_at is not null and ended_at is not null and entry_id is null
                   when 'approved' then decided_at is not null and ended_at is null
                   when 'sent' then decided_at is not null and ended_at is null
                   when 'unknown' then decided_at is not null and silent_since is not null and ended_at is null
                   when 'bounced' then bounced is not null and ended_at is null
                   when 'at_desk' then way = 'cash' and decided_at is not null and ended_at is null
                   when 'awaiting_treasury' then way = 'treasury' and decided_at is not null and ended_at is null
                   when 'done' then decided_at is not null and ended_at is not null
                   else false end)
);
create index refund_of_agency on refund (agency_id, id);
create index refund_of_bill on refund (bill_id) where bill_id is not null;
create index refund_due on refund (next_at) where next_at is not null;

-- Who approved. Nobody approves an own act: the trigger compares with whoever asked.
create table refund_approval (
    refund_id  uuid not null references refund,
    citizen_id uuid not null,
    at         timestamptz not null,
    constraint refund_approval_once primary key (refund_id, citizen_id)
);
create function refund_needs_another() returns trigger language plpgsql as $$
begin
    if exists (select from refund r where r.id = new.refund_id and r.requested_by = new.citizen_id) then
        raise exception 'nobody approves an own act'
            using errcode = 'check_violation', constraint = 'refund_by_two_people';
    end if;
    return new;
end $$;
create trigger refund_by_two_people before insert on refund_approval
    for each row execute function refund_needs_another();
create trigger refund_approval_is_append_only before update or delete on refund_approval
    for each row execute function refuse_change();

-- What came, and what of it is promised back or gone: it can never exceed what came. Keyed by the payment or by the
-- money in suspense; a row exists once somebody asked.
create table refund_source (
    id       uuid primary key,
    received bigint not null constraint refund_source_received check (received > 0),
    refunded bigint not null,
    constraint refund_within_receipt check (refunded between 0 and received)
);

-- The same for each line of a bill, and how much of each line a refund gives back.
create table refund_line_source (
    payment_id uuid not null,
    line       smallint not null,         -- its place on the bill, from 0
    charged    bigint not null,
    refunded   bigint not null,
    constraint refund_line_source_pkey primary key (payment_id, line),
    constraint refund_within_line check (refunded between 0 and charged)
);
create table refund_line (
    refund_id uuid not null references refund,
    line      smallint not null,
    amount    bigint not null constraint refund_line_amount check (amount > 0),
    constraint refund_line_pkey primary key (refund_id, line)
);
create trigger refund_line_is_append_only before update or delete on refund_line
    for each row execute function refuse_change();

-- Money that left an account, once, however often it is told: the counterpart of credit.
create table debit (
    account_id         uuid not null,
    servicer_reference text not null,
    amount             bigint not null constraint debit_amount check (amount > 0),
    refund_id          uuid,
    entry_id           uuid not null,
    booked_on          date not null,
    at                 timestamptz not null,
    constraint debit_once primary key (account_id, servicer_reference)
);
create index debit_of_day on debit (account_id, booked_on);
create unique index debit_of_refund on debit (refund_id) where refund_id is not null;

-- Law by which a procedure's money does not go back for a reason that elsewhere is one.
create table refund_exclusion (
    procedure_code text not null,
    reason         text not null,
    valid_from     date not null,
    valid_to       date,
    basis          text not null,
    constraint refund_exclusion_pkey primary key (procedure_code, reason, valid_from)
);
insert into refund_exclusion (procedure_code, reason, valid_from, basis) values
    ('1.001610', 'dossier_refused', '2021-01-04', 'Nghị định 01/2021/NĐ-CP, Điều 35'),
    ('1.001610', 'dossier_withdrawn', '2021-01-04', 'Nghị định 01/2021/NĐ-CP, Điều 35');

-- A receipt that takes back a part of an earlier one: the same series, a number of its own.
alter table receipt add column refund_id uuid;
alter table receipt drop constraint receipt_once;
alter table receipt add constraint receipt_once unique nulls not distinct (bill_id, kind, refund_id);

-- A bank asks for money back (camt.056), or we do; the answer is camt.029. Asking takes nothing.
create table recall (
    id           uuid primary key,        -- Case/Id of the request
    direction    text not null constraint recall_direction check (direction in ('in', 'out')),
    agency_id    uuid not null,
    payment_id   uuid,                    -- the money that is asked back: a payment or money in suspense,
    case_id      uuid,
    refund_id    uuid,                    -- or a refund of ours that went wrong; for 'in' the refund that follows
    amount       bigint not null constraint recall_amount check (amount > 0),
    reason       text not null,           -- ISO 20022 cancellation reason
    words        bytea,                   -- what was said, sealed under the agency's key
    key          integer,
    message      uuid not null,           -- the message that asked
    state        text not null constraint recall_state check (state in ('open', 'accepted', 'refused')),
    answer       text,                    -- the rejection's reason
    decided_by   uuid,
    opened_at    timestamptz not null,
    decided_at   timestamptz,
    next_at      timestamptz,             -- when the message of ours about it is tried next
    constraint recall_decided check ((state = 'open') = (decided_at is null)),
    constraint recall_answered check ((state = 'refused') = (answer is not null))
);
create index recall_of_agency on recall (agency_id, id);
create index recall_due on recall (next_at) where next_at is not null;

-- Money in suspense has a due day and what is proposed for it from its first moment.
alter table suspense add column due date;
alter table suspense add column proposal text constraint suspense_proposal check (proposal in ('return', 'ask_agency'));
update suspense set due = (opened_at at time zone interval '7 hours')::date + 30,
    proposal = case reason when 'unmatched' then 'ask_agency' else 'return' end;
alter table suspense alter column due set not null;
alter table suspense alter column proposal set not null;

-- Money leaves suspense by a recorded decision, or with a refund that was decided (by two people, or by the rule that
-- second money goes back unasked).
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

-- What is passed on from a collecting account: one order for an agency, a kind of charge and a clearing day.
create table payout (
    id          uuid primary key,
    account_id  uuid not null,
    agency_id   uuid not null,            -- whose money it is
    kind        text not null constraint payout_kind check (kind in ('phi', 'le_phi', 'tax', 'retained')),
    day         date not null,            -- the clearing day whose money it is
    amount      bigint not null constraint payout_amount check (amount > 0),
    beneficiary jsonb not null,           -- bank, account number and holder as they were
    slip        jsonb not null,           -- the fields of the budget payment slip
    slip_number text not null constraint payout_slip_once unique,
    state       text not null constraint payout_state check (state in ('created', 'sent', 'unknown', 'bounced', 'done')),
    reason      text,                     -- why it bounced
    created_at  timestamptz not null,
    next_at     timestamptz,
    ended_at    timestamptz,
    constraint payout_once unique (account_id, agency_id, kind, day),
    constraint payout_ended check ((state = 'done') = (ended_at is not null))
);
create index payout_due on payout (next_at) where next_at is not null;

-- Which payments a payout passes on.
create table payout_item (
    payment_id uuid not null,
    kind       text not null,
    agency_id  uuid not null,
    payout_id  uuid not null references payout,
    amount     bigint not null,
    constraint payout_item_once primary key (payment_id, kind, agency_id)
);
create index payout_item_of_payout on payout_item (payout_id);
alter table debit add column payout_id uuid;
