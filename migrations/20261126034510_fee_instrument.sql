-- The text of the legal instrument that a version of the fee schedule rests on is a file that is kept: named by its digest,
-- of a kind that anybody can open, and the same for ever once the version was submitted.
alter table fee_schedule add column instrument_sha256 bytea;    -- of instrument_file; what the log's leaf names
update fee_schedule set instrument_sha256 = sha256(instrument_file) where instrument_file is not null;
alter table fee_schedule add constraint fee_schedule_instrument_whole
    check (num_nulls(instrument_file, instrument_media, instrument_sha256) in (0, 3));
alter table fee_schedule add constraint fee_schedule_instrument_digest
    check (instrument_file is null or instrument_sha256 = sha256(instrument_file));

create function instrument_guard() returns trigger language plpgsql as $$
begin
    if old.state <> 'draft' and old.agency_id is not null
       and (new.instrument, new.instrument_sha256, new.instrument_media)
           is distinct from (old.instrument, old.instrument_sha256, old.instrument_media) then
        raise exception 'the instrument of a submitted version is kept' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger fee_schedule_instrument_is_kept before update on fee_schedule
    for each row execute function instrument_guard();
