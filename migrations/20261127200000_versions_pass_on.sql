-- What an open bill said before passes on with it: its lines name the successor's accounts, and what it was computed from is
-- sealed under the successor's key. Otherwise a version stands, but for words that are emptied after their time.
create function bill_version_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and to_jsonb(new) - '{lines,trace,key}'::text[] = to_jsonb(old) - '{lines,trace,key}'::text[]
        and (new.trace = '' and new.lines = old.lines and new.key = old.key
            or exists (select from bill b where b.id = new.bill_id and b.state = 'open')) then
        return new;
    end if;
    raise exception 'bill_version is append-only' using errcode = 'restrict_violation';
end $$;
drop trigger bill_version_is_append_only on bill_version;
create trigger bill_version_is_append_only before update or delete on bill_version
    for each row execute function bill_version_guard();
