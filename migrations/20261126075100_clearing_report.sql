-- What the clearing system says of its own accord about money that is to leave (pacs.002): kept beside the refund's or the
-- order's own state, which moves by it only where it decides something.
create table clearing_report (
    object_id uuid not null,             -- the refund, or the order that passes money on
    report    text not null constraint clearing_report_word check (report in ('pending', 'accepted', 'rejected')),
    reason    text,                      -- the code of a rejection (ISO 20022)
    at        timestamptz not null,      -- when it was told here
    constraint clearing_report_once primary key (object_id),
    constraint clearing_report_why check ((report = 'rejected') = (reason is not null))
);
comment on table clearing_report is 'the last word of the clearing system about a refund or an order; never a step back';
