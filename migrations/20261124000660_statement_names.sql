-- Whether a silent attempt's money stands on a statement is asked by the attempt that a line names.
create index statement_line_names on statement_line (payment_id) where payment_id is not null;
