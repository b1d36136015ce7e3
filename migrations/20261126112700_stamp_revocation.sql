-- What revocation lists showed of the certificates behind a time stamp when it was given: unknown is said, never left out.
alter table head_stamp add column revocation text not null default 'no_list'
    constraint head_stamp_revocation check (revocation in ('clear', 'no_list', 'list_over', 'list_too_late'));
alter table head_stamp add column lists_of timestamptz
    constraint head_stamp_lists check ((lists_of is null) or revocation = 'clear');
comment on column head_stamp.revocation is 'clear where current lists show that nobody was revoked, else why it is unknown; a revoked signer gives no stamp';
comment on column head_stamp.lists_of is 'when the oldest of those lists was made';
