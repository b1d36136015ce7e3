-- Money that no line shows as its own and that people found on another: the bank collected several credits into one line, divided
-- one over many, or rounded it. It lies in the account as surely as what a line shows. What the bank booked and took back does not.
create view credit_found as
    select k.account_id, k.servicer_reference, o.line_id
    from "case" k
    join match_member m on m.case_id = k.id and m.living
    join match_group g on g.id = m.group_id and g.state = 'matched' and g.reason <> 'taken_back'
    join match_member n on n.group_id = g.id and n.living
    join "case" o on o.id = n.case_id and o.line_id is not null and o.stated > 0
    where k.servicer_reference is not null;
comment on view credit_found is 'credits that people found on lines of statements';
