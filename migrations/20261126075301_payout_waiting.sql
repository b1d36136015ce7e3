-- Every đồng of a settled line goes on, whenever it can: what could not go with the orders of its day waits here and goes
-- with the next ones. So does money that was in suspense until a decision turned it to a bill, and what a desk took, once
-- its cash or its card slips have reached the account.
create table payout_waiting (
    id                 bigint generated always as identity primary key,
    payment_id         uuid not null,      -- what was paid
    agency_id          uuid,               -- only this owner's lines; all of them where nobody is named
    account_id         uuid not null,      -- where the money lies
    servicer_reference text not null,      -- the credit that brought it there, which a statement must have shown
    booked_on          date not null,      -- the bank's day of that credit
    since              timestamptz not null,
    constraint payout_waiting_once unique nulls not distinct (payment_id, agency_id)
);
create index payout_waiting_of_account on payout_waiting (account_id, id);
comment on table payout_waiting is 'money that goes on with the next orders from its account; gone with them';

-- What a desk took for another agency goes to that agency's account by a transfer too: an order like any other, which
-- stands on the slip of the till that owes it.
alter table payout drop constraint payout_kind;
alter table payout add constraint payout_kind check (kind in ('phi', 'le_phi', 'tax', 'retained', 'collected'));
alter table payout add column counterpart_id uuid references agency;
alter table payout add constraint payout_counterpart check ((kind = 'collected') = (counterpart_id is not null));
comment on column payout.counterpart_id is 'for collected alone: the agency to whose account it goes';
drop index payout_once;
create unique index payout_once on payout (account_id, agency_id, kind, day) where state <> 'bounced' and kind <> 'collected';
alter table cash_deposit alter column shift_id drop not null;
alter table cash_deposit add column payout_id uuid references payout constraint cash_deposit_payout_once unique;
alter table cash_deposit add constraint cash_deposit_way check ((shift_id is null) = (payout_id is not null));
comment on column cash_deposit.shift_id is 'during which the cash left the till; none for a transfer';
comment on column cash_deposit.payout_id is 'the order by which it goes, where it is a transfer from the desk''s own account';
