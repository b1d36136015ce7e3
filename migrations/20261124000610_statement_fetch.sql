-- The tries at fetching a day's statement without being asked. A row stands before the bank is called, so that a crash
-- counts as a try and two nodes do not ask at once; a statement that is there ends the tries.
create table statement_fetch (
    account_id uuid not null references collecting_account,
    day        date not null,             -- the bank's business day
    attempts   integer not null constraint statement_fetch_attempts check (attempts > 0),
    next_at    timestamptz not null,      -- not before then
    refusal    text,                      -- the code of what went wrong last; absent while a try is under way
    constraint statement_fetch_once primary key (account_id, day)
);
