-- A receipt's signed content is written in the transaction that issues it, hundreds at once; looking each of them up again, and
-- locking it, cost as much as writing it. No receipt is ever removed, so nothing can be left without its own.
alter table receipt_file drop constraint receipt_file_receipt_id_fkey;
comment on column receipt_file.receipt_id is 'the receipt; not checked, because files are made of receipts that were read or are being written, and none is ever removed';
