-- What a successor inherits beside the open bills, money in suspense that a decision turns to a bill, what the budget
-- knows an agency by as a dated history, and receipts that each owner of a shared bill gives in its own name.

-- From the first day of a successor its accounting answers for what arrives in the accounts of whom it succeeded. The
-- owner stays what it was, so that the books of before read by the old tree.
alter table collecting_account add column heir_id uuid references agency;
comment on column collecting_account.heir_id is 'who answers for the account since its owner was succeeded; null before';
create index collecting_account_heir on collecting_account (heir_id) where heir_id is not null;

-- What an agency owed back when it was succeeded is owed by its successor: one entry, whose subject is the old agency.
alter table ledger_entry drop constraint ledger_entry_kind;
alter table ledger_entry add constraint ledger_entry_kind check (kind in (
    'settled', 'suspended', 'released', 'refund_owed', 'refunded', 'cash_moved', 'cash_counted', 'charged',
    'discounted', 'corrected', 'passed_on'));

-- Money in suspense may also be what an open bill asks for: then the decision pays that bill.
alter table suspense_decision add column bill_id uuid;
alter table suspense_decision add column payment_id uuid;
comment on column suspense_decision.bill_id is 'the bill that the money shall pay';
comment on column suspense_decision.payment_id is 'the payment as which it did, once approved';
alter table suspense_decision drop constraint suspense_decision_toward;
alter table suspense_decision add constraint suspense_decision_toward
    check (toward in ('refund_due', 'unclaimed', 'bill'));
alter table suspense_decision add constraint suspense_decision_bill check (
    (toward = 'bill') = (bill_id is not null)
    and (payment_id is not null) = (toward = 'bill' and approved_by is not null));
create index suspense_decision_of_payment on suspense_decision (payment_id) where payment_id is not null;

-- Each row holds from its day until the next one's; what was told is never told otherwise.
alter table agency_budget drop constraint agency_budget_pkey;
alter table agency_budget add constraint agency_budget_once primary key (agency_id, valid_from);
comment on column agency_budget.valid_from is 'the first day on which this holds; it ends where the next row begins';
create trigger agency_budget_is_append_only before update or delete on agency_budget
    for each row execute function refuse_change();

-- Every owner of a shared bill gives the receipt of its own lines.
drop index receipt_once;
create unique index receipt_once on receipt (bill_id, kind, agency_id, refund_id) nulls not distinct
    where replaces is null;
alter table receipt_due drop constraint receipt_due_once;
alter table receipt_due add constraint receipt_due_once primary key (bill_id, kind, agency_id);
alter table provided_receipt drop constraint provided_receipt_once;
alter table provided_receipt add constraint provided_receipt_once primary key (bill_id, kind, agency_id);
