//! The transfers of one settling batch: money that names a bill by its reference and no attempt of ours.
//!
//! Banks strip punctuation, change case and put their own words around the reference; every window of the text that
//! checks as a reference is looked up, and only one that names a bill counts. A text that names two bills names none.
//! An attempt for the transfer exists in memory alone until the money settles the bill. Past its due day a bill asks for more
//! each day: a transfer of what it asked for on the day of its order, or of its booking, by the rule of that day or the one from
//! which that day began, is late interest charged and paid.

use super::{
    Error, Result,
    charge_late::{asked_at, charge},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        entropy::random,
        id::{Id, Payment},
        money::Money,
        reference::Reference,
    },
    codec::iso20022::Uetr,
    payment::{
        bill,
        settlement::{Credit, Origin, Outcome},
    },
    store::{
        Tx, bill as bills,
        inbox::CreditKey,
        payment::Expected,
        silence,
        transfer::{self, Settled},
    },
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How much came, and the days on which it may have been paid, the likelier first.
pub type Came = (Money, [Day; 2]);

/// What came with a credit.
pub fn came(credit: &Credit) -> Came {
    (credit.sent(), [credit.origin.ordered_on().unwrap_or(credit.booked_on), credit.booked_on])
}

/// Charges the interest that came with the money of late bills; whether there was any. Whoever sent what the bill asks for now is
/// not looked at, and while an attempt is under way what is asked stands still.
async fn charge_days(
    app: &App,
    tx: &mut Tx,
    came: &BTreeMap<Id<Payment>, Came>,
    found: &[(Expected, Day)],
    now: Instant,
) -> Result<bool> {
    let mut charged = false;
    for (of, _) in found {
        let Some((amount, days)) = came.get(&of.known.payment) else { continue };
        if of.known.bill_state != bill::State::Open || amount.minor() <= of.known.amount.minor() {
            continue;
        }
        let live = bills::lock_bill(tx, of.known.bill).await?.is_none_or(|(_, live)| live);
        let Some(mut stored) = bills::bill(tx, of.known.bill).await?.filter(|_| !live) else { continue };
        for day in days {
            let paid = day.start();
            let asked = match asked_at(app, tx, &stored, paid).await {
                Err(Error::Refused(_)) => Vec::new(),
                asked => asked?,
            };
            if let Some(late) = asked.into_iter().find(|(lines, _)| lines.total() == *amount) {
                charge(app, tx, &mut stored, late, (paid, now)).await?;
                charged = true;
                break;
            }
        }
    }
    Ok(charged)
}

/// What is known of the batch's transfers, and what will be written of them.
#[derive(Default)]
pub struct Transfers {
    named: BTreeMap<Reference, Id<Payment>>,
    due: BTreeMap<Id<Payment>, Day>,
    settled: Vec<(Id<Payment>, Uuid)>,
    origins: Vec<(CreditKey, Origin)>,
}

impl Transfers {
    /// Looks up what the texts may name; with it the attempts that would settle the bills. A batch without transfers
    /// asks nothing.
    pub async fn read(
        app: &App,
        tx: &mut Tx,
        came: BTreeMap<Reference, Came>,
        now: Instant,
    ) -> Result<(Self, Vec<Expected>)> {
        if came.is_empty() {
            return Ok((Self::default(), Vec::new()));
        }
        let wanted: Vec<(Reference, Id<Payment>)> =
            came.keys().map(|reference| (*reference, Id::new(now, &*app.entropy))).collect();
        let mut found = transfer::lock_named(tx, &wanted, now).await?;
        let came = wanted.iter().filter_map(|(reference, payment)| Some((*payment, *came.get(reference)?)));
        if charge_days(app, tx, &came.collect(), &found, now).await? {
            found = transfer::lock_named(tx, &wanted, now).await?;
        }
        let bills: Vec<_> = found.iter().map(|(of, _)| of.known.bill).collect();
        let silences = silence::of_bills(tx, &bills, now).await?;
        let until = |(of, due): &(Expected, Day)| {
            let silences = silences.get(&of.known.bill).map_or(&[][..], Vec::as_slice);
            (of.known.payment, bill::pay_until(*due, silences))
        };
        let due: BTreeMap<_, _> = found.iter().map(until).collect();
        let named = wanted.into_iter().filter(|(_, payment)| due.contains_key(payment)).collect();
        Ok((Self { named, due, ..Self::default() }, found.into_iter().map(|(of, _)| of).collect()))
    }

    /// Whether the batch has any.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The attempt in whose place a credit stands whose text may name these, and the due day of its bill.
    pub fn of(&self, references: &[Reference]) -> Option<(Id<Payment>, Day)> {
        let mut named = references.iter().filter_map(|reference| self.named.get(reference));
        let payment = *named.next()?;
        if named.next().is_some() { None } else { Some((payment, *self.due.get(&payment)?)) }
    }

    /// Notes what became of a credit: a transfer that settles is a payment, and where money came from is kept for
    /// whatever no request of ours asked for and whatever waits.
    pub fn note(
        &mut self,
        app: &App,
        key: &CreditKey,
        credit: &Credit,
        transfer: Option<Id<Payment>>,
        outcome: Outcome,
    ) {
        match (transfer, outcome) {
            (None, Outcome::Settles) => return,
            (Some(payment), Outcome::Settles) => {
                let drawn = || Uetr::new(Uuid::from_bytes(random(&*app.entropy))).uuid();
                self.settled.push((payment, credit.origin.uetr.unwrap_or_else(drawn)));
            }
            (_, Outcome::Suspends(_)) => {}
        }
        self.origins.push((key.clone(), credit.origin.clone()));
    }

    /// Adds the payments; before anything refers to them.
    pub async fn write_payments(
        &self,
        tx: &mut Tx,
        expected: &BTreeMap<Id<Payment>, Expected>,
        now: Instant,
    ) -> Result<()> {
        let settled: Vec<Settled<'_>> = self
            .settled
            .iter()
            .filter_map(|(payment, uetr)| Some(Settled { expected: expected.get(payment)?, uetr: *uetr }))
            .collect();
        if !settled.is_empty() {
            transfer::insert_settled(tx, &settled, now).await?;
        }
        Ok(())
    }

    /// Adds where money came from; after the credits are there.
    pub async fn write_origins(&self, tx: &mut Tx) -> Result<()> {
        if !self.origins.is_empty() {
            transfer::insert_origins(tx, &self.origins).await?;
        }
        Ok(())
    }
}
