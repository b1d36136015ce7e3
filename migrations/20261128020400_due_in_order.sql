-- Of what is due at one moment the first by name comes first, and is found without sorting all the rest of that moment.
drop index receipt_due_next;
create index receipt_due_next on receipt_due (reason, next_at, bill_id, kind, agency_id);
