//! One day of an account, as its bank told it, kept and matched with the books in one transaction.
//!
//! Memory stays flat: the lines are kept in chunks as they are read ([`super::keep_day`]); what is plain is sifted out by the
//! database ([`crate::store::sift`]), and the rest is judged in chunks ([`super::judge_day`]). The log gets a leaf only when
//! something changed. A day that is told again with other content is kept beside the first telling
//! ([`super::revise_statement`]); the database compares them.

use super::{
    Error, Result,
    agency_key::agency_key,
    move_payment::move_payment,
    pass_on,
    revise_statement::{self, Revision},
    send_refund::move_refund,
    settle_debits::{Debited, TellsDebit, settle_in},
    statement_answer::statement_json,
    told_lines::{Telling, Watch},
};
use crate::{
    app::App,
    base::{
        calendar::{Day, WorkingDays},
        clock::Instant,
        id::{self, Account, Id, Leaf, Payment},
        money::{Currency, Money},
    },
    crypto::{digest::sha256, seal::DataKey},
    flow::idempotency::Idempotency,
    payment::{
        payment::Event,
        payout as payouts,
        reconciliation::{Books, Reconciliation},
        refund as refunds,
        session::deciding_day,
    },
    store::{
        Tx,
        account::CollectingAccount,
        calendar, matching, payout,
        reconciliation::{self as books, SilentAttempt},
        refund,
        sift::{self, Sifting},
        statement::{self, Outcome, StoredStatement},
    },
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How many lines are judged at a time, and how many references looked up.
pub(super) const AT_ONCE: i64 = 5_000;

/// What nobody answers about and is missing by now: attempts, refunds and payouts. However many of the longest silent cannot be
/// judged yet, those after them are.
struct Missing {
    attempts: Vec<Id<Payment>>,
    refunds: Vec<Id<id::Refund>>,
    payouts: Vec<Id<id::Payout>>,
}

async fn missing(tx: &mut Tx, account: Id<Account>, most: usize) -> Result<Missing> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let (mut attempts, mut refunds, mut payouts) = (Vec::new(), Vec::new(), Vec::new());
    let mut after = None;
    while attempts.len() < most {
        let silent = books::silent_attempts(tx, account, after, limit).await?;
        let Some(last) = silent.last() else { break };
        after = Some((last.since, last.payment));
        attempts.extend(absent_attempts(tx, account, silent).await?);
    }
    let mut after = None;
    while refunds.len() < most {
        let silent = refund::silent(tx, account, after, limit).await?;
        let Some(last) = silent.last() else { break };
        after = Some((last.2, last.0));
        refunds.extend(absent_orders(tx, account, silent).await?);
    }
    let mut after = None;
    while payouts.len() < most {
        let silent = payout::silent(tx, account, after, limit).await?;
        let Some(last) = silent.last() else { break };
        after = Some((last.2, last.0));
        payouts.extend(absent_orders(tx, account, silent).await?);
    }
    Ok(Missing { attempts, refunds, payouts })
}

/// Silent attempts whose money would stand on a statement by now: of every clearing day on which it can have been booked,
/// from their beginning to the end of the payer's window after their silence, there is one, and none names them.
async fn absent_attempts(
    tx: &mut Tx,
    account: Id<Account>,
    silent: Vec<SilentAttempt>,
) -> Result<Vec<Id<Payment>>> {
    let Some(first) = silent.iter().map(|one| Day::of(one.begun)).min() else { return Ok(Vec::new()) };
    let told = books::told_days(tx, account, first).await?;
    let (hours, days) = (calendar::sessions(tx, first).await?, calendar::working_days(tx, first).await?);
    let absent = |one: &SilentAttempt| {
        let last = deciding_day(&hours, &days, one.amount, one.since);
        all_told((&days, &told), Day::of(one.begun), last)
    };
    Ok(silent.iter().filter(|one| absent(one)).map(|one| one.payment).collect())
}

/// Orders of ours in silence that would stand on a statement by now: of every clearing day from their beginning to the next one
/// after the day of their silence there is one. A bank tells none of other days, and none is waited for.
async fn absent_orders<K>(
    tx: &mut Tx,
    account: Id<Account>,
    silent: Vec<(Id<K>, Instant, Instant)>,
) -> Result<Vec<Id<K>>> {
    let Some(first) = silent.iter().map(|one| Day::of(one.1)).min() else { return Ok(Vec::new()) };
    let told = books::told_days(tx, account, first).await?;
    let days = calendar::working_days(tx, first).await?;
    let absent =
        |(_, begun, since): &(_, _, _)| all_told((&days, &told), Day::of(*begun), days.next(Day::of(*since)));
    Ok(silent.iter().filter(|one| absent(one)).map(|one| one.0).collect())
}

/// Whether there is a statement of each clearing day from one to another.
fn all_told((days, told): (&WorkingDays, &BTreeSet<Day>), first: Day, last: Day) -> bool {
    let mut day = first;
    while day <= last {
        if days.is_working(day) && !told.contains(&day) {
            return false;
        }
        day = day.plus_days(1);
    }
    true
}

/// Keeps and matches a statement in that transaction, and commits it.
pub async fn match_told(
    app: &App,
    mut tx: Tx,
    account: &CollectingAccount,
    telling: &Telling,
    key: Option<&Idempotency>,
    watch: Watch<'_>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut matching = Matching::begin(app, &mut tx, (account, now), watch).await?;
    matching.keep(&mut tx, telling).await?;
    matching.run(&mut tx).await?;
    let missing = missing(&mut tx, account.id, app.limits.silent_at_once).await?;
    payout::mark_due(&mut tx, account.id, telling.day).await?;
    let answer = matching.finish(&mut tx).await?;
    if let Some(key) = key {
        key.keep(&mut tx, matching.stored.id.uuid(), &answer, now).await?;
    }
    telling.lines.over(&mut tx).await?;
    tx.commit().await?;
    for attempt in missing.attempts {
        move_payment(app, attempt, &Event::AbsentFromStatement).await?;
    }
    // What never left is sent again, under the same name.
    for one in missing.refunds {
        move_refund(app, one, &refunds::Event::Answered(refunds::Answer::NeverGot)).await?;
    }
    for one in missing.payouts {
        pass_on::step(app, one, &payouts::Event::Answered(refunds::Answer::NeverGot)).await?;
    }
    Ok(answer)
}

/// One matching on its way.
pub(super) struct Matching<'a> {
    pub app: &'a App,
    pub account: &'a CollectingAccount,
    pub watch: Watch<'a>,
    pub now: Instant,
    pub key: DataKey,
    pub stored: StoredStatement,
    /// Whether money went that names something of ours.
    pub went: bool,
    pub revision: Option<Revision>,
    pub leaf: Id<Leaf>,
    pub cases: u64,
    pub changed: bool,
}

/// What a run has found so far.
pub(super) struct Sum {
    matched: usize,
    explained: Money,
}

impl Sum {
    pub(super) fn add(&mut self, found: &Reconciliation) -> Result<()> {
        self.matched += found.matched;
        self.explained = self.explained.plus(found.explained).map_err(Error::internal)?;
        Ok(())
    }
}

impl<'a> Matching<'a> {
    /// Waits until nobody else matches this account.
    async fn begin(
        app: &'a App,
        tx: &mut Tx,
        (account, now): (&'a CollectingAccount, Instant),
        watch: Watch<'a>,
    ) -> Result<Self> {
        wait_for_statements(tx, account.id).await?;
        let key = agency_key(app, tx, account.owner).await?;
        let nothing = Money::vnd(0);
        let stored = StoredStatement {
            id: Id::new(now, &*app.entropy),
            account: account.id,
            day: Day::of(now),
            version: 1,
            digest: [0; 32],
            message: Uuid::nil(),
            opening: nothing,
            closing: nothing,
            lines: 0,
            fetched_at: now,
            outcome: None,
        };
        let (revision, leaf) = (None, Id::new(now, &*app.entropy));
        Ok(Self {
            app,
            account,
            watch,
            now,
            key,
            stored,
            went: false,
            revision,
            leaf,
            cases: 0,
            changed: false,
        })
    }

    /// Matches, and writes what was found.
    async fn run(&mut self, tx: &mut Tx) -> Result<()> {
        sift::widen(tx, self.stored.lines).await?;
        if self.went {
            self.debits(tx).await?;
        }
        // What people said of a line holds until its own credit comes.
        let overtaken = matching::overtaken(tx, &self.stored).await?;
        if !overtaken.is_empty() {
            let again = matching::begin_again(tx, &overtaken).await?;
            revise_statement::note_reopened(self.app, tx, &again, self.now).await?;
            self.changed = true;
        }
        let (lines, references) = matching::held(tx, self.account.id).await?;
        let uuids: Vec<Uuid> = lines.iter().map(|line| line.uuid()).collect();
        let by_hand = (lines.into_iter().collect(), references.into_iter().collect());
        let mut known = Books { by_hand, ..Books::default() };
        let of = self.sifting();
        let rest = sift::sift(tx, of, &uuids, self.stored.lines).await?;
        if rest > 0 {
            sift::keep_names(tx, self.account.id).await?;
        }
        if let Some(revision) = &self.revision {
            sift::mark_taken(tx, of, revision.id).await?;
        }
        self.changed |= sift::clear_plain(tx, of, self.now).await? > 0;
        let matched = self.stored.lines.saturating_sub(rest);
        let mut sum = Sum { matched, explained: Money::zero(Currency::Vnd) };
        self.judge(tx, &mut known, (&mut sum, rest)).await?;
        self.unseen(tx, &mut known, &mut sum).await?;
        let of_account = (self.account.id, self.leaf, self.now);
        self.changed |= revise_statement::give_back(self.app, tx, of_account, self.stored.id).await?;
        let outcome = Outcome {
            matched: sum.matched,
            posted: books::posted(tx, self.account.id, self.stored.day).await?,
            explained: sum.explained,
            at: self.now,
        };
        if statement::set_outcome(tx, self.stored.id, &outcome).await? {
            self.stored.outcome = Some(outcome);
            self.changed = true;
        }
        Ok(())
    }

    fn sifting(&self) -> Sifting {
        let told_again = self.stored.version > 1;
        Sifting { account: self.account.id, statement: self.stored.id, day: self.stored.day, told_again }
    }

    /// Money that left for a refund and was not told otherwise is told by the statement.
    async fn debits(&mut self, tx: &mut Tx) -> Result<()> {
        let mut after = 0;
        loop {
            let lines = sift::outgoing(tx, self.stored.id, after, AT_ONCE).await?;
            let Some((last, _)) = lines.last() else { return Ok(()) };
            after = *last;
            for (_, line) in lines {
                let Some(named) = line.named else { continue };
                let debited = Debited {
                    account: self.account.id,
                    servicer_reference: line.reference,
                    amount: line.amount.negated().map_err(Error::internal)?,
                    refund: Id::from_uuid(named.uuid()),
                    booked_on: self.stored.day,
                    told_by: TellsDebit::Statement,
                };
                settle_in(self.app, tx, &debited, self.now).await?;
            }
        }
    }

    /// The log's leaf, if anything changed, and the statement as it now stands.
    async fn finish(&self, tx: &mut Tx) -> Result<Value> {
        let answer = statement_json(&self.stored, self.account);
        if self.changed {
            let named = (self.account.owner, self.stored.id, self.stored.day);
            let mut kind = "statement.reconciled";
            let mut details = json!({
                "statement": self.stored.id.to_string(),
                "digest": hex::encode(self.stored.digest),
                "lines": self.stored.lines,
                "matched": self.stored.outcome.map(|outcome| outcome.matched),
                "cases_opened": self.cases,
            });
            if let Some(revision) = &self.revision {
                kind = "statement.revised";
                details["revision"] = revision.told();
                revision.tell(self.app, tx, named, self.now).await?;
            }
            let (leaf, of) = ((self.leaf, self.now), (named.0, named.1, &self.key));
            revise_statement::record(self.app, tx, leaf, of, (kind, &details)).await?;
        }
        Ok(answer)
    }
}

/// Waits until nobody matches this account's statements, and lets nobody begin before this transaction ends.
pub(super) async fn wait_for_statements(tx: &mut Tx, account: Id<Account>) -> Result<()> {
    Ok(tx.lock(lock_name(account)).await?)
}

/// The advisory lock under which an account's statements are matched.
fn lock_name(account: Id<Account>) -> i64 {
    let hash = sha256(&[b"statements of ", account.uuid().as_bytes().as_slice()].concat());
    i64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
