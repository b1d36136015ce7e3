//! The remote population register, over signed HTTP.
//!
//! Each look-up names service, officer and request, is signed, and counts only if the answer is signed over it, repeats
//! the request and is about the number that was asked. So many look-ups may be under way at once; whoever comes
//! beyond, or while the circuit is open, or in the hours of maintenance, is told so at once and nothing is sent. So a
//! slow register costs this service a bounded number of waiting calls and no more. A connection that did not come about,
//! or broke before the answer was whole, is tried once more if the budget of retries allows it: a look-up changes
//! nothing, and keeps the name of its request. What silence means is decided by the flow.

use super::breaker::{Breaker, Window};
use super::signed_http::{Peer, SignedHttp, Silence};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Id, Message},
};
use crate::codec::population::{self as wire, CONTENT_TYPE};
use crate::crypto::keyring::KeyRing;
use crate::identity::assurance::AccountLevel;
use crate::identity::person::{Person, Status, former_names};
use crate::identity::personal_number::PersonalNumber;
use futures_util::future::BoxFuture;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use tokio::sync::Semaphore;

/// A register of persons that is asked over the network.
pub trait PopulationSource: Send + Sync {
    /// How statements and histories name it.
    fn name(&self) -> &'static str;

    /// Who has this number?
    fn look_up<'a>(&'a self, asked: &'a LookUp, now: Instant) -> BoxFuture<'a, Result<Found, NoAnswer>>;
}

/// One look-up.
#[derive(Debug, Clone)]
pub struct LookUp {
    /// Its identifier.
    pub request: Id<Message>,
    /// The number.
    pub number: PersonalNumber,
    /// The online service.
    pub service: String,
    /// The officer.
    pub officer: String,
}

/// What the register answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of when its knowledge is.
    pub as_of: Instant,
    /// The person, if there is one.
    pub person: Option<Box<Person>>,
    /// Until when the number that was asked about was the person's, if it is no longer.
    pub former_until: Option<Day>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It is away at this hour; nothing was sent.
    #[error("the register is under maintenance")]
    Maintenance,
    /// It failed too often; nothing was sent.
    #[error("the register failed too often and is left alone for a moment")]
    CircuitOpen,
    /// Too many look-ups are under way; nothing was sent.
    #[error("too many look-ups are under way")]
    TooMany,
    /// Nothing came, or nothing that is signed for this request.
    #[error("{0}")]
    Silence(String),
    /// It is signed and says nothing that can be believed; the place, never the value.
    #[error("the register's answer is refused: {0}")]
    Unbelievable(&'static str),
}

/// The register of the configuration.
pub struct RemotePopulation {
    http: SignedHttp,
    deadline: Duration,
    under_way: Semaphore,
    breaker: Mutex<Breaker>,
    maintenance: Option<Window>,
}

impl RemotePopulation {
    /// The adapter: `peer.timeout` is the deadline of a look-up, retries included.
    pub fn new(
        peer: Peer,
        keys: Arc<KeyRing>,
        look_ups_max: usize,
        maintenance: Option<Window>,
    ) -> Result<Self, reqwest::Error> {
        let deadline = peer.timeout;
        Ok(Self {
            http: SignedHttp::new(peer, keys)?,
            deadline,
            under_way: Semaphore::new(look_ups_max),
            breaker: Mutex::default(),
            maintenance,
        })
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, asked: &LookUp, now: Instant) -> Result<Found, NoAnswer> {
        if self.maintenance.is_some_and(|window| window.holds(now)) {
            return Err(NoAnswer::Maintenance);
        }
        let _turn = self.under_way.try_acquire().map_err(|_| NoAnswer::TooMany)?;
        if !self.breaker().admit(now) {
            return Err(NoAnswer::CircuitOpen);
        }
        let answer = tokio::time::timeout(self.deadline, self.exchange(asked, now)).await;
        let answer = answer.unwrap_or_else(|_| Err(NoAnswer::Silence("the deadline is over".to_owned())));
        match &answer {
            Ok(_) => self.breaker().succeeded(),
            Err(_) => self.breaker().failed(now),
        }
        answer
    }

    async fn exchange(&self, asked: &LookUp, now: Instant) -> Result<Found, NoAnswer> {
        let body = wire::write(&wire::LookUp {
            request: asked.request.to_string(),
            service: asked.service.clone(),
            officer: asked.officer.clone(),
            number: asked.number.digits().to_owned(),
        });
        let answered = match self.http.post(CONTENT_TYPE, body.clone(), now).await {
            Err(Silence::NotSent(_) | Silence::Broken(_)) if self.breaker().retry() => {
                self.http.post(CONTENT_TYPE, body, now).await
            }
            other => other,
        };
        let answered = answered.map_err(|silence| NoAnswer::Silence(silence.to_string()))?;
        if answered.status != 200 {
            return Err(NoAnswer::Silence(format!("status {}", answered.status)));
        }
        let reply: wire::Reply = wire::read(&answered.body).ok_or(NoAnswer::Unbelievable("shape"))?;
        read(asked, &reply, now).map_err(NoAnswer::Unbelievable)
    }
}

impl PopulationSource for RemotePopulation {
    fn name(&self) -> &'static str {
        "national-population-register"
    }

    fn look_up<'a>(&'a self, asked: &'a LookUp, now: Instant) -> BoxFuture<'a, Result<Found, NoAnswer>> {
        Box::pin(self.ask(asked, now))
    }
}

/// Reads an answer, and believes it only if it is one to what was asked.
fn read(asked: &LookUp, reply: &wire::Reply, now: Instant) -> Result<Found, &'static str> {
    if reply.request != asked.request.to_string() {
        return Err("MaYeuCau");
    }
    let as_of =
        OffsetDateTime::parse(&reply.as_of, &Rfc3339).map_err(|_| "ThoiDiem")?.to_offset(UtcOffset::UTC);
    // Knowledge from the future is none.
    let as_of = as_of.min(now);
    let former_until =
        reply.former_until.as_deref().map(|day| day.parse().map_err(|_| "SoCuDenNgay")).transpose()?;
    let person = reply.person.as_ref().map(person).transpose()?;
    if let Some(person) = &person
        && (person.number == asked.number) != former_until.is_none()
    {
        return Err("SoDinhDanh");
    }
    Ok(Found { as_of, person: person.map(Box::new), former_until })
}

fn field<T: FromStr>(name: &'static str, text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| name)
}

fn optional<T: FromStr>(name: &'static str, text: &str) -> Result<Option<T>, &'static str> {
    if text.is_empty() { Ok(None) } else { field(name, text).map(Some) }
}

fn person(wire: &wire::Citizen) -> Result<Person, &'static str> {
    let died_on: Option<Day> = optional("NgayMat", &wire.died_on)?;
    let status = match (wire.status.as_str(), died_on) {
        ("active", None) => Status::Active,
        ("pending", None) => Status::Pending,
        ("locked", None) => Status::Locked,
        ("deceased", Some(on)) => Status::Deceased { on },
        _ => return Err("TrangThai"),
    };
    let level = |text: &str| text.parse().ok().and_then(AccountLevel::of).ok_or("MucDoTaiKhoan");
    Ok(Person {
        number: field("SoDinhDanh", &wire.number)?,
        old_number: optional("SoCMND", &wire.old_number)?,
        name: field("HoVaTen", &wire.name)?,
        former_names: former_names(&wire.former_names).map_err(|_| "HoVaTenCu")?,
        birth_date: field("NgayThangNamSinh", &wire.birth_date)?,
        sex: field("GioiTinh", &wire.sex)?,
        phone: optional("SoDienThoai", &wire.phone)?,
        province: field("MaTinhThanh", &wire.province)?,
        status,
        account_level: if wire.account_level.is_empty() { None } else { Some(level(&wire.account_level)?) },
        standings: field("DienUuDai", &wire.standings)?,
        parents: field("ChaMe", &wire.parents)?,
        guardians: field("NguoiGiamHo", &wire.guardians)?,
        capacity_lost_on: optional("MatNangLucTuNgay", &wire.capacity_lost_on)?,
    })
}
