//! Rows about money that must never exist: as it comes, is taken at a desk, goes back and goes on.

use super::{Law, always, law};

pub const LAWS: [Law; 35] = [
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
                     and not exists (select from desk_payment d where d.payment_id = p.id)
                     and not exists (select from suspense_decision d where d.payment_id = p.id)))",
    ),
    always(
        "money that one person let go, or that is held although two let it go",
        "select d.suspense_id::text as row from suspense_decision d join suspense s on s.id = d.suspense_id
         where d.approved_by = d.proposed_by or (d.approved_by is not null) and s.state <> 'released'",
    ),
    always(
        "cash that is told of without its alarm, or twice a day",
        "select o.object::text as row from outbox o where o.name = 'cash.kept' group by o.object
         having count(*) <> (select count(*) from cash_alarm a where a.agency_id = o.object)",
    ),
    always(
        "money that paid something, or that nobody claimed, and goes back",
        "select r.id::text as row from refund r where r.case_id is not null and r.decided_at is not null
             and r.state <> 'declined' and (exists (select from desk_payment d where d.case_id = r.case_id)
                 or exists (select from cash_deposit d where d.case_id = r.case_id)
                 or exists (select from suspense_decision d where d.suspense_id = r.case_id
                     and d.approved_by is not null and d.toward <> 'refund_due'))",
    ),
    always(
        "money that two turned to a bill, and that did not pay exactly that bill",
        "select d.suspense_id::text as row from suspense_decision d join suspense s on s.id = d.suspense_id
         left join payment p on p.id = d.payment_id left join bill b on b.id = d.bill_id
         where d.toward = 'bill' and d.approved_by is not null
             and (p.bill_id, p.amount, p.state, b.paid_by) is distinct from (d.bill_id, s.amount, 'settled', p.id)",
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
        "an attempt that nobody answers about without a silence that goes on, or a silence that goes on after the answer",
        "select p.id::text as row from payment p where (p.state = 'unknown') <> exists (
             select from payment_silence s where s.payment_id = p.id and s.until is null and p.ended_at is null)",
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
    always(
        "suspense without a case that somebody must settle",
        "select s.id::text as row from suspense s where not exists (select from \"case\" c where c.id = s.id)",
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
        "a desk that owes an agency that is no more, or owes in its name",
        "select a.id::text as row from ledger_account a join posting p on p.account_id = a.id
         join agency_succession s on s.agency_id in (a.agency_id, a.counterpart_id) and s.effected_at is not null
         where a.kind in ('desk_owes', 'owed_by_desk') group by a.id having sum(p.amount) <> 0",
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
        "a request for money back that nobody has answered",
        "select id::text as row from recall where direction = 'in' and (state = 'open' or next_at is not null)",
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
        "select o.id::text as row from payout o where o.kind <> 'collected' and o.amount <> (
             select sum(i.amount) from payout_item i where i.payout_id = o.id)",
    ),
    always(
        "more passed on of a bill than was paid, or what never came",
        "select i.payment_id::text as row from payout_item i join payment p on p.id = i.payment_id
         join bill b on b.id = p.bill_id group by i.payment_id, p.state, p.amount
         having p.state <> 'settled' or sum(i.amount) > p.amount",
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
        "a refund of what was never remitted that waits for the Treasury, or more of a line than its order remitted",
        "select r.payout_id::text as row from refund r join refund_line l on l.refund_id = r.id
         left join payout o on o.id = r.payout_id and o.state <> 'bounced'
         left join payout_item i on i.payout_id = o.id and i.payment_id = r.payment_id and i.line = l.line
         where r.way = 'treasury' and r.state <> 'declined'
         group by r.payout_id, r.payment_id, l.line having sum(l.amount) > coalesce(max(i.amount), 0)",
    ),
    always(
        "a desk that owes another agency what that agency's books do not know of",
        "select least(a.agency_id, a.counterpart_id) || ' ' || greatest(a.agency_id, a.counterpart_id) as row
         from ledger_account a join posting p on p.account_id = a.id where a.kind in ('desk_owes', 'owed_by_desk')
         group by case a.kind when 'desk_owes' then (a.agency_id, a.counterpart_id) else (a.counterpart_id, a.agency_id) end,
             1 having sum(p.amount) <> 0",
    ),
    always(
        "money on its way to another agency that its bank did not take",
        "select d.id::text as row from cash_deposit d join payout o on o.id = d.payout_id where o.state = 'bounced'",
    ),
    always(
        "more ordered to another agency than a till took for it",
        "select d.drawer_id || ' ' || d.to_id as row
         from (select drawer_id, coalesce(heir_id, agency_id) as to_id, sum(amount) as amount
             from cash_deposit where payout_id is not null group by 1, 2) d
         where d.amount > coalesce((select sum(k.amount) from desk_collection k
             where k.drawer_id = d.drawer_id and coalesce(k.heir_id, k.agency_id) = d.to_id), 0)",
    ),
    always(
        "a refund of a line, alone of it, that gives back another share of what the agency keeps than of the rest",
        "select f.refund_id::text as row from refund r join refund_line f on f.refund_id = r.id
         join bill b on b.id = r.bill_id and b.paid_by = r.payment_id join bill_content c on c.bill_id = b.id
         where not exists (select from refund o join refund_line g on g.refund_id = o.id
                 where o.payment_id = r.payment_id and g.line = f.line and o.id <> r.id)
             and f.kept <> (c.lines -> f.line::integer ->> 'retained')::bigint * f.amount
                 / (c.lines -> f.line::integer ->> 'amount')::bigint",
    ),
    always(
        "more given back of what an agency keeps of a line, or of the rest of it, than there was",
        "select r.payment_id || ' ' || f.line as row from refund r join refund_line f on f.refund_id = r.id
         join bill b on b.id = r.bill_id and b.paid_by = r.payment_id join bill_content c on c.bill_id = b.id
         where r.state <> 'declined' group by r.payment_id, f.line, c.lines -> f.line::integer
         having sum(f.kept) > (c.lines -> f.line::integer ->> 'retained')::bigint
             or sum(f.amount - f.kept) > (c.lines -> f.line::integer ->> 'amount')::bigint
                 - (c.lines -> f.line::integer ->> 'retained')::bigint",
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
];
