-- The books name every kind of money that the service touches, and their balances are folded no further back than the
-- last checkpoint.

-- A drawer is one cashier's till: cash of one shift, counted at its end.
alter table ledger_account add column drawer_id uuid;
alter table ledger_account drop constraint ledger_account_kind;
alter table ledger_account add constraint ledger_account_kind check (kind in (
    -- money that lies in a real account, and money in it that nobody explains yet
    'clearing', 'suspense',
    -- what was collected for the budget by kind of charge, and the part of phí that the collecting unit keeps
    'fee_phi', 'fee_le_phi', 'fee_tax', 'fee_phi_retained',
    -- what must be given back; what a decision handed to the budget because nobody claimed it
    'refund_due', 'unclaimed',
    -- what banks and card companies keep for their service: costs of the agency, never an underpayment
    'bank_charges', 'card_discount',
    -- cash in a drawer, on its way to the bank, and what a count found too much or too little
    'cash_drawer', 'cash_in_transit', 'cash_difference'));
alter table ledger_account drop constraint ledger_account_once;
alter table ledger_account add constraint ledger_account_once
    unique nulls not distinct (kind, account_id, agency_id, drawer_id);
alter table ledger_account drop constraint ledger_account_owner;
alter table ledger_account add constraint ledger_account_owner check (
    (account_id is not null) = (kind in ('clearing', 'suspense'))
    and (agency_id is not null) = (kind not in ('clearing', 'suspense'))
    and (drawer_id is not null) = (kind = 'cash_drawer'));
comment on column ledger_account.drawer_id is 'the till, for cash_drawer alone';

-- Agencies that collect already keep a part of phí from now on; what was booked before stands wholly with the budget.
insert into ledger_account (kind, agency_id)
select k, agency_id from ledger_account, unnest(array['fee_phi_retained', 'fee_tax', 'bank_charges', 'card_discount', 'unclaimed']) as k where kind = 'fee_phi';

-- A third share of a bill: taxes and other obligations that an office elsewhere has assessed.
alter table bill add column tax bigint not null default 0;
alter table bill drop constraint bill_amount;
alter table bill add constraint bill_amount
    check (phi >= 0 and le_phi >= 0 and tax >= 0 and phi + le_phi + tax > 0);
alter table agency_account drop constraint agency_account_kind;
alter table agency_account add constraint agency_account_kind check (kind in ('phi', 'le_phi', 'tax'));

-- What an entry is about; its subject is the payment, the case, the refund, the shift or the record that it books.
alter table ledger_entry drop constraint ledger_entry_kind;
alter table ledger_entry add constraint ledger_entry_kind check (kind in (
    'settled', 'suspended', 'released', 'refund_owed', 'refunded', 'cash_moved', 'cash_counted', 'charged',
    'discounted', 'corrected'));

-- All entries whose leaf has a place below this one, folded. A place, never an id or a time: a slower transaction may
-- commit behind either, but never gets a place below one that is given.
create table balance_checkpoint (
    place bigint primary key constraint balance_checkpoint_place check (place > 0),
    at    timestamptz not null    -- when it was folded; for people only
);
create table balance_at_checkpoint (
    place      bigint  not null references balance_checkpoint,
    account_id integer not null references ledger_account,
    balance    bigint  not null,
    primary key (place, account_id)
);
create trigger balance_checkpoint_is_append_only before update or delete on balance_checkpoint
    for each row execute function refuse_change();
create trigger balance_at_checkpoint_is_append_only before update or delete on balance_at_checkpoint
    for each row execute function refuse_change();
