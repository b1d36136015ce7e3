-- A receipt is given once for each payment: money that a desk took on paper for a bill that was paid elsewhere has its own,
-- until it is given back.
drop index receipt_once;
create unique index receipt_once on receipt (bill_id, payment_id, kind, agency_id, refund_id) nulls not distinct
    where replaces is null;
