-- What proves a dossier where no money moved through a bill, and what a seller proves.

-- That a dossier owes nothing: a notice without a number, because no money moved. It needs no bill.
create table exemption_notice (
    id        uuid primary key,
    agency_id uuid not null references agency,
    client_id uuid not null,              -- the agency system that asked for it
    dossier   text not null,
    procedure text not null,
    forgone   bigint not null constraint exemption_notice_forgone check (forgone >= 0),  -- what the fees come to without it
    digest    bytea not null constraint exemption_notice_digest check (octet_length(digest) = 32),  -- of the signed notice
    signed    bytea not null,             -- the notice as it was signed, with names, sealed under the agency's key
    key       integer not null,           -- the generation of that seal
    issued_at timestamptz not null
);
create index exemption_notice_of_agency on exemption_notice (agency_id, id);
create trigger exemption_notice_is_append_only before update or delete on exemption_notice
    for each row execute function refuse_change();

-- The price of a service that a seller charges beside a bill's fees: its proof is the seller's invoice, which stands here
-- by reference. Nothing here is a receipt, and none of it is the bill's money.
create table seller_invoice (
    id        uuid primary key,
    bill_id   uuid not null,
    agency_id uuid not null,
    number    text not null,              -- of the invoice, as its seller counts
    serial    text not null,              -- form and symbol of the invoice
    issued_on date not null,              -- Vietnam day
    tax_code  text not null,              -- the seller's
    name_vi   text not null,              -- of the service
    name_en   text not null,
    amount    bigint not null constraint seller_invoice_amount check (amount > 0),
    noted_at  timestamptz not null,
    constraint seller_invoice_once unique (tax_code, serial, number)
);
create index seller_invoice_of_bill on seller_invoice (bill_id);
create trigger seller_invoice_is_append_only before update or delete on seller_invoice
    for each row execute function refuse_change();
