-- What is collected goes on to whom it belongs: by a dated rule for each kind of charge, with the fields of the budget
-- payment slip (form 02 of Decree 347/2025, formerly C1-02/NS), and over only when a bank or its statement shows it.

create table payout_rule (
    agency_id       uuid not null references agency,
    kind            text not null constraint payout_rule_kind check (kind in ('phi', 'le_phi', 'tax', 'retained')),
    valid_from      date not null,
    bank            text not null,
    number          text not null,
    holder          text not null,
    treasury_office text not null constraint payout_rule_treasury check (treasury_office ~ '^[0-9]{4}$'),
    authority_code  text constraint payout_rule_authority check (authority_code ~ '^[0-9]{7}$'),
    authority_name  text,
    chapter         text constraint payout_rule_chapter check (chapter ~ '^[0-9]{3}$'),
    sub_item        text constraint payout_rule_sub_item check (sub_item ~ '^[0-9]{4}$'),
    area            text constraint payout_rule_area check (area ~ '^[0-9]{5}$'),
    basis           text not null,
    set_at          timestamptz not null,
    constraint payout_rule_once primary key (agency_id, kind, valid_from),
    constraint payout_rule_complete check (
        (authority_code is null) = (authority_name is null)
        and case kind
            when 'le_phi' then authority_code is not null and chapter is not null and sub_item is not null
                and area is not null
            when 'tax' then authority_code is not null
            else true end)
);
create trigger payout_rule_is_append_only before update or delete on payout_rule
    for each row execute function refuse_change();
comment on table payout_rule is 'where what an agency collects goes on to; without a rule it stays where it is';
comment on column payout_rule.kind is 'retained: the part of phí that the agency keeps; phi: the rest of it';
comment on column payout_rule.valid_from is 'the first clearing day whose money goes so; it ends where the next row begins';
comment on column payout_rule.bank is 'the bank or Treasury office that keeps the account, by its clearing code';
comment on column payout_rule.number is 'the account that gets the money';
comment on column payout_rule.holder is 'its name';
comment on column payout_rule.treasury_office is 'kho bạc: four digits, on the slip';
comment on column payout_rule.authority_code is 'cơ quan quản lý thu: needed where the money is the budget''s';
comment on column payout_rule.authority_name is 'its name';
comment on column payout_rule.chapter is 'chương; a tax brings its own by its notice';
comment on column payout_rule.sub_item is 'tiểu mục; a tax brings its own by its notice';
comment on column payout_rule.area is 'địa bàn hành chính; a tax brings its own by its notice';
comment on column payout_rule.basis is 'the instrument by which the money goes there';
comment on column payout_rule.set_at is 'when it was told';

-- One order for an agency, a kind and a clearing day; what a bank did not take may be ordered again.
alter table payout drop constraint payout_once;
create unique index payout_once on payout (account_id, agency_id, kind, day) where state <> 'bounced';
create index payout_of_agency on payout (agency_id, id);
alter table payout add column tries smallint not null default 0;
alter table payout add column silent_since timestamptz;
alter table payout add column entry_id uuid;
alter table payout add column replaces uuid constraint payout_replaces_once unique;
alter table payout add constraint payout_booked check ((state = 'done') = (entry_id is not null));
alter table payout add constraint payout_bounced_why check ((state = 'bounced') = (reason is not null));
alter table payout add constraint payout_silence check ((state = 'unknown') = (silent_since is not null));
comment on table payout is 'money on its way from a collecting account to whom it belongs';
comment on column payout.tries is 'how often a silent order was told again';
comment on column payout.silent_since is 'since when nobody answers it';
comment on column payout.entry_id is 'the ledger entry by which it is over';
comment on column payout.replaces is 'the order that a bank did not take, in whose place this one is';

-- The lines of its slip: one for each line of a paid bill. The table was empty until now.
drop table payout_item;
create table payout_item (
    payment_id uuid not null,
    line       smallint not null constraint payout_item_line check (line >= 0),
    kind       text not null,
    agency_id  uuid not null,
    payout_id  uuid not null references payout,
    amount     bigint not null constraint payout_item_amount check (amount > 0),
    dossier    text not null,
    content    text not null,
    notice     text,
    chapter    text,
    sub_item   text,
    area       text,
    constraint payout_item_once primary key (payment_id, line, kind)
);
create index payout_item_of_payout on payout_item (payout_id);
comment on table payout_item is 'which lines of which payments an order passes on: none is passed on twice';
comment on column payout_item.line is 'its place on the bill';
comment on column payout_item.kind is 'a line of phí may go two ways: the kept part and the rest';
comment on column payout_item.dossier is 'the dossier''s code, which the slip names';
comment on column payout_item.content is 'what was paid for';
comment on column payout_item.notice is 'the notice by which a tax was assessed';

-- An order passes on exactly what its lines say.
create function payout_is_its_lines() returns trigger language plpgsql as $$
begin
    if exists (select from payout p where p.id = new.payout_id and p.state <> 'bounced'
            and p.amount <> (select sum(i.amount) from payout_item i where i.payout_id = p.id)) then
        raise exception 'an order is the sum of its lines'
            using errcode = 'check_violation', constraint = 'payout_is_its_lines', table = 'payout';
    end if;
    return null;
end $$;
create constraint trigger payout_is_its_lines after insert or update on payout_item
    deferrable initially deferred for each row execute function payout_is_its_lines();

alter table debit add constraint debit_of_one check (refund_id is null or payout_id is null);
create unique index debit_of_payout on debit (payout_id) where payout_id is not null;
comment on column debit.payout_id is 'the order that it carries out';

alter table ledger_entry drop constraint ledger_entry_kind;
alter table ledger_entry add constraint ledger_entry_kind check (kind in (
    'settled', 'suspended', 'released', 'refund_owed', 'refunded', 'cash_moved', 'cash_counted', 'charged',
    'discounted', 'corrected', 'passed_on', 'remitted'));

-- Clearing days whose statement was matched and whose money may go on: written with the matching, gone with the orders.
create table payout_day (
    account_id uuid not null,
    day        date not null,
    constraint payout_day_once primary key (account_id, day)
);
comment on table payout_day is 'days of accounts that were matched since orders were last made of them';
create sequence payout_slip;
comment on sequence payout_slip is 'the running part of the slips'' numbers; a gap is no harm';
