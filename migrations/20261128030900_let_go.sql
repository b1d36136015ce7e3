-- What an order that a bank did not take was to pass on goes with the orders of whichever day is matched next; the new order
-- stands in the place of the one that let the money go.
alter table payout_waiting add column let_go uuid[] not null default '{}';
comment on column payout_waiting.let_go is 'the orders that a bank did not take and that were to pass it on';
