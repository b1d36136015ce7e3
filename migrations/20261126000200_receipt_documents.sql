-- Receipts as documents: who signs them, where their numbers come from, what is void and what stands in its place, and
-- which are still to be issued.

-- Keys and certificates with which an agency signs its documents. The key never leaves; an authority certifies it by a
-- request. The newest valid one signs.
create table document_signer (
    id          uuid primary key,
    agency_id   uuid not null references agency,
    private_key bytea not null,           -- PKCS #8, sealed under the agency's key
    key         integer not null,         -- the generation of that seal
    certificate bytea,                    -- DER; null until the authority has answered
    chain       bytea[] not null default '{}',  -- the certificates above it, in DER
    own         boolean not null,         -- signed by its own key, for want of an authority's
    valid_from  timestamptz,
    valid_to    timestamptz,
    created_at  timestamptz not null,
    constraint document_signer_validity check (num_nulls(certificate, valid_from, valid_to) in (0, 3))
);
create index document_signer_of_agency on document_signer (agency_id, id);

-- A series becomes a registered one: letters, form, range, days in force. What was drawn so far belongs to the first
-- series of its year, for which the whole year and the whole range stand.
alter table receipt_series
    add column id            uuid,
    add column letters       text,        -- two capitals; the second tells the kind: P phí, L lệ phí
    add column form          text,        -- the number of the form, e.g. 01BLP
    add column first         bigint,      -- the first number of the range
    add column until         bigint,      -- the last number of the range
    add column valid_from    date,        -- the first day in force (Vietnam)
    add column valid_to      date,        -- the last one
    add column registered_at timestamptz;
update receipt_series set id = gen_random_uuid(), letters = case kind when 'phi' then 'AP' else 'AL' end,
    form = '01BLP', first = 1, until = 9999999, valid_from = make_date(year, 1, 1), valid_to = make_date(year, 12, 31),
    registered_at = make_date(year, 1, 1);
alter table receipt_series
    alter column id set not null, alter column letters set not null, alter column form set not null,
    alter column first set not null, alter column until set not null, alter column valid_from set not null,
    alter column valid_to set not null, alter column registered_at set not null,
    drop constraint receipt_series_pkey, drop constraint receipt_series_last,
    add constraint receipt_series_pkey primary key (id),
    add constraint receipt_series_letters_once unique (agency_id, letters, year),
    add constraint receipt_series_letters check (letters ~ '^[A-Z][PL]$' and (kind = 'phi') = (letters like '_P')),
    add constraint receipt_series_range check (first >= 1 and first <= until and until <= 9999999),
    add constraint receipt_series_drawn check (last between first - 1 and until),
    add constraint receipt_series_days check (valid_from <= valid_to);
create index receipt_series_of_agency on receipt_series (agency_id, kind, year);

-- A receipt that stands in the place of another is a receipt of its own with the next number.
alter table receipt
    add column letters  text,             -- of its series
    add column year     smallint,         -- of its series
    add column replaces uuid references receipt;
alter table receipt disable trigger receipt_append_only;
update receipt set letters = case kind when 'phi' then 'AP' else 'AL' end,
    year = date_part('year', issued_at at time zone interval '7 hours')::smallint;
alter table receipt enable trigger receipt_append_only;
alter table receipt alter column letters set not null, alter column year set not null, drop constraint receipt_once;
create unique index receipt_once on receipt (bill_id, kind, refund_id) nulls not distinct where replaces is null;
create unique index receipt_replaces_once on receipt (replaces) where replaces is not null;

-- That a receipt holds no more: a document of its own, signed and logged like the receipt. At most one for each.
create table receipt_void (
    receipt_id  uuid not null references receipt,
    agency_id   uuid not null,
    replaced_by uuid references receipt,  -- null: nothing stands in its place
    at          timestamptz not null,
    client_id   uuid not null,            -- the system that asked for it
    content     bytea not null,           -- what the signature covers, as canonical JSON, sealed under the agency's key
    key         integer not null,         -- the generation of that seal
    digest      bytea not null constraint receipt_void_digest check (length(digest) = 32),
    leaf_id     uuid not null,            -- the leaf that commits to the digest
    constraint receipt_void_once primary key (receipt_id)
);
create trigger receipt_void_append_only before update or delete on receipt_void
    for each row execute function refuse_change();

-- Paid, receipt pending: no series in force had a number left, or another issuer has not answered. The row goes when the
-- receipt is there.
create table receipt_due (
    bill_id    uuid not null,
    kind       text not null constraint receipt_due_kind check (kind in ('phi', 'le_phi')),
    payment_id uuid not null,
    agency_id  uuid not null,
    reason     text not null constraint receipt_due_reason check (reason in ('no_series', 'issuer')),
    since      timestamptz not null,      -- when the money settled
    attempts   integer not null default 0,
    next_at    timestamptz not null,      -- the next attempt
    outcome    text,                      -- how the last attempt went
    constraint receipt_due_once primary key (bill_id, kind)
);
create index receipt_due_next on receipt_due (next_at);
create index receipt_due_of_agency on receipt_due (agency_id, since);

-- Whose name the receipts of a bill shall bear, as it was given on the payment page; it may change until they are issued.
create table receipt_name (
    bill_id uuid constraint receipt_name_once primary key,
    name    bytea not null,               -- name, tax code and address as JSON, sealed under the agency's key
    key     integer not null,             -- the generation of that seal
    at      timestamptz not null
);

-- Agencies whose receipts another issuer makes: never both. An agency without a row has them from here.
create table receipt_issuer (
    agency_id uuid constraint receipt_issuer_once primary key references agency,
    url       text not null,              -- where orders for receipts go
    token     bytea not null,             -- what we present there, sealed under the agency's key
    key       integer not null,           -- the generation of that seal
    since     timestamptz not null,
    client_id uuid not null               -- the administrators' system that said so
);

-- A receipt that another issuer made for a payment, as it told us. Its document is the issuer's.
create table provided_receipt (
    bill_id     uuid not null,
    kind        text not null constraint provided_receipt_kind check (kind in ('phi', 'le_phi')),
    payment_id  uuid not null,
    agency_id   uuid not null,
    amount      bigint not null constraint provided_receipt_amount check (amount > 0),
    form        text not null,
    series      text not null,
    number      text not null,
    lookup      text not null,            -- where whoever has it may look it up
    issued_at   timestamptz not null,     -- as the issuer says
    recorded_at timestamptz not null,
    leaf_id     uuid not null,
    constraint provided_receipt_once primary key (bill_id, kind)
);
create trigger provided_receipt_append_only before update or delete on provided_receipt
    for each row execute function refuse_change();
