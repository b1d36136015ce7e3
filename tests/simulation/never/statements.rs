//! Rows about what banks tell of days, and about closed days, that must never exist.

use super::{Law, always, law};

pub const LAWS: [Law; 9] = [
    always(
        "a matched statement that nobody can explain",
        "select id::text as row from statement_now
         where reconciled_at is not null and closing - opening is distinct from posted + explained",
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
        "a case that waits about a line that the bank took back, and did not end before",
        "select k.id::text as row from \"case\" k join withdrawn_line w on w.line_id = k.line_id
         where k.state in ('open', 'assigned') and k.servicer_reference is null and (k.stated is not null
             or not exists (select from case_note n where n.case_id = k.id and n.act = 'reopened'))",
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
        "a closed day without its leaf, its event or its second person",
        "select c.id::text as row from closing c where c.state <> 'approved' or c.decided_by = c.prepared_by
         or (select count(*) from outbox o where o.object = c.id and o.name = 'closing.approved') <> 1",
    ),
];
