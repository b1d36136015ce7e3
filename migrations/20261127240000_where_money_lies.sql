-- Where money lies that shall go back is decided by the parts of the lines that go back, never by the payment as a whole: of a
-- line of phí the kept part and the rest may go on by two orders, or one of them by none.

-- How much of what goes back of a line comes out of its kept part.
alter table refund_line add column kept bigint;
alter table refund_line disable trigger refund_line_is_append_only;
update refund_line l set kept = of.kept
from (
    select o.refund_id, o.line,
        case when o.charged > 0 and o.state <> 'declined'
            then trunc(o.retained * o.upto / o.charged) - trunc(o.retained * (o.upto - o.amount) / o.charged)
            else 0 end::bigint as kept
    from (
        select b.refund_id, b.line, b.amount, r.state,
            coalesce((c.lines -> b.line::integer ->> 'retained')::numeric, 0) as retained,
            coalesce((c.lines -> b.line::integer ->> 'amount')::numeric, 0) as charged,
            sum(case when r.state = 'declined' then 0 else b.amount end)
                over (partition by r.payment_id, b.line order by r.decided_at nulls last, r.id) as upto
        from refund_line b join refund r on r.id = b.refund_id left join bill_content c on c.bill_id = r.bill_id
    ) o
) of
where of.refund_id = l.refund_id and of.line = l.line;
alter table refund_line enable trigger refund_line_is_append_only;
alter table refund_line alter column kept set not null;
alter table refund_line add constraint refund_line_kept check (kept between 0 and amount);
comment on column refund_line.kept is 'how much of it comes out of the part of phí that the agency keeps';

alter table refund_line_source add column kept bigint not null default 0;
update refund_line_source s set kept = of.kept
from (
    select r.payment_id, l.line, sum(l.kept)::bigint as kept
    from refund_line l join refund r on r.id = l.refund_id where r.state <> 'declined' group by 1, 2
) of
where of.payment_id = s.payment_id and of.line = s.line;
alter table refund_line_source add constraint refund_kept_within check (kept between 0 and refunded);
comment on column refund_line_source.kept is 'how much of what is promised back comes out of the kept part';

-- What was remitted goes back by the Treasury's order, which names the one order of ours that remitted it.
alter table refund add column payout_id uuid constraint refund_remitted_by references payout;
alter table refund add constraint refund_by_treasury check (payout_id is null or way = 'treasury');
create index refund_of_payout on refund (payout_id) where payout_id is not null;
comment on column refund.payout_id is 'the order that passed its money on to the Treasury; none where the money lies here';
