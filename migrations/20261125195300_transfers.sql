-- Ways to pay besides the request, where money came from, and the days on which banks clear.

-- How the payer pays: asked through the bank, by a transfer that names the bill, through the national payment platform,
-- at a desk. A transfer has no attempt before its money: its payment is born settled.
alter table payment add column way text not null default 'request'
    constraint payment_way check (way in ('request', 'transfer', 'platform', 'desk'));

-- Where money came from that no request of ours asked for, and money that waits: what giving it back needs. Money of a
-- request needs no row here; its payment knows the bank and the UETR.
create table credit_origin (
    account_id         uuid not null,
    servicer_reference text not null,
    bank               text,              -- the payer's bank, by its number in the clearing system or BIC
    uetr               uuid,
    end_to_end         text,              -- the payer's own reference
    clearing_reference text,
    constraint credit_origin_pkey primary key (account_id, servicer_reference),
    constraint credit_origin_of_credit foreign key (account_id, servicer_reference) references credit
);

-- The days that are not what their weekday says: holidays, and weekend days that are worked instead. Lunar feasts and
-- swapped days are decided anew each year, so they are data; a day that is not listed goes by its weekday.
create table calendar_day (
    day         date primary key,         -- Vietnam
    working     boolean not null,         -- whether banks clear
    name_vi     text not null,
    name_en     text not null,
    basis       text not null,            -- the decision that says so
    imported_at timestamptz not null
);

-- When the central bank's sessions open and stop taking orders; the rows of the latest day not after a date hold on it.
create table clearing_session (
    valid_from        date not null,
    session           text not null constraint clearing_session_name check (session in ('low_value', 'high_value')),
    opens             time not null,      -- Vietnam
    closes            time not null,
    closes_month_end  time not null,      -- on the last two working days of a month
    amount_max        bigint,             -- đồng; above it an order takes the other session
    basis             text not null,
    constraint clearing_session_pkey primary key (valid_from, session),
    constraint clearing_session_order check (opens < closes and closes <= closes_month_end)
);
insert into clearing_session (valid_from, session, opens, closes, closes_month_end, amount_max, basis) values
    ('2019-11-01', 'low_value', '08:00', '16:00', '17:00', 499999999, 'Circular 37/2016/TT-NHNN as amended'),
    ('2019-11-01', 'high_value', '08:00', '17:00', '17:45', null, 'Circular 37/2016/TT-NHNN as amended');

-- When nobody answered about an attempt: while it lasts the due day stands still, and the payer loses no day by it. An
-- end that is null is the attempt's own end, if it has ended.
create table payment_silence (
    payment_id uuid not null,
    bill_id    uuid not null,
    since      timestamptz not null,
    until      timestamptz,
    constraint payment_silence_pkey primary key (payment_id, since),
    constraint payment_silence_order check (until is null or since <= until)
);
create index payment_silence_of_bill on payment_silence (bill_id);
