-- A bill that is paid changes in place.
--
-- No query read this index, and its condition named the state: with it, each payment wrote the bill anew into every
-- index of the table, on the hottest path of all.
drop index bill_of_agency_due;
