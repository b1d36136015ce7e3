//! Rows that must never exist, and why: each a law with a name of its own.

/// A law: its name, the rows that break it, and whether it holds at every moment or only once a life has settled down.
pub struct Law {
    pub name: &'static str,
    pub rows: &'static str,
    pub always: bool,
}

const fn law(name: &'static str, rows: &'static str) -> Law {
    Law { name, rows, always: false }
}

const fn always(name: &'static str, rows: &'static str) -> Law {
    Law { name, rows, always: true }
}

/// The laws.
pub const NEVER: [Law; 60] = [
    always(
        "a whole and one of its instalments that were both paid",
        "select k.bill_id::text as row from bill_link k join bill p on p.id = k.bill_id join bill w on w.id = k.other_id
         where k.relation = 'instalment' and p.state = 'paid' and w.state = 'paid'",
    ),
    law(
        "an instalment that can be paid of a bill that was withdrawn, replaced or paid",
        "select k.bill_id::text as row from bill_link k join bill p on p.id = k.bill_id join bill w on w.id = k.other_id
         where k.relation = 'instalment' and p.state = 'open' and (w.state in ('paid', 'cancelled')
             or exists (select from bill_link r where r.other_id = w.id and r.relation = 'replaces'))",
    ),
    law(
        "something open that is still the old agency's once it was succeeded",
        "select b.id::text as row from bill b join agency_succession s on s.agency_id = b.agency_id
         where s.effected_at is not null and b.state = 'open'",
    ),
    law(
        "a desk that owes an agency that is no more, or owes in its name",
        "select a.id::text as row from ledger_account a join posting p on p.account_id = a.id
         join agency_succession s on s.agency_id in (a.agency_id, a.counterpart_id) and s.effected_at is not null
         where a.kind in ('desk_owes', 'owed_by_desk') group by a.id having sum(p.amount) <> 0",
    ),
    always(
        "an entry that does not sum to zero",
        "select entry_id::text as row from posting group by entry_id having sum(amount) <> 0",
    ),
    always(
        "a paid bill without exactly one settled payment, and one settling credit where no desk took it",
        "select b.id::text as row from bill b where b.state = 'paid' and (
             (select count(*) from payment p where p.id = b.paid_by and p.bill_id = b.id and p.state = 'settled') <> 1
             or (select count(*) from credit c join payment p on p.id = c.payment_id
                 where p.bill_id = b.id and c.outcome = 'settled')
                 <> (select count(*) from payment p where p.bill_id = b.id and p.state = 'settled'
                     and not exists (select from desk_payment d where d.payment_id = p.id)))",
    ),
    always(
        "a settled payment of a bill that is not paid by it, unless it was taken on paper and is owed back whole",
        "select p.id::text as row from payment p join bill b on b.id = p.bill_id
         where p.state = 'settled' and b.paid_by is distinct from p.id and not (
             exists (select from desk_payment d where d.payment_id = p.id and d.entered_at is not null)
             and exists (select from refund r where r.payment_id = p.id and r.rule is not null
                         and r.amount = p.amount and r.state <> 'declined'))",
    ),
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
        "a day that somebody asked for and nobody has matched",
        "select id::text as row from long_day where state = 'waiting'",
    ),
    always(
        "a day that was matched beside and is not kept, or an import that is done without its day",
        "select d.id::text as row from long_day d left join statement_import i on i.id = d.import_id
         where d.state = 'done' and (i.state is distinct from case when d.import_id is not null then 'accepted' end
             or not exists (select from statement s where (s.account_id, s.day) = (d.account_id, d.day)
                 and s.reconciled_at is not null))
         union all select i.id::text from statement_import i where i.state in ('accepted', 'refused')
             and not exists (select from long_day d where d.import_id = i.id
                 and d.state = case i.state when 'accepted' then 'done' else 'refused' end)",
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
    law(
        "a closed day without its leaf, its event or its second person",
        "select c.id::text as row from closing c where c.state <> 'approved' or c.decided_by = c.prepared_by
         or (select count(*) from outbox o where o.object = c.id and o.name = 'closing.approved') <> 1",
    ),
    law(
        "an attempt that is still alive",
        "select payment_id::text as row from live_attempt",
    ),
    law(
        "a payment that is neither settled nor rejected",
        "select id::text as row from payment where state not in ('settled', 'rejected')",
    ),
    law(
        "a payment whose end has no leaf",
        "select p.id::text as row from payment p where p.state = 'settled' and not exists (
             select from audit_detail d join audit_leaf l on l.id = d.leaf_id
             where d.object = p.id and l.kind = 'payment.settled')",
    ),
    law(
        "a bill whose beginning or end has no leaf",
        "select b.id::text as row from bill b where not exists (
             select from audit_detail d join audit_leaf l on l.id = d.leaf_id
             where d.object = b.id and l.kind in ('bill.issued', 'evidence.revoked', 'bill.difference_asked'))
             and not exists (select from bill_link k where k.bill_id = b.id and k.relation in ('instalment', 'part'))
         or b.state = 'cancelled' and not exists (
             select from audit_detail d join audit_leaf l on l.id = d.leaf_id
             where d.object = b.id and l.kind = 'bill.cancelled')",
    ),
    always(
        "a paid bill that was not told, or told twice",
        "select b.id::text as row from bill b where b.state = 'paid'
             and (select count(*) from outbox o where o.object = b.id and o.name = 'bill.paid') <> 1",
    ),
    always(
        "suspense without a case that somebody must settle",
        "select s.id::text as row from suspense s where not exists (select from \"case\" c where c.id = s.id)",
    ),
    law(
        "a refund that nobody has ended, unless the bank did not take it",
        "select id::text as row from refund r where state not in ('done', 'bounced', 'declined')
             and not (state = 'at_desk' and not exists (select from drawer d where d.agency_id = r.agency_id))",
    ),
    always(
        "more given back than came",
        "select s.id::text as row from refund_source s where s.refunded > s.received or s.refunded <> coalesce(
             (select sum(r.amount) from refund r where coalesce(r.payment_id, r.case_id) = s.id
                  and r.state <> 'declined'), 0)",
    ),
    law(
        "second money that nobody gives back, though nobody decided against it",
        "select id::text as row from suspense s where reason = 'second_money' and state = 'held'
             and not exists (select from refund r where r.case_id = s.id and r.state = 'declined')",
    ),
    law(
        "a refund that left twice, or was done without leaving",
        "select r.id::text as row from refund r where (select count(*) from debit d where d.refund_id = r.id)
             + (select count(*) from desk_payout d where d.refund_id = r.id) <> (r.state = 'done')::int",
    ),
    law(
        "an order that nobody has ended, unless the bank did not take it",
        "select id::text as row from payout where state not in ('done', 'bounced')",
    ),
    law(
        "an order that left twice, or was done without leaving",
        "select o.id::text as row from payout o where (select count(*) from debit d where d.payout_id = o.id)
             <> (o.state = 'done')::int",
    ),
    always(
        "an order that is not the sum of its lines",
        "select o.id::text as row from payout o where o.amount <> (
             select sum(i.amount) from payout_item i where i.payout_id = o.id)",
    ),
    always(
        "more passed on of a bill than was paid, or what never came",
        "select i.payment_id::text as row from payout_item i join payment p on p.id = i.payment_id
         join bill b on b.id = p.bill_id group by i.payment_id, p.state, p.amount
         having p.state <> 'settled' or sum(i.amount) > p.amount",
    ),
    always(
        "a matched statement that nobody can explain",
        "select id::text as row from statement_now
         where reconciled_at is not null and closing - opening is distinct from posted + explained",
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
    always(
        "two shifts at one till, or of one cashier, at once",
        "select a.id::text as row from shift a join shift b on b.id <> a.id
             and (b.drawer_id = a.drawer_id or b.cashier_id = a.cashier_id)
         where a.closed_at is null and b.closed_at is null",
    ),
    always(
        "a payment at a desk that is not the sum of its parts",
        "select d.payment_id::text as row from desk_payment d join payment p on p.id = d.payment_id
         where d.cash + d.card + d.transfer <> p.amount or p.state <> 'settled' or d.transfer <> coalesce(
             (select s.amount from suspense s where s.id = d.case_id and s.state = 'released'), 0)",
    ),
    law(
        "a shift that is still open",
        "select id::text as row from shift where closed_at is null",
    ),
    always(
        "a slip that is confirmed by other money than was carried",
        "select s.id::text as row from suspense s join cash_deposit d on d.case_id = s.id group by s.id
         having sum(d.amount) <> s.amount or s.state <> 'released'",
    ),
    law(
        "a request for money back that nobody has answered",
        "select id::text as row from recall where direction = 'in' and (state = 'open' or next_at is not null)",
    ),
    law(
        "a line of a statement that is neither matched nor in exactly one case",
        "select l.servicer_reference || ' ' || l.amount as row from statement_line l
         left join lateral (select count(*) as cases from \"case\" k where k.state <> 'cleared' and (k.line_id = l.id
             or k.account_id = l.account_id and k.servicer_reference = l.servicer_reference)) k on true
         where not exists (select from withdrawn_line w where w.line_id = l.id)
             and (k.cases > 1 or k.cases = 0
                 and not exists (select from credit_shown s where s.line_id = l.id)
                 and not exists (select from debit d where d.account_id = l.account_id
                     and d.servicer_reference = l.servicer_reference and d.amount = -l.amount))",
    ),
    always(
        "a line of a matched day that is neither matched nor in a case",
        "select l.servicer_reference || ' ' || l.amount as row from statement_line l
         join statement s on s.id = l.statement_id and s.reconciled_at is not null
         where not exists (select from withdrawn_line w where w.line_id = l.id)
             and not exists (select from credit_shown c where c.line_id = l.id)
             and not exists (select from debit d where d.account_id = l.account_id
                 and d.servicer_reference = l.servicer_reference and d.amount = -l.amount)
             and not exists (select from \"case\" k where k.line_id = l.id
                 or k.account_id = l.account_id and k.servicer_reference = l.servicer_reference)",
    ),
    law(
        "a line of a statement whose words are kept nowhere, or twice",
        "select l.servicer_reference as row from statement_line l
         where 1 <> (select count(*) from statement_told t where t.statement_id = l.statement_id
             and l.number between t.first and t.last)",
    ),
    law(
        "a case that waits about a line that the bank took back",
        "select k.id::text as row from \"case\" k join withdrawn_line w on w.line_id = k.line_id
         where k.state in ('open', 'assigned') and k.servicer_reference is null",
    ),
    law(
        "a credit that the bank took back and is not claimed, or that it shows and is claimed",
        "select c.servicer_reference as row from credit c where
             exists (select from reversal r where r.account_id = c.account_id
                 and r.servicer_reference = c.servicer_reference and r.undone_by is null)
             <> (exists (select from statement_line l join withdrawn_line w on w.line_id = l.id
                     where l.account_id = c.account_id and l.servicer_reference = c.servicer_reference)
                 and not exists (select from statement_line l where l.account_id = c.account_id
                     and l.servicer_reference = c.servicer_reference
                     and not exists (select from withdrawn_line w where w.line_id = l.id)))",
    ),
    always(
        "a part of a bill of several owners that is paid into more than the whole",
        "select w.id::text as row from bill w join bill_link k on k.other_id = w.id and k.relation = 'part'
         join bill p on p.id = k.bill_id where w.state = 'paid'
         or p.phi + p.le_phi + p.tax > w.phi + w.le_phi + w.tax",
    ),
    always(
        "more given back and passed on of a payment than came",
        "select p.id::text as row from payment p
         where coalesce((select sum(i.amount) from payout_item i join payout o on o.id = i.payout_id
                         where i.payment_id = p.id and o.state <> 'bounced'), 0)
             + coalesce((select sum(r.amount) from refund r where r.payment_id = p.id and r.way <> 'treasury'
                 and r.state <> 'declined'), 0) > p.amount",
    ),
    always(
        "a receipt of what none is given for, or over another amount than its kind's part of the bill",
        "select r.id::text as row from receipt r join bill b on b.id = r.bill_id and b.paid_by = r.payment_id
         where r.refund_id is null
             and r.amount <> case r.kind when 'phi' then b.phi when 'le_phi' then b.le_phi else -1 end",
    ),
    always(
        "a tax that goes on without what its notice says, or the price of a service without its invoice",
        "select i.payout_id::text as row from payout_item i join payment p on p.id = i.payment_id
         join bill_content c on c.bill_id = p.bill_id
         where i.kind in ('tax', 'service') and array[i.notice, i.chapter, i.sub_item, i.area] is distinct from case
             when i.kind = 'tax' then (select array_agg(n) from jsonb_array_elements_text(
                 c.lines -> i.line::integer -> 'notice') n)
             else array[(c.lines -> i.line::integer -> 'invoice' ->> 1) || ' ' || (c.lines -> i.line::integer -> 'invoice' ->> 0),
                 null, null, null] end",
    ),
    always(
        "the price of a service on its way to anybody but its seller",
        "select o.id::text as row from payout o join payout_item i on i.payout_id = o.id
         join payment p on p.id = i.payment_id join bill_content c on c.bill_id = p.bill_id
         where o.kind = 'service'
             and o.beneficiary ->> 'number' is distinct from c.lines -> i.line::integer ->> 'number'",
    ),
    always(
        "a tax or the price of a service apart that is paid into another account than its paper names",
        "select b.id::text as row from bill b join bill_link k on k.bill_id = b.id and k.relation = 'part'
         join bill_content c on c.bill_id = b.id join collecting_account a on a.id = b.account_id
         join lateral jsonb_array_elements(c.lines) l on l.value ? 'notice' or l.value ? 'invoice'
         where l.value ->> 'number' is distinct from a.number",
    ),
    always(
        "a seller's invoice that two bills charge",
        "select min(b.id::text) as row from bill b join bill_content c on c.bill_id = b.id
         join lateral jsonb_array_elements(c.lines) l on l.value ? 'invoice'
         where b.state in ('open', 'paid') and not exists (
             select from bill_link k where k.bill_id = b.id and k.relation in ('instalment', 'part'))
         group by l.value -> 'invoice' -> 0, l.value -> 'invoice' -> 1, l.value -> 'invoice' -> 3 having count(*) > 1",
    ),
    always(
        "evidence of a reduction that its line does not have",
        "select e.id::text as row from fee_evidence e join bill_content c on c.bill_id = e.bill_id
         where e.revoked_at is null and (c.lines -> e.line ->> 'gross')::bigint - (c.lines -> e.line ->> 'amount')::bigint
             is distinct from e.saving",
    ),
    always(
        "a line that a fact reduced, without the evidence of it",
        "select b.id::text as row from bill b join bill_content c on c.bill_id = b.id
         join lateral jsonb_array_elements(c.lines) with ordinality as l (line, nth) on true
         where (l.line ->> 'gross')::bigint > (l.line ->> 'amount')::bigint
             and not exists (select from fee_evidence e where e.bill_id = b.id and (e.line = l.nth - 1 or e.revoked_at is not null))
             and not exists (select from bill_link k where k.bill_id = b.id
                 and k.relation in ('instalment', 'part', 'difference'))",
    ),
    always(
        "evidence that was revoked without one bill for exactly what it took off",
        "select e.id::text as row from fee_evidence e where e.revoked_at is not null and not exists (
             select from bill d join bill_link k on k.bill_id = d.id and k.other_id = e.bill_id
                 and k.relation = 'difference'
             where d.id = e.difference_id and d.phi + d.le_phi + d.tax = e.saving)",
    ),
    always(
        "a version of the fees that one person made, or that began before it was approved",
        "select id::text as row from fee_schedule where agency_id is not null and state = 'approved'
             and (approved_by is null or approved_by in (drafted_by, submitted_by)
                  or in_force_from < (approved_at at time zone interval '7 hours')::date)",
    ),
    always(
        "a bill that was charged by a version which was not in force",
        "select b.id::text as row from bill b join bill_content c on c.bill_id = b.id
         join fee_schedule s on s.id = c.schedule_id and s.agency_id is not null
         where b.version = 1 and not exists (select from bill_link k where k.bill_id = b.id
                 and k.relation in ('instalment', 'part', 'difference'))
             and not (s.state = 'approved' and s.approved_at <= b.issued_at
                 and (b.issued_at at time zone interval '7 hours')::date
                     between s.in_force_from and coalesce(s.discontinued_from, 'infinity'))",
    ),
    always(
        "events of a thing that are not numbered one by one",
        "select o.object::text as row from outbox o where o.topic = 'event' group by o.object
         having min(o.sequence) is distinct from 1 or max(o.sequence) <> count(*)
             or count(distinct o.sequence) <> count(*) or max(o.sequence) is distinct from (select s.last from event_sequence s where s.object = o.object)",
    ),
];

/// All of them as one question, or those that hold at every moment.
pub fn question(always: bool) -> String {
    let asked = NEVER.iter().enumerate().filter(|(_, law)| law.always || !always);
    let each =
        asked.map(|(nth, law)| format!("select {nth} as law, broken.row from ({}) as broken", law.rows));
    each.collect::<Vec<_>>().join(" union all ")
}
