-- Heads of the audit log bear the time of an authority that is not ours (RFC 3161): later nobody, the operator with all its
-- keys included, can make a head that is said to have been there then.

-- The head that a closing names; empty for those made before it was noted here (the closing's own content has it).
alter table closing add column head_size bigint;
comment on column closing.head_size is 'the head of the audit log that it names, so that its time stamp is found unopened';

-- The time stamp of a head, asked for of the authority outside of transactions until it is given.
create table head_stamp (
    size       bigint not null references tree_head,  -- the head, by its number of leaves
    state      text not null constraint head_stamp_state check (state in ('waiting', 'stamped', 'given_up')),
    attempts   integer not null default 0,
    next_at    timestamptz not null,      -- when it is asked for next
    asked_at   timestamptz not null,      -- since when it is asked for
    outcome    text,                      -- how the last attempt went
    ended_at   timestamptz,
    answer     bytea,                     -- the authority's whole answer, which anybody can check offline
    stamped_at timestamptz,               -- the authority's own time
    policy     text,                      -- the policy that the authority names
    serial     text,                      -- the stamp's number there
    authority  text,                      -- who stamped, as its certificate names it
    anchor     bytea,                     -- SHA-256 of the trusted certificate behind it
    constraint head_stamp_once primary key (size),
    constraint head_stamp_end check ((ended_at is null) = (state = 'waiting')),
    constraint head_stamp_held check (
        num_nulls(answer, stamped_at, policy, serial, authority, anchor) = case state when 'stamped' then 0 else 6 end)
);
create index head_stamp_due on head_stamp (next_at) where state = 'waiting';
-- A stamp that was given stands.
create trigger head_stamp_stands before update or delete on head_stamp
    for each row when (old.state = 'stamped') execute function refuse_change();
