-- A line of a statement that names a payment of ours whose notification never came: two people book it as the credit that it is.
alter table match_group drop constraint match_group_reason;
alter table match_group add constraint match_group_reason check (reason in
    ('collected', 'divided', 'bank_fee', 'rounding', 'taken_back', 'credited', 'other'));

-- Whatever the tolerance, nobody books money alone. Such a match leaves nothing open.
alter table match_group drop constraint match_group_two_people;
alter table match_group add constraint match_group_two_people check (
    state <> 'matched' or (reason <> 'credited' and abs(stated - held) <= tolerance)
    or (decided_by is not null and decided_by <> proposed_by));
alter table match_group add constraint match_group_credited check (reason <> 'credited' or stated = held and stated > 0);

comment on column match_member.living is 'false once the match was taken back, its ground is gone, or the line was booked: then
    the credit speaks for itself';
