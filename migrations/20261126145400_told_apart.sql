-- Where two tellings of a day part: the places of the rows that the new telling has and the one before has not. Mostly a few,
-- so that nothing is written for the lines that stay. Emptied by each comparison under the account's lock.
create unlogged table told_apart (
    account_id uuid not null,
    number     integer not null,          -- the place in the new telling
    constraint told_apart_once primary key (account_id, number)
);
comment on table told_apart is 'while a day that is told again is compared: the places of its new lines';
comment on column told_apart.account_id is 'the collecting account';
comment on column told_apart.number is 'the place in the new telling';

-- The comparison reads both tellings whole and joins them once: no place is looked up and no row written twice.
alter table told_again drop constraint told_again_once;
alter table told_again drop column stays;
