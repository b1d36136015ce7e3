-- The price of a service that a seller has invoiced is collected by a bill: the seller's as a whole, never the budget's.

comment on column bill.tax is
    'what belongs to accounts that the lines name: taxes by notice, prices of services by invoice; the lines tell them apart';

-- What an agency owes to sellers has an account of its own, which an order to pass on never touches.
alter table ledger_account drop constraint ledger_account_kind;
alter table ledger_account add constraint ledger_account_kind check (kind in (
    'clearing', 'suspense', 'fee_phi', 'fee_le_phi', 'fee_tax', 'fee_service', 'fee_phi_retained', 'refund_due',
    'unclaimed', 'bank_charges', 'card_discount', 'card_receivable', 'cash_drawer', 'cash_in_transit', 'cash_difference',
    'bank_claim', 'desk_owes', 'owed_by_desk'));
insert into ledger_account (kind, agency_id) select 'fee_service', agency_id from ledger_account where kind = 'fee_phi';
insert into chart_mapping (kind, valid_from, code, name_vi, name_en, basis)
select 'fee_service', from_day::date, '3388', 'Phải trả khác', 'Other amounts payable', basis
from (values ('2018-01-01', 'Circular 107/2017'), ('2025-01-01', 'Circular 24/2024 (illustrative)')) as r (from_day, basis);
