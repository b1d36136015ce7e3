//! An officer reads a chip card and sees the person: the strongest way to know who somebody is.
//!
//! The signatures of the card are checked offline against the trusted authorities, what it says is compared with the
//! register, and the verdict is signed, audited and kept. Other flows rest on a passed check by using it up in their
//! own transaction ([`consume`]). The portrait is compared by its hash and dropped; nothing of the card is kept but
//! salted digests.

use super::{
    Error, Refusal, Result,
    agency_key::{agency_key, agency_keys},
    audit_leaf::{Concern, leaf},
    idempotency::Idempotency,
    officer::{self, Workplace},
    population,
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    entropy::random,
    id::{self, Id},
    secret::Sealed,
};
use crate::codec::{
    identity_card::{PrintedFacts, read_dg1, read_dg13},
    mrz::Mrz,
    sod::{self, Authentic, authenticate},
    verification_statement::{Salt, read_own_claims},
};
use crate::crypto::{jwt, keyring::Purpose, seal::DataKey};
use crate::identity::{
    birth_date::BirthDate,
    card::{CARD_CHECK_LIFE, CardFacts, Compared, Need, Verdict, compare, usable_since},
    personal_number::{PersonalNumber, Sex},
};
use crate::store::{
    Tx, audit,
    card_check::{self, CardCheckRow, SignedResult},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The `typ` of a signed result.
pub const TYP: &str = "chung-card-check+jwt";
/// The most data groups of one card, and the most bytes of one file: a portrait has some twenty thousand.
pub const GROUPS_MAX: usize = 16;
/// The most bytes of one file of a card.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// How many of their checks an officer sees again.
const OWN_CHECKS: i64 = 10;

/// What a reader gave: the files of one card, gone when the check is done.
pub struct Reading {
    /// The signed list of hashes, the file `EF.SOD`.
    pub sod: Vec<u8>,
    /// The data groups that were read, by number.
    pub groups: BTreeMap<u8, Vec<u8>>,
}

/// Where and by whom the card is read.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    /// The agency.
    pub agency: Id<id::Agency>,
    /// The officer.
    pub officer: Id<id::Citizen>,
}

/// A check as its officer sees it.
pub struct CardCheck {
    /// Its row.
    pub row: CardCheckRow,
    /// Why, where the verdict alone does not say it.
    pub reason: Option<String>,
    /// What differs from the register.
    pub differences: Vec<String>,
    /// The holder's name, if the check passed.
    pub holder: Option<String>,
}

/// Judges a card. `expected` is whom the officer means to check, if they said so.
pub async fn check_card(
    app: &App,
    counter: Counter,
    reading: &Reading,
    expected: Option<PersonalNumber>,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    officer::demand_counter(&mut tx, counter.officer, counter.agency, today).await?;
    let judged = judge(app, reading, now);
    let looked = match &judged.facts {
        Some(facts) => Some(population::look_up(app, &mut tx, facts.number).await?),
        None => None,
    };
    let as_of = looked.as_ref().and_then(|looked| looked.as_of);
    let on_record = looked.and_then(|looked| looked.on_record);
    let compared = match &judged.facts {
        Some(facts) => compare(facts, expected, on_record.as_ref().map(|holder| &holder.person), today),
        None => Compared { verdict: judged.verdict, differences: Vec::new() },
    };
    if let Some(holder) = &on_record {
        population::meet(app, &mut tx, holder, now).await?;
    }
    let id: Id<id::CardCheck> = Id::new(now, &*app.entropy);
    let citizen = on_record.as_ref().map(|holder| holder.citizen);
    let sealing = agency_key(app, &mut tx, counter.agency).await?;
    let made = Made { id, now, counter, judged: &judged, compared: &compared, as_of };
    let row = CardCheckRow {
        id,
        at: now,
        agency: counter.agency,
        officer: counter.officer,
        citizen,
        verdict: compared.verdict,
        sealed: seal_result(app, &made, &sealing),
        used: None,
    };
    card_check::insert(&mut tx, &row).await?;
    let concern = Concern { citizen, agency: Some(counter.agency), object: id.uuid() };
    let owner = on_record.as_ref().map_or(&sealing, |holder| &holder.key);
    let details = json!({
        "card_check": id.to_string(),
        "agency": counter.agency.to_string(),
        "checked_by": counter.officer.to_string(),
        "verdict": compared.verdict.word(),
        "reason": judged.reason,
    });
    audit::append(&mut tx, &[leaf(app, now, "card.checked", concern, owner, &details)]).await?;
    let differences = compared.differences.iter().map(|d| d.word().to_owned()).collect();
    let reason = judged.reason.map(str::to_owned);
    let answer = card_check_json(&CardCheck { row, reason, differences, holder: None });
    if let Some(key) = key {
        key.keep(&mut tx, id.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// The same for an agency's system, which names the officer who stood at the counter by number.
pub async fn check_card_for(
    app: &App,
    (agency, officer): (Id<id::Agency>, PersonalNumber),
    reading: &Reading,
    expected: Option<PersonalNumber>,
    key: &Idempotency,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let found = population::look_up(app, &mut tx, officer).await?.on_record;
    drop(tx);
    let officer = found.ok_or(Error::forbidden("officer_needed"))?.citizen;
    check_card(app, Counter { agency, officer }, reading, expected, Some(key)).await
}

/// Uses up a passed check of that citizen by that officer at that agency, not older than [`CARD_CHECK_LIFE`], in the
/// transaction of the decision that rests on it. `used_for` is the kind of decision, `used_by` its object. Without one
/// the decision is refused with `card_check_needed`.
pub async fn consume(
    tx: &mut Tx,
    need: &Need,
    used_for: &'static str,
    used_by: Uuid,
    now: Instant,
) -> Result<Id<id::CardCheck>> {
    let used = card_check::consume(tx, need, usable_since(now), used_for, used_by, now).await?;
    used.ok_or(Error::Refused(Refusal::new("card_check_needed")))
}

/// One check of an agency with its signed result, and the salt that opens its digests.
pub async fn read_card_check(app: &App, agency: Id<id::Agency>, id: Id<id::CardCheck>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let row = card_check::find(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let key = agency_key(app, &mut tx, agency).await?;
    let (salt, signed) = open_result(&key, &row)?;
    let mut answer = card_check_json(&shown(row, &signed, None)?);
    answer["statement"] = json!(signed);
    answer["statement_salt"] = json!(salt.text());
    Ok(answer)
}

/// The counters at which an officer serves, and the officer's name.
pub async fn read_counters(app: &App, officer: Id<id::Citizen>) -> Result<(Vec<Workplace>, String)> {
    let mut tx = app.store.begin().await?;
    let places = officer::counters(&mut tx, officer, Day::of(app.clock.now())).await?;
    if places.is_empty() {
        return Err(Error::forbidden("officer_needed"));
    }
    let name = officer::names(app, &mut tx, &[officer].into()).await?.remove(&officer);
    Ok((places, name.unwrap_or_default()))
}

/// What an officer checked last at any of their counters, the newest first.
pub async fn read_own_checks(app: &App, officer: Id<id::Citizen>) -> Result<Vec<CardCheck>> {
    let mut tx = app.store.begin().await?;
    let places = officer::counters(&mut tx, officer, Day::of(app.clock.now())).await?;
    let places: Vec<Id<id::Agency>> = places.iter().map(|place| place.id).collect();
    let rows = card_check::of_officer(&mut tx, officer, &places, OWN_CHECKS).await?;
    let keys = agency_keys(app, &mut tx, rows.iter().map(|row| row.agency)).await?;
    let mut checks = Vec::with_capacity(rows.len());
    for row in rows {
        let (_, signed) = open_result(keys.get(&row.agency).ok_or(Error::not_found())?, &row)?;
        checks.push(shown(row, &signed, None)?);
    }
    let passed = |check: &CardCheck| check.row.citizen.filter(|_| check.row.verdict == Verdict::Passed);
    let names = officer::names(app, &mut tx, &checks.iter().filter_map(passed).collect()).await?;
    for check in &mut checks {
        check.holder = passed(check).and_then(|citizen| names.get(&citizen).cloned());
    }
    Ok(checks)
}

/// What the files alone show.
struct Judged {
    facts: Option<CardFacts>,
    authentic: Option<Authentic>,
    /// Of a card without facts.
    verdict: Verdict,
    reason: Option<&'static str>,
}

fn judge(app: &App, reading: &Reading, now: Instant) -> Judged {
    let without = |verdict, reason| Judged { facts: None, authentic: None, verdict, reason: Some(reason) };
    let authentic = match authenticate(&reading.sod, &reading.groups, &app.card_anchors, now) {
        Ok(authentic) => authentic,
        Err(refused) => return without(verdict_of(refused), refused.word()),
    };
    let (Some(dg1), Some(dg13)) = (reading.groups.get(&1), reading.groups.get(&13)) else {
        return without(Verdict::NotGenuine, "group_missing");
    };
    let read = read_dg1(dg1).ok().zip(read_dg13(dg13).ok());
    match read.and_then(|(zone, printed)| facts(&zone, &printed)) {
        Some(facts) => {
            Judged { facts: Some(facts), authentic: Some(authentic), verdict: Verdict::Passed, reason: None }
        }
        None => without(Verdict::Unreadable, "groups_unreadable"),
    }
}

const fn verdict_of(refused: sod::Refused) -> Verdict {
    match refused {
        sod::Refused::Unreadable => Verdict::Unreadable,
        sod::Refused::Unsupported => Verdict::Unsupported,
        sod::Refused::NoGroups
        | sod::Refused::NotListed(_)
        | sod::Refused::Altered(_)
        | sod::Refused::ListAltered
        | sod::Refused::BadSignature
        | sod::Refused::UntrustedSigner
        | sod::Refused::SignerExpired
        | sod::Refused::UnfitSigner => Verdict::NotGenuine,
    }
}

/// What both groups say; `None` where they do not say the same.
fn facts(zone: &Mrz, printed: &PrintedFacts) -> Option<CardFacts> {
    let number: PersonalNumber = printed.number.parse().ok()?;
    let birth_date = printed_date(&printed.birth_date)?;
    let sex = match printed.sex.trim() {
        "Nam" => Sex::Male,
        "Nữ" => Sex::Female,
        _ => return None,
    };
    let expires_on = match printed.expiry.as_deref().and_then(printed_date) {
        Some(BirthDate::Full(day)) => Some(day),
        Some(BirthDate::YearMonth(_) | BirthDate::Year(_)) | None => None,
    };
    let same_sex = zone.sex == if sex == Sex::Male { 'M' } else { 'F' };
    let same_birth = zone_agrees(&zone.birth, birth_date);
    // A card without end has no day in DG13 and the last one of its century in the zone.
    let same_expiry =
        expires_on.map_or(zone.expiry == "991231", |day| zone_agrees(&zone.expiry, BirthDate::Full(day)));
    (zone.number == number.digits() && same_sex && same_birth && same_expiry).then_some(CardFacts {
        number,
        name: printed.name.parse().ok()?,
        birth_date,
        sex,
        expires_on,
    })
}

/// `dd/mm/yyyy`, `mm/yyyy` or `yyyy`.
fn printed_date(text: &str) -> Option<BirthDate> {
    let parts: Vec<&str> = text.trim().split('/').collect();
    let iso = parts.into_iter().rev().collect::<Vec<_>>().join("-");
    iso.parse().ok()
}

/// Whether `yymmdd` says the same as far as both know.
fn zone_agrees(zone: &str, date: BirthDate) -> bool {
    let iso = date.to_string().replace('-', "");
    let known = iso.get(2..).unwrap_or_default();
    let unknown = zone.get(known.len()..).unwrap_or("?");
    zone.starts_with(known) && unknown.bytes().all(|b| matches!(b, b'<' | b'0'))
}

/// Everything that a result says.
struct Made<'a> {
    id: Id<id::CardCheck>,
    now: Instant,
    counter: Counter,
    judged: &'a Judged,
    compared: &'a Compared,
    as_of: Option<Instant>,
}

fn seal_result(app: &App, made: &Made<'_>, key: &DataKey) -> Sealed<SignedResult> {
    let salt = Salt(random(&*app.entropy));
    let number = made.judged.facts.as_ref().map(|facts| salt.digest("number", facts.number.digits()));
    let authentic = made.judged.authentic.as_ref();
    let claims = json!({
        "iss": app.origin.as_str(),
        "jti": made.id.to_string(),
        "iat": jwt::numeric_date(made.now),
        "agency": made.counter.agency.to_string(),
        "officer": made.counter.officer.to_string(),
        "verdict": made.compared.verdict.word(),
        "reason": made.judged.reason,
        "differences": made.compared.differences.iter().map(|d| d.word()).collect::<Vec<_>>(),
        "groups": authentic.map(|shown| shown.groups.clone()),
        "signer": authentic.map(|shown| hex::encode(shown.signer)),
        "anchor": authentic.map(|shown| hex::encode(shown.anchor)),
        "number": number,
        "source": population::source_name(app),
        "as_of": made.as_of.map(rfc3339),
    });
    let signed = jwt::sign(app.keys.signing(Purpose::Record), TYP, &claims);
    key.seal(&*app.entropy, &place(made.id), &[salt.0.as_slice(), signed.as_bytes()].concat())
}

fn place(id: Id<id::CardCheck>) -> Vec<u8> {
    [b"card_check.sealed".as_slice(), id.uuid().as_bytes()].concat()
}

fn open_result(key: &DataKey, row: &CardCheckRow) -> Result<(Salt, String)> {
    let plain = key.open(&place(row.id), &row.sealed)?;
    let (salt, signed) = plain.expose().split_first_chunk().ok_or_else(|| Error::internal("a short seal"))?;
    Ok((Salt(*salt), std::str::from_utf8(signed).map_err(Error::internal)?.to_owned()))
}

fn shown(row: CardCheckRow, signed: &str, holder: Option<String>) -> Result<CardCheck> {
    let claims = read_own_claims(signed).ok_or_else(|| Error::internal("a result does not read"))?;
    let differences = claims["differences"].as_array().into_iter().flatten();
    Ok(CardCheck {
        reason: claims["reason"].as_str().map(str::to_owned),
        differences: differences.filter_map(|word| word.as_str().map(str::to_owned)).collect(),
        holder,
        row,
    })
}

fn card_check_json(check: &CardCheck) -> Value {
    let row = &check.row;
    let passed = row.verdict == Verdict::Passed;
    json!({
        "id": row.id.to_string(),
        "checked_at": rfc3339(row.at),
        "officer": row.officer.to_string(),
        "citizen": row.citizen.filter(|_| passed).map(|citizen| citizen.to_string()),
        "verdict": row.verdict.word(),
        "reason": check.reason,
        "differences": check.differences,
        "usable_until": passed.then(|| rfc3339(row.at + CARD_CHECK_LIFE)),
        "used_at": row.used.as_ref().map(|(at, _)| rfc3339(*at)),
        "used_for": row.used.as_ref().map(|(_, what)| what.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_agrees_as_far_as_both_know() {
        let date = |text: &str| text.parse::<BirthDate>().unwrap();
        for (zone, text, agrees) in [
            ("850315", "1985-03-15", true),
            ("850316", "1985-03-15", false),
            ("8503<<", "1985-03", true),
            ("85<<<<", "1985", true),
            ("850000", "1985", true),
            ("850315", "1985", false),
            ("84<<<<", "1985", false),
        ] {
            assert_eq!(zone_agrees(zone, date(text)), agrees, "{zone} and {text}");
        }
        assert_eq!(printed_date("15/03/1985"), "1985-03-15".parse().ok());
        assert_eq!(printed_date("1985"), "1985".parse().ok());
        assert_eq!(printed_date("Không thời hạn"), None);
    }
}
