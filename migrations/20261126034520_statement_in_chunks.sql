-- A day of a million lines is matched set-wise, and only what is not plain is judged line by line.

-- What a matching has to judge line by line, while it runs: lines that are not plain, and movements of the day in the
-- books that no plain line shows. Emptied by each matching under the account's lock; nothing in it is worth a crash.
create unlogged table sifted (
    account_id         uuid not null,
    servicer_reference text not null,
    number             integer not null,  -- the line's place; 0: a movement in the books
    line_id            uuid,
    amount             bigint,            -- of the line
    payment_id         uuid,              -- what the line names
    seen               boolean not null default false,  -- the line shows a credit
    gone               boolean not null default false   -- the line shows a debit
);
create index sifted_in_order on sifted (account_id, servicer_reference, number);

-- What a line shows plainly has no row any more: the line of the statement of a credit's own booking day that has its
-- reference and its amount shows it, unless a row says that another line does. A row stands where it was not plain.
create view credit_shown as
    select account_id, servicer_reference, line_id, statement_id from shown_credit
    union all
    select c.account_id, c.servicer_reference, l.id, l.statement_id
    from credit c
    join statement s on s.account_id = c.account_id and s.day = c.booked_on and s.reconciled_at is not null
    join statement_line l on l.statement_id = s.id and l.servicer_reference = c.servicer_reference and l.amount = c.amount
    where c.outcome = 'settled'
        and not exists (select from shown_credit w where w.account_id = c.account_id
                        and w.servicer_reference = c.servicer_reference)
        and not exists (select from debit d where d.account_id = c.account_id
                        and d.servicer_reference = c.servicer_reference)
        and not exists (select from withdrawn_line w where w.line_id = l.id)
        and not exists (select from "case" k join match_member m on m.case_id = k.id and m.living
                        join match_group g on g.id = m.group_id and g.state = 'matched' where k.line_id = l.id);

-- Pages of a statement that came so far, until the last one is there: a day of a million lines comes in several messages.
create table statement_page (
    account_id uuid not null references collecting_account,
    day        date not null,             -- the bank's business day
    number     integer not null constraint statement_page_number check (number > 0),
    content    bytea not null,            -- the page as a message, sealed under the key of the account's owner
    key        integer not null,          -- the generation of that seal
    constraint statement_page_once primary key (account_id, day, number)
);
