-- A bill of several owners may be charged anew after it was divided: its parts are then others, and what anybody sees
-- under its reference are those of its newest version. The links stay, each with the version that it divided.
alter table bill_link add column version integer not null default 1
    constraint bill_link_version check (version >= 1);   -- the version of other_id that was divided, for parts and instalments
