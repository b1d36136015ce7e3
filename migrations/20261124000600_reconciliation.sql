-- The bank's statements, what their lines show, and the cases that differences open.

-- One day of one account. The columns after fetched_at hold what the last matching found; they are the only ones that
-- change, and matching again writes the same.
create table statement (
    id            uuid primary key,
    account_id    uuid not null references collecting_account,
    day           date not null,          -- the bank's business day
    digest        bytea not null constraint statement_digest_length check (octet_length(digest) = 32),  -- of what it says
    message       uuid not null,          -- the MsgId that brought it
    opening       bigint not null,        -- balances in minor units; negative when overdrawn
    closing       bigint not null,
    lines         integer not null constraint statement_lines check (lines >= 0),
    fetched_at    timestamptz not null,
    matched       integer,                -- lines that are as they should be
    posted        bigint,                 -- what the ledger posted to the account for the day's credits
    explained     bigint,                 -- what differences and neighbouring days account for
    reconciled_at timestamptz,
    -- A corrected statement of the same day is refused until somebody has looked at it.
    constraint statement_once unique (account_id, day),
    constraint statement_result check (
        num_nulls(matched, posted, explained, reconciled_at) in (0, 4) and coalesce(matched between 0 and lines, true))
);

-- One movement. Its payer and remittance text are sealed under the key of the account's owner. No foreign keys: a
-- statement is written whole, with up to a million lines, in the transaction that writes its head.
create table statement_line (
    id                 uuid primary key,
    statement_id       uuid not null,
    number             integer not null,  -- its place on the statement, from 1
    account_id         uuid not null,
    servicer_reference text not null,     -- the bank's own reference
    amount             bigint not null constraint statement_line_moves check (amount <> 0),  -- negative: money went
    payment_id         uuid,              -- what its EndToEndId names, if that looks like ours; not checked
    accepted_at        timestamptz,       -- when the payer's bank took the order
    told               bytea not null,    -- payer, payer's bank and remittance text as JSON, sealed
    key                integer not null,
    constraint statement_line_number unique (statement_id, number)
);
create trigger statement_line_is_append_only before update or delete on statement_line
    for each row execute function refuse_change();

-- Which line shows which credit: a credit is shown once, whatever is told again on this statement or another.
create table shown_credit (
    account_id         uuid,
    servicer_reference text,
    line_id            uuid not null constraint shown_credit_line_once unique,
    statement_id       uuid not null,
    constraint shown_credit_once primary key (account_id, servicer_reference)
);
create index shown_credit_of_statement on shown_credit (statement_id);

-- Matching asks for a day's credits. They arrive in the order of days, so the coarse index costs settling next to nothing.
create index credit_of_day on credit using brin (booked_on) with (pages_per_range = 16);

-- A difference, or money in suspense, with an owner in the agency's accounting. A case about a credit is known by the
-- credit, any other by its line; money in suspense has the same identifier here and there.
create table "case" (
    id                 uuid primary key,
    agency_id          uuid not null,     -- whose accounting owns it
    account_id         uuid not null,
    day                date not null,     -- the bank's business day
    kind               text not null constraint case_kind check (kind in
                       ('missing_here', 'missing_there', 'amount', 'duplicate', 'unknown_reference', 'late')),
    line_id            uuid,
    servicer_reference text,              -- the credit's
    payment_id         uuid,
    stated             bigint,            -- what the statement says moved
    held               bigint,            -- what the books hold for it
    asked              bigint,            -- what the attempt had asked for
    state              text not null,
    owner_id           uuid,              -- the officer who holds it, or held it
    resolution         text,
    opened_at          timestamptz not null,
    ended_at           timestamptz,
    constraint case_about_something check (num_nonnulls(line_id, servicer_reference) > 0),
    constraint case_state check (
        case state when 'open' then owner_id is null and resolution is null and ended_at is null
                   when 'assigned' then owner_id is not null and resolution is null and ended_at is null
                   when 'resolved' then resolution in ('explained', 'refund_proposed', 'bank_corrects', 'attributed')
                                        and ended_at is not null
                   when 'cleared' then resolution is null and ended_at is not null
                   else false end)
);
create unique index case_of_credit on "case" (account_id, servicer_reference)
    where servicer_reference is not null and state <> 'cleared';
create unique index case_of_line on "case" (line_id) where servicer_reference is null and state <> 'cleared';
create index case_of_agency on "case" (agency_id, id);
create index case_shown_by_line on "case" (line_id) where line_id is not null;

-- What was done about a case, by whom; the words are sealed under the agency's key.
create table case_note (
    id         uuid primary key,
    case_id    uuid not null references "case",
    at         timestamptz not null,
    act        text not null constraint case_note_act check (act in ('assigned', 'noted', 'resolved')),
    citizen_id uuid,                      -- the officer
    client_id  uuid,                      -- or the agency's system
    words      bytea,
    key        integer,
    constraint case_note_by check (num_nonnulls(citizen_id, client_id) = 1),
    constraint case_note_words check ((words is null) = (key is null))
);
create index case_note_of_case on case_note (case_id, id);
create trigger case_note_is_append_only before update or delete on case_note
    for each row execute function refuse_change();
