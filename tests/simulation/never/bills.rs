//! Rows about bills that must never exist.

use super::{Law, always, law};

pub const LAWS: [Law; 14] = [
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
    always(
        "a part of a bill of several owners that is paid into more than the whole",
        "select w.id::text as row from bill w join bill_link k on k.other_id = w.id and k.relation = 'part'
         join bill p on p.id = k.bill_id where w.state = 'paid'
         or p.phi + p.le_phi + p.tax > w.phi + w.le_phi + w.tax",
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
        "events of a thing that are not numbered one by one",
        "select o.object::text as row from outbox o where o.topic = 'event' group by o.object
         having min(o.sequence) is distinct from 1 or max(o.sequence) <> count(*)
             or count(distinct o.sequence) <> count(*) or max(o.sequence) is distinct from (select s.last from event_sequence s where s.object = o.object)",
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
];
