-- A bill may have been charged anew while its money was taken on paper: the payment is of the lines that the paper was of.
alter table desk_payment add column version integer constraint desk_payment_version check (version > 0);
comment on column desk_payment.version is 'the version of the bill whose lines were paid, where the bill says something else now; null where it says the same';
