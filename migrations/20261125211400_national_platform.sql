-- Our membership in the national payment platform: one row, its secret under a data key of its own.
create table platform_membership (
    only_one    boolean primary key default true constraint platform_membership_once check (only_one),
    url         text not null,
    code        text not null,            -- MaDoiTac, ours
    secret      bytea not null,
    key         integer not null,
    wrapped_key bytea not null,
    generation  integer not null
);

-- Where the payer of an attempt goes on, as the platform said.
create table platform_link (
    payment_id uuid primary key,
    url        text not null
);
