-- Who keeps the heads of the audit log where the operator cannot rewrite them: the Treasury, the State Audit.

-- An institution outside that is sent the signed heads. Kept by the operator's command line.
create table head_witness (
    name       text constraint head_witness_once primary key,
    url        text not null,             -- where heads are posted
    added_at   timestamptz not null,
    retired_at timestamptz                -- nothing is sent any more
);

-- A head on its way to a witness; one at a time, since a newer head covers every older one.
create table head_sending (
    witness  text not null references head_witness,
    size     bigint not null,             -- the head, by its number of leaves
    state    text not null constraint head_sending_state check (state in ('waiting', 'told', 'given_up')),
    attempts integer not null default 0,
    next_at  timestamptz not null,        -- when it is tried next
    asked_at timestamptz not null,        -- since when it is on its way
    outcome  text,                        -- how the last attempt went
    ended_at timestamptz,
    constraint head_sending_once primary key (witness, size),
    constraint head_sending_end check ((ended_at is null) = (state = 'waiting'))
);
create index head_sending_due on head_sending (next_at) where state = 'waiting';
