-- The price of a service in every bill: charged once at a time, by whatever bill asks for it now, and passed on by a rule.

-- Which invoices are taken, apart from the record of what was noted: a bill that is withdrawn, replaced or charged anew
-- lets go of what it no longer asks for, and the record stays.
create table seller_invoice_claim (
    tax_code text not null,
    serial   text not null,
    number   text not null,
    bill_id  uuid not null,
    charged  boolean not null,
    constraint seller_invoice_claim_once primary key (tax_code, serial, number)
);
create index seller_invoice_claim_of_bill on seller_invoice_claim (bill_id);
comment on table seller_invoice_claim is 'an invoice is charged by one bill, or noted beside one';
comment on column seller_invoice_claim.tax_code is 'the seller''s';
comment on column seller_invoice_claim.serial is 'form and symbol of the invoice';
comment on column seller_invoice_claim.number is 'of the invoice, as its seller counts';
comment on column seller_invoice_claim.bill_id is 'the bill that stands for all of it, also where the seller''s part is a bill of its own';
comment on column seller_invoice_claim.charged is 'a line of the bill asks for it; else it is only noted beside the bill';
insert into seller_invoice_claim (tax_code, serial, number, bill_id, charged)
select i.tax_code, i.serial, i.number, i.bill_id,
    exists (select from bill b where b.id = i.bill_id and b.issued_at = i.noted_at)
from seller_invoice i;
alter table seller_invoice drop constraint seller_invoice_once;
comment on table seller_invoice is 'what was noted of sellers'' invoices, and when; which of them holds is the claim''s to say';

-- The agency says into which account the prices of services go, from which it pays its sellers.
alter table payout_rule drop constraint payout_rule_kind;
alter table payout_rule add constraint payout_rule_kind check (kind in ('phi', 'le_phi', 'tax', 'retained', 'service'));
alter table payout drop constraint payout_kind;
alter table payout add constraint payout_kind check (
    kind in ('phi', 'le_phi', 'tax', 'retained', 'service', 'collected'));
comment on column payout_rule.kind is
    'retained: the part of phí that the agency keeps; phi: the rest of it; service: prices that sellers have invoiced';
comment on column payout_rule.treasury_office is
    'kho bạc: four digits, on the slip; zeros where the money is not the budget''s and its account not at the Treasury';
