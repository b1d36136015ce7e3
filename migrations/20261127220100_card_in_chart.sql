-- What a card company still owes had no place in the chart, so that the journal named no account for it.
insert into chart_mapping (kind, valid_from, code, name_vi, name_en, basis)
select 'card_receivable', from_day::date, '1388', 'Phải thu khác', 'Other amounts due', basis
from (values ('2018-01-01', 'Circular 107/2017'), ('2025-01-01', 'Circular 24/2024 (illustrative)')) as r (from_day, basis);
