-- What a till owes an agency that it collects for is owed to that agency's successor from the first day of the successor on.
-- Whose money it was stays as it was taken; who is owed it stands beside it, as with the accounts of an agency.
alter table desk_collection add column heir_id uuid references agency;
comment on column desk_collection.heir_id is 'Who is owed it now, where the agency whose money it was is no more.';
create index desk_collection_of_agency on desk_collection (coalesce(heir_id, agency_id));
drop trigger desk_collection_is_append_only on desk_collection;
create function collection_passes_on() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.payment_id, new.agency_id, new.drawer_id, new.amount)
        is distinct from (old.payment_id, old.agency_id, old.drawer_id, old.amount) then
        raise exception 'what a desk took for another agency is kept' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger desk_collection_is_kept before update or delete on desk_collection
    for each row execute function collection_passes_on();

alter table cash_deposit add column heir_id uuid references agency;
comment on column cash_deposit.heir_id is
    'Whose debt it paid, as that is counted now: the successor of the agency into whose account it went.';
