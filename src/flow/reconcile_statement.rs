//! Fetches the statement of an account's day and matches it with the books.
//!
//! The statement is asked for outside any transaction, then kept and matched in one. Matching again writes the same,
//! so that whoever is not sure that it happened does it again; the log gets a leaf only when something changed. A day
//! that is told again with other content is kept beside the first telling ([`super::revise_statement`]).

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    event::event_json,
    move_payment::move_payment,
    pass_on,
    revise_statement::{self, Revision},
    send_refund::move_refund,
    settle_debits::{Debited, settle_in},
    statement_answer::statement_json,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        entropy::Entropy,
        id::{self, Account, Agency, Id, Leaf, Payment, StatementLine},
        money::Money,
        text::Line as Text,
    },
    codec::iso20022::{self, Direction, MessageId, StatementRequest},
    crypto::{
        digest::{Digest, sha256},
        seal::DataKey,
    },
    flow::idempotency::Idempotency,
    partner::clearing::{FetchedStatement, NoStatement},
    payment::{
        payment::{APPROVAL_WINDOW, Event},
        payout as payouts,
        reconciliation::{Attempt, Books, Difference, Line, Reconciliation, reconcile},
        refund as refunds, revision,
        statement::{Balances, Movement, Statement},
    },
    store::{
        Tx,
        account::{self, CollectingAccount},
        case, debit, matching,
        outbox::{self, NewOutbox, Topic},
        payout, reconciliation as books, refund,
        statement::{self, NewLine, Outcome, StoredStatement},
        statement_revision as revisions,
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// How many lines one insert carries: what is sealed at a time stays small.
const LINES_AT_ONCE: usize = 5_000;

/// How many silent attempts one matching ends; the next goes on.
const ABSENT_AT_ONCE: i64 = 1_000;

/// Fetches and matches a day of an account that the agency owns, once per key; the answer is the statement as it then
/// stands.
pub async fn reconcile_statement(
    app: &App,
    agency: Id<Agency>,
    number: &str,
    day: Day,
    key: &Idempotency,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.answered(&mut tx).await? {
        return Ok(answer);
    }
    let account = account::account_of_number(&mut tx, number).await?;
    drop(tx);
    let account = account.filter(|a| a.heir == agency).ok_or_else(|| {
        Error::Refused(Refusal::new("unknown_account").violation(
            "/account",
            "unknown",
            Some(number.to_owned()),
        ))
    })?;
    match_day(app, &account, day, Some(key)).await
}

/// Fetches and matches a day of an account; for those who ask without a key: the loop, an officer, the command line.
pub async fn match_statement(app: &App, account: &CollectingAccount, day: Day) -> Result<Value> {
    match_day(app, account, day, None).await
}

async fn match_day(
    app: &App,
    account: &CollectingAccount,
    day: Day,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let FetchedStatement { message, statement, .. } = fetch(app, account, day, now).await?;
    let telling = Telling {
        message: message.0,
        day: statement.day,
        balances: (statement.opening, statement.closing),
        entries: statement.entries,
    };
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    match_told(app, tx, account, &telling, key).await
}

/// A statement as it was told, by whoever may be believed.
pub(super) struct Telling {
    /// What brought it.
    pub message: Uuid,
    /// The bank's business day.
    pub day: Day,
    /// Balances at its two ends.
    pub balances: (Money, Money),
    /// What moved in between.
    pub entries: Vec<iso20022::Entry>,
}

/// Keeps and matches a statement in that transaction, and commits it.
pub(super) async fn match_told(
    app: &App,
    mut tx: Tx,
    account: &CollectingAccount,
    telling: &Telling,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let told = read(account, telling)?;
    let mut matching = Matching::begin(app, &mut tx, account, now).await?;
    matching.keep(&mut tx, &told, telling).await?;
    matching.run(&mut tx, &told).await?;
    let absent = books::absent_attempts(&mut tx, account.id, APPROVAL_WINDOW, ABSENT_AT_ONCE).await?;
    let unsent = refund::absent(&mut tx, account.id, ABSENT_AT_ONCE).await?;
    let unheard = payout::absent(&mut tx, account.id, ABSENT_AT_ONCE).await?;
    payout::mark_due(&mut tx, account.id, told.day()).await?;
    let answer = matching.finish(&mut tx).await?;
    if let Some(key) = key {
        key.keep(&mut tx, matching.stored.id.uuid(), &answer, now).await?;
    }
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

async fn fetch(app: &App, account: &CollectingAccount, day: Day, now: Instant) -> Result<FetchedStatement> {
    let bad_account = || Error::internal("a collecting account that the standard cannot name");
    let owner = Text::cleaned(account.holder.as_str()).map_err(|_| bad_account())?;
    let request =
        StatementRequest { account: account.number.parse().map_err(|_| bad_account())?, owner, day };
    let message: Id<id::Message> = Id::new(now, &*app.entropy);
    app.clearing.statement(MessageId(message.uuid()), &request, now).await.map_err(|why| {
        tracing::warn!(account = account.number, %day, %why, "no statement");
        refused(&why)
    })
}

fn refused(why: &NoStatement) -> Error {
    let refusal = Refusal::new(match why {
        NoStatement::Silence(_) => return Error::Unavailable(Refusal::new("statement_unavailable")),
        NoStatement::Refused(_) => "day_not_over",
        NoStatement::Unreadable(iso20022::Refusal::WrongTotal) => "statement_wrong_total",
        NoStatement::Unreadable(_) => "statement_unreadable",
        NoStatement::AnotherAccount(_) => "statement_of_another_account",
        NoStatement::AnotherDay(_) => "statement_of_another_day",
    });
    Error::Refused(refusal)
}

/// What the message says, in the words of the domain.
fn read(account: &CollectingAccount, told: &Telling) -> Result<Statement> {
    let movements = told.entries.iter().map(|entry| {
        let amount = match entry.direction {
            Direction::Credit => entry.amount,
            Direction::Debit => entry.amount.negated().map_err(Error::internal)?,
        };
        let named = entry.end_to_end_id().map(|id| Id::from_uuid(id.0));
        Ok(Movement { reference: entry.reference.clone(), amount, named })
    });
    let balances = Balances { opening: told.balances.0, closing: told.balances.1 };
    let movements = movements.collect::<Result<Vec<_>>>()?;
    Statement::new(account.id, told.day, balances, movements).map_err(|why| Error::refused(why.code()))
}

/// One matching on its way.
struct Matching<'a> {
    app: &'a App,
    account: &'a CollectingAccount,
    now: Instant,
    key: DataKey,
    stored: StoredStatement,
    lines: Vec<Id<StatementLine>>,
    revision: Option<Revision>,
    leaf: Id<Leaf>,
    cases: u64,
    changed: bool,
}

impl<'a> Matching<'a> {
    /// Waits until nobody else matches this account.
    async fn begin(app: &'a App, tx: &mut Tx, account: &'a CollectingAccount, now: Instant) -> Result<Self> {
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
        let (lines, revision, leaf) = (Vec::new(), None, Id::new(now, &*app.entropy));
        Ok(Self { app, account, now, key, stored, lines, revision, leaf, cases: 0, changed: false })
    }

    /// Keeps the statement, or finds it kept.
    async fn keep(&mut self, tx: &mut Tx, told: &Statement, telling: &Telling) -> Result<()> {
        let digest = told.digest();
        if let Some(before) = statement::of_day(tx, self.account.id, told.day()).await? {
            if before.digest != digest || before.version > 1 {
                return self.keep_again(tx, (before, digest), told, telling).await;
            }
            self.lines = statement::line_ids(tx, before.id).await?;
            self.stored = before;
            return Ok(());
        }
        self.stored = StoredStatement {
            day: told.day(),
            digest,
            message: telling.message,
            opening: told.opening(),
            closing: told.closing(),
            lines: told.movements().len(),
            ..self.stored.clone()
        };
        statement::insert(tx, &self.stored).await?;
        let pairs: Vec<_> = told.movements().iter().zip(&telling.entries).collect();
        for (chunk, pairs) in pairs.chunks(LINES_AT_ONCE).enumerate() {
            let lines: Vec<NewLine> = pairs.iter().map(|(moved, entry)| self.line(moved, entry)).collect();
            statement::insert_lines(tx, &self.stored, chunk * LINES_AT_ONCE, &lines).await?;
            self.lines.extend(lines.iter().map(|line| line.id));
        }
        self.changed = true;
        Ok(())
    }

    /// Keeps another telling of a day that was told before; what stays keeps its lines.
    async fn keep_again(
        &mut self,
        tx: &mut Tx,
        (before, digest): (StoredStatement, Digest),
        told: &Statement,
        telling: &Telling,
    ) -> Result<()> {
        let standing = revisions::standing(tx, before.id).await?;
        let diff = revision::compare(standing, told.movements());
        let mut new = Vec::new();
        if before.digest != digest {
            let version = before.version + 1;
            let mut revision = Revision::new(self.app, self.now, (version, before.digest), &diff);
            let named = (revision.id, before.id, version);
            revisions::insert(tx, named, told, (&digest, telling.message), self.now).await?;
            let pairs = told.movements().iter().zip(&telling.entries).zip(&diff.stays);
            let came = pairs.filter(|(_, stays)| stays.is_none());
            new = came.map(|((moved, entry), _)| self.line(moved, entry)).collect();
            new.iter_mut().for_each(|line: &mut NewLine| line.revision = Some(revision.id));
            let last = revisions::last_number(tx, before.id).await?;
            statement::insert_lines(tx, &before, last, &new).await?;
            revision.withdraw(self.app, tx, self.now).await?;
            (self.revision, self.changed) = (Some(revision), true);
            self.stored = StoredStatement {
                version,
                digest,
                message: telling.message,
                opening: told.opening(),
                closing: told.closing(),
                lines: told.movements().len(),
                ..before
            };
        } else {
            self.stored = before;
        }
        let mut new = new.into_iter();
        let lines = diff.stays.into_iter().map(|stays| stays.or_else(|| new.next().map(|line| line.id)));
        let lines: Option<Vec<Id<StatementLine>>> = lines.collect();
        self.lines = lines.ok_or_else(|| Error::internal("a line of a statement that is nowhere"))?;
        Ok(())
    }

    fn line(&self, moved: &Movement, entry: &iso20022::Entry) -> NewLine {
        let entropy: &dyn Entropy = &*self.app.entropy;
        let id: Id<StatementLine> = Id::new(self.now, entropy);
        let told = json!({
            "counterparty": entry.counterparty.as_ref().map(ToString::to_string),
            "remittance": entry.remittance.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        NewLine {
            id,
            reference: moved.reference.to_string(),
            amount: moved.amount,
            named: moved.named,
            accepted: entry.accepted,
            told: self.key.seal(entropy, id.uuid().as_bytes(), told.to_string().as_bytes()),
            revision: None,
        }
    }

    /// Matches, and writes what was found.
    async fn run(&mut self, tx: &mut Tx, told: &Statement) -> Result<()> {
        let lines: Vec<Line> = told
            .movements()
            .iter()
            .zip(&self.lines)
            .map(|(moved, id)| Line {
                id: *id,
                reference: moved.reference.to_string(),
                amount: moved.amount,
                named: moved.named,
            })
            .collect();
        self.debits(tx, &lines).await?;
        let (known, owners) = self.books(tx, &lines).await?;
        let found = reconcile(self.stored.day, &lines, &known).map_err(Error::internal)?;
        self.changed |= statement::insert_shown(tx, &self.stored, &found.shown).await? > 0;
        self.clear(tx, &found, &known).await?;
        self.open(tx, &found, &owners).await?;
        let account = (self.account.id, self.leaf, self.now);
        let reversed =
            revise_statement::reverse(self.app, tx, account, self.revision.as_mut(), (&lines, &found))
                .await?;
        self.changed |= reversed;
        let outcome = Outcome {
            matched: found.matched,
            posted: books::posted(tx, self.account.id, self.stored.day).await?,
            explained: found.explained,
            at: self.now,
        };
        if statement::set_outcome(tx, self.stored.id, &outcome).await? {
            self.stored.outcome = Some(outcome);
            self.changed = true;
        }
        Ok(())
    }

    /// Money that left for a refund and was not told otherwise is told by the statement.
    async fn debits(&mut self, tx: &mut Tx, lines: &[Line]) -> Result<()> {
        for line in lines.iter().filter(|line| !line.amount.is_positive()) {
            let Some(named) = line.named else { continue };
            let debited = Debited {
                account: self.account.id,
                servicer_reference: line.reference.clone(),
                amount: line.amount.negated().map_err(Error::internal)?,
                refund: Id::from_uuid(named.uuid()),
                booked_on: self.stored.day,
            };
            settle_in(self.app, tx, &debited, self.now).await?;
        }
        Ok(())
    }

    /// The books of the day, and whose each attempt in them is.
    async fn books(&self, tx: &mut Tx, lines: &[Line]) -> Result<(Books, BTreeMap<Id<Payment>, Id<Agency>>)> {
        let (account, stored) = (self.account.id, &self.stored);
        let references: Vec<&str> = lines.iter().map(|line| line.reference.as_str()).collect();
        let credits = books::credits(tx, account, stored.day, &references, stored.id).await?;
        let named: Vec<Uuid> = lines.iter().filter_map(|line| line.named.map(Id::uuid)).collect();
        let attempts = books::attempts(tx, account, &named).await?;
        let of_attempts = attempts.iter().map(|(id, (_, agency))| (*id, *agency));
        let of_credits = credits.iter().filter_map(|(credit, agency)| Some((credit.payment?, (*agency)?)));
        let owners = of_attempts.chain(of_credits).collect();
        let attempts = attempts.into_iter().map(|(id, (attempt, _))| (id, attempt));
        let credits = credits.into_iter().map(|(credit, _)| credit).collect();
        let attempts = attempts.collect::<std::collections::HashMap<_, Attempt>>();
        let debits = debit::for_statement(tx, account, stored.day, &references).await?;
        let (lines, references) = matching::held(tx, account).await?;
        let by_hand = (lines.into_iter().collect(), references.into_iter().collect());
        Ok((Books { credits, attempts, debits, by_hand }, owners))
    }

    /// Ends the cases whose difference is gone.
    async fn clear(&mut self, tx: &mut Tx, found: &Reconciliation, known: &Books) -> Result<()> {
        let still: Vec<Uuid> = found
            .differences
            .iter()
            .filter(|difference| difference.credit.is_none())
            .filter_map(|difference| difference.line.map(Id::uuid))
            .collect();
        let elsewhere = known.credits.iter().filter(|credit| credit.shown_by.is_some());
        let here = found.shown.iter().map(|shown| shown.reference.as_str());
        let shown: HashSet<&str> = here.chain(elsewhere.map(|credit| credit.reference.as_str())).collect();
        let shown: Vec<&str> = shown.into_iter().collect();
        let cleared = case::clear_gone(tx, self.account.id, self.stored.id, &still, &shown, self.now).await?;
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
        self.cases = opened.len() as u64;
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

/// The advisory lock under which an account's statements are matched.
fn lock_name(account: Id<Account>) -> i64 {
    let hash = sha256(&[b"statements of ", account.uuid().as_bytes().as_slice()].concat());
    i64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
