//! The outside world as a program: a central bank with member banks and an SMS inbox, for the demo and for tests. It
//! speaks to the service over HTTP only and shares no memory, no store and no rules with it.
//!
//! | who | endpoint | what |
//! |---|---|---|
//! | the service | `POST /clearing` | signed ISO 20022: `pain.013` → `pain.014`, `pacs.028` → `pacs.002`, `camt.060` → `camt.053`, `pacs.004` and `pacs.008` → `pacs.002`, `camt.056` → `camt.029`; else `admi.002` |
//! | the service | `POST /sms` | `{"to", "text"}`: a short message to a telephone; with the gateway's bearer token |
//! | the service | `POST /platform` | the national payment platform: INIT, QUERY, GET_BILL |
//! | people | `GET /platform/pay/{reference}` | pays there; the platform moves the money and sends CONFIRM |
//! | scripts | `GET /script/platform`, `POST /script/platform/{reference}/pay` | the payments begun there; pays one |
//! | the service | `POST /receipts` | an order for a receipt at another issuer, or to adjust one, see [`receipts`] |
//! | people | `GET /banks/{bank}/requests[/{end_to_end_id}]` | what waits at a bank; approve or refuse by `POST` |
//! | the service | `POST /mail` | `{"to", "subject", "text"}`: a letter to a mailbox; with the same token |
//! | people | `GET /sms`, `GET /mail` | the telephones and the mailboxes; on `/sms` a telephone answers the service |
//! | scripts | `POST /script/banks/{bank}/requests/{end_to_end_id}/approve` | the payer agrees |
//! | scripts | `POST /script/banks/{bank}/requests/{end_to_end_id}/refuse` | the payer says no; `{"code": "CUST"}` may be given |
//! | scripts | `GET /script/requests`, `GET /script/messages` | every request; every message to the service and what became of it |
//! | scripts | `POST /script/transfers` | `{"account", "amount", "remittance", "payer"?, "bank"?}`: money with free text |
//! | scripts | `GET /script/returns` | the returns that the service sent, and what became of each |
//! | scripts | `GET /script/orders` | the orders that passed money on, and what became of each |
//! | scripts | `POST`, `GET /script/banks/{bank}/limits` | what a bank can settle, and what waits there, see [`limits`] |
//! | scripts | `POST /script/recalls` | `{"servicer_reference", "reason"?, "text"?}`: a bank asks money back (`camt.056`) |
//! | scripts | `POST /script/recalls/{id}/accept` or `/{code}` | a bank's answer to what the service asked back |
//! | scripts | `GET /script/recalls` | what the service asked back, and what it answered |
//! | scripts | `POST /script/days/close` | ends the business day; answers `{"closed": "2026-11-24"}` |
//! | scripts | `GET /script/sms?to=`, `GET /script/mail?to=` | the messages to a telephone, the letters to a mailbox, oldest first |
//! | scripts | `POST /script/sms/replies` | `{"from", "text"}`: a telephone answers; the service is told at once |
//! | scripts | `GET /script/conformance` | which of the scripted troubles the service has handled, see [`conformance`] |
//! | scripts | `POST`, `GET`, `DELETE /script/faults` | what goes wrong on purpose, see [`fault`] |
//!
//! The population register ([`register`]) and the demo portal are programs of their own beside it.
//!
//! On approval the central bank sends `pacs.002` and then `camt.054` to the service's inbox, signed, and repeats the
//! same bytes until a signed answer comes: any 2xx acknowledges, a signed 4xx ends the matter with the code of its
//! `admi.002`. The statement of a day exists once the day is over, by the clock or by `/script/days/close`; later money
//! is booked on the next day. Everything is the fold of recorded facts ([`book`]); with a journal file it survives
//! a restart. Nobody signs in here and nothing is secret: this program must never face the world.

pub mod book;
pub mod card;
pub mod central_bank;
pub mod conformance;
pub mod delivery;
pub mod fault;
pub mod limits;
pub mod mail;
pub mod member_bank;
pub mod national_id;
pub mod platform;
pub mod population;
pub mod portal;
pub mod receipts;
pub mod register;
pub mod returns;
pub mod script;
pub mod sms;
pub mod statements;
pub mod strict;
pub mod time_stamps;
pub mod transfers;

use crate::base::clock::{Clock, Instant};
use crate::base::entropy::{Entropy, random};
use crate::base::secret::Secret;
use crate::codec::iso20022::{Header, MemberId, Message, MessageId, write};
use crate::crypto::signing::{KeyList, Signer};
use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use book::{Book, Fact};
use fault::Faults;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use url::Url;
use uuid::Uuid;

/// How one sandbox is set up.
pub struct Settings {
    /// Where it is reached, as callers write it: `http://127.0.0.1:8090/`.
    pub origin: Url,
    /// The central bank's number in message headers.
    pub central_bank: MemberId,
    /// The service's number in message headers.
    pub service: MemberId,
    /// The service's inbox: `http://localhost:8080/clearing/inbox`.
    pub inbox: Url,
    /// Where the service hears what people answer: `http://localhost:8080/messenger/inbox`.
    pub replies: Url,
    /// The service's pinned message keys.
    pub service_keys: KeyList,
    /// The central bank's own key.
    pub key: Arc<dyn Signer>,
    /// The bearer token that the message gateway demands; without one it takes messages from anybody.
    pub sms_token: Option<Secret<String>>,
    /// What the faults that strike by chance are drawn from.
    pub seed: u64,
    /// The file that keeps the book across restarts.
    pub journal: Option<PathBuf>,
}

/// The outside world.
pub struct Sandbox {
    settings: Settings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    http: reqwest::Client,
    book: Mutex<Book>,
    journal: Mutex<Option<std::fs::File>>,
    faults: Mutex<Faults>,
    telephones: Mutex<Vec<sms::ShortMessage>>,
    mailboxes: Mutex<Vec<mail::Letter>>,
    orders: platform::Orders,
    observed: Mutex<conformance::Observed>,
    limits: Mutex<limits::Limits>,
    receipts: Mutex<BTreeMap<String, receipts::Made>>,
    /// The time stamp that was given last.
    stamps: Mutex<Vec<u8>>,
    wake: Notify,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum Unstartable {
    /// The journal cannot be read or written.
    #[error("the journal of the sandbox: {0}")]
    Journal(#[from] io::Error),
    /// The HTTP client cannot be built.
    #[error("the HTTP client of the sandbox: {0}")]
    Http(#[from] reqwest::Error),
}

impl Sandbox {
    /// A sandbox; what its journal holds is remembered.
    pub fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Arc<Self>, Unstartable> {
        let (book, journal) = match &settings.journal {
            Some(path) => remembered(path)?,
            None => (Book::default(), None),
        };
        let http = reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Arc::new(Self {
            faults: Mutex::new(Faults::new(settings.seed)),
            settings,
            clock,
            entropy,
            http,
            book: Mutex::new(book),
            journal: Mutex::new(journal),
            telephones: Mutex::default(),
            mailboxes: Mutex::default(),
            orders: platform::Orders::default(),
            observed: Mutex::default(),
            limits: Mutex::default(),
            receipts: Mutex::default(),
            stamps: Mutex::default(),
            wake: Notify::new(),
        }))
    }

    /// Lets everything that can go wrong between institutions go wrong so often, of a hundred times, by the seed.
    pub fn make_trouble(&self, percent: u8) {
        self.faults().add_all(percent);
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observed(&self) -> MutexGuard<'_, conformance::Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self) -> MutexGuard<'_, limits::Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a fact in the book and in the journal.
    fn record(&self, book: &mut Book, fact: &Fact) {
        if let Err(e) = book.apply(fact) {
            tracing::error!(?fact, "{e}");
            return;
        }
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = journal.as_mut() else { return };
        let written = serde_json::to_string(fact).map(|line| file.write_all((line + "\n").as_bytes()));
        if !matches!(written, Ok(Ok(()))) {
            tracing::error!("the journal of the sandbox cannot be written");
        }
    }

    /// A message from the central bank to the service.
    fn compose(&self, message: &Message) -> String {
        write(&self.header(), message)
    }

    fn header(&self) -> Header {
        Header {
            from: self.settings.central_bank.clone(),
            to: self.settings.service.clone(),
            id: MessageId(Uuid::from_bytes(random(&*self.entropy))),
            created: self.now(),
            possible_duplicate: false,
        }
    }
}

/// Every route of the sandbox. The demo portal is a router of its own, merged by whoever serves both.
pub fn router(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route("/sandbox.css", get(stylesheet))
        .merge(central_bank::routes())
        .merge(member_bank::routes())
        .merge(conformance::routes())
        .merge(platform::routes())
        .merge(returns::routes())
        .merge(transfers::routes())
        .merge(limits::routes())
        .merge(script::routes())
        .merge(sms::routes())
        .merge(mail::routes())
        .merge(receipts::routes())
        .merge(time_stamps::routes())
        .with_state(sandbox)
}

/// Reads the journal. A last line cut short by a crash is forgotten.
fn remembered(path: &PathBuf) -> Result<(Book, Option<std::fs::File>), io::Error> {
    let mut file = std::fs::OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut book = Book::default();
    let mut whole = 0;
    let mut reader = io::BufReader::new(&file);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let fact = serde_json::from_str::<Fact>(&line).ok().filter(|_| line.ends_with('\n'));
        if fact.is_none_or(|fact| book.apply(&fact).is_err()) {
            tracing::warn!(after = whole, "the journal of the sandbox is cut here");
            break;
        }
        whole += line.len() as u64;
        line.clear();
    }
    file.set_len(whole)?;
    file.flush()?;
    Ok((book, Some(file)))
}

/// A page under a strict policy: its own stylesheet and its own forms, nothing else.
fn page(html: Result<String, askama::Error>) -> axum::response::Response {
    match html {
        Ok(html) => {
            let policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                          frame-ancestors 'none'";
            ([(CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
        }
        Err(e) => {
            tracing::error!("a page of the sandbox: {e}");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn stylesheet() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("sandbox.css"))
}
