-- How bills belong together: the difference that a revoked reduction left, the bill that replaced another, the parts of an
-- instalment plan, the parts for each of several owners.
create table bill_link (
    bill_id  uuid not null,      -- the later one
    other_id uuid not null,      -- the one it came from
    relation text not null constraint bill_link_relation check (relation in ('difference', 'replaces', 'instalment', 'part')),
    constraint bill_link_once primary key (bill_id, other_id)
);
create index bill_link_back on bill_link (other_id, bill_id);
create trigger bill_link_is_append_only before update or delete on bill_link
    for each row execute function refuse_change();
