-- An agency has days on which it exists, and successors: it is merged into another, split among several, or renamed. From
-- the day, its open bills stay payable under their references, and everything that still moves passes on; what was
-- decided before stays where it was, and every report can be read by the old or the new tree.
alter table agency add column valid_from date;
alter table agency add column valid_until date;   -- its last day; it asks and charges nothing after it

create table agency_succession (
    agency_id   uuid primary key references agency,   -- succeeded once
    kind        text not null constraint agency_succession_kind check (kind in ('merge', 'split', 'rename')),
    from_day    date not null,                        -- the first day of the successors
    decided_by  uuid not null,                        -- the administrator
    decided_at  timestamptz not null,
    effected_at timestamptz,                          -- when everything had passed on
    bills       integer,                              -- how many open bills passed on
    closed      jsonb,                                -- the receipt series that were closed: kind, year, count
    constraint agency_succession_effected check (num_nulls(effected_at, bills, closed) in (0, 3))
);
create table agency_successor (
    agency_id    uuid    not null references agency_succession,
    successor_id uuid    not null references agency,
    place        integer not null,                    -- the first is the main one: it takes what no other is named for
    procedures   text[]  not null,                    -- the procedures whose bills pass to it, in a split
    primary key (agency_id, successor_id),
    constraint agency_successor_other check (successor_id <> agency_id)
);
create index agency_successor_back on agency_successor (successor_id);
