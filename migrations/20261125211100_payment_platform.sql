-- The national payment platform's protocol, spoken on both sides.

-- An agency system that speaks it to us. The secret is sealed under the agency's key.
create table platform_partner (
    code         text primary key,        -- MaDoiTac
    agency_id    uuid not null references agency,
    client_id    uuid not null,           -- in whose name its bills are issued
    secret       bytea not null,
    key          integer not null,
    confirm_url  text not null,           -- where CONFIRM goes
    created_at   timestamptz not null
);

-- A known harmless deviation of one partner, for a time: listed, never for checksum, amount or beneficiary.
create table platform_tolerance (
    partner_code text not null references platform_partner,
    deviation    text not null constraint platform_tolerance_deviation
                 check (deviation in ('twelve_hour_time', 'placeholder_payer_id')),
    until        date not null,           -- its last day
    seen         bigint not null default 0,
    last_seen_at timestamptz,
    constraint platform_tolerance_pkey primary key (partner_code, deviation)
);

-- A payment that a partner began here, by the partner's own name of it: the same name is one payment, with one content.
create table platform_order (
    partner_code text not null references platform_partner,
    reference    text not null,           -- MaThamChieu
    digest       bytea not null constraint platform_order_digest check (octet_length(digest) = 32),
    bill_id      uuid not null,
    text         text not null,           -- ThongTinGiaoDich
    created_at   timestamptz not null,
    confirm_at   timestamptz,             -- when CONFIRM is tried next; null: not yet paid, or the partner has it
    confirms     integer not null default 0,
    confirmed_at timestamptz,
    constraint platform_order_pkey primary key (partner_code, reference)
);
create index platform_order_of_bill on platform_order (bill_id);
create index platform_order_due on platform_order (confirm_at) where confirm_at is not null;
