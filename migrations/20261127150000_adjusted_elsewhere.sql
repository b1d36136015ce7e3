-- What another issuer made is adjusted by that issuer when its money goes back, whoever makes the agency's receipts by then. An
-- issuer is therefore known for good, a receipt that waits or was made names the one it was ordered from, and an order is named
-- by whose charge was paid then, so that it stays the same order whoever takes that agency's place.

alter table receipt_issuer
    add column id       uuid not null default gen_random_uuid(),
    add column ended_at timestamptz;
alter table receipt_issuer
    alter column id drop default,
    drop constraint receipt_issuer_once,
    add constraint receipt_issuer_pkey primary key (id),
    add constraint receipt_issuer_once unique (agency_id, url);
create unique index receipt_issuer_in_force on receipt_issuer (agency_id) where ended_at is null;
comment on column receipt_issuer.id is 'the issuer, for what was ordered from it';
comment on column receipt_issuer.ended_at is 'when the agency left it; what was ordered before is still asked for and adjusted there';

alter table receipt_due
    add column owner_id  uuid,
    add column issuer_id uuid references receipt_issuer;
update receipt_due d set owner_id = d.agency_id,
    issuer_id = (select i.id from receipt_issuer i where i.agency_id = d.agency_id and d.reason = 'issuer');
alter table receipt_due alter column owner_id set not null;
comment on column receipt_due.owner_id is 'whose charge was paid, as of the payment; agency_id is whoever has taken its place';
comment on column receipt_due.issuer_id is 'the other issuer from whom it is ordered; null where none was known';

alter table provided_receipt
    add column owner_id  uuid,
    add column issuer_id uuid references receipt_issuer;
alter table provided_receipt disable trigger provided_receipt_append_only;
update provided_receipt p set owner_id = p.agency_id,
    issuer_id = (select i.id from receipt_issuer i where i.agency_id = p.agency_id);
alter table provided_receipt enable trigger provided_receipt_append_only;
alter table provided_receipt alter column owner_id set not null;
create index provided_receipt_of_payment on provided_receipt (payment_id);
comment on column provided_receipt.owner_id is 'whose charge was paid, as of the payment';
comment on column provided_receipt.issuer_id is 'who made it; null where that was not recorded';

-- An order to adjust a receipt of another issuer: written with the refund, removed when the issuer has answered.
create table adjustment_order (
    refund_id  uuid not null references refund,
    kind       text not null constraint adjustment_order_kind check (kind in ('phi', 'le_phi')),
    owner_id   uuid not null,
    agency_id  uuid not null,
    bill_id    uuid not null,
    payment_id uuid not null,
    issuer_id  uuid references receipt_issuer,
    amount     bigint not null constraint adjustment_order_amount check (amount > 0),
    words      bytea not null,
    key        integer not null,
    sealed_by  uuid not null,
    since      timestamptz not null,
    attempts   integer not null default 0,
    next_at    timestamptz not null,
    outcome    text,
    constraint adjustment_order_once primary key (refund_id, kind, owner_id)
);
create index adjustment_order_next on adjustment_order (next_at);
create index adjustment_order_of_agency on adjustment_order (agency_id, since);
comment on table adjustment_order is 'receipts of other issuers that are to be adjusted, because their money went back';
comment on column adjustment_order.refund_id is 'the refund';
comment on column adjustment_order.kind is 'of which kind the receipt is';
comment on column adjustment_order.owner_id is 'whose charge was paid, as of the payment';
comment on column adjustment_order.agency_id is 'who answers for it now';
comment on column adjustment_order.bill_id is 'the bill';
comment on column adjustment_order.payment_id is 'the payment whose receipt is adjusted';
comment on column adjustment_order.issuer_id is 'who made that receipt; null where that was not recorded';
comment on column adjustment_order.amount is 'how much of it went back';
comment on column adjustment_order.words is 'the order as it is sent, the same at every attempt; sealed under an agency''s key';
comment on column adjustment_order.key is 'the generation of that seal';
comment on column adjustment_order.sealed_by is 'the agency whose key sealed it';
comment on column adjustment_order.since is 'when the money went back';
comment on column adjustment_order.attempts is 'how often the issuer was asked';
comment on column adjustment_order.next_at is 'the next attempt';
comment on column adjustment_order.outcome is 'how the last attempt went';

-- A receipt of another issuer that adjusts one of its own, as it told us.
create table provided_adjustment (
    refund_id   uuid not null references refund,
    kind        text not null constraint provided_adjustment_kind check (kind in ('phi', 'le_phi')),
    owner_id    uuid not null,
    agency_id   uuid not null,
    bill_id     uuid not null,
    payment_id  uuid not null,
    amount      bigint not null constraint provided_adjustment_amount check (amount > 0),
    form        text not null,
    series      text not null,
    number      text not null,
    lookup      text not null,
    issued_at   timestamptz not null,
    recorded_at timestamptz not null,
    leaf_id     uuid not null,
    constraint provided_adjustment_once primary key (refund_id, kind, owner_id)
);
create trigger provided_adjustment_append_only before update or delete on provided_adjustment
    for each row execute function refuse_change();
comment on table provided_adjustment is 'receipts of other issuers that adjust theirs, as they told us';
comment on column provided_adjustment.refund_id is 'the refund';
comment on column provided_adjustment.kind is 'of which kind the receipt is';
comment on column provided_adjustment.owner_id is 'whose charge was paid, as of the payment';
comment on column provided_adjustment.agency_id is 'who answered for it then';
comment on column provided_adjustment.bill_id is 'the bill';
comment on column provided_adjustment.payment_id is 'the payment whose receipt it adjusts';
comment on column provided_adjustment.amount is 'how much it takes back';
comment on column provided_adjustment.form is 'the form''s number';
comment on column provided_adjustment.series is 'the series';
comment on column provided_adjustment.number is 'the number';
comment on column provided_adjustment.lookup is 'where whoever has it may look it up';
comment on column provided_adjustment.issued_at is 'when it was made, as the issuer says';
comment on column provided_adjustment.recorded_at is 'when we were told';
comment on column provided_adjustment.leaf_id is 'the leaf that records it';

-- What went back before is looked at once more, so that its issuers are told as well.
insert into adjustment_due (refund_id, payment_id, since, next_at)
    select r.id, r.payment_id, r.ended_at, r.ended_at from refund r
    where r.state = 'done' and exists (select from provided_receipt p where p.payment_id = r.payment_id)
    on conflict on constraint adjustment_due_once do nothing;
