-- When clearing sessions stop taking orders is imported from files like the calendar's, for days that are not over.
alter table clearing_session add column imported_at timestamptz;   -- null: came with the program
alter table clearing_session add constraint clearing_session_amount check (
    (amount_max is null) = (session = 'high_value') and coalesce(amount_max > 0, true));
create trigger clearing_session_stays before delete on clearing_session
    for each row execute function refuse_change();

-- A day has the hours of both sessions: else an order that fits neither would have no clearing day. One row for each day and
-- session is what the primary key holds, so that no two hours of one session hold on a day.
create function both_sessions() returns trigger language plpgsql as $$
begin
    if (select count(*) from clearing_session where valid_from = new.valid_from) <> 2 then
        raise exception 'hours of one session alone from %', new.valid_from
            using errcode = 'check_violation', constraint = 'clearing_session_both';
    end if;
    return null;
end $$;
create constraint trigger clearing_session_both after insert or update on clearing_session
    deferrable initially deferred for each row execute function both_sessions();
