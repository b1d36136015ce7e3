-- What waits for a number and what waits for another issuer are looked for apart: neither search passes over the other's rows.
drop index receipt_due_next;
create index receipt_due_next on receipt_due (reason, next_at);
