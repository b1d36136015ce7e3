//! `/v1/verifications`: is this person who the agency takes them for?

use crate::app::App;
use crate::base::calendar::Day;
use crate::base::text::{Line, NotALine};
use crate::flow::{Error, Refusal, Violation, read_verification, verify_identity};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
};
use crate::identity::birth_date::Precision;
use crate::identity::mandate::Act;
use crate::identity::name::Name;
use crate::identity::predicate::Predicate;
use crate::identity::question::{Acting, Ground, Heard, Occasion, Question};
use crate::identity::verification::Claims;
use crate::payment::code::{DossierCode, ProcedureCode};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/v1/verifications", post(ask)).route("/v1/verifications/{id}", get(one))
}

/// A question as an agency sends it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewVerification {
    number: String,
    attributes: NewClaims,
    purpose: String,
    procedure: String,
    dossier: String,
    officer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_basis: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acting: Option<NewActing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occasion: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    predicates: Vec<NewPredicate>,
}

/// Who acts for the person.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewActing {
    number: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<String>,
}

/// One question without a value; exactly one of the three.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPredicate {
    #[serde(skip_serializing_if = "Option::is_none")]
    age_at_least: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birth_date_known_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_of: Option<String>,
}

/// The most questions beside one set of claims.
const PREDICATES_MAX: usize = 8;

/// What the agency holds to be true.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClaims {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birth_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<String>,
}

async fn ask(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewVerification>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, "POST /v1/verifications", &body)?;
    let question = question(&caller, (key.key().to_owned(), *key.digest()), &body)?;
    let answer = verify_identity::verify_identity(&app, question).await?;
    let json = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, json, answer).into_response())
}

async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = read_verification::read_verification(&app, caller.agency, super::object(&id)?).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(answer)).into_response())
}

/// Reads the whole question and names everything that is wrong with it at once; personal values are not repeated.
fn question(caller: &Caller, key: (String, [u8; 32]), body: &NewVerification) -> Result<Question, Error> {
    let mut faults = Faults(Refusal::new("invalid_body"));
    let number = faults.read("/number", &body.number);
    let claims = claims(&mut faults, &body.attributes);
    let procedure = faults.read::<ProcedureCode>("/procedure", &body.procedure);
    let dossier = faults.read::<DossierCode>("/dossier", &body.dossier);
    let policy = faults.maybe("/policy", body.policy.as_deref());
    let occasion = body.occasion.as_deref().map_or(Some(Occasion::Unattended), Occasion::of);
    if occasion.is_none() {
        faults.add("/occasion", "shape");
    }
    let predicates = predicates(&mut faults, &body.predicates);
    let purpose = faults.line("/purpose", &body.purpose);
    let officer = faults.line("/officer", &body.officer);
    let acting = body.acting.as_ref().and_then(|acting| acting_of(&mut faults, acting));
    let legal_basis = body.legal_basis.as_deref().and_then(|text| faults.line("/legal_basis", text));
    match (number, purpose, procedure, dossier, officer) {
        (Some(number), Some(purpose), Some(procedure), Some(dossier), Some(officer))
            if faults.0.violations.is_empty() =>
        {
            let (procedure, dossier) = (procedure.to_string(), dossier.to_string());
            let ground = Ground { purpose, procedure, dossier, officer, legal_basis };
            Ok(Question {
                agency: caller.agency,
                client: caller.client,
                key,
                number,
                claims,
                predicates,
                policy,
                occasion: occasion.unwrap_or_default(),
                heard: Heard::Own,
                ground,
                acting,
            })
        }
        _ => Err(Error::Refused(faults.0)),
    }
}

fn acting_of(faults: &mut Faults, body: &NewActing) -> Option<Acting> {
    let number = faults.read("/acting/number", &body.number);
    let name = faults.name("/acting/name", &body.name);
    let act = match body.act.as_deref() {
        Some(word) => faults.read("/acting/act", word),
        None => Some(Act::Apply),
    };
    Some(Acting { number: number?, name: name?, act: act? })
}

fn predicates(faults: &mut Faults, body: &[NewPredicate]) -> Vec<Predicate> {
    if body.len() > PREDICATES_MAX {
        faults.add("/predicates", "count");
    }
    let mut read = Vec::new();
    for (i, asked) in body.iter().enumerate().take(PREDICATES_MAX) {
        match predicate(asked) {
            Some(predicate) => read.push(predicate),
            None => faults.add(&format!("/predicates/{i}"), "shape"),
        }
    }
    read
}

fn predicate(asked: &NewPredicate) -> Option<Predicate> {
    let NewPredicate { age_at_least, on, birth_date_known_to, resident_of } = asked;
    match (age_at_least, on, birth_date_known_to, resident_of) {
        (Some(years), Some(on), None, None) => Predicate::age_at_least(*years, on.parse::<Day>().ok()?),
        (None, None, Some(precision), None) => Precision::of(precision).map(Predicate::BirthDateKnownTo),
        (None, None, None, Some(region)) => region.parse().ok().map(Predicate::ResidentOf),
        _ => None,
    }
}

fn claims(faults: &mut Faults, body: &NewClaims) -> Claims {
    let claims = Claims {
        name: body.name.as_deref().and_then(|text| faults.name("/attributes/name", text)),
        birth_date: faults.maybe("/attributes/birth_date", body.birth_date.as_deref()),
        sex: faults.maybe("/attributes/sex", body.sex.as_deref()),
        old_number: faults.maybe("/attributes/old_number", body.old_number.as_deref()),
        phone: faults.maybe("/attributes/phone", body.phone.as_deref()),
        province: faults.maybe("/attributes/province", body.province.as_deref()),
    };
    if body.name.is_none() && body.birth_date.is_none() {
        faults.add("/attributes", "name_or_birth_date_needed");
    }
    claims
}

/// What is wrong with a body so far.
struct Faults(Refusal);

impl Faults {
    fn add(&mut self, field: &str, rule: &'static str) {
        self.0.violations.push(Violation { field: field.to_owned(), rule, sent: None });
    }

    fn read<T: FromStr>(&mut self, field: &str, text: &str) -> Option<T> {
        let read = text.parse().ok();
        if read.is_none() {
            self.add(field, "shape");
        }
        read
    }

    fn maybe<T: FromStr>(&mut self, field: &str, text: Option<&str>) -> Option<T> {
        text.and_then(|text| self.read(field, text))
    }

    fn line<const MAX: usize>(&mut self, field: &str, text: &str) -> Option<Line<MAX>> {
        Line::parse(text).map_err(|why| self.add(field, rule(why))).ok()
    }

    fn name(&mut self, field: &str, text: &str) -> Option<Name> {
        text.parse().map_err(|why| self.add(field, rule(why))).ok()
    }
}

const fn rule(why: NotALine) -> &'static str {
    match why {
        NotALine::Empty => "empty",
        NotALine::TooLong(_) => "too_long",
        NotALine::Unprintable => "unprintable",
    }
}
