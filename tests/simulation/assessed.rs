//! What agencies charge beside the fees of the schedule: taxes by the notices of offices elsewhere, and prices of services
//! by their sellers' invoices; and many bills in one request, each row answered on its own.

use crate::changes::amount;
use crate::fees::{Charge, LAND, SAVED};
use crate::life::{Life, Promised};
use crate::process::live;
use crate::seen::Seen;
use chung::app::App;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{Agency, Id, Verification},
    money::Money,
    text::Line,
};
use chung::flow::{Error, create_bill::create_bill, issue_by_owner::issue_by_owner, issue_many::issue_many};
use chung::payment::{
    bill::{Beneficiary, BillLine},
    exemption::Facts,
    fee::{Asked, Bilingual, FeeKind},
    invoice::Invoice,
    issue::Draft,
    notice::Notice,
};
use serde_json::Value;
use sqlx::Row;
use std::time::Duration;
use uuid::Uuid;

/// The fees of an enterprise as the platform's protocol names them: code, kind and amount.
pub const LINES: [(&str, &str, i64); 2] = [("DKKD-01", "2", 50_000), ("DKKD-02", "1", 100_000)];

fn name(text: &str) -> Bilingual {
    Bilingual { vi: Line::parse(text).unwrap(), en: Line::parse(text).unwrap() }
}

fn account(number: &str) -> Beneficiary {
    Beneficiary {
        agency: None,
        bank: "970405".to_owned(),
        number: number.to_owned(),
        holder: Line::parse("KHO BAC").unwrap(),
    }
}

fn line(fee: &str, kind: FeeKind, amount: i64, to: &str) -> BillLine {
    BillLine {
        fee: fee.parse().unwrap(),
        kind,
        name: name("Khoản nộp"),
        count: 1,
        gross: Money::vnd(amount),
        amount: Money::vnd(amount),
        retained: Money::vnd(0),
        legal_basis: Line::parse("Luật").unwrap(),
        beneficiary: account(to),
        notice: None,
        invoice: None,
    }
}

/// A tax that an office elsewhere has assessed; its notice begins with zeros.
pub fn tax(nth: usize) -> BillLine {
    let number = format!("{nth:016}");
    let notice = Notice::parse(&number, "757", "1701", "79002").unwrap();
    BillLine { notice: Some(notice), ..line("TAX", FeeKind::Tax, 90_000 + nth as i64, "7115") }
}

/// The accounts of two sellers.
const SELLERS: [&str; 2] = ["3711", "3712"];

/// The price of a service by its seller's invoice.
pub fn service(nth: usize, today: Day) -> BillLine {
    let price = 40_000 + nth as i64;
    let invoice = Invoice {
        number: format!("{}", nth + 1),
        serial: "1K26TAA".to_owned(),
        issued_on: today,
        tax_code: "0101243150".to_owned(),
        name: name("Trích đo"),
        amount: Money::vnd(price),
    };
    let name = invoice.name.clone();
    BillLine { name, invoice: Some(invoice), ..line("SERVICE", FeeKind::Service, price, SELLERS[nth % 2]) }
}

impl Life<'_> {
    /// A draft with a tax, the price of a service, or both, beside the fees or alone, and what it must ask for.
    fn assessed(&mut self, key: &str, agency: Id<Agency>) -> (Draft, Charge) {
        let mut draft = self.draft(key, agency);
        let which = self.chance.below(4);
        if which != 0 {
            draft.obligations.push(tax(self.keys));
        }
        if which < 2 {
            // Sometimes an invoice that another bill charges, or did.
            let nth = if self.chance.percent(25) { self.sold.saturating_sub(1) } else { self.sold };
            self.sold = self.sold.max(nth + 1);
            draft.obligations.push(service(nth, Day::of(self.clock.now())));
        }
        if self.chance.percent(30) {
            draft.asked.clear();
        }
        draft.together = true;
        let beside: i64 = draft.obligations.iter().map(|line| line.amount.minor()).sum();
        let fees = if draft.asked.is_empty() { 0 } else { self.price() };
        (draft, Charge { total: fees + beside, beside, ..Charge::default() })
    }

    /// A draft of fees that a verified fact reduces, and what it must ask for.
    fn reduced(&self, key: &str, agency: Id<Agency>) -> (Draft, Charge) {
        let mut draft = self.draft(key, agency);
        draft.procedure = "1.012782".parse().unwrap();
        let asked = |fee: &str| Asked { fee: fee.parse().unwrap(), count: 1, copies: 1, value: None };
        draft.asked = vec![asked("DD-01"), asked("DD-02")];
        draft.circumstances.applicant = Facts { account_level: Some(2), ..Facts::default() };
        let verification: Id<Verification> = Id::from_uuid(Uuid::from_u128(0x0e1d + self.keys as u128));
        draft.grounds.applicant = Some(verification);
        let times = self.times();
        let total = LAND.iter().sum::<i64>() * times;
        (draft, Charge { total, land: true, saved: SAVED * times, ..Charge::default() })
    }

    /// A draft by chance, and what it must ask for.
    pub fn some_draft(&mut self, key: &str, agency: Id<Agency>, seen: &Seen) -> (Draft, Charge) {
        match self.chance.below(10) {
            0..=2 => self.assessed(key, agency),
            3 | 4 => {
                seen.note("bill reduced by a fact");
                self.reduced(key, agency)
            }
            _ => (self.draft(key, agency), Charge { total: self.price(), ..Charge::default() }),
        }
    }

    /// Issues a draft, whichever way takes it.
    pub async fn issued(app: &App, draft: Draft) -> Result<String, Error> {
        if draft.invoices().next().is_some() {
            return Ok(issue_by_owner(app, draft, false).await?.to_string());
        }
        create_bill(app, draft).await
    }

    /// Many bills in one request: rows that are well, that are refused, that stand twice, and whose key is another's.
    pub async fn issue_in_bulk(&mut self, seen: &Seen) {
        let agency = self.agencies[self.chance.below(2)];
        let mut rows: Vec<(Draft, Want)> = Vec::new();
        for _ in 0..2 + self.chance.below(4) {
            self.keys += 1;
            let key = format!("row {}", self.keys);
            let (mut draft, charge) = self.some_draft(&key, agency, seen);
            let want = match self.chance.below(6) {
                0 => {
                    draft.due = Day::of(self.clock.now()).plus_days(-1);
                    Want::Refused("due_in_the_past")
                }
                1 => {
                    draft.asked.push(Asked {
                        fee: "KHONG-CO".parse().unwrap(),
                        count: 1,
                        copies: 1,
                        value: None,
                    });
                    Want::Refused("unknown_fee")
                }
                _ => Want::Issued(charge),
            };
            rows.push((draft, want));
        }
        if self.chance.percent(40) {
            let (draft, want) = rows[0].clone();
            rows.push((draft, want));
        }
        // Only behind one that is issued for certain: an invoice may be another bill's, and then nobody knows the key.
        let certain = matches!(rows[0].1, Want::Issued(_)) && rows[0].0.invoices().next().is_none();
        if self.chance.percent(40) && certain {
            let (mut draft, _) = rows[0].clone();
            draft.key.1 = [7; 32];
            rows.push((draft, Want::Refused("idempotency_key_reused")));
        }
        let drafts = || rows.iter().map(|(draft, _)| Ok((draft.clone(), false))).collect::<Vec<_>>();
        let dies = self.chance.percent(30);
        let death = if dies { Some(self.dying(seen)) } else { self.death(seen) };
        self.say("many bills are asked for at once");
        let first = live(&self.app, death, async |app: App| issue_many(&app, drafts()).await).await;
        self.see_what_is_done(&rows, first.is_none(), seen).await;
        let told = loop {
            let told =
                live(&self.app, None, async |app: App| issue_many(&app, drafts()).await).await.unwrap();
            let told = told.unwrap_or_else(|error| panic!("{error:?}"));
            let waits = |row: &Value| row["code"] == "request_in_progress";
            if !told["rows"].as_array().unwrap().iter().any(waits) {
                break told;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let answered = told["rows"].as_array().unwrap();
        assert_eq!(answered.len(), rows.len(), "each row is answered");
        if let Some(Ok(first)) = &first {
            let bill = |row: &Value| row["bill"].as_str().map(str::to_owned);
            let bills = |told: &Value| told["rows"].as_array().unwrap().iter().map(bill).collect::<Vec<_>>();
            if !first["rows"].to_string().contains("request_in_progress") {
                assert_eq!(bills(first), bills(&told), "a row sent again is the bill that it was");
            }
        }
        for (row, (draft, want)) in answered.iter().zip(&rows) {
            self.judge_row(row, (draft, want), seen);
        }
        seen.note("bills in bulk");
    }

    /// Whether a process that died over many rows had issued some of them and not others.
    async fn see_what_is_done(&self, rows: &[(Draft, Want)], died: bool, seen: &Seen) {
        if !died {
            return;
        }
        let well = rows.iter().filter(|(_, want)| matches!(want, Want::Issued(_)));
        let keys: Vec<String> = well.map(|(draft, _)| format!("'{}'", draft.key.0)).collect();
        if keys.is_empty() {
            return;
        }
        let sql = format!("select count(*) from idempotency_key where key in ({})", keys.join(", "));
        let done = self.world.rows(&sql).await[0].get::<i64, _>(0);
        if 0 < done && done < keys.len() as i64 {
            seen.note("died amid many rows");
        }
    }

    fn judge_row(&mut self, row: &Value, (draft, want): (&Draft, &Want), seen: &Seen) {
        match want {
            Want::Refused(code) => {
                assert_eq!((&row["outcome"], &row["code"]), (&"refused".into(), &(*code).into()), "{row}");
                seen.note(format!("row refused: {code}"));
            }
            Want::Issued(_) if row["code"] == "invoice_known" => seen.note("row refused: invoice_known"),
            Want::Issued(charge) => {
                let (id, reference) = (row["bill"].as_str(), row["reference"].as_str());
                let (Some(id), Some(reference)) = (id, reference) else { panic!("{row}") };
                assert_eq!(amount(row), charge.total, "{row}");
                if self.bills.iter().any(|promised| promised.reference == reference) {
                    return seen.note("a row that stands twice");
                }
                self.bills.push(Promised {
                    id: id.parse().unwrap(),
                    reference: reference.to_owned(),
                    agency: draft.agency,
                    owner: draft.agency,
                    key: draft.key.0.clone(),
                    answer: row.to_string(),
                    charge: *charge,
                });
            }
        }
    }
}

/// What must become of a row.
#[derive(Clone)]
enum Want {
    Issued(Charge),
    Refused(&'static str),
}
