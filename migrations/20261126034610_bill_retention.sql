-- After its time a bill says nothing about people any more: the names of its parties, what it was computed from, the words
-- of a revoked reduction, who paid it and the name for its receipts are destroyed; sums, lines, days and states stay, so
-- that the books still verify.

-- How far the job has come among the bills, which it walks through in the order of their issue: so that it neither needs
-- an index that every new bill would pay for, nor looks at what is emptied again.
create table retention_mark (
    class   text constraint retention_mark_once primary key,
    through uuid not null                       -- the last bill that was emptied
);

drop trigger bill_version_is_append_only on bill_version;
create trigger bill_version_is_append_only before update or delete on bill_version
    for each row execute function words_guard('trace');

-- Answers that were kept for retries; found by their age, in the order in which they were written anyway.
create index idempotency_key_by_age on idempotency_key using brin (at) with (pages_per_range = 16);
