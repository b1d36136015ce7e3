//! Books money that has arrived: many notifications, one transaction, an answer for each.
//!
//! This is the hot path. Everything is read set-wise, decided purely in the order of arrival, and written set-wise:
//! the number of statements does not grow with the batch. Locks and unique inserts go in one order (messages, bills
//! ascending with their payments, credits), so that two nodes do not wait for each other in a circle; a node that
//! loses a race writes nothing, and its messages are delivered again.

use super::{
    Error, Refusal, Result,
    agency_key::agency_keys,
    audit_leaf, bill_answer,
    event::event_row,
    issue_receipts::{Issued, SettledBill, issue_receipts},
    named_transfers::{Transfers, came},
    tell_paid::PaidTold,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Id, Leaf, Payment},
        reference::Reference,
    },
    codec::receipt_content::{LeafName, leaf_name},
    crypto::seal::{DataKey, WrappedKey},
    payment::{
        ledger::{self, Account},
        payment::State,
        settlement::{Credit, Notification, Outcome, Suspense, Taken, settle, settle_transfer},
    },
    store::{
        Tx,
        account::{self, Booked},
        audit::{self, NewLeaf},
        bill_version, case,
        inbox::{self, CreditKey, StoredCredit, StoredMessage, StoredSuspense},
        inheritance,
        ledger::{self as books, EntryKind, NewEntry},
        outbox::{self, NewOutbox},
        payment::{self, Expected},
        regular::Regular,
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Books one notification through the shared writer.
pub async fn settle_notification(app: &App, notification: Notification) -> Result<Taken> {
    Ok(app.batches.notifications.submit(notification).await?)
}

/// Books notifications in the order of arrival, and answers each.
pub async fn settle_all(app: &App, notifications: Vec<Notification>) -> Result<Vec<Taken>> {
    let now = app.clock.now();
    let mut tx = app.store.begin_as(Regular::Settling).await?;
    let numbers: BTreeSet<&str> = notifications.iter().map(|n| n.account.as_str()).collect();
    let accounts = account::booked(&mut tx, &numbers.into_iter().collect::<Vec<_>>()).await?;
    let taken = take(&mut tx, &notifications, &accounts, now).await?;
    let fresh: Vec<&Notification> =
        notifications.iter().zip(&taken).filter(|(_, t)| **t == Taken::Recorded).map(|(n, _)| n).collect();
    if fresh.is_empty() {
        return Ok(taken);
    }
    let told = fresh.iter().flat_map(|n| n.credits.iter().map(|credit| (&accounts[&n.account], credit)));
    book(app, &mut tx, &accounts, &told.collect::<Vec<_>>(), now).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Books credits of these accounts in that order; what became of each, and nothing of one that is in the books already.
pub(super) async fn book(
    app: &App,
    tx: &mut Tx,
    accounts: &BTreeMap<String, Booked>,
    told: &[(&Booked, &Credit)],
    now: Instant,
) -> Result<Vec<Option<Outcome>>> {
    let mut settling = Settling::read(app, tx, told, accounts, now).await?;
    let outcomes =
        told.iter().map(|(booked, credit)| settling.decide(booked, credit)).collect::<Result<_>>()?;
    settling.write(tx).await?;
    Ok(outcomes)
}

/// Remembers the messages about our accounts, and sorts out those that were taken before: in an earlier batch, or
/// earlier in this one. A message that another node takes at this moment is waited for, and was before.
async fn take(
    tx: &mut Tx,
    notifications: &[Notification],
    accounts: &BTreeMap<String, Booked>,
    now: Instant,
) -> Result<Vec<Taken>> {
    let key = |n: &Notification| (n.sender.clone(), n.message.clone());
    let mut first: BTreeMap<(String, String), StoredMessage> = BTreeMap::new();
    for notification in notifications.iter().filter(|n| accounts.contains_key(&n.account)) {
        first.entry(key(notification)).or_insert_with(|| message(notification));
    }
    let firsts: Vec<StoredMessage> = first.into_values().collect();
    let mut digests = BTreeMap::new();
    let mut fresh = inbox::insert_messages(tx, &firsts, now).await?;
    if fresh.len() < notifications.len() {
        let keys: Vec<(&str, &str)> =
            notifications.iter().map(|n| (n.sender.as_str(), n.message.as_str())).collect();
        for stored in inbox::messages(tx, &keys).await? {
            digests.insert((stored.sender, stored.biz_msg_idr), stored.digest);
        }
    }
    let taken = notifications.iter().map(|notification| {
        let key = key(notification);
        if accounts.contains_key(&notification.account) && fresh.remove(&key) {
            return Taken::Recorded;
        }
        match digests.get(&key) {
            Some(digest) if *digest == notification.digest => Taken::Repeated,
            Some(_) => Taken::OtherContent,
            None => Taken::UnknownAccount,
        }
    });
    Ok(taken.collect())
}

/// A bill that is paid in this batch, and the name for its receipts.
struct Paid {
    bill: Id<id::Bill>,
    payment: Id<Payment>,
    name: String,
    leaf: Id<Leaf>,
    servicer_reference: String,
}

/// What the leaf of a settlement commits to.
#[derive(Serialize)]
struct SettledDetails<'a> {
    payment: String,
    bill: String,
    amount: String,
    servicer_reference: &'a str,
    receipts: Vec<LeafName<'a>>,
}

/// One batch on its way: what is known, and what will be written.
struct Settling<'a> {
    app: &'a App,
    now: Instant,
    told_before: BTreeSet<CreditKey>,
    /// The bills that the text of credits may name which name an attempt that is none of ours.
    strange: BTreeMap<CreditKey, Vec<Reference>>,
    expected: BTreeMap<Id<Payment>, Expected>,
    transfers: Transfers,
    keys: BTreeMap<Id<Agency>, DataKey>,
    /// Who answers for agencies that are not active any more: bills that had ended stayed theirs.
    heirs: BTreeMap<Id<Agency>, Id<Agency>>,
    numbers: BTreeMap<Account, i32>,
    ended: Vec<(Id<Payment>, &'static str)>,
    paid: Vec<Paid>,
    entries: Vec<NewEntry>,
    credits: Vec<StoredCredit>,
    suspense: Vec<StoredSuspense>,
    leaves: Vec<NewLeaf>,
    events: Vec<NewOutbox>,
}

impl<'a> Settling<'a> {
    async fn read(
        app: &'a App,
        tx: &mut Tx,
        told: &[(&Booked, &Credit)],
        accounts: &BTreeMap<String, Booked>,
        now: Instant,
    ) -> Result<Self> {
        let credits = || told.iter().map(|(booked, credit)| (booked.id, *credit));
        let payments: Vec<Uuid> = credits().filter_map(|(_, c)| c.payment).map(Id::uuid).collect();
        let mut expected = payment::lock_expected(tx, &payments).await?;
        let strange = strangers(told, &payments, &expected);
        let texts = credits().map(|(_, c)| (c, &c.references));
        let texts = texts.chain(strange.iter().map(|(_, c, references)| (*c, references)));
        let came = texts.flat_map(|(c, references)| references.iter().map(|of| (*of, came(c)))).collect();
        let (transfers, named) = Transfers::read(app, tx, came, now).await?;
        expected.extend(named);
        let names: Vec<CreditKey> = credits().map(|(id, c)| (id, c.servicer_reference.clone())).collect();
        let told_before = inbox::credits(tx, &names).await?.into_keys().collect();
        let mut settling = Self {
            app,
            now,
            told_before,
            strange: strange.into_iter().map(|(key, _, references)| (key, references)).collect(),
            expected: BTreeMap::new(),
            transfers,
            keys: BTreeMap::new(),
            heirs: BTreeMap::new(),
            numbers: BTreeMap::new(),
            ended: Vec::new(),
            paid: Vec::new(),
            entries: Vec::new(),
            credits: Vec::new(),
            suspense: Vec::new(),
            leaves: Vec::new(),
            events: Vec::new(),
        };
        for booked in accounts.values() {
            settling.know_key(booked.owner, &booked.key)?;
            settling.numbers.insert(Account::Clearing(booked.id), booked.clearing);
            settling.numbers.insert(Account::Suspense(booked.id), booked.suspense);
        }
        let gone: BTreeSet<Id<Agency>> =
            expected.iter().filter(|one| !one.active).map(|one| one.agency).collect();
        if !gone.is_empty() {
            settling.know_heirs(tx, &gone.into_iter().collect::<Vec<_>>()).await?;
        }
        let mut beneficiaries = BTreeSet::new();
        for one in expected {
            settling.know_key(one.agency, &one.key)?;
            beneficiaries.insert(one.agency);
            beneficiaries.extend(one.lines.parts(one.agency).into_iter().map(|part| part.agency));
            settling.expected.insert(one.known.payment, one);
        }
        let beneficiaries: Vec<Id<Agency>> = beneficiaries.into_iter().collect();
        settling.numbers.extend(account::numbers_of_agencies(tx, &beneficiaries).await?);
        Ok(settling)
    }

    fn know_key(&mut self, agency: Id<Agency>, wrapped: &WrappedKey) -> Result<()> {
        if !self.keys.contains_key(&agency) {
            let key = self.app.keys.data_key(wrapped, agency.uuid().as_bytes())?;
            self.keys.insert(agency, key);
        }
        Ok(())
    }

    async fn know_heirs(&mut self, tx: &mut Tx, gone: &[Id<Agency>]) -> Result<()> {
        self.heirs = inheritance::heirs(tx, gone, None).await?;
        let keys = agency_keys(self.app, tx, self.heirs.values().copied()).await?;
        self.keys.extend(keys);
        Ok(())
    }

    /// Decides one credit; money that was told before is not booked again.
    fn decide(&mut self, booked: &Booked, credit: &Credit) -> Result<Option<Outcome>> {
        let name: CreditKey = (booked.id, credit.servicer_reference.clone());
        if !self.told_before.insert(name.clone()) {
            return Ok(None);
        }
        let attempt = credit.payment.filter(|id| self.expected.contains_key(id));
        let references = self.strange.get(&name).unwrap_or(&credit.references);
        let transfer = if attempt.is_none() { self.transfers.of(references) } else { None };
        let about = attempt.or(transfer.map(|(id, _)| id)).filter(|id| self.expected.contains_key(id));
        let known = about.and_then(|id| self.expected.get_mut(&id)).map(|e| &mut e.known);
        let was =
            known.as_ref().map(|known| (known.payment, known.attempt.as_str(), known.attempt.is_live()));
        let outcome = match (known, transfer) {
            (Some(known), Some((_, due))) => settle_transfer(known, booked.id, credit, due, self.now),
            (known, _) => settle(known, booked.id, credit.sent(), self.now),
        };
        let expected = was.and_then(|(id, _, _)| self.expected.get(&id));
        if let (Some((id, word, true)), Some(expected), None) = (was, expected, transfer)
            && !expected.known.attempt.is_live()
        {
            self.ended.push((id, word));
        }
        let entry = match (outcome, about) {
            (Outcome::Settles, Some(about)) => {
                self.share(about, credit);
                self.settled(credit, about)?
            }
            (Outcome::Settles, None) => return Err(Error::internal("a credit that settles nothing")),
            (Outcome::Suspends(reason), _) => {
                self.suspended(booked, credit, reason, about, transfer.is_some())?
            }
        };
        let transfer = transfer.map(|(id, _)| id);
        self.transfers.note(self.app, &name, credit, transfer, outcome);
        self.credits.push(StoredCredit {
            key: name,
            amount: credit.amount,
            payment: about.filter(|_| transfer.is_none() || outcome == Outcome::Settles),
            outcome,
            entry,
            booked_on: credit.booked_on,
            value_on: credit.value_on,
            accepted_at: credit.origin.accepted_at,
        });
        Ok(Some(outcome))
    }

    /// A bill that a transfer may pay can stand several times in one batch: each sees that it is paid.
    fn share(&mut self, paid: Id<Payment>, credit: &Credit) {
        if self.transfers.is_empty() {
            return;
        }
        let Some(of) = self.expected.get_mut(&paid) else { return };
        if of.bank.is_empty() {
            of.bank = credit.origin.bank.clone().unwrap_or_default();
        }
        let (bill, state) = (of.known.bill, of.known.bill_state);
        for other in self.expected.values_mut().filter(|other| other.known.bill == bill) {
            other.known.bill_state = state;
        }
    }

    /// The books of a paid bill. Its receipts, its leaf and its event follow when all are decided.
    fn settled(&mut self, credit: &Credit, about: Id<Payment>) -> Result<Id<id::Entry>> {
        let lost = || Error::internal("a settled payment that was not read");
        let expected = self.expected.get(&about).ok_or_else(lost)?;
        let known = &expected.known;
        let (agency, bill, payment) = (expected.agency, known.bill, known.payment);
        let charge = credit.charge.map(|charge| (charge.kind.cost(agency), charge.amount));
        let key = self.keys.get(&agency).ok_or_else(lost)?;
        let entry =
            ledger::settled_net(Account::Clearing(known.account), &expected.lines.parts(agency), charge)
                .map_err(Error::internal)?;
        let parties = bill_answer::open_parties(key, bill, &expected.parties)?;
        let name = parties.name_on_receipt().to_string();
        let leaf = Id::new(self.now, &*self.app.entropy);
        let servicer_reference = credit.servicer_reference.clone();
        self.paid.push(Paid { bill, payment, name, leaf, servicer_reference });
        Ok(self.book(EntryKind::Settled, payment.uuid(), leaf, entry))
    }

    /// The books, the log and the object of money that waits.
    fn suspended(
        &mut self,
        booked: &Booked,
        credit: &Credit,
        reason: Suspense,
        about: Option<Id<Payment>>,
        is_transfer: bool,
    ) -> Result<Id<id::Entry>> {
        let expected = about.and_then(|id| self.expected.get(&id));
        let named = expected.map_or(booked.owner, |expected| expected.agency);
        let agency = self.heirs.get(&named).copied().unwrap_or(named);
        let held = StoredSuspense {
            id: Id::new(self.now, &*self.app.entropy),
            credit: (booked.id, credit.servicer_reference.clone()),
            agency,
            reason,
            amount: credit.amount,
            bill: expected.map(|expected| expected.known.bill),
            payment: expected.filter(|_| !is_transfer).map(|expected| expected.known.payment),
        };
        let key = self.keys.get(&agency).ok_or_else(|| Error::internal("an agency without its key"))?;
        let details = json!({
            "case": held.id.to_string(),
            "reason": reason.as_str(),
            "amount": credit.amount.decimal(),
            "servicer_reference": credit.servicer_reference,
            "payment": held.payment.map(|id| id.to_string()),
        });
        let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: held.id.uuid() };
        let leaf = audit_leaf::leaf(self.app, self.now, "money.suspended", concern, key, &details);
        let entry = ledger::suspended(booked.id, credit.amount).map_err(Error::internal)?;
        let id = self.book(EntryKind::Suspended, held.id.uuid(), leaf.id, entry);
        self.leaves.push(leaf);
        self.tell("money.suspended", agency, held.id.uuid(), &details);
        self.suspense.push(held);
        Ok(id)
    }

    fn book(
        &mut self,
        kind: EntryKind,
        subject: Uuid,
        leaf: Id<Leaf>,
        entry: ledger::Entry,
    ) -> Id<id::Entry> {
        let id = Id::new(self.now, &*self.app.entropy);
        self.entries.push(NewEntry { id, kind, subject, leaf, entry });
        id
    }

    fn tell(&mut self, name: &'static str, agency: Id<Agency>, object: Uuid, told: &Value) {
        self.events.push(event_row(self.app, self.now, name, (agency, object), told));
    }

    /// Draws the receipts of the paid bills, and logs and tells of each.
    async fn issue(&mut self, tx: &mut Tx) -> Result<()> {
        let paid: Vec<(&Paid, &Expected)> =
            self.paid.iter().filter_map(|paid| Some((paid, self.expected.get(&paid.payment)?))).collect();
        let settled: Vec<SettledBill<'_>> = paid.iter().map(|(paid, of)| receipt_of(paid, of)).collect();
        let issued = issue_receipts(self.app, tx, self.now, &settled).await?;
        let told: Vec<_> = paid
            .iter()
            .zip(&issued)
            .map(|((paid, of), receipts)| {
                let named = (of.reference.as_str(), of.dossier.as_str());
                let told = PaidTold::of(paid.bill, named, (paid.payment, of.known.amount), receipts);
                let about = (of.agency, paid.bill.uuid());
                let event = event_row(self.app, self.now, "bill.paid", about, &told);
                Ok((event, self.leaf(paid, of, receipts)?))
            })
            .collect::<Result<_>>()?;
        for (event, leaf) in told {
            self.events.push(event);
            self.leaves.push(leaf);
        }
        Ok(())
    }

    /// One leaf for a settlement: it commits to the payment and to the receipts together.
    fn leaf(&self, paid: &Paid, of: &Expected, receipts: &[Issued]) -> Result<NewLeaf> {
        let key = self.keys.get(&of.agency).ok_or_else(|| Error::internal("an agency without its key"))?;
        let details = SettledDetails {
            payment: paid.payment.to_string(),
            bill: paid.bill.to_string(),
            amount: of.known.amount.decimal(),
            servicer_reference: &paid.servicer_reference,
            receipts: receipts.iter().map(|r| leaf_name(&r.number, &r.digest)).collect(),
        };
        let concern =
            audit_leaf::Concern { citizen: None, agency: Some(of.agency), object: paid.payment.uuid() };
        let named = (paid.leaf, self.now);
        Ok(audit_leaf::leaf_named(self.app, named, "payment.settled", concern, key, &details))
    }

    async fn write(mut self, tx: &mut Tx) -> Result<()> {
        if self.credits.is_empty() {
            return Ok(());
        }
        let ended: Vec<(Id<Payment>, &'static str, &State)> = self
            .ended
            .iter()
            .filter_map(|(id, was)| Some((*id, *was, &self.expected.get(id)?.known.attempt)))
            .collect();
        self.transfers.write_payments(tx, &self.expected, self.now).await?;
        if !ended.is_empty() || !self.paid.is_empty() {
            let bills: Vec<_> = self.paid.iter().map(|paid| (paid.bill, paid.payment)).collect();
            if payment::settle(tx, &ended, &bills, self.now).await? != (ended.len(), bills.len()) {
                return Err(Error::internal("rows moved under their locks"));
            }
            if !self.transfers.is_empty() {
                let bills: Vec<_> = self.paid.iter().map(|paid| paid.bill).collect();
                bill_version::close_other_ways(tx, &bills, self.now).await?;
            }
        }
        self.issue(tx).await?;
        books::append(tx, &self.entries, &self.numbers, self.now).await?;
        self.credits.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        inbox::insert_credits(tx, &self.credits, self.now).await.map_err(lost_race)?;
        self.transfers.write_origins(tx).await?;
        if !self.suspense.is_empty() {
            inbox::insert_suspense(tx, &self.suspense, self.now).await?;
            let day_of: BTreeMap<&CreditKey, Day> =
                self.credits.iter().map(|c| (&c.key, c.booked_on)).collect();
            let days: Vec<Day> =
                self.suspense.iter().filter_map(|h| day_of.get(&h.credit).copied()).collect();
            case::open_suspended(tx, &self.suspense, &days, self.now).await?;
        }
        audit::append(tx, &self.leaves).await?;
        outbox::enqueue(tx, &self.events).await?;
        Ok(())
    }
}

/// Credits whose bank's own name of the transfer looks like an attempt of ours and is none, with the bills that their text may
/// name. Where every attempt was found, nothing is looked at.
fn strangers<'a>(
    told: &[(&Booked, &'a Credit)],
    named: &[Uuid],
    found: &[Expected],
) -> Vec<(CreditKey, &'a Credit, Vec<Reference>)> {
    if found.len() == named.len() {
        return Vec::new();
    }
    let known: BTreeSet<Id<Payment>> = found.iter().map(|one| one.known.payment).collect();
    let unknown = told.iter().filter(|(_, c)| c.payment.is_some_and(|id| !known.contains(&id)));
    let key = |booked: &Booked, c: &Credit| (booked.id, c.servicer_reference.clone());
    unknown.map(|(booked, c)| (key(booked, c), *c, c.read_references())).collect()
}

fn receipt_of<'a>(paid: &'a Paid, of: &'a Expected) -> SettledBill<'a> {
    SettledBill {
        agency: of.agency,
        account: Some(of.known.account),
        bill: paid.bill,
        payment: paid.payment,
        reference: &of.reference,
        dossier: &of.dossier,
        procedure: &of.procedure,
        procedure_vi: &of.procedure_vi,
        lines: &of.lines,
        payer: &paid.name,
        bank: &of.bank,
        leaf: paid.leaf,
        adjusts: None,
    }
}

fn message(notification: &Notification) -> StoredMessage {
    StoredMessage {
        sender: notification.sender.clone(),
        biz_msg_idr: notification.message.clone(),
        kind: notification.kind.clone(),
        digest: notification.digest,
        answer: "recorded".to_owned(),
    }
}

/// Another node has booked the same credit at this moment: the message will be looked at again.
fn lost_race(error: crate::store::StoreError) -> Error {
    if error.violates("credit_once") { Error::Unavailable(Refusal::new("try_again")) } else { error.into() }
}
