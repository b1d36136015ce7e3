//! Puts differences together that are one matter: an accountant says which lines and which credits, and why. What they
//! leave open beyond the account's tolerance holds only when a second person approves it. So does that a line is itself the
//! credit of an attempt whose notification never came: approved, it is booked ([`super::book_line`]).

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    book_line::{book_line, demand_unbooked},
    idempotency::Idempotency,
    match_day::wait_for_statements,
    officer::{self, Workplace},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Case, Citizen, Id},
    money::Money,
    page::PageRequest,
    text::Line,
};
use crate::crypto::seal::DataKey;
use crate::identity::role::Role;
use crate::payment::{
    case::{self as cases, Act, By},
    matching::{self, Reason},
    reconciliation::Difference,
};
use crate::store::{
    Tx,
    account::{self, CollectingAccount},
    audit,
    case::{self, Filter, StoredCase, StoredNote},
    case_facts::{self, Place},
    matching::{self as matches, StoredMatch},
    payout,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Why, in words: one line.
pub type Words = Line<500>;

/// How many matches and how many cases the page shows.
const SHOWN: i64 = 50;
const CASES: u32 = 200;

/// Says that these cases are one matter. It holds at once when it leaves no more open than one person may say.
pub async fn propose_match(
    app: &App,
    officer: Id<Citizen>,
    agency: Id<Agency>,
    members: &BTreeSet<Id<Case>>,
    (reason, words): (Reason, &Words),
) -> Result<Id<id::MatchGroup>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    officer::demand_accountant(&mut tx, officer, agency, Day::of(now)).await?;
    let found = members_of(&mut tx, agency, members).await?;
    let account = found.first().ok_or(unfit())?.account;
    if found.iter().any(|case| case.account != account) {
        return Err(unfit());
    }
    for case in &found {
        cases::match_up(&case.state, officer, now).map_err(|why| Error::conflict(why.code()))?;
    }
    let tolerance = matches::tolerance(&mut tx, account).await?;
    let differences = found.iter().map(|case| &case.difference);
    let (weighed, holds) = matching::propose(reason, differences, tolerance).map_err(refused)?;
    if let (Reason::Credited, [case]) = (reason, found.as_slice()) {
        demand_unbooked(&mut tx, case).await?;
    }
    let sealing = agency_key(app, &mut tx, agency).await?;
    let id: Id<id::MatchGroup> = Id::new(now, &*app.entropy);
    let group = StoredMatch {
        id,
        account,
        agency,
        reason,
        stated: weighed.stated,
        held: weighed.held,
        tolerance,
        words: sealing.seal(&*app.entropy, &place(id), words.as_str().as_bytes()),
        state: if holds { "matched" } else { "proposed" }.to_owned(),
        proposed: (officer, now),
        decided: None,
        cases: found.iter().map(|case| case.id).collect(),
    };
    match matches::insert(&mut tx, &group).await {
        Err(e) if e.violates("match_member_lives_once") => return Err(Error::conflict("case_in_match")),
        done => done?,
    }
    if holds {
        settle(app, &mut tx, (&found, officer), (reason, officer, words, &sealing), now).await?;
    }
    let kind = if holds { "case.matched" } else { "case.match_proposed" };
    record(app, &mut tx, &group, (kind, officer), &sealing, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Approves a match that leaves more open than one person may say, or takes it back. Approving takes a second person.
pub async fn decide_match(
    app: &App,
    officer: Id<Citizen>,
    id: Id<id::MatchGroup>,
    approve: bool,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces_of_two(&mut tx, officer, Day::of(now)).await?;
    let ids: Vec<Id<Agency>> = places.iter().map(|place| place.id).collect();
    let group = matches::of_agencies(&mut tx, &ids, id).await?.ok_or(Error::not_found())?;
    let books = approve && group.reason == Reason::Credited;
    if books {
        wait_for_statements(&mut tx, group.account).await?;
    }
    if approve {
        matching::approve(group.proposed.0, officer).map_err(refused)?;
        officer::demand(&mut tx, officer, group.agency, Role::Approver, Day::of(now)).await?;
    } else if !places.iter().any(|place| place.id == group.agency && place.acts) {
        return Err(Error::forbidden("accountant_needed"));
    }
    let word = if approve { "matched" } else { "withdrawn" };
    if !matches::decide(&mut tx, id, word, (officer, now)).await? {
        return Err(Error::conflict("match_decided"));
    }
    let sealing = agency_key(app, &mut tx, group.agency).await?;
    if approve {
        let members = group.cases.iter().copied().collect();
        let found = members_of(&mut tx, group.agency, &members).await?;
        let plain = sealing.open(&place(id), &group.words)?;
        let words = String::from_utf8_lossy(plain.expose()).into_owned();
        let words = Words::parse(&words).map_err(Error::internal)?;
        settle(app, &mut tx, (&found, group.proposed.0), (group.reason, officer, &words, &sealing), now)
            .await?;
        if let (true, [case]) = (books, found.as_slice()) {
            book_line(app, &mut tx, (id, case), now).await?;
        }
    }
    let kind = if approve { "case.matched" } else { "case.match_withdrawn" };
    record(app, &mut tx, &group, (kind, officer), &sealing, now).await?;
    Ok(tx.commit().await?)
}

/// Sets how much a match of an account may leave open when one person says it; for administrators.
pub async fn set_tolerance(
    app: &App,
    agency: Id<Agency>,
    (number, amount): (&str, Money),
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let account = account::account_of_number(&mut tx, number).await?.filter(|a| a.heir == agency);
    let account = account.ok_or(Error::not_found())?;
    matches::set_tolerance(&mut tx, account.id, amount, (key.client, now)).await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    let answer = json!({
        "account": account.number,
        "amount": super::explain::money(amount),
    });
    let concern = Concern { citizen: None, agency: Some(agency), object: account.id.uuid() };
    let leaf = audit_leaf::leaf(app, now, "account.match_tolerance_set", concern, &sealing, &answer);
    audit::append(&mut tx, &[leaf]).await?;
    key.keep(&mut tx, account.id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The members, each of this agency.
async fn members_of(
    tx: &mut Tx,
    agency: Id<Agency>,
    members: &BTreeSet<Id<Case>>,
) -> Result<Vec<StoredCase>> {
    if members.len() > matching::MEMBERS_MAX {
        return Err(unfit());
    }
    let members: Vec<Id<Case>> = members.iter().copied().collect();
    let found = case::those_of_agency(tx, agency, &members).await?;
    if found.len() == members.len() { Ok(found) } else { Err(Error::not_found()) }
}

/// Ends the cases by the match, as whoever proposed it could alone, each with a note of why by whoever decided. Money found so may
/// go on.
async fn settle(
    app: &App,
    tx: &mut Tx,
    (found, holder): (&[StoredCase], Id<Citizen>),
    (reason, officer, words, sealing): (Reason, Id<Citizen>, &Words, &DataKey),
    now: Instant,
) -> Result<()> {
    let end = if reason == Reason::Credited { cases::book } else { cases::match_up };
    let moves = found
        .iter()
        .map(|one| {
            let to = end(&one.state, holder, now).map_err(|why| Error::conflict(why.code()))?;
            Ok((one, to))
        })
        .collect::<Result<Vec<_>>>()?;
    if case::move_cases(tx, &moves).await? != moves.len() {
        return Err(Error::conflict("case_moved"));
    }
    let note = |one: &StoredCase| {
        let id = Id::<id::Event>::new(now, &*app.entropy).uuid();
        let words = Some(sealing.seal(&*app.entropy, id.as_bytes(), words.as_str().as_bytes()));
        (one.id, StoredNote { id, at: now, act: Act::Matched, by: Some(By::Officer(officer)), words })
    };
    let notes: Vec<_> = found.iter().map(note).collect();
    case::insert_notes(tx, &notes).await?;
    if reason == Reason::Credited {
        return Ok(());
    }
    let lines: Vec<_> = found.iter().filter_map(|case| case.difference.line).collect();
    matches::count_matched(tx, &lines).await?;
    let days: BTreeSet<_> = found.iter().map(|case| (case.account, case.day)).collect();
    for (account, day) in days {
        payout::mark_due(tx, account, day).await?;
    }
    Ok(())
}

async fn record(
    app: &App,
    tx: &mut Tx,
    group: &StoredMatch,
    (kind, by): (&'static str, Id<Citizen>),
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(group.agency), object: group.id.uuid() };
    let details = json!({
        "match": group.id.to_string(),
        "cases": group.cases.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "reason": group.reason.as_str(),
        "stated": group.stated.decimal(),
        "held": group.held.decimal(),
        "tolerance": group.tolerance.decimal(),
        "by": by.to_string(),
    });
    let leaf = audit_leaf::leaf(app, now, kind, concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}

fn unfit() -> Error {
    Error::Refused(Refusal::new("match_unfit"))
}

fn refused(refusal: matching::Refusal) -> Error {
    match refusal {
        matching::Refusal::OwnAct => Error::forbidden(refusal.code()),
        _ => Error::refused(refusal.code()),
    }
}

pub(super) fn place(id: Id<id::MatchGroup>) -> Vec<u8> {
    [b"match_group.words".as_slice(), id.uuid().as_bytes()].concat()
}

/// What the page of matches shows.
pub struct Matches {
    /// Who reads it.
    pub reader: Id<Citizen>,
    /// The reader's name.
    pub reader_name: String,
    /// Whose cases.
    pub agency: Workplace,
    /// Each account with cases to be matched: what one person may leave open, the cases, and groups that would fit.
    pub accounts: Vec<Unmatched>,
    /// The newest matches.
    pub groups: Vec<MatchShown>,
    /// When this was read.
    pub now: Instant,
}

/// What of an account is to be matched.
pub struct Unmatched {
    /// The account.
    pub account: CollectingAccount,
    /// What one person may leave open.
    pub tolerance: Money,
    /// The cases, the oldest first, each with where its line stands.
    pub cases: Vec<(StoredCase, Option<Place>)>,
    /// Groups that would fit, by place among the cases.
    pub suggested: Vec<Vec<usize>>,
}

/// A match on the page.
pub struct MatchShown {
    /// The match.
    pub group: StoredMatch,
    /// Why, in words; absent when an agency before this one sealed them.
    pub words: Option<String>,
    /// Who proposed it, and who decided.
    pub by: (String, Option<String>),
}

/// The matches of an agency where the citizen keeps, approves or audits the books.
pub async fn read_matches(app: &App, citizen: Id<Citizen>, agency: Option<Id<Agency>>) -> Result<Matches> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces_of_two(&mut tx, citizen, Day::of(now)).await?;
    if places.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let wanted = |place: &Workplace| agency.is_none_or(|id| id == place.id);
    let of = places.into_iter().find(wanted).ok_or(Error::not_found())?;
    let accounts = unmatched(&mut tx, of.id).await?;
    let found = matches::newest(&mut tx, of.id, SHOWN).await?;
    let mut people: BTreeSet<Id<Citizen>> = BTreeSet::from([citizen]);
    people.extend(found.iter().map(|group| group.proposed.0));
    people.extend(found.iter().filter_map(|group| group.decided.map(|(by, _)| by)));
    let names = officer::names(app, &mut tx, &people).await?;
    let name = |who: Id<Citizen>| names.get(&who).cloned().unwrap_or_default();
    let key = agency_key(app, &mut tx, of.id).await?;
    let groups = found.into_iter().map(|group| {
        let words = key.open(&place(group.id), &group.words).ok();
        let words = words.map(|plain| String::from_utf8_lossy(plain.expose()).into_owned());
        let by = (name(group.proposed.0), group.decided.map(|(by, _)| name(by)));
        MatchShown { group, words, by }
    });
    let groups = groups.collect();
    Ok(Matches { reader: citizen, reader_name: name(citizen), agency: of, accounts, groups, now })
}

async fn unmatched(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<Unmatched>> {
    let page = PageRequest::new(None, Some(CASES)).ok_or_else(Error::not_found)?;
    let filter = Filter { pending: true, of_day: None };
    let mut found = case::list(tx, &[agency], filter, &page).await?.items;
    found.reverse();
    let joined = matches::joined(tx, &found.iter().map(|case| case.id).collect::<Vec<_>>()).await?;
    found.retain(|case| matching::sides(&case.difference).is_some() && !joined.contains(&case.id));
    let lines: Vec<_> = found.iter().filter_map(|case| case.difference.line).collect();
    let places = case_facts::places(tx, &lines).await?;
    let mut of_accounts: BTreeMap<_, Vec<(StoredCase, Option<Place>)>> = BTreeMap::new();
    for case in found {
        let place = case.difference.line.and_then(|line| places.get(&line).cloned());
        of_accounts.entry(case.account).or_default().push((case, place));
    }
    let ids: Vec<_> = of_accounts.keys().copied().collect();
    let tolerances = matches::tolerances(tx, &ids).await?;
    let unmatched = account::accounts_named(tx, &ids).await?.into_iter().map(|account| {
        let cases = of_accounts.remove(&account.id).unwrap_or_default();
        let tolerance = tolerances.get(&account.id).copied().unwrap_or(Money::vnd(0));
        let differences: Vec<&Difference> = cases.iter().map(|(case, _)| &case.difference).collect();
        let suggested = matching::suggest(&differences, tolerance);
        Unmatched { account, tolerance, cases, suggested }
    });
    Ok(unmatched.collect())
}
