-- Days, months and years are closed by two people, and the journals leave in the accounts that the law prescribes.

-- The closing of a time of an agency's accounting. What it says is fixed when it is prepared; a second person approves it
-- or sends it back. An approved one stands: what is found later is booked in the open time, with both dates.
create table closing (
    id          uuid primary key,
    agency_id   uuid not null references agency,
    kind        text not null constraint closing_kind check (kind in ('day', 'month', 'year')),
    first_day   date not null,
    last_day    date not null,
    state       text not null constraint closing_state check (state in ('prepared', 'approved', 'withdrawn')),
    content     bytea not null,           -- what it says, as canonical JSON, sealed under the agency's key
    key         integer not null,         -- the generation of that seal
    digest      bytea not null constraint closing_digest check (octet_length(digest) = 32),  -- of the content
    prepared_by uuid not null,            -- the accountant
    prepared_at timestamptz not null,
    decided_by  uuid,                     -- the approver, or whoever sent it back
    decided_at  timestamptz,
    constraint closing_days check (first_day <= last_day),
    constraint closing_two_people check (state <> 'approved' or decided_by <> prepared_by),
    constraint closing_decided check (
        num_nulls(decided_by, decided_at) = case state when 'prepared' then 2 else 0 end)
);
create unique index closing_once on closing (agency_id, kind, first_day) where state <> 'withdrawn';
create index closing_of_agency on closing (agency_id, id);

-- The files of an approved closing, made once and kept byte for byte, sealed under the agency's key.
create table closing_file (
    closing_id uuid not null references closing,
    format     text not null constraint closing_file_format check (format in ('jws', 'pdf', 'xlsx')),
    bytes      bytea not null,
    key        integer not null,          -- the generation of the seal
    made_at    timestamptz not null,
    constraint closing_file_once primary key (closing_id, format)
);
create trigger closing_file_append_only before update or delete on closing_file
    for each row execute function refuse_change();

-- Which account of the prescribed chart stands for which of ours, from which day on. An amended regime is new rows.
create table chart_mapping (
    kind       text not null,             -- of ledger_account
    valid_from date not null,
    code       text not null,             -- of the chart
    name_vi    text not null,
    name_en    text not null,
    basis      text not null,             -- the law that prescribes the chart
    constraint chart_mapping_once primary key (kind, valid_from)
);
insert into chart_mapping (kind, valid_from, code, name_vi, name_en, basis)
select kind, from_day::date, code, name_vi, name_en, basis from
    (values ('2018-01-01', 'Circular 107/2017'), ('2025-01-01', 'Circular 24/2024 (illustrative)')) as r (from_day, basis),
    (values ('clearing', '112', 'Tiền gửi ngân hàng, kho bạc', 'Deposits at banks and the Treasury'),
            ('suspense', '3378', 'Tạm thu khác', 'Other amounts held'),
            ('fee_phi', '3332', 'Phí, lệ phí phải nộp nhà nước', 'Fees owed to the budget'),
            ('fee_le_phi', '3332', 'Phí, lệ phí phải nộp nhà nước', 'Fees owed to the budget'),
            ('fee_tax', '3338', 'Các khoản phải nộp nhà nước khác', 'Other amounts owed to the budget'),
            ('fee_phi_retained', '3373', 'Tạm thu phí được để lại', 'Fees kept by the unit'),
            ('refund_due', '3388', 'Phải trả khác', 'Other amounts owed'),
            ('unclaimed', '3388', 'Phải trả khác', 'Other amounts owed'),
            ('bank_charges', '612', 'Chi phí ngân hàng', 'Bank charges'),
            ('card_discount', '612', 'Chi phí ngân hàng', 'Bank charges'),
            ('cash_drawer', '111', 'Tiền mặt', 'Cash'),
            ('cash_in_transit', '113', 'Tiền đang chuyển', 'Cash in transit'),
            ('cash_difference', '1388', 'Phải thu khác', 'Other amounts due')) as k (kind, code, name_vi, name_en);
