//! Rows about receipts and their numbers that must never exist.

use super::{Law, always, law};

pub const LAWS: [Law; 13] = [
    always(
        "a paid bill without exactly one receipt of each kind, given or waiting for its number",
        "select b.id::text as row from bill b where b.state = 'paid'
             and (select count(distinct kind) from (select kind from receipt where payment_id = b.paid_by
                  union all select kind from receipt_due where payment_id = b.paid_by
                  union all select kind from provided_receipt where payment_id = b.paid_by) r)
                 <> (b.phi > 0)::int + (b.le_phi > 0)::int",
    ),
    always(
        "a receipt that waits and was given",
        "select d.bill_id::text as row from receipt_due d join receipt r on (r.payment_id, r.kind, r.agency_id)
             = (d.payment_id, d.kind, d.agency_id) where r.refund_id is null",
    ),
    always(
        "a receipt from elsewhere beside one that waits, or one from here",
        "select p.bill_id::text as row from provided_receipt p where
             exists (select from receipt_due d where (d.payment_id, d.kind) = (p.payment_id, p.kind))
             or exists (select from receipt r where (r.payment_id, r.kind) = (p.payment_id, p.kind) and r.refund_id is null)
             or (select count(*) from provided_receipt o where (o.payment_id, o.kind) = (p.payment_id, p.kind)) > 1",
    ),
    law(
        "a receipt that still waits although there are numbers",
        "select bill_id::text as row from receipt_due",
    ),
    always(
        "a receipt of a payment that is not settled",
        "select r.id::text as row from receipt r join payment p on p.id = r.payment_id
         where p.state <> 'settled' or p.bill_id <> r.bill_id",
    ),
    law(
        "a receipt that was replaced by none of the same money, or by two",
        "select v.receipt_id::text as row from receipt_void v join receipt o on o.id = v.receipt_id
         where v.replaced_by is not null and not exists (
             select from receipt n where n.id = v.replaced_by and n.kind = o.kind and n.bill_id = o.bill_id
                 and n.amount = o.amount)
         or v.replaced_by in (select replaced_by from receipt_void group by replaced_by having count(*) > 1)",
    ),
    always(
        "more than one receipt of a kind that holds for a payment",
        "select r.bill_id::text as row from receipt r
         where not exists (select from receipt_void v where v.receipt_id = r.id)
             and r.refund_id is null
         group by r.bill_id, r.payment_id, r.kind having count(*) > 1",
    ),
    always(
        "a receipt of what none is given for, or over another amount than its kind's part of the bill",
        "select r.id::text as row from receipt r join bill b on b.id = r.bill_id and b.paid_by = r.payment_id
         where r.refund_id is null
             and r.amount <> case r.kind when 'phi' then b.phi when 'le_phi' then b.le_phi else -1 end",
    ),
    always(
        "a number up to the last drawn that is not issued, or is twice",
        "select s.id::text as row from receipt_series s where s.medium = 'electronic'
             and (select array_agg(right(r.number, 7)::bigint order by r.number) from receipt r
                  where r.agency_id = s.agency_id and r.letters = s.letters and r.year = s.year)
                 is distinct from (select array_agg(n) from generate_series(s.first, s.last) n)",
    ),
    always(
        "a number on paper up to the last drawn without its leaf, or with two",
        "select s.id::text as row from receipt_series s where s.medium <> 'electronic'
             and (select array_agg(l.serial order by l.serial) from receipt_leaf l where l.series_id = s.id)
                 is distinct from (select array_agg(n) from generate_series(s.first, s.last) n)",
    ),
    always(
        "a leaf that is neither its receipt, nor void by a document, nor held in an open block with an owner",
        "select l.series_id || ' ' || l.serial as row from receipt_leaf l join receipt_block b on b.id = l.block_id
         join receipt_series s on s.id = l.series_id
         left join receipt r on r.id = l.receipt_id left join leaf_void v on v.id = l.void_id
         left join shift h on h.id = b.shift_id
         where l.serial not between b.first and b.until or b.series_id <> s.id or not coalesce(case l.state
             when 'issued' then r.agency_id = s.agency_id and r.letters = s.letters and r.kind = s.kind
                 and right(r.number, 7)::bigint = l.serial
             when 'voided' then v.agency_id = s.agency_id
             else s.medium = 'book' or h.closed_at is null and h.cashier_id = b.owner_id end, false)",
    ),
    always(
        "a receipt on paper whose number is nobody's leaf",
        "select r.id::text as row from receipt r join receipt_series s on s.agency_id = r.agency_id
             and s.letters = r.letters and s.year = r.year and s.medium <> 'electronic'
         where not exists (select from receipt_leaf l where l.receipt_id = r.id)",
    ),
    always(
        "what was written on paper and is entered under another number",
        "select r.id::text as row from desk_payment d join receipt r on r.payment_id = d.payment_id and r.refund_id is null
         join shift h on h.id = d.shift_id and h.agency_id = r.agency_id
         where d.entered_at is not null and not exists (select from receipt_leaf l where l.receipt_id = r.id)
             and not exists (select from receipt_void v where v.replaced_by = r.id)",
    ),
];
