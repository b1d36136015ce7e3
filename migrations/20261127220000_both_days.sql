-- The journal tells the bank's day of what was booked by hand from the record behind the entry.
create index ledger_record_of_entry on ledger_record (entry_id);

-- A receipt is taken back by the agency's system or by an officer who keeps its books.
alter table receipt_void alter column client_id drop not null;
alter table receipt_void add column officer_id uuid;  -- whoever keeps the books, at a page
alter table receipt_void add constraint receipt_void_by_one check (num_nonnulls(client_id, officer_id) = 1);
