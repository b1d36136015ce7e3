//! How a question is written before it is sealed, to be asked again later. The form is ours alone.

use super::{Error, Result, verification_answer::predicate_answer};
use crate::base::{
    id::{Agency, Client, Id},
    text::Line,
};
use crate::codec::verification_statement::PredicateAnswer;
use crate::crypto::digest::Digest;
use crate::identity::{
    birth_date::Precision,
    predicate::Predicate,
    question::{Acting, Ground, Heard, Occasion, Question},
    verification::Claims,
};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

#[derive(Serialize, Deserialize)]
struct Record {
    number: String,
    name: Option<String>,
    birth_date: Option<String>,
    sex: Option<String>,
    old_number: Option<String>,
    phone: Option<String>,
    province: Option<String>,
    predicates: Vec<PredicateAnswer>,
    policy: Option<String>,
    occasion: String,
    purpose: String,
    procedure: String,
    dossier: String,
    officer: String,
    legal_basis: Option<String>,
    acting: Option<(String, String, String)>,
}

/// The question as bytes.
pub fn encode(question: &Question) -> Vec<u8> {
    let claims = &question.claims;
    let record = Record {
        number: question.number.digits().to_owned(),
        name: claims.name.as_ref().map(|name| name.as_str().to_owned()),
        birth_date: claims.birth_date.map(|date| date.to_string()),
        sex: claims.sex.map(|sex| sex.word().to_owned()),
        old_number: claims.old_number.map(|old| old.digits().to_owned()),
        phone: claims.phone.as_ref().map(|phone| phone.digits().to_owned()),
        province: claims.province.map(|province| province.code().to_owned()),
        predicates: question.predicates.iter().map(|asked| predicate_answer(*asked, None)).collect(),
        policy: question.policy.map(|policy| policy.code().to_owned()),
        occasion: question.occasion.word().to_owned(),
        purpose: question.ground.purpose.to_string(),
        procedure: question.ground.procedure.clone(),
        dossier: question.ground.dossier.clone(),
        officer: question.ground.officer.to_string(),
        legal_basis: question.ground.legal_basis.as_ref().map(ToString::to_string),
        acting: question.acting.as_ref().map(|acting| {
            let (number, name) = (acting.number.digits().to_owned(), acting.name.as_str().to_owned());
            (number, name, acting.act.word().to_owned())
        }),
    };
    serde_json::to_vec(&record).unwrap_or_default()
}

/// The question that these bytes are, under another key and of the same asker.
pub fn decode(
    bytes: &[u8],
    agency: Id<Agency>,
    client: Id<Client>,
    key: (String, Digest),
) -> Result<Question> {
    let record: Record = serde_json::from_slice(bytes).map_err(Error::internal)?;
    let claims = Claims {
        name: maybe(record.name.as_deref())?,
        birth_date: maybe(record.birth_date.as_deref())?,
        sex: maybe(record.sex.as_deref())?,
        old_number: maybe(record.old_number.as_deref())?,
        phone: maybe(record.phone.as_deref())?,
        province: maybe(record.province.as_deref())?,
    };
    let unread = || Error::internal("a sealed question does not read");
    let line = |text: &str| Line::parse(text).map_err(|_| unread());
    Ok(Question {
        agency,
        client,
        key,
        number: read(&record.number)?,
        claims,
        predicates: record
            .predicates
            .iter()
            .map(|asked| predicate(asked).ok_or_else(unread))
            .collect::<Result<_>>()?,
        policy: maybe(record.policy.as_deref())?,
        occasion: Occasion::of(&record.occasion).ok_or_else(unread)?,
        heard: Heard::Own,
        ground: Ground {
            purpose: line(&record.purpose)?,
            procedure: record.procedure,
            dossier: record.dossier,
            officer: Line::parse(&record.officer).map_err(|_| unread())?,
            legal_basis: record.legal_basis.as_deref().map(line).transpose()?,
        },
        acting: record.acting.as_ref().map(acting).transpose()?,
    })
}

fn acting((number, name, act): &(String, String, String)) -> Result<Acting> {
    Ok(Acting { number: read(number)?, name: read(name)?, act: read(act)? })
}

/// The predicate that a wire form asks.
pub fn predicate(asked: &PredicateAnswer) -> Option<Predicate> {
    match (asked.age_at_least, &asked.on, &asked.birth_date_known_to, &asked.resident_of) {
        (Some(years), Some(on), None, None) => Predicate::age_at_least(years, on.parse().ok()?),
        (None, None, Some(precision), None) => Precision::of(precision).map(Predicate::BirthDateKnownTo),
        (None, None, None, Some(region)) => region.parse().ok().map(Predicate::ResidentOf),
        _ => None,
    }
}

fn read<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::internal("a sealed question does not read"))
}

fn maybe<T: FromStr>(text: Option<&str>) -> Result<Option<T>> {
    text.map(read).transpose()
}
