//! The population register as a program: answers signed look-ups about made-up people, and tells the service of
//! changes. What goes wrong is scripted.
//!
//! | who | endpoint | what |
//! |---|---|---|
//! | the service | `POST /population` | a signed look-up, a signed answer ([`crate::codec::population`]) |
//! | scripts | `POST /script/population/people` | lines in the form of the register's files, with their header |
//! | scripts | `POST /script/population/trouble` | `{"delay_ms", "status", "wrong", "hang_up", "times"}`: how the next look-ups go wrong |
//! | scripts | `POST /script/population/notices` | a notice, which is applied here and told to the service; answers its status |
//! | scripts | `GET /script/population/look-ups` | the look-ups so far: service, officer, request; no numbers |
//!
//! `wrong` is `person` (somebody else's record), `request` (an answer to another request), `signature`, `status` or
//! `garbage`. With `hang_up` the connection breaks in the middle of the answer. Nobody signs in here; this program must never face the world.

use crate::base::calendar::rfc3339;
use crate::base::clock::Clock;
use crate::codec::http_signature::{
    Answer, Headers, Request, sign_answer, sign_request, verify_answer, verify_request,
};
use crate::codec::population::{CONTENT_TYPE as JSON, Citizen, LookUp, Notice, Reply, read, write};
use crate::crypto::signing::{KeyList, Signer};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// How one register is set up.
pub struct RegisterSettings {
    /// Where it is asked, as the service writes it.
    pub address: Url,
    /// The service's inbox for notices.
    pub notices: Url,
    /// The service's pinned message keys.
    pub service_keys: KeyList,
    /// Its own key.
    pub key: Arc<dyn Signer>,
}

/// The register.
pub struct Register {
    settings: RegisterSettings,
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
    people: Mutex<People>,
    trouble: Mutex<Vec<Trouble>>,
    look_ups: Mutex<Vec<Value>>,
}

#[derive(Default)]
struct People {
    by_number: BTreeMap<String, Citizen>,
    /// Former numbers: the number of today, and until when.
    former: BTreeMap<String, (String, String)>,
}

/// How look-ups go wrong.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Trouble {
    delay_ms: u64,
    status: Option<u16>,
    wrong: Option<String>,
    hang_up: bool,
    times: Option<u32>,
}

impl Register {
    /// A register of nobody yet.
    pub fn new(settings: RegisterSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
        Ok(Arc::new(Self {
            settings,
            clock,
            http,
            people: Mutex::default(),
            trouble: Mutex::default(),
            look_ups: Mutex::default(),
        }))
    }

    /// Takes people in the form of the register's files; the first line names the columns. No field may hold a comma.
    pub fn fill(&self, text: &str) -> usize {
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
        let mut people = locked(&self.people);
        let mut taken = 0;
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let fields: BTreeMap<&str, &str> =
                columns.iter().copied().zip(line.split(',').map(str::trim)).collect();
            let text = |column: &str| fields.get(column).copied().unwrap_or_default().to_owned();
            let citizen = Citizen {
                number: text("number"),
                old_number: text("old_number"),
                name: text("name"),
                former_names: text("former_names"),
                birth_date: text("birth_date"),
                sex: text("sex"),
                phone: text("phone"),
                province: text("province"),
                status: text("status"),
                died_on: text("died_on"),
                account_level: text("account_level"),
                standings: text("standings"),
                parents: text("parents"),
                guardians: text("guardians"),
                capacity_lost_on: text("capacity_lost_on"),
            };
            people.by_number.insert(citizen.number.clone(), citizen);
            taken += 1;
        }
        taken
    }

    fn strike(&self) -> Trouble {
        let mut troubles = locked(&self.trouble);
        let Some(first) = troubles.first_mut() else { return Trouble::default() };
        let struck = first.clone();
        if let Some(times) = &mut first.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                troubles.remove(0);
            }
        }
        struck
    }

    fn reply(&self, asked: &LookUp) -> Reply {
        let people = locked(&self.people);
        let former = people.former.get(&asked.number);
        let number = former.map_or(&asked.number, |(today, _)| today);
        Reply {
            request: asked.request.clone(),
            as_of: rfc3339(self.clock.now()),
            former_until: former.map(|(_, until)| until.clone()),
            person: people.by_number.get(number).cloned(),
        }
    }

    /// Applies a notice to the people here.
    fn apply(&self, notice: &Notice) -> bool {
        let mut people = locked(&self.people);
        let Some(mut citizen) = people.by_number.get(&notice.number).cloned() else { return false };
        let value = notice.value.clone().unwrap_or_default();
        match notice.kind.as_str() {
            "death" => {
                (citizen.status, citizen.died_on) = ("deceased".to_owned(), notice.effective_on.clone());
            }
            "death_corrected" | "unlocked" => {
                (citizen.status, citizen.died_on) = ("active".to_owned(), String::new());
            }
            "locked" => citizen.status = "locked".to_owned(),
            "name_changed" => {
                let before = format!("{}@{}", citizen.name, notice.effective_on);
                citizen.former_names = if citizen.former_names.is_empty() {
                    before
                } else {
                    format!("{before};{}", citizen.former_names)
                };
                citizen.name = value;
            }
            "birth_date_changed" => citizen.birth_date = value,
            "sex_changed" => citizen.sex = value,
            "new_number" => {
                people.by_number.remove(&notice.number);
                people.former.insert(notice.number.clone(), (value.clone(), notice.effective_on.clone()));
                citizen.number = value;
            }
            _ => {}
        }
        people.by_number.insert(citizen.number.clone(), citizen);
        true
    }

    /// Tells the service of a notice; the status of its answer, if that is signed as it must be.
    pub async fn tell(&self, notice: &Notice) -> Option<u16> {
        let now = self.clock.now();
        let body = write(notice);
        let target = self.settings.notices.as_str();
        let request =
            Request { method: "POST", target_uri: target, content_type: JSON, body: body.as_bytes() };
        let (headers, signature) = sign_request(&request, &*self.settings.key, now);
        let sent = self
            .http
            .post(self.settings.notices.clone())
            .header(CONTENT_TYPE, JSON)
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature)
            .body(body);
        let response = sent.send().await.ok()?;
        let status = response.status().as_u16();
        let headers = signature_headers(response.headers())?;
        let body = response.bytes().await.ok()?;
        let answer = Answer { status, body: &body };
        verify_answer(&answer, &signature, &headers, &self.settings.service_keys, now).ok()?;
        Some(status)
    }
}

/// The routes; whoever serves the sandbox merges them.
pub fn router(register: Arc<Register>) -> Router {
    Router::new()
        .route("/population", post(look_up))
        .route("/script/population/people", post(people))
        .route("/script/population/trouble", post(trouble).delete(calm))
        .route("/script/population/notices", post(notices))
        .route("/script/population/look-ups", get(look_ups))
        .with_state(register)
}

async fn look_up(State(register): State<Arc<Register>>, headers: HeaderMap, body: Bytes) -> Response {
    let now = register.clock.now();
    let address = register.settings.address.as_str();
    let request = Request { method: "POST", target_uri: address, content_type: JSON, body: &body };
    let verified = signature_headers(&headers)
        .map(|headers| verify_request(&request, &headers, &register.settings.service_keys, now));
    let Some(Ok(signed)) = verified else { return StatusCode::UNAUTHORIZED.into_response() };
    let Some(asked) = read::<LookUp>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    locked(&register.look_ups)
        .push(json!({ "MaYeuCau": asked.request, "MaDVC": asked.service, "MaCanBo": asked.officer }));
    let trouble = register.strike();
    if trouble.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(trouble.delay_ms)).await;
    }
    if let Some(status) = trouble.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        return status.into_response();
    }
    let mut reply = register.reply(&asked);
    let wrong = trouble.wrong.as_deref();
    match wrong {
        Some("person") => {
            let people = locked(&register.people);
            reply.person = people.by_number.values().find(|citizen| citizen.number != asked.number).cloned();
        }
        Some("request") => reply.request.push('0'),
        _ => {}
    }
    let body = if wrong == Some("garbage") { "<html>".to_owned() } else { write(&reply) };
    let signed = sign_answer(
        &Answer { status: 200, body: body.as_bytes() },
        &signed.signature,
        &*register.settings.key,
        register.clock.now(),
    );
    let body = if wrong == Some("signature") { body + " " } else { body };
    let headers = [
        (CONTENT_TYPE.as_str(), JSON.to_owned()),
        ("content-digest", signed.content_digest),
        ("signature-input", signed.signature_input),
        ("signature", signed.signature),
    ];
    if trouble.hang_up {
        let broken = stream::once(async { Err::<Bytes, _>(std::io::Error::other("hung up")) });
        return (StatusCode::OK, headers, Body::from_stream(broken)).into_response();
    }
    (StatusCode::OK, headers, body).into_response()
}

async fn people(State(register): State<Arc<Register>>, body: String) -> Json<Value> {
    Json(json!({ "people": register.fill(&body) }))
}

async fn trouble(State(register): State<Arc<Register>>, Json(trouble): Json<Trouble>) -> StatusCode {
    locked(&register.trouble).push(trouble);
    StatusCode::NO_CONTENT
}

async fn calm(State(register): State<Arc<Register>>) -> StatusCode {
    locked(&register.trouble).clear();
    StatusCode::NO_CONTENT
}

async fn notices(State(register): State<Arc<Register>>, Json(notice): Json<Notice>) -> Response {
    if !register.apply(&notice) {
        return StatusCode::NOT_FOUND.into_response();
    }
    Json(json!({ "answered": register.tell(&notice).await })).into_response()
}

async fn look_ups(State(register): State<Arc<Register>>) -> Json<Value> {
    Json(json!({ "look_ups": *locked(&register.look_ups) }))
}

/// The three headers, each exactly once.
fn signature_headers(headers: &HeaderMap) -> Option<Headers> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then(|| value.to_owned())
    };
    Some(Headers {
        content_digest: one("content-digest")?,
        signature_input: one("signature-input")?,
        signature: one("signature")?,
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
