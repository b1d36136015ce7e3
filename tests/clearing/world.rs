//! The service's end of the wire, with an inbox that keeps what it was told, and the sandbox's end, each on a socket of its
//! own; one clock for both.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chung::base::clock::{Clock, Instant, ManualClock};
use chung::base::entropy::SeededEntropy;
use chung::base::money::Money;
use chung::base::secret::Secret;
use chung::base::text::Line;
use chung::codec::http_signature::{Answer, Headers, Request, sign_answer, verify_request};
use chung::codec::iso20022::{
    Agent, EndToEndId, Message, MessageId, RequestToPay, StatementRequest, StatusInquiry, TransactionStatus,
    Uetr, read,
};
use chung::crypto::keyring::{KeyRing, Purpose};
use chung::crypto::signing::{KeyList, Signer, SigningKey};
use chung::partner::clearing::{Clearing, NoStatement, RemoteClearing};
use chung::partner::signed_http::Peer;
use chung::payment::payment::{Event, Report};
use chung::sandbox::{Sandbox, Settings, router};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

pub const NOW: Instant = datetime!(2026-11-24 01:00 UTC);
pub const BANK: &str = "970436";
pub const ACCOUNT: &str = "1130000012345";
pub const SMS_TOKEN: &str = "the-gateway's-token";

/// The service's end: an inbox that checks signatures and keeps what it was told.
pub struct Inbox {
    pub origin: Url,
    pub bank_keys: KeyList,
    pub keys: Arc<KeyRing>,
    pub clock: Arc<ManualClock>,
    pub told: Mutex<Vec<Message>>,
    pub refuse: Mutex<bool>,
}

async fn inbox(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let target_uri = format!("{}clearing/inbox", inbox.origin);
    let content_type = text("content-type");
    let request =
        Request { method: "POST", target_uri: &target_uri, content_type: &content_type, body: &body };
    let signature = Headers {
        content_digest: text("content-digest"),
        signature_input: text("signature-input"),
        signature: text("signature"),
    };
    let Ok(signed) = verify_request(&request, &signature, &inbox.bank_keys, inbox.clock.now()) else {
        return axum::http::StatusCode::UNAUTHORIZED.into_response();
    };
    if *inbox.refuse.lock().unwrap() {
        return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    inbox.told.lock().unwrap().push(read(&body, 100_000).unwrap().message);
    let answer = Answer { status: 200, body: b"" };
    let headers =
        sign_answer(&answer, &signed.signature, inbox.keys.signing(Purpose::Message), inbox.clock.now());
    [
        ("content-digest", headers.content_digest),
        ("signature-input", headers.signature_input),
        ("signature", headers.signature),
    ]
    .into_response()
}

pub struct World {
    pub clock: Arc<ManualClock>,
    pub sandbox: Arc<Sandbox>,
    pub clearing: RemoteClearing,
    pub inbox: Arc<Inbox>,
    pub origin: Url,
    pub http: reqwest::Client,
    _servers: JoinSet<()>,
}

pub async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    (listener, origin)
}

pub fn peer(address: Url, keys: KeyList) -> Peer {
    Peer { address, keys, timeout: Duration::from_secs(5), answer_bytes_max: 1_000_000 }
}

impl World {
    pub async fn new(journal: Option<std::path::PathBuf>) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::at(NOW));
        let bank_key = Arc::new(SigningKey::generate());
        let bank_keys = KeyList::new([(bank_key.kid().to_owned(), bank_key.verifying_key().clone())]);
        let keys = Arc::new(KeyRing::generate(&SeededEntropy::new(1)));
        let mut servers = JoinSet::new();

        let (listener, service) = listen().await;
        let inbox_state = Arc::new(Inbox {
            origin: service.clone(),
            bank_keys: bank_keys.clone(),
            keys: keys.clone(),
            clock: clock.clone(),
            told: Mutex::default(),
            refuse: Mutex::new(false),
        });
        let routes =
            axum::Router::new().route("/clearing/inbox", post(inbox)).with_state(inbox_state.clone());
        servers.spawn(async move { axum::serve(listener, routes).await.unwrap() });

        let (listener, origin) = listen().await;
        let settings = Settings {
            origin: origin.clone(),
            central_bank: "SBV01".parse().unwrap(),
            service: "CHUNG".parse().unwrap(),
            inbox: service.join("clearing/inbox").unwrap(),
            replies: service.join("messenger/inbox").unwrap(),
            service_keys: keys.published(Purpose::Message).clone(),
            key: bank_key,
            sms_token: Some(Secret::new(SMS_TOKEN.to_owned())),
            seed: 7,
            journal,
        };
        let sandbox = Sandbox::new(settings, clock.clone(), Arc::new(SeededEntropy::new(2))).unwrap();
        let routes = router(sandbox.clone());
        servers.spawn(async move { axum::serve(listener, routes).await.unwrap() });

        let address = origin.join("clearing").unwrap();
        let (us, them) = ("CHUNG".parse().unwrap(), "SBV01".parse().unwrap());
        let clearing = RemoteClearing::new(peer(address, bank_keys), keys, us, them).unwrap();
        let http = reqwest::Client::new();
        Self { clock, sandbox, clearing, inbox: inbox_state, origin, http, _servers: servers }
    }

    pub async fn ask(&self, n: u128) -> Event {
        self.clearing.request_to_pay(message(n), &request(n), self.clock.now()).await
    }

    pub async fn inquire(&self, n: u128) -> Option<Report> {
        let inquiry = StatusInquiry {
            about: Default::default(),
            original: message(n),
            end_to_end_id: payment(n),
            uetr: None,
        };
        self.clearing.inquire(message(n + 1_000), inquiry, self.clock.now()).await
    }

    pub async fn script(&self, path: &str, body: Value) -> u16 {
        let sent = self.http.post(self.origin.join(path).unwrap()).header("content-type", "application/json");
        sent.body(body.to_string()).send().await.unwrap().status().as_u16()
    }

    pub async fn fault(&self, body: Value) {
        assert_eq!(self.script("script/faults", body).await, 204);
    }

    pub async fn approve(&self, n: u128) -> u16 {
        self.script(&format!("script/banks/{BANK}/requests/{}/approve", payment(n)), json!({})).await
    }

    pub async fn page(&self, path: &str) -> String {
        self.http.get(self.origin.join(path).unwrap()).send().await.unwrap().text().await.unwrap()
    }

    pub async fn statement(&self, day: &str) -> Result<chung::codec::iso20022::Statement, NoStatement> {
        self.statement_by(&self.clearing, day).await
    }

    pub async fn statement_by(
        &self,
        clearing: &RemoteClearing,
        day: &str,
    ) -> Result<chung::codec::iso20022::Statement, NoStatement> {
        let owner = Line::parse("Kho bạc Nhà nước").unwrap();
        let request =
            StatementRequest { account: ACCOUNT.parse().unwrap(), owner, day: day.parse().unwrap(), page: 1 };
        let fetched = clearing.statement(message(5_000), &request, self.clock.now()).await;
        fetched.map(|fetched| fetched.statement)
    }

    pub fn told(&self) -> Vec<Message> {
        std::mem::take(&mut *self.inbox.told.lock().unwrap())
    }

    /// What was told, in short: the status, or the amounts and references.
    pub fn heard(&self) -> Vec<String> {
        let short = |message: &Message| match message {
            Message::PaymentStatus(status) => match &status.status {
                TransactionStatus::Settled => String::from("settled"),
                TransactionStatus::Rejected(reason) => format!("rejected {}", reason.code),
                other => format!("{other:?}"),
            },
            Message::CreditNotification(credit) => {
                let entry = &credit.entries[0];
                let ours = entry.end_to_end_id().map_or("unknown", |_| "ours");
                format!("{} {ours}", entry.amount.minor())
            }
            other => other.definition().to_owned(),
        };
        self.told().iter().map(short).collect()
    }
}

pub fn message(n: u128) -> MessageId {
    MessageId(Uuid::from_u128(n))
}

pub fn payment(n: u128) -> EndToEndId {
    EndToEndId(Uuid::from_u128(n + 10_000))
}

pub fn request(n: u128) -> RequestToPay {
    RequestToPay {
        end_to_end_id: payment(n),
        uetr: Uetr::new(payment(n).0),
        amount: Money::vnd(205_000),
        expires: NOW + Duration::from_secs(900),
        debtor: Some(Line::parse("Nguyễn Thị Hòa").unwrap()),
        debtor_agent: Agent::Member(BANK.parse().unwrap()),
        creditor: Line::parse("Kho bạc Nhà nước").unwrap(),
        creditor_agent: Agent::Member("SBV01".parse().unwrap()),
        creditor_account: ACCOUNT.parse().unwrap(),
        remittance: Line::parse("7K3QD0000000000000AB").unwrap(),
        return_url: Some(String::from("http://localhost:8080/pay/7K3QD0000000000000AB")),
    }
}
