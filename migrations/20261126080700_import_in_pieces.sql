-- A statement that people bring is taken, read and matched in pieces: no file is in memory as a whole.

-- The file as it was brought, sealed piece by piece; kept as evidence of what was confirmed. Pieces come before their import
-- is known to be one: what was refused or interrupted is removed.
create table statement_import_piece (
    import_id  uuid not null,
    number     integer not null constraint statement_import_piece_number check (number > 0),
    content    bytea not null,            -- sealed under the agency's key
    key        integer not null,          -- the generation of that seal
    brought_at timestamptz not null,
    constraint statement_import_piece_once primary key (import_id, number)
);

-- The rows that were read, in the order of the file, so many at a time, as JSON.
create table statement_import_part (
    import_id uuid not null references statement_import,
    number    integer not null constraint statement_import_part_number check (number > 0),
    content   bytea not null,             -- sealed under the agency's key
    key       integer not null,           -- the generation of that seal
    constraint statement_import_part_once primary key (import_id, number)
);

alter table statement_import alter column content drop not null;
alter table statement_import alter column key drop not null;
comment on column statement_import.content is 'imports of before kept their file here as a whole, under key';
alter table statement_import add column unread bigint not null default 0;
comment on column statement_import.unread is 'what the balances say beyond the rows that were read';
comment on column statement_import.bad is 'the first of those that were not read: place and reason';
alter table statement_import add column bad_rows integer not null default 0;
comment on column statement_import.bad_rows is 'how many rows were not read';
update statement_import set bad_rows = jsonb_array_length(bad);
-- What still waits has no rows here: its bringer brings it again.
update statement_import set state = 'withdrawn', decided_by = imported_by, decided_at = imported_at where state = 'waiting';

-- Another telling of a day while it is compared with the first one: of each row the line that says the same. Emptied by each
-- comparison under the account's lock; nothing in it is worth a crash.
create unlogged table told_again (
    account_id         uuid not null,
    number             integer not null,  -- its place in the new telling
    servicer_reference text not null,
    amount             bigint not null,
    payment_id         uuid,
    stays              uuid,              -- the line that stays in its place
    constraint told_again_once primary key (account_id, number)
);
