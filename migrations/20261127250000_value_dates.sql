-- Three moments of money that are three things: when the payer's bank accepted the order, on which day the clearing system
-- booked it, and the day from which it counts.
alter table credit add column accepted_at timestamptz;  -- as its bank tells it; null when it does not
alter table credit add column value_on date;            -- null: the booking day
alter table statement_line add column value_on date;    -- null: the statement's day

-- The page of a bill tells of requests for its money between banks.
create index recall_of_payment on recall (payment_id) where payment_id is not null;
create index recall_of_refund on recall (refund_id) where refund_id is not null;
