-- What settling looks up for each payment, found by key however many agencies and accounts there are.
create index ledger_account_of_agency on ledger_account (agency_id, kind) where agency_id is not null;
