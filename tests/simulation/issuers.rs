//! An issuer of receipts elsewhere, from whom one agency has its receipts in some lives: it is away, its answers get lost, and
//! it gives one receipt for a payment and kind however often it is asked, and adjusts each for what went back. An agency may
//! leave it and come back; what was ordered meanwhile is fetched and adjusted all the same.

use crate::life::{Life, expect_or_refused};
use crate::process::live;
use crate::rails::Rails;
use crate::seen::Seen;
use chung::app::App;
use chung::base::{
    id::{Agency, Id},
    secret::Secret,
};
use chung::flow::{
    Error, adjust_receipts::adjust_due_receipts, issue_due_receipts::issue_due_receipts,
    receipt_issuer::set_receipt_issuer,
};
use chung::partner::receipt_issuer::{Issuer, NotProvided, Order, Provided, ReceiptIssuers};
use futures_util::future::BoxFuture;
use sqlx::Row;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const ADDRESS: &str = "http://receipts.example/orders";
const TOKEN: &[u8] = b"theirs";

/// What the issuer made: under each name, the number and the amount.
pub type Made = BTreeMap<String, (u64, i64)>;

/// What the issuer adjusted: under each name, the number, the amount, and the number of the receipt that it takes back from.
pub type AdjustedThere = BTreeMap<String, (u64, i64, u64)>;

/// Who takes orders there.
pub struct Elsewhere(pub Arc<Rails>);

impl ReceiptIssuers for Elsewhere {
    fn order<'a>(&'a self, at: &'a Issuer, order: &'a Order) -> BoxFuture<'a, Result<Provided, NotProvided>> {
        assert_eq!((at.url.as_str(), at.token.expose().as_slice()), (ADDRESS, TOKEN));
        let answer = self.ordered(order);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }
}

impl Elsewhere {
    fn ordered(&self, order: &Order) -> Result<Provided, NotProvided> {
        if self.0.fault(25, "fault: issuer away") {
            return Err(NotProvided::Silence);
        }
        if self.0.fault(10, "fault: issuer refuses") {
            return Err(NotProvided::Refused(429));
        }
        let sum: i64 = order.lines.iter().map(|line| line.3).sum();
        assert_eq!(sum, order.total, "{order:?}");
        let number = self.numbered(order);
        if self.0.fault(25, "fault: issuer's answer lost") {
            return Err(NotProvided::Silence);
        }
        Ok(Provided {
            form: "01BLP".to_owned(),
            series: "AB-26E".to_owned(),
            number: number.to_string(),
            issued_at: order.paid_at.clone(),
            lookup: "http://receipts.example".to_owned(),
        })
    }

    /// The number under which an order is carried out, once.
    fn numbered(&self, order: &Order) -> u64 {
        let mut truth = self.0.truth.lock().unwrap();
        let next = (truth.made_elsewhere.len() + truth.adjusted_elsewhere.len()) as u64 + 1;
        let Some(of) = &order.adjusts else {
            let (number, amount) =
                *truth.made_elsewhere.entry(order.key.clone()).or_insert((next, order.total));
            assert_eq!(amount, order.total, "one order under one name: {order:?}");
            return number;
        };
        let of = of.number.parse().unwrap();
        let asked = (order.total, of);
        let (number, amount, original) =
            *truth.adjusted_elsewhere.entry(order.key.clone()).or_insert((next, asked.0, asked.1));
        assert_eq!((amount, original), asked, "one order under one name: {order:?}");
        let made = truth.made_elsewhere.values().find(|made| made.0 == of).unwrap();
        let back: i64 = truth.adjusted_elsewhere.values().filter(|one| one.2 == of).map(|one| one.1).sum();
        assert!(back <= made.1, "{back} of {made:?} went back");
        number
    }
}

async fn order_what_waits(app: App) -> Result<usize, Error> {
    issue_due_receipts(&app).await?;
    adjust_due_receipts(&app).await
}

impl Life<'_> {
    /// In some lives one of the agencies has its receipts from elsewhere.
    pub async fn begin_elsewhere(&mut self, seen: &Seen) {
        if self.chance.percent(40) {
            let agency = self.agencies[self.chance.below(2)];
            self.have_receipts(agency, true).await;
            seen.note("receipts from elsewhere");
        }
    }

    async fn have_receipts(&mut self, agency: Id<Agency>, elsewhere: bool) {
        let key = self.act_key("issuer");
        let other = elsewhere.then(|| (ADDRESS.parse().unwrap(), Secret::new(TOKEN.to_vec())));
        set_receipt_issuer(&self.app, agency, other, &key).await.unwrap();
    }

    /// The agency leaves its issuer, or comes back to it.
    pub async fn change_issuer(&mut self, seen: &Seen) {
        let issuer = self.world.rows("select agency_id from receipt_issuer where ended_at is null").await;
        let agency = match issuer.first() {
            Some(row) => Id::from_uuid(row.get("agency_id")),
            None if self.rails.truth.lock().unwrap().made_elsewhere.is_empty() => return,
            None => self.agencies[self.chance.below(2)],
        };
        self.say("the issuer of receipts changes");
        self.have_receipts(agency, issuer.is_empty()).await;
        seen.note("issuer of receipts changed");
    }

    /// What waits is ordered and adjusted while everything still fails.
    pub async fn ask_the_issuer(&mut self, seen: &Seen) {
        if self.world.rows("select from receipt_due where reason = 'issuer' limit 1").await.is_empty() {
            return;
        }
        for _ in 0..3 {
            let death = self.death(seen);
            self.say("receipts are ordered elsewhere");
            let done = live(&self.app, death, order_what_waits);
            done.await.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
            self.clock.advance(Duration::from_secs(700));
        }
    }

    /// What waits at the issuer is asked for until it is there, also where the agency has left it.
    pub async fn fetch_the_rest(&mut self) {
        let waits = "select bill_id from receipt_due where reason = 'issuer' union all select bill_id from adjustment_order
                     union all select payment_id from adjustment_due";
        for _ in 0..24 {
            let rows = self.world.rows(waits).await;
            if rows.is_empty() {
                return;
            }
            let done = live(&self.app, None, order_what_waits);
            done.await.unwrap().unwrap();
            self.clock.advance(Duration::from_secs(1_900));
        }
    }

    /// What the issuer made is what is kept of it, once for each payment, kind and owner.
    pub async fn check_made_elsewhere(&self, seen: &Seen) {
        let rows = self.world.rows("select payment_id, kind, number, amount from provided_receipt").await;
        let kept: BTreeMap<u64, (String, i64)> = rows
            .iter()
            .map(|row| {
                let of = format!(
                    "{}-{}",
                    Id::<chung::base::id::Payment>::from_uuid(row.get::<Uuid, _>("payment_id")),
                    row.get::<&str, _>("kind")
                );
                (row.get::<&str, _>("number").parse().unwrap(), (of, row.get("amount")))
            })
            .collect();
        let (made_elsewhere, adjusted_elsewhere) = {
            let truth = self.rails.truth.lock().unwrap();
            (truth.made_elsewhere.clone(), truth.adjusted_elsewhere.clone())
        };
        assert_eq!(
            (kept.len(), rows.len()),
            (made_elsewhere.len(), made_elsewhere.len()),
            "{kept:?} is kept of {made_elsewhere:?}"
        );
        for (name, (number, amount)) in &made_elsewhere {
            let fits = kept.get(number).is_some_and(|(of, kept)| name.starts_with(of) && kept == amount);
            assert!(fits, "{name}, made under {number}, is kept as {:?}", kept.get(number));
        }
        if !rows.is_empty() {
            seen.note("receipt made elsewhere");
        }
        let adjusted =
            self.world.rows("select refund_id, kind, number, amount from provided_adjustment").await;
        assert_eq!(adjusted.len(), adjusted_elsewhere.len(), "{adjusted_elsewhere:?}");
        for row in &adjusted {
            let refund = Id::<chung::base::id::Refund>::from_uuid(row.get::<Uuid, _>("refund_id"));
            let of = format!("{refund}-{}-", row.get::<&str, _>("kind"));
            let told = (row.get::<&str, _>("number").parse().unwrap(), row.get::<i64, _>("amount"));
            let fits =
                |(name, made): (&String, &(u64, i64, u64))| name.starts_with(&of) && (made.0, made.1) == told;
            assert!(adjusted_elsewhere.iter().any(fits), "{of} {told:?} was not made there");
        }
        // What a payment gave receipts of elsewhere alone is adjusted there for all that went back of it.
        let short = self.world.rows(
            "select r.id from refund r where r.state = 'done'
                 and (select sum(p.amount) from provided_receipt p where p.payment_id = r.payment_id)
                     = (select p.amount from payment p where p.id = r.payment_id)
                 and r.amount <> (select coalesce(sum(a.amount), 0) from provided_adjustment a where a.refund_id = r.id)",
        );
        assert!(short.await.is_empty(), "money went back of which the issuer was not told");
        if !adjusted.is_empty() {
            seen.note("receipt adjusted elsewhere");
        }
    }
}
