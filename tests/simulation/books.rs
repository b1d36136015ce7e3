//! The books of each agency apart: what it was paid by kind of fee, what of it it keeps, what it owes back and what it bore,
//! told a second time by bills, refunds and orders; and the lines of paid bills told a second time by the tariff and by whom
//! the money was asked for.

use crate::late::is_interest;
use crate::life::Life;
use chung::base::id::{Agency, Id};
use sqlx::Row;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Credits are negative, as in the books. Money on paper that nobody owed came and is owed back whole: it is nobody's fee.
const DOCUMENTS: &str = "with line as (
         select p.id as payment, l.nth - 1 as line, coalesce((l.line ->> 'agency')::uuid, b.agency_id) as agency,
             'fee_' || (l.line ->> 'kind') as kind, (l.line ->> 'amount')::bigint as amount,
             (l.line ->> 'retained')::bigint as kept
         from bill b join payment p on p.id = b.paid_by join bill_content c on c.bill_id = b.id
         join lateral jsonb_array_elements(c.lines) with ordinality as l (line, nth) on true
         where b.state = 'paid'),
     back as (
         select f.*, r.payment_id from refund r join refund_line f on f.refund_id = r.id
         where r.decided_at is not null and (r.state = 'done' or r.state <> 'declined' and r.way <> 'treasury')),
     moved as (
         select agency, kind, kept - amount as amount from line
         union all select agency, 'fee_phi_retained', -kept from line
         union all select l.agency, l.kind, b.amount - b.kept from back b
             join line l on (l.payment, l.line) = (b.payment_id, b.line)
         union all select l.agency, 'fee_phi_retained', b.kept from back b
             join line l on (l.payment, l.line) = (b.payment_id, b.line)
         union all select agency_id, case kind when 'retained' then 'fee_phi_retained' else 'fee_' || kind end, amount
             from payout where state = 'done' and kind <> 'collected'
         union all select agency_id, 'refund_due', -amount from refund
             where way <> 'treasury' and decided_at is not null and state not in ('declined', 'done')
         union all select s.agency_id, d.toward, -s.amount from suspense s
             join suspense_decision d on d.suspense_id = s.id and d.approved_by is not null
             where d.toward = 'unclaimed' or d.toward = 'refund_due' and not exists (select from refund r
                 where r.case_id = s.id and r.decided_at is not null and r.state <> 'declined'))
     select agency, kind, sum(amount)::bigint as sum from moved group by agency, kind having sum(amount) <> 0";

const BOOKS: &str = "select a.agency_id as agency, a.kind, sum(p.amount)::bigint as sum
     from posting p join ledger_account a on a.id = p.account_id
     where a.kind like 'fee_%' or a.kind in ('refund_due', 'unclaimed', 'bank_charges')
     group by a.agency_id, a.kind having sum(p.amount) <> 0";

/// What banks kept is a cost of the agency whose bill was paid by the rest.
const CHARGED: &str = "select b.agency_id as agency, c.servicer_reference as reference from credit c
     join payment p on p.id = c.payment_id join bill b on b.id = p.bill_id where c.outcome = 'settled'";

/// The paid bills, each with its lines, and whether it is all of what was charged.
const PAID: &str =
    "select b.id, b.agency_id, c.lines, not exists (select from bill_link k where k.bill_id = b.id
         and k.relation in ('instalment', 'difference')) as whole
     from bill b join bill_content c on c.bill_id = b.id where b.state = 'paid'";

/// What each fee is: its code, its kind, what it costs once, and how many hundredths of it its agency keeps.
const TARIFF: [(&str, &str, i64, i64); 4] = [
    ("DKKD-01", "le_phi", 50_000, 0),
    ("DKKD-02", "phi", 100_000, 75),
    ("DD-01", "phi", 700_000, 75),
    ("DD-02", "le_phi", 50_000, 0),
];

/// The balances by agency and kind of account.
type Balances = BTreeMap<(Uuid, String), i64>;

impl Life<'_> {
    /// Both tell the same of every agency.
    pub async fn check_agencies(&self) {
        let mut expected = self.balances(DOCUMENTS).await;
        for row in self.world.rows(CHARGED).await {
            let reference: String = row.get("reference");
            let kept = self.rails.truth.lock().unwrap().kept.get(&reference).copied().unwrap_or(0);
            if kept > 0 {
                *expected.entry((row.get("agency"), "bank_charges".to_owned())).or_default() += kept;
            }
        }
        let held = self.balances(BOOKS).await;
        assert_eq!(held, expected, "each agency's books, and what its documents say");
    }

    async fn balances(&self, sql: &str) -> Balances {
        let rows = self.world.rows(sql).await;
        rows.iter().map(|row| ((row.get("agency"), row.get("kind")), row.get("sum"))).collect()
    }

    /// Every paid line is of the kind, of the price and of the kept part that the tariff says, and belongs to whom it was
    /// asked for: to the agency of then, where another took its place afterwards.
    pub async fn check_lines(&self) {
        for row in self.world.rows(PAID).await {
            let id: Uuid = row.get("id");
            let promised = self.bills.iter().find(|promised| promised.id.uuid() == id).unwrap();
            let now = (promised.agency, promised.owner);
            let (asks, owner) = self.paid_before.get(&id).copied().unwrap_or(now);
            let asked: Id<Agency> = Id::from_uuid(row.get("agency_id"));
            assert_eq!(asked, asks, "{} was paid to another agency than asked for it", promised.id);
            let lines: serde_json::Value = row.get("lines");
            let mut times = Vec::new();
            for line in lines.as_array().unwrap() {
                let of =
                    line["agency"].as_str().map_or(asked, |id| Id::from_uuid(Uuid::parse_str(id).unwrap()));
                assert_eq!(of, owner, "{} belongs to another agency: {line}", promised.id);
                let number = |name: &str| line[name].as_i64().unwrap();
                let (amount, kept) = (number("amount"), number("retained"));
                let fee = TARIFF.iter().find(|fee| line["fee"] == fee.0);
                if is_interest(line) {
                    assert!(
                        kept == 0 && ["phi", "le_phi"].contains(&line["kind"].as_str().unwrap()),
                        "{line}"
                    );
                    continue;
                }
                let (kind, percent) = match (fee, line["fee"].as_str().unwrap()) {
                    (Some(fee), _) => (fee.1, fee.3),
                    (None, "TAX") => ("tax", 0),
                    (None, "SERVICE") => ("service", 0),
                    (None, other) => panic!("{other} is no fee"),
                };
                assert_eq!(line["kind"], kind, "{line}");
                // Instalments of instalments are rounded twice.
                assert!((100 * kept - percent * amount).abs() <= 200, "another part is kept: {line}");
                if let (Some(fee), true) = (fee, row.get("whole")) {
                    assert_eq!(number("gross") % fee.2, 0, "{line}");
                    times.push(number("gross") / fee.2);
                }
            }
            assert!(times.windows(2).all(|two| two[0] == two[1]), "charged by two versions: {lines}");
        }
    }
}
