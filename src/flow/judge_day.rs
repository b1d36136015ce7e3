//! What of a day is not plain, judged in chunks by [`crate::payment::reconciliation`]: lines first, then what the books hold and
//! no line shows. Each difference is a case; what is a difference no longer is none.

use super::{
    Error, Result,
    event::event_row,
    match_day::{AT_ONCE, Matching, Sum},
    revise_statement,
    told_lines::Step,
};
use crate::{
    base::id::{Agency, Id, Payment},
    payment::reconciliation::{Books, Difference, Judging, Line, Reconciliation},
    store::{
        Tx, case, debit, inheritance,
        outbox::{self, NewOutbox},
        reconciliation as books,
        sift::{self, Sifted},
        statement,
    },
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

impl Matching<'_> {
    /// Judges the lines that are not plain, chunk by chunk.
    pub(super) async fn judge(
        &mut self,
        tx: &mut Tx,
        known: &mut Books,
        (sum, rest): (&mut Sum, usize),
    ) -> Result<()> {
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

    /// Judges what the books hold for the day and no line shows, and what a revision took back, chunk by chunk.
    pub(super) async fn unseen(&mut self, tx: &mut Tx, known: &mut Books, sum: &mut Sum) -> Result<()> {
        let (account, mut after) = (self.account.id, String::new());
        loop {
            let chunk = sift::references(tx, account, &after, AT_ONCE).await?;
            let Some(last) = chunk.last() else { return Ok(()) };
            after.clone_from(&last.reference);
            let references: Vec<&str> = chunk.iter().map(|sifted| sifted.reference.as_str()).collect();
            let owners = self.books(tx, known, (&references, &[])).await?;
            let seen = those(&chunk, |sifted| sifted.seen);
            let gone = those(&chunk, |sifted| sifted.gone);
            known.credits.retain(|credit| !seen.contains(credit.reference.as_str()));
            known.debits.retain(|reference, _| !gone.contains(reference.as_str()));
            let taken = those(&chunk, |sifted| sifted.taken);
            known.taken = taken.iter().map(|reference| (*reference).to_owned()).collect();
            let mut found = Reconciliation::nothing();
            Judging::of(self.stored.day).unseen(known, &mut found).map_err(Error::internal)?;
            self.clear(tx, (&[], &found), known).await?;
            self.open(tx, &found, &owners).await?;
            if let Some(revision) = &mut self.revision {
                let missing = found.differences.iter().filter_map(|d| d.credit.as_deref().zip(d.held));
                let missing: Vec<_> = missing.filter(|(reference, _)| taken.contains(reference)).collect();
                let of = (account, self.leaf, self.now);
                self.changed |= revise_statement::take_back(self.app, tx, of, revision, &missing).await?;
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

    /// Opens a case for each difference that has none, with whoever answers by now for the attempt that it names.
    async fn open(
        &mut self,
        tx: &mut Tx,
        found: &Reconciliation,
        owners: &BTreeMap<Id<Payment>, Id<Agency>>,
    ) -> Result<()> {
        let named = |difference: &Difference| owners.get(&difference.payment?).copied();
        let of: BTreeSet<Id<Agency>> = found.differences.iter().filter_map(named).collect();
        let heirs = if of.is_empty() {
            BTreeMap::new()
        } else {
            inheritance::heirs(tx, &of.into_iter().collect::<Vec<_>>(), None).await?
        };
        let owner = |difference: &Difference| {
            named(difference).and_then(|agency| heirs.get(&agency).copied()).unwrap_or(self.account.heir)
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
            .map(|case| {
                let told = json!({ "case": case.id.to_string(), "kind": case.difference.kind.as_str() });
                event_row(self.app, self.now, "case.opened", (case.agency, case.id.uuid()), &told)
            })
            .collect();
        outbox::enqueue(tx, &told).await?;
        Ok(())
    }
}

/// The references that pass.
fn those(chunk: &[Sifted], wanted: impl Fn(&&Sifted) -> bool) -> HashSet<&str> {
    chunk.iter().filter(wanted).map(|sifted| sifted.reference.as_str()).collect()
}
