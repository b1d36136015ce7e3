//! One day of an account, as its bank told it, kept and matched with the books in one transaction.
//!
//! Memory stays flat: the lines are read twice in chunks, once to see that they add up and are not known yet, once to be
//! kept; what is plain is sifted out by the database ([`crate::store::sift`]), and the rest is judged in chunks by
//! [`crate::payment::reconciliation`]. The log gets a leaf only when something changed. A day that is told again with
//! other content is kept beside the first telling ([`super::revise_statement`]); the database compares them, and only what
//! the new one leaves out is held in memory.

use super::{
    Error, Result,
    agency_key::agency_key,
    event::event_json,
    move_payment::move_payment,
    pass_on,
    revise_statement::{self, Revision},
    send_refund::move_refund,
    settle_debits::{Debited, settle_in},
    statement_answer::statement_json,
    told_lines::{Lines, Step, Telling, Watch},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        entropy::Entropy,
        id::{Account, Agency, Id, Leaf, Payment},
        money::{Currency, Money},
    },
    codec::iso20022::{Direction, Entry},
    crypto::{digest::sha256, seal::DataKey},
    flow::idempotency::Idempotency,
    payment::{
        payment::{APPROVAL_WINDOW, Event},
        payout as payouts,
        reconciliation::{Books, Difference, Judging, Line, Reconciliation},
        refund as refunds,
        statement::{Balances, Movement, Reading, Statement},
    },
    store::{
        Tx,
        account::CollectingAccount,
        case, debit, matching,
        outbox::{self, NewOutbox, Topic},
        payout, reconciliation as books, refund,
        sift::{self, Sifting},
        statement::{self, NewLine, Outcome, StoredStatement},
        statement_revision as revisions, told_again,
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// How many lines are judged at a time, and how many references looked up.
const AT_ONCE: i64 = 5_000;

/// How many silent attempts one matching ends; the next goes on.
const ABSENT_AT_ONCE: i64 = 1_000;

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
    let told = read(&mut tx, account, telling).await?;
    let mut matching = Matching::begin(app, &mut tx, (account, now), watch).await?;
    matching.keep(&mut tx, &told, telling).await?;
    matching.run(&mut tx, told.went).await?;
    let absent = books::absent_attempts(&mut tx, account.id, APPROVAL_WINDOW, ABSENT_AT_ONCE).await?;
    let unsent = refund::absent(&mut tx, account.id, ABSENT_AT_ONCE).await?;
    let unheard = payout::absent(&mut tx, account.id, ABSENT_AT_ONCE).await?;
    payout::mark_due(&mut tx, account.id, told.day).await?;
    let answer = matching.finish(&mut tx).await?;
    if let Some(key) = key {
        key.keep(&mut tx, matching.stored.id.uuid(), &answer, now).await?;
    }
    telling.lines.over(&mut tx).await?;
    tx.commit().await?;
    for attempt in absent {
        move_payment(app, attempt, &Event::AbsentFromStatement).await?;
    }
    // What never left is sent again, under the same name.
    for one in unsent {
        move_refund(app, one, &refunds::Event::Answered(refunds::Answer::NeverGot)).await?;
    }
    for one in unheard {
        pass_on::step(app, one, &payouts::Event::Answered(refunds::Answer::NeverGot)).await?;
    }
    Ok(answer)
}

/// What the lines come to.
async fn read(tx: &mut Tx, account: &CollectingAccount, told: &Telling) -> Result<Statement> {
    let balances = Balances { opening: told.balances.0, closing: told.balances.1 };
    let mut reading = Reading::of(account.id, told.day, balances);
    let mut chunks = Chunks::of(&*told.lines);
    while let Some(entries) = chunks.next(tx).await? {
        for entry in &entries {
            reading.take(&movement(entry)?).map_err(|why| Error::refused(why.code()))?;
        }
    }
    reading.finish().map_err(|why| Error::refused(why.code()))
}

/// One chunk after the other.
struct Chunks<'a> {
    lines: &'a dyn Lines,
    nth: usize,
}

impl<'a> Chunks<'a> {
    fn of(lines: &'a dyn Lines) -> Self {
        Self { lines, nth: 0 }
    }

    async fn next(&mut self, tx: &mut Tx) -> Result<Option<Vec<Entry>>> {
        let entries = self.lines.chunk(tx, self.nth).await?;
        self.nth += 1;
        Ok(if entries.is_empty() { None } else { Some(entries) })
    }
}

/// What the message says, in the words of the domain.
fn movement(entry: &Entry) -> Result<Movement> {
    let amount = match entry.direction {
        Direction::Credit => entry.amount,
        Direction::Debit => entry.amount.negated().map_err(Error::internal)?,
    };
    let named = entry.end_to_end_id().map(|id| Id::from_uuid(id.0));
    Ok(Movement { reference: entry.reference.clone(), amount, named })
}

/// What a bank tells of a movement beyond its money, as it is sealed.
#[derive(Serialize)]
struct Told<'a> {
    counterparty: Option<&'a str>,
    remittance: Vec<&'a str>,
}

/// One matching on its way.
struct Matching<'a> {
    app: &'a App,
    account: &'a CollectingAccount,
    watch: Watch<'a>,
    now: Instant,
    key: DataKey,
    stored: StoredStatement,
    revision: Option<Revision>,
    leaf: Id<Leaf>,
    cases: u64,
    changed: bool,
}

/// What a run has found so far.
struct Sum {
    matched: usize,
    explained: Money,
    /// Money of the day that no line shows, of what a revision took back.
    missing: Vec<(String, Money)>,
}

impl Sum {
    fn add(&mut self, found: &Reconciliation) -> Result<()> {
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
        tx.lock(lock_name(account.id)).await?;
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
        Ok(Self { app, account, watch, now, key, stored, revision, leaf, cases: 0, changed: false })
    }

    /// Keeps the statement, or finds it kept.
    async fn keep(&mut self, tx: &mut Tx, told: &Statement, telling: &Telling) -> Result<()> {
        if let Some(before) = statement::of_day(tx, self.account.id, told.day).await? {
            if before.digest == told.digest {
                self.stored = before;
                return Ok(());
            }
            return self.keep_again(tx, before, told, telling).await;
        }
        let first = self.stored.clone();
        self.stored = StoredStatement { day: told.day, ..self.as_told(&first, told, telling) };
        statement::insert(tx, &self.stored).await?;
        let (mut kept, mut chunks) = (0, Chunks::of(&*telling.lines));
        while let Some(entries) = chunks.next(tx).await? {
            let lines: Result<Vec<NewLine>> =
                entries.iter().zip(kept..).map(|(entry, nth)| self.line(nth, entry)).collect();
            statement::insert_lines(tx, &self.stored, kept, &lines?).await?;
            kept += entries.len();
            (self.watch)(Step::Kept(kept, told.lines));
        }
        self.changed = true;
        Ok(())
    }

    fn as_told(&self, stored: &StoredStatement, told: &Statement, telling: &Telling) -> StoredStatement {
        StoredStatement {
            digest: told.digest,
            message: telling.message,
            opening: told.balances.opening,
            closing: told.balances.closing,
            lines: told.lines,
            ..*stored
        }
    }

    /// Keeps another telling of a day that was told before; what stays keeps its lines.
    async fn keep_again(
        &mut self,
        tx: &mut Tx,
        before: StoredStatement,
        told: &Statement,
        telling: &Telling,
    ) -> Result<()> {
        let of = (self.account.id, before.id);
        told_again::begin(tx, of.0).await?;
        let (mut place, mut chunks) = (0, Chunks::of(&*telling.lines));
        while let Some(entries) = chunks.next(tx).await? {
            let movements: Vec<Movement> = entries.iter().map(movement).collect::<Result<_>>()?;
            told_again::put(tx, of.0, place, &movements).await?;
            place += movements.len();
        }
        let came = told_again::compare(tx, of.0, of.1).await?;
        let gone = told_again::gone(tx, of.0, of.1).await?;
        let version = before.version + 1;
        let mut revision = Revision::new(self.app, self.now, (version, before.digest), (came, gone));
        let named = (revision.id, before.id, version);
        revisions::insert(tx, named, told, telling.message, self.now).await?;
        let mut last = revisions::last_number(tx, before.id).await?;
        let (mut place, mut chunks) = (0, Chunks::of(&*telling.lines));
        while let Some(entries) = chunks.next(tx).await? {
            let new = told_again::are_new(tx, of.0, place, entries.len()).await?;
            place += entries.len();
            let came = entries.iter().zip(new).filter(|(_, new)| *new);
            let lines: Result<Vec<NewLine>> = came
                .zip(last..)
                .map(|((entry, _), nth)| {
                    Ok(NewLine { revision: Some(revision.id), ..self.line(nth, entry)? })
                })
                .collect();
            let lines = lines?;
            statement::insert_lines(tx, &before, last, &lines).await?;
            last += lines.len();
        }
        told_again::begin(tx, of.0).await?;
        revision.withdraw(self.app, tx, self.now).await?;
        (self.revision, self.changed) = (Some(revision), true);
        self.stored = StoredStatement { version, ..self.as_told(&before, told, telling) };
        Ok(())
    }

    fn line(&self, nth: usize, entry: &Entry) -> Result<NewLine> {
        let entropy: &dyn Entropy = &*self.app.entropy;
        let Movement { reference, amount, named } = movement(entry)?;
        let id = Id::nth(self.now, u32::try_from(nth).map_err(Error::internal)?, entropy);
        let told = Told {
            counterparty: entry.counterparty.as_ref().map(|name| name.as_str()),
            remittance: entry.remittance.iter().map(|line| line.as_str()).collect(),
        };
        let told = serde_json::to_vec(&told).map_err(Error::internal)?;
        Ok(NewLine {
            id,
            reference: reference.to_string(),
            amount,
            named,
            accepted: entry.accepted,
            told: self.key.seal(entropy, id.uuid().as_bytes(), &told),
            revision: None,
        })
    }

    /// Matches, and writes what was found.
    async fn run(&mut self, tx: &mut Tx, went: bool) -> Result<()> {
        sift::widen(tx).await?;
        if went {
            self.debits(tx).await?;
        }
        let (lines, references) = matching::held(tx, self.account.id).await?;
        let uuids: Vec<Uuid> = lines.iter().map(|line| line.uuid()).collect();
        let by_hand = (lines.into_iter().collect(), references.into_iter().collect());
        let mut known = Books { by_hand, ..Books::default() };
        let of = self.sifting();
        let rest = sift::sift(tx, of, &uuids, self.stored.lines).await?;
        self.changed |= sift::clear_plain(tx, of, self.now).await? > 0;
        let matched = self.stored.lines.saturating_sub(rest);
        let mut sum = Sum { matched, explained: Money::zero(Currency::Vnd), missing: Vec::new() };
        self.judge(tx, &mut known, (&mut sum, rest)).await?;
        self.unseen(tx, &mut known, &mut sum).await?;
        let account = (self.account.id, self.leaf, self.now);
        let told = (self.stored.id, sum.missing);
        self.changed |=
            revise_statement::reverse(self.app, tx, account, self.revision.as_mut(), told).await?;
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
        Sifting { account: self.account.id, statement: self.stored.id, day: self.stored.day }
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
                };
                settle_in(self.app, tx, &debited, self.now).await?;
            }
        }
    }

    /// Judges the lines that are not plain, chunk by chunk.
    async fn judge(&mut self, tx: &mut Tx, known: &mut Books, (sum, rest): (&mut Sum, usize)) -> Result<()> {
        let mut judging = Judging::of(self.stored.day);
        let (mut after, mut judged) = ((String::new(), 0), 0);
        loop {
            let chunk = sift::lines(tx, self.account.id, (&after.0, after.1), AT_ONCE).await?;
            let Some((number, last)) = chunk.last() else { return Ok(()) };
            after = (last.reference.clone(), *number);
            let (numbers, lines): (Vec<i32>, Vec<Line>) = chunk.into_iter().unzip();
            let references: Vec<&str> = lines.iter().map(|line| line.reference.as_str()).collect();
            let named: Vec<Uuid> = lines.iter().filter_map(|line| line.named.map(Id::uuid)).collect();
            let owners = self.books(tx, known, (&references, &named)).await?;
            let found = judging.lines(&lines, known).map_err(Error::internal)?;
            judging.forget_all_but(&after.0);
            statement::insert_shown(tx, &self.stored, &found.shown).await?;
            let shown: HashSet<_> = found.shown.iter().map(|shown| shown.line).collect();
            let seen: Vec<bool> = lines.iter().map(|line| shown.contains(&line.id)).collect();
            let gone: Vec<bool> =
                lines.iter().map(|line| known.debits.contains_key(&line.reference)).collect();
            sift::mark(tx, self.account.id, (&references, &numbers), (&seen, &gone)).await?;
            self.clear(tx, (&lines, &found), known).await?;
            self.open(tx, &found, &owners).await?;
            sum.add(&found)?;
            judged += lines.len();
            (self.watch)(Step::Judged(judged, rest));
        }
    }

    /// Judges what the books hold for the day and no line shows, chunk by chunk.
    async fn unseen(&mut self, tx: &mut Tx, known: &mut Books, sum: &mut Sum) -> Result<()> {
        let mut after = String::new();
        loop {
            let chunk = sift::references(tx, self.account.id, &after, AT_ONCE).await?;
            let Some((last, _, _)) = chunk.last() else { return Ok(()) };
            after.clone_from(last);
            let references: Vec<&str> = chunk.iter().map(|(reference, _, _)| reference.as_str()).collect();
            let owners = self.books(tx, known, (&references, &[])).await?;
            let seen: HashSet<&str> = named(&chunk, |(_, seen, _)| *seen);
            let gone: HashSet<&str> = named(&chunk, |(_, _, gone)| *gone);
            known.credits.retain(|credit| !seen.contains(credit.reference.as_str()));
            known.debits.retain(|reference, _| !gone.contains(reference.as_str()));
            let mut found = Reconciliation::nothing();
            Judging::of(self.stored.day).unseen(known, &mut found).map_err(Error::internal)?;
            self.clear(tx, (&[], &found), known).await?;
            self.open(tx, &found, &owners).await?;
            if let Some(revision) = &self.revision {
                let missing = found.differences.iter().filter_map(|d| d.credit.clone().zip(d.held));
                sum.missing.extend(missing.filter(|(reference, _)| revision.left_out(reference)));
            }
            sum.add(&found)?;
        }
    }

    /// What the books hold under these references, and whose each attempt in it is.
    async fn books(
        &self,
        tx: &mut Tx,
        known: &mut Books,
        (references, named): (&[&str], &[Uuid]),
    ) -> Result<BTreeMap<Id<Payment>, Id<Agency>>> {
        let account = self.account.id;
        let credits = books::credits(tx, account, references, self.stored.id).await?;
        let attempts = books::attempts(tx, account, named).await?;
        let of_attempts = attempts.iter().map(|(id, (_, agency))| (*id, *agency));
        let of_credits = credits.iter().filter_map(|(credit, agency)| Some((credit.payment?, (*agency)?)));
        let owners = of_attempts.chain(of_credits).collect();
        known.attempts = attempts.into_iter().map(|(id, (attempt, _))| (id, attempt)).collect();
        known.credits = credits.into_iter().map(|(credit, _)| credit).collect();
        known.debits = debit::told(tx, account, references).await?.into_iter().collect();
        Ok(owners)
    }

    /// Ends the cases whose difference is gone.
    async fn clear(
        &mut self,
        tx: &mut Tx,
        (lines, found): (&[Line], &Reconciliation),
        known: &Books,
    ) -> Result<()> {
        let of_lines = found.differences.iter().filter(|difference| difference.credit.is_none());
        let still: Vec<Uuid> = of_lines.filter_map(|difference| difference.line.map(Id::uuid)).collect();
        let lines: Vec<Uuid> = lines.iter().map(|line| line.id.uuid()).collect();
        let elsewhere = known.credits.iter().filter(|credit| credit.shown_by.is_some());
        let here = found.shown.iter().map(|shown| shown.reference.as_str());
        let shown: Vec<&str> = here.chain(elsewhere.map(|credit| credit.reference.as_str())).collect();
        let cleared = sift::clear_judged(tx, self.account.id, (&lines, &still), &shown, self.now).await?;
        self.changed |= cleared > 0;
        Ok(())
    }

    /// Opens a case for each difference that has none.
    async fn open(
        &mut self,
        tx: &mut Tx,
        found: &Reconciliation,
        owners: &BTreeMap<Id<Payment>, Id<Agency>>,
    ) -> Result<()> {
        let owner = |difference: &Difference| {
            difference.payment.and_then(|payment| owners.get(&payment).copied()).unwrap_or(self.account.heir)
        };
        let cases: Vec<case::NewCase> = found
            .differences
            .iter()
            .map(|difference| case::NewCase {
                id: Id::new(self.now, &*self.app.entropy),
                agency: owner(difference),
                difference: difference.clone(),
            })
            .collect();
        let opened: HashSet<_> =
            case::open(tx, self.account.id, self.stored.day, &cases, self.now).await?.into_iter().collect();
        self.cases += opened.len() as u64;
        self.changed |= !opened.is_empty();
        let told: Vec<NewOutbox> = cases
            .iter()
            .filter(|case| opened.contains(&case.id))
            .map(|case| NewOutbox {
                id: Id::new(self.now, &*self.app.entropy),
                at: self.now,
                topic: Topic::Event,
                agency: Some(case.agency),
                object: case.id.uuid(),
                name: "case.opened",
                body: event_json(
                    "case.opened",
                    self.now,
                    &json!({
                        "case": case.id.to_string(),
                        "kind": case.difference.kind.as_str(),
                    }),
                ),
            })
            .collect();
        outbox::enqueue(tx, &told).await?;
        Ok(())
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

/// The references that pass.
fn named(chunk: &[(String, bool, bool)], wanted: impl Fn(&&(String, bool, bool)) -> bool) -> HashSet<&str> {
    chunk.iter().filter(wanted).map(|(reference, _, _)| reference.as_str()).collect()
}

/// The advisory lock under which an account's statements are matched.
fn lock_name(account: Id<Account>) -> i64 {
    let hash = sha256(&[b"statements of ", account.uuid().as_bytes().as_slice()].concat());
    i64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
