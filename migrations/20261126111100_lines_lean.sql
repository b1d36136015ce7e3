-- A line costs what its movement needs: what its bank tells besides is sealed for many lines at once, and a name is looked up
-- only where no credit answers to it.

-- Payer, payer's bank and remittance text of so many lines of a statement, as a JSON array in their order, sealed under the key
-- of the account's owner. One seal for many: a day may have a million lines, and nobody reads more than one of them at a time.
create table statement_told (
    statement_id uuid not null,           -- no foreign key: written with the lines, before the statement's head
    first        integer not null constraint statement_told_first check (first > 0),  -- the place of the first line
    last         integer not null constraint statement_told_last check (last >= first),
    told         bytea not null,          -- empty once its retention is over
    key          integer not null,        -- the generation of that seal
    constraint statement_told_once primary key (statement_id, first)
);
-- What is sealed does not become shorter.
alter table statement_told alter column told set storage external;
create trigger statement_told_is_append_only before update or delete on statement_told
    for each row execute function words_guard('told');

alter table statement_line alter column told drop not null;
alter table statement_line alter column key drop not null;
comment on column statement_line.told is 'lines of before kept here, under key, what now stands in statement_told';

-- Lines that name a payment, a refund or an order of ours and are not plainly shown by the credit of the same name: who waits for
-- an answer in vain looks here for a line. What is plain is found by its credit, and an index over every line costs more than
-- the rest of keeping it.
create table named_line (
    payment_id uuid not null,             -- what the line names; not checked
    line_id    uuid not null,
    account_id uuid not null,
    constraint named_line_once primary key (payment_id, line_id)
);
insert into named_line (payment_id, line_id, account_id)
select l.payment_id, l.id, l.account_id from statement_line l
where l.payment_id is not null and not exists (
    select from credit c where c.account_id = l.account_id and c.servicer_reference = l.servicer_reference
        and c.payment_id = l.payment_id and c.outcome = 'settled');
drop index statement_line_names;

-- A revision of this day left out a line with that reference.
alter table sifted add column taken boolean not null default false;

-- A day that is told quite differently leaves out as many lines as it had; they are noted in the transaction that adds the
-- revision, and a look-up for each would cost more than the rest.
alter table withdrawn_line drop constraint withdrawn_line_revision_id_fkey;
