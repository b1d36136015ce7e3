-- What is owed, paid and booked.
--
-- Rows on the hot path (payment, live_attempt, credit, ledger_entry, posting) are narrow and carry no foreign key to a
-- row that every payment shares: such a key would lock one agency or account row in every transaction. Their targets
-- are checked set-wise where that matters (posting -> ledger_account) and are never deleted.
-- Money is in minor units (bigint); every table holds one currency, VND, until a second one is kept.

-- ---- The fee schedule ----

-- One imported version of the whole schedule. The one imported last is in force; the dated rows inside it say what
-- holds on which day, so that a bill of an old submission can still be computed.
create table fee_schedule (
    id          uuid primary key,
    digest      bytea not null,           -- SHA-256 of the imported files: importing the same files twice changes nothing
    imported_at timestamptz not null,
    constraint fee_schedule_digest_once unique (digest),
    constraint fee_schedule_digest_length check (octet_length(digest) = 32)
);
create index fee_schedule_latest on fee_schedule (imported_at desc, id desc);

create table fee_procedure (
    schedule_id uuid not null references fee_schedule,
    code        text not null,            -- MaTTHC
    name_vi     text not null,
    name_en     text not null,
    sensitive   boolean not null,         -- its very name is private: hidden from whoever has only a reference
    primary key (schedule_id, code)
);

-- One dated version of one fee. That versions do not overlap is decided by payment::fee before anything is written
-- (an exclusion constraint would need an extension that a private server may lack).
create table fee_item (
    schedule_id    uuid not null,
    code           text not null,
    valid_from     date not null,         -- first day, Vietnam
    valid_to       date,                  -- last day, included; null: open
    procedure_code text not null,
    kind           text not null constraint fee_item_kind check (kind in ('phi', 'le_phi')),
    name_vi        text not null,
    name_en        text not null,
    unit_amount    bigint not null constraint fee_item_amount check (unit_amount >= 0),
    unit           text not null constraint fee_item_unit check (unit in ('dossier', 'copy', 'page')),
    legal_basis    text not null,
    retained_pct   text not null,         -- decimal percent that the collecting unit keeps
    chapter        text not null,         -- budget chapter; text, since leading zeros matter
    sub_item       text not null,
    primary key (schedule_id, code, valid_from),
    foreign key (schedule_id, procedure_code) references fee_procedure,
    constraint fee_item_validity check (valid_to is null or valid_from <= valid_to)
);

-- One dated rule by which less is owed; the columns are those of the published file.
create table fee_adjustment (
    schedule_id    uuid not null references fee_schedule,
    code           text not null,
    applies_to     text not null,         -- a fee code, or * for all
    valid_from     date not null,
    valid_to       date,
    effect         text not null constraint fee_adjustment_effect check (effect in ('percent_off', 'fixed_amount', 'exempt')),
    value          text not null,
    condition      text not null,
    whose_fact     text not null constraint fee_adjustment_whose check (whose_fact in ('applicant', 'submitter')),
    governing_date text not null constraint fee_adjustment_date check (governing_date in ('submission', 'acceptance', 'payment')),
    evidence       text,
    legal_basis    text not null,
    primary key (schedule_id, code, applies_to, valid_from),
    constraint fee_adjustment_validity check (valid_to is null or valid_from <= valid_to)
);

-- ---- Accounts ----

-- A real account at a bank or the Treasury in which money for bills arrives. Several agencies may collect in one.
create table collecting_account (
    id        uuid primary key,
    owner_id  uuid not null references agency,  -- the legal owner; its accounting owns what finds no home there
    bank      text not null,                    -- BIC of the bank that keeps it
    number    text not null,                    -- the account number as the bank writes it
    holder    text not null,                    -- the name that the payer's bank app shows
    opened_at timestamptz not null,
    -- A credit notification names an account by its number alone.
    constraint collecting_account_number_once unique (number)
);

-- In which account an agency collects now; its bills keep the one that they were issued with.
create table agency_collection (
    agency_id  uuid primary key references agency,
    account_id uuid not null references collecting_account
);

-- The accounts of the books. Small integers, because each posting names one.
create table ledger_account (
    id         integer generated always as identity primary key,
    kind       text not null constraint ledger_account_kind
               check (kind in ('clearing', 'fee_phi', 'fee_le_phi', 'suspense', 'refund_due')),
    account_id uuid references collecting_account,
    agency_id  uuid references agency,
    constraint ledger_account_once unique nulls not distinct (kind, account_id, agency_id),
    constraint ledger_account_owner check (
        case when kind in ('clearing', 'suspense') then account_id is not null and agency_id is null
             else agency_id is not null and account_id is null end)
);

-- ---- Bills ----

-- The moving part of a bill. Only state, paid_by and ended_at change, none of them indexed, so that updates stay on
-- their page (fillfactor leaves room). What never changes stands in bill_content.
create table bill (
    id         uuid primary key,
    agency_id  uuid not null,
    account_id uuid not null,             -- the collecting account
    reference  text not null,             -- 20 characters, public
    dossier    text not null,             -- serial, therefore opens nothing by itself
    due        date not null,             -- Vietnam day, wholly included
    phi        bigint not null,           -- the two shares that the ledger credits
    le_phi     bigint not null,
    state      text not null,
    paid_by    uuid,                      -- the settled payment
    ended_at   timestamptz,
    issued_at  timestamptz not null,
    constraint bill_reference_once unique (reference),
    constraint bill_amount check (phi >= 0 and le_phi >= 0 and phi + le_phi > 0),
    constraint bill_state check (
        case state when 'open' then paid_by is null and ended_at is null
                   when 'paid' then paid_by is not null and ended_at is not null
                   when 'cancelled' then paid_by is null and ended_at is not null
                   else false end)
) with (fillfactor = 80);
create index bill_of_agency on bill (agency_id, id);
create index bill_of_dossier on bill (agency_id, dossier);

create table bill_content (
    bill_id     uuid primary key,
    client_id   uuid not null,            -- the agency system that posted it
    schedule_id uuid not null,            -- the version of the fee schedule that it was computed by
    procedure   text not null,
    name_vi     text not null,            -- the procedure's names at that time
    name_en     text not null,
    sensitive   boolean not null,
    lines       jsonb not null,           -- fee, kind, names, count, gross, amount, legal basis, beneficiary
    parties     bytea not null,           -- the four names, sealed under the agency's key
    trace       bytea not null,           -- how each line came about, with the facts that it tells; sealed likewise
    key         integer not null          -- the generation of that key
);

-- ---- Payments ----

-- The banks that a payer may choose: those that the clearing system can send a request to.
create table bank (
    code text primary key,                -- BIC, or else the number in the clearing system
    name text not null
);

-- One attempt to pay. EndToEndId is the 32 hex digits of id. What only a live attempt has stands in live_attempt.
create table payment (
    id         uuid primary key,
    bill_id    uuid not null,
    account_id uuid not null,             -- where the money was asked to
    amount     bigint not null constraint payment_amount check (amount > 0),
    bank       text not null,             -- BIC of the payer's bank
    uetr       uuid not null,             -- version 4, of the request
    state      text not null,
    reason     text,                      -- why it was rejected
    ended_at   timestamptz,
    created_at timestamptz not null,
    constraint payment_state check (
        case when state in ('created', 'submitted', 'accepted', 'unknown') then reason is null and ended_at is null
             when state = 'settled' then reason is null and ended_at is not null
             when state = 'rejected' then reason is not null and ended_at is not null
             else false end)
) with (fillfactor = 80);
create index payment_of_bill on payment (bill_id);

-- The one live attempt of a bill, and when to ask about it: the primary key is the rule.
create table live_attempt (
    bill_id    uuid,
    payment_id uuid not null,
    since      timestamptz not null,      -- when silence began to count
    inquiries  smallint not null constraint live_attempt_inquiries check (inquiries between 0 and 3),
    next_at    timestamptz,               -- the next inquiry; null: the statement decides
    constraint live_attempt_one_per_bill primary key (bill_id)
);
create index live_attempt_due on live_attempt (next_at) where next_at is not null;

-- A UETR belongs to one payment (ISO 20022).
create table uetr_claim (
    uetr       uuid constraint uetr_claim_once primary key,
    payment_id uuid not null
);

-- Money that arrived, once: a bank's own reference names a movement on an account, however often and in whatever
-- message it is told.
create table credit (
    account_id         uuid not null,
    servicer_reference text not null,
    amount             bigint not null constraint credit_amount check (amount > 0),
    payment_id         uuid,              -- the attempt that it names, if it is ours
    outcome            text not null constraint credit_outcome check (outcome in
                       ('settled', 'unmatched', 'wrong_amount', 'late_success', 'second_money', 'bill_cancelled')),
    entry_id           uuid not null,
    booked_on          date not null,     -- the bank's booking day
    at                 timestamptz not null,
    constraint credit_once primary key (account_id, servicer_reference)
);
create index credit_of_payment on credit (payment_id) where payment_id is not null;

-- Money without a home: an object with an owner, until somebody decides.
create table suspense (
    id                 uuid primary key,
    account_id         uuid not null,
    servicer_reference text not null,
    agency_id          uuid not null,     -- whose accounting owns it
    reason             text not null constraint suspense_reason check (reason in
                       ('unmatched', 'wrong_amount', 'late_success', 'second_money', 'bill_cancelled')),
    amount             bigint not null,
    bill_id            uuid,
    payment_id         uuid,
    state              text not null constraint suspense_state check (state in ('held', 'released')),
    opened_at          timestamptz not null,
    constraint suspense_of_credit foreign key (account_id, servicer_reference) references credit
);
create index suspense_of_agency on suspense (agency_id, id);

-- Messages of the clearing system, once per sender and BizMsgIdr: the same Document gets the same answer.
create table inbox_message (
    sender      text not null,            -- the signing institution
    biz_msg_idr text not null,
    kind        text not null,            -- MsgDefIdr
    digest      bytea not null constraint inbox_message_digest_length check (octet_length(digest) = 32),
    answer      text not null,            -- what was answered
    received_at timestamptz not null,
    constraint inbox_message_once primary key (sender, biz_msg_idr)
);

-- ---- The ledger ----

-- One balanced set of postings. Partitioned by month of booking; ids are time-ordered, so inserts touch one page.
create table ledger_entry (
    id        uuid not null,
    booked_on date not null,              -- Vietnam day of booking
    kind      text not null constraint ledger_entry_kind check (kind in ('settled', 'suspended')),
    subject   uuid not null,              -- the payment, or the suspense object
    leaf_id   uuid not null,              -- its leaf in the audit log: balances are checkpointed at a place there
    at        timestamptz not null,
    primary key (id, booked_on)
) partition by range (booked_on);

-- A debit is positive, a credit negative. There is no balance row and no index by account: balances are folded.
create table posting (
    entry_id   uuid not null,
    account_id integer not null,
    amount     bigint not null constraint posting_moves check (amount <> 0),
    booked_on  date not null,
    primary key (entry_id, account_id, booked_on)
) partition by range (booked_on);

-- Entries that some statement left unbalanced. Empty at every commit: the deferred trigger below empties it or refuses.
create table unbalanced_entry (
    entry_id uuid primary key
);

-- Balance is checked once per statement for all its entries, and again at commit only for those that were not balanced
-- by then: a writer that books whole entries pays one aggregate for a whole batch.
create function note_unbalanced_entries() returns trigger language plpgsql as $$
begin
    if exists (select from added where not exists (select from ledger_account a where a.id = added.account_id)) then
        raise exception 'a posting names no account' using errcode = 'foreign_key_violation', constraint = 'posting_account';
    end if;
    insert into unbalanced_entry (entry_id)
    select entry_id from added group by entry_id having sum(amount) <> 0
    on conflict (entry_id) do nothing;
    return null;
end $$;

create function entry_must_balance() returns trigger language plpgsql as $$
begin
    if (select coalesce(sum(amount), 0) <> 0 from posting where entry_id = new.entry_id) then
        raise exception 'entry % does not sum to zero', new.entry_id
            using errcode = 'check_violation', constraint = 'entry_sums_to_zero', table = 'posting';
    end if;
    delete from unbalanced_entry where entry_id = new.entry_id;
    return null;
end $$;

create constraint trigger entry_sums_to_zero after insert on unbalanced_entry
    deferrable initially deferred for each row execute function entry_must_balance();

-- Row triggers reach into every partition; statement triggers guard the parent, and each partition for itself.
create trigger ledger_entry_is_append_only before update or delete on ledger_entry
    for each row execute function refuse_change();
create trigger posting_is_append_only before update or delete on posting
    for each row execute function refuse_change();
create trigger ledger_entry_is_kept before truncate on ledger_entry execute function refuse_change();
create trigger posting_is_kept before truncate on posting execute function refuse_change();
create trigger posting_balances after insert on posting
    referencing new table as added for each statement execute function note_unbalanced_entries();

-- Makes the partitions of the month that `day` belongs to; harmless when they exist.
create function open_ledger_month(day date) returns void language plpgsql as $$
declare
    first date := date_trunc('month', day)::date;
    next  date := (date_trunc('month', day) + interval '1 month')::date;
    month text := to_char(first, 'YYYYMM');
begin
    if to_regclass('posting_' || month) is not null then
        return;
    end if;
    execute format('create table ledger_entry_%s partition of ledger_entry for values from (%L) to (%L)', month, first, next);
    execute format('create table posting_%s partition of posting for values from (%L) to (%L)', month, first, next);
    execute format('create trigger kept before truncate on ledger_entry_%s execute function refuse_change()', month);
    execute format('create trigger kept before truncate on posting_%s execute function refuse_change()', month);
    execute format('create trigger balances after insert on posting_%s referencing new table as added '
                   'for each statement execute function note_unbalanced_entries()', month);
end $$;

-- Months are opened ahead by the service; what falls outside them is kept all the same.
create table ledger_entry_other partition of ledger_entry default;
create table posting_other partition of posting default;
create trigger kept before truncate on ledger_entry_other execute function refuse_change();
create trigger kept before truncate on posting_other execute function refuse_change();
create trigger balances after insert on posting_other
    referencing new table as added for each statement execute function note_unbalanced_entries();
do $$ begin
    perform open_ledger_month(month::date) from generate_series(date '2026-11-01', date '2027-12-01', interval '1 month') month;
end $$;
