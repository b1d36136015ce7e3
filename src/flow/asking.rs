//! What holds questions about people back, for one batch of them: the portal's policy and quota, the budget of each
//! number, and the slowness that follows on probing. Everything is decided in the order of arrival, each question
//! seeing the ones before; what was counted is written with the answers.
//!
//! The budget across portals is read without a lock: two nodes at the same moment may each let the last one pass. It
//! bounds a crowd, so that this is enough. A check in person, and the first look-up of an accepted dossier, are counted
//! by the portal's watch and never refused by a number's budget.

use super::{Result, audit_leaf, event::event_row, population::Looked};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{Agency, Citizen, Client, Id},
};
use crate::crypto::{digest::Digest, seal::DataKey};
use crate::identity::{
    card::usable_since,
    portal_policy::PortalPolicy,
    question::{Occasion, Outcome, Question},
    verification::State,
    watch::{Held, Rules, Watch},
};
use crate::store::{
    Tx,
    asking::{self, AlertRow},
    audit, outbox,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The counts of one batch.
pub struct Asking {
    now: Instant,
    day: Day,
    rules: Rules,
    portal_max: u32,
    all_max: u32,
    watches: BTreeMap<Id<Client>, Watch>,
    /// How often each number was asked about today, by client, with what this batch adds.
    numbers: BTreeMap<Digest, BTreeMap<Id<Client>, u32>>,
    added: BTreeMap<(Digest, Id<Client>), u32>,
    firsts_taken: BTreeSet<Digest>,
    firsts: BTreeSet<Digest>,
    /// Who stood before an officer of which agency with their card.
    present: BTreeSet<(Id<Agency>, Digest)>,
    alerts: Vec<AlertRow>,
}

/// One question with the hash of its number.
pub type Hashed<'a> = (&'a Question, Digest);

/// Whom an agency says to stand before it, with the hash of their number: it counts only where its officer has checked
/// their card.
pub type Said = (Id<Citizen>, Id<Agency>, Digest);

/// Who is said to be present by these questions.
pub fn said_present(questions: &[Hashed<'_>], found: &[Looked]) -> Vec<Said> {
    let in_person = questions.iter().zip(found).filter(|((q, _), _)| q.occasion == Occasion::InPerson);
    let known = in_person.filter_map(|((question, hash), looked)| {
        looked.on_record.as_ref().map(|known| (known.citizen, question.agency, *hash))
    });
    known.collect()
}

impl Asking {
    /// Reads what was counted so far about these questions.
    pub async fn read(app: &App, tx: &mut Tx, questions: &[Hashed<'_>], now: Instant) -> Result<Self> {
        let clients: BTreeSet<Id<Client>> = questions.iter().map(|(question, _)| question.client).collect();
        let rules = Rules { misses_max: app.limits.misses_max, ..Rules::default() };
        let clients: Vec<Id<Client>> = clients.into_iter().collect();
        let numbers: BTreeSet<Digest> = questions.iter().map(|(_, hash)| *hash).collect();
        let numbers: Vec<Digest> = numbers.into_iter().collect();
        let day = Day::of(now);
        let asking::Counted { mut watches, asks } = asking::counted(tx, &clients, &numbers, day).await?;
        for client in clients {
            let watch = watches.entry(client).or_insert_with(|| Watch::new(now));
            *watch = watch.at(now, &rules);
        }
        let of =
            |occasion: Occasion| questions.iter().filter(move |(question, _)| question.occasion == occasion);
        let firsts: BTreeSet<Digest> =
            of(Occasion::DossierAccepted).map(|(question, hash)| first(app, question, hash)).collect();
        let firsts_taken = if firsts.is_empty() {
            BTreeSet::new()
        } else {
            asking::firsts_taken(tx, &firsts.into_iter().collect::<Vec<_>>()).await?.into_iter().collect()
        };
        let mut numbers: BTreeMap<Digest, BTreeMap<Id<Client>, u32>> = BTreeMap::new();
        for (hash, client, asked) in asks {
            numbers.entry(hash).or_default().insert(client, asked);
        }
        Ok(Self {
            now,
            day,
            rules,
            portal_max: app.limits.number_asks_portal_max,
            all_max: app.limits.number_asks_max,
            watches,
            numbers,
            added: BTreeMap::new(),
            firsts_taken,
            firsts: BTreeSet::new(),
            present: BTreeSet::new(),
            alerts: Vec::new(),
        })
    }

    /// Learns which of those who are said to be present were seen with their card just now.
    pub async fn witness(&mut self, tx: &mut Tx, said: &[Said]) -> Result<()> {
        if said.is_empty() {
            return Ok(());
        }
        let citizens: Vec<Id<Citizen>> = said.iter().map(|(citizen, _, _)| *citizen).collect();
        let seen = asking::seen_with_card(tx, &citizens, usable_since(self.now)).await?;
        let present = said.iter().filter(|(citizen, agency, _)| seen.contains(&(*agency, *citizen)));
        self.present.extend(present.map(|(_, agency, hash)| (*agency, *hash)));
        Ok(())
    }

    /// Whether a question is answered; else what its caller is told.
    pub fn admit(
        &self,
        app: &App,
        (question, hash): &Hashed<'_>,
        policy: &PortalPolicy,
    ) -> std::result::Result<(), Outcome> {
        let forbidden =
            policy.forbids(&question.claims, &question.predicates, question.policy, &question.ground.purpose);
        if !forbidden.is_empty() {
            return Err(Outcome::Forbidden(forbidden));
        }
        let watch = self.watches.get(&question.client).copied().unwrap_or_else(|| Watch::new(self.now));
        let present = question.occasion == Occasion::InPerson && self.is_free(app, question, hash);
        match watch.admit(self.now, policy.daily_quota, present, &self.rules) {
            Ok(()) => {}
            Err(Held::QuotaSpent) => return Err(Outcome::QuotaSpent),
            Err(Held::Slowed) => return Err(Outcome::Slowed),
        }
        if self.is_free(app, question, hash) || self.has_room(question.client, hash) {
            Ok(())
        } else {
            Err(Outcome::NumberSpent)
        }
    }

    /// Whether a row of a batch is answered: its quota was taken when the file was whole, and slowness is the batch's.
    pub fn admit_row(
        &self,
        (question, hash): &Hashed<'_>,
        policy: &PortalPolicy,
    ) -> std::result::Result<(), Outcome> {
        let forbidden =
            policy.forbids(&question.claims, &question.predicates, question.policy, &question.ground.purpose);
        if !forbidden.is_empty() {
            return Err(Outcome::Forbidden(forbidden));
        }
        if self.has_room(question.client, hash) { Ok(()) } else { Err(Outcome::NumberSpent) }
    }

    /// Counts the answer to a row of a batch.
    pub fn note_row(&mut self, app: &App, hashed: &Hashed<'_>, state: State) {
        self.note(app, hashed, state);
        if let Some(watch) = self.watches.get_mut(&hashed.0.client)
            && state != State::SourceUnavailable
        {
            watch.asked = watch.asked.saturating_sub(1);
        }
    }

    /// Whether a portal is answered slowly.
    pub fn is_slow(&self, client: Id<Client>) -> bool {
        self.watches.get(&client).is_some_and(|watch| watch.slowed_until.is_some())
    }

    /// Counts an answer. A question that the source did not answer is not counted.
    pub fn note(&mut self, app: &App, (question, hash): &Hashed<'_>, state: State) {
        if state == State::SourceUnavailable {
            return;
        }
        if let Some(watch) = self.watches.get_mut(&question.client)
            && watch.note(self.now, state, &self.rules)
        {
            self.alerts.push(AlertRow {
                id: Id::new(self.now, &*app.entropy),
                client: question.client,
                agency: question.agency,
                at: self.now,
                answered: watch.answered,
                misses: watch.misses,
                until: self.now + self.rules.slow_for,
            });
        }
        if self.is_free(app, question, hash) {
            if question.occasion == Occasion::DossierAccepted {
                let first = first(app, question, hash);
                self.firsts_taken.insert(first);
                self.firsts.insert(first);
            }
            return;
        }
        *self.numbers.entry(*hash).or_default().entry(question.client).or_default() += 1;
        *self.added.entry((*hash, question.client)).or_default() += 1;
    }

    /// Writes the counts, and the alerts with their leaves and events.
    pub async fn write(&self, app: &App, tx: &mut Tx, keys: &BTreeMap<Id<Agency>, &DataKey>) -> Result<()> {
        asking::count(tx, &self.watches, &self.added, self.day).await?;
        let firsts: Vec<Digest> = self.firsts.iter().copied().collect();
        asking::take_firsts(tx, &firsts, self.day).await?;
        for alert in &self.alerts {
            let Some(key) = keys.get(&alert.agency) else { continue };
            raise(app, tx, alert, key, self.now).await?;
        }
        Ok(())
    }

    fn is_free(&self, app: &App, question: &Question, hash: &Digest) -> bool {
        match question.occasion {
            Occasion::InPerson => self.present.contains(&(question.agency, *hash)),
            Occasion::DossierAccepted => !self.firsts_taken.contains(&first(app, question, hash)),
            Occasion::Unattended => false,
        }
    }

    fn has_room(&self, client: Id<Client>, hash: &Digest) -> bool {
        let Some(asked) = self.numbers.get(hash) else { return true };
        let own = asked.get(&client).copied().unwrap_or(0);
        own < self.portal_max && asked.values().sum::<u32>() < self.all_max
    }
}

/// What stands for the first look-up of a number for a dossier.
fn first(app: &App, question: &Question, hash: &Digest) -> Digest {
    let agency = question.agency.uuid();
    let parts = [agency.as_bytes().as_slice(), hash.as_slice(), question.ground.dossier.as_bytes()];
    app.keys.lookup("first_check", &parts.concat())
}

/// An alert rests on a row, a leaf and an event, so that nobody has to look for it.
async fn raise(app: &App, tx: &mut Tx, alert: &AlertRow, key: &DataKey, now: Instant) -> Result<()> {
    tracing::warn!(client = %alert.client, misses = alert.misses, answered = alert.answered, "a portal is probing");
    asking::insert_alert(tx, alert).await?;
    let facts = alert_json(alert);
    let concern = audit_leaf::Concern { citizen: None, agency: Some(alert.agency), object: alert.id.uuid() };
    let leaf = audit_leaf::leaf(app, now, "verification.probing", concern, key, &facts);
    audit::append(tx, &[leaf]).await?;
    let told = event_row(app, now, "verification.probing", (alert.agency, alert.id.uuid()), &facts);
    Ok(outbox::enqueue(tx, &[told]).await?)
}

/// An alert as administrators and events show it.
pub fn alert_json(alert: &AlertRow) -> serde_json::Value {
    json!({
        "id": alert.id.to_string(),
        "client": alert.client.to_string(),
        "agency": alert.agency.to_string(),
        "at": rfc3339(alert.at),
        "answered": alert.answered,
        "misses": alert.misses,
        "slowed_until": rfc3339(alert.until),
    })
}
