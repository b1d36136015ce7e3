-- Money that was given back never waits for paper: where no series has a number left, or the receipt that was to be adjusted
-- waits itself, the refund is done and its adjusting receipts wait here.
create table adjustment_due (
    refund_id  uuid constraint adjustment_due_once primary key references refund,
    payment_id uuid not null,
    since      timestamptz not null,
    attempts   integer not null default 0,
    next_at    timestamptz not null
);
create index adjustment_due_next on adjustment_due (next_at);
create index adjustment_due_of_payment on adjustment_due (payment_id);
comment on table adjustment_due is 'refunds that are done and whose adjusting receipts are still to be issued';
comment on column adjustment_due.refund_id is 'the refund';
comment on column adjustment_due.payment_id is 'the payment whose receipts are adjusted; they may wait themselves';
comment on column adjustment_due.since is 'when the money went back';
comment on column adjustment_due.attempts is 'how often it was tried';
comment on column adjustment_due.next_at is 'the next try';
