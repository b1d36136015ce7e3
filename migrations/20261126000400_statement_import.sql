-- Statements that people bring as files: believed when a second person has looked at them.

create table statement_import (
    id          uuid primary key,
    account_id  uuid not null references collecting_account,
    agency_id   uuid not null references agency,  -- the owner of the account, whose officers bring and confirm
    day         date not null,            -- the bank's business day
    format      text not null constraint statement_import_format check (format in ('camt.053', 'camt.054', 'mt940', 'csv')),
    digest      bytea not null constraint statement_import_digest check (octet_length(digest) = 32),  -- of the file
    content     bytea not null,           -- the file, sealed under the agency's key
    key         integer not null,         -- the generation of that seal
    rows        integer not null,         -- how many were read
    bad         jsonb not null,           -- those that were not: place and reason
    opening     bigint not null,          -- balances; derived from the day before where the file tells none
    closing     bigint not null,
    state       text not null constraint statement_import_state check (state in ('waiting', 'accepted', 'withdrawn')),
    imported_by uuid not null,            -- the first person
    imported_at timestamptz not null,
    decided_by  uuid,                     -- the second person, or whoever took it back
    decided_at  timestamptz,
    constraint statement_import_two_people check (state <> 'accepted' or decided_by <> imported_by),
    constraint statement_import_decided check (
        num_nulls(decided_by, decided_at) = case state when 'waiting' then 2 else 0 end)
);
create unique index statement_import_waits_once on statement_import (account_id, day) where state = 'waiting';
create index statement_import_of_agency on statement_import (agency_id, id);
