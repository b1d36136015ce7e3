-- When the end of a version of the fee schedule was decided: until then it was in force, whatever the day says afterwards. Paper of
-- the morning was written by what was known in the morning.
alter table fee_schedule add column discontinued_at timestamptz;   -- null for ends from before it was kept
alter table fee_schedule add constraint fee_schedule_end_decided
    check (discontinued_at is null or discontinued_from is not null);
