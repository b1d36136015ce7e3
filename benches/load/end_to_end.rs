//! A payment from its bill to its receipt, each step over HTTP: the bill is issued, its payer chooses a bank, the clearing
//! system takes the request to pay and answers, its credit notification comes in. Done means that postings, receipt, audit leaf
//! and event are durable. All money goes to one treasury account; the clearing system is played by this process.

use super::client::{Connection, post};
use super::measure::Meter;
use super::reference::{Posting, postings};
use super::report::{Rate, Record, trio};
use super::settlements::{due, message};
use super::world::World;
use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post as on_post;
use chung::app::App;
use chung::base::{entropy::random, id, id::Id};
use chung::codec::http_signature::{Answer, Headers, Request, sign_answer, verify_request};
use chung::codec::iso20022::{
    Header, Message, MessageId, RequestStatus, RequestToPay, TransactionStatus, read, write,
};
use chung::crypto::keyring::Purpose;
use chung::crypto::signing::SigningKey;
use chung::flow::import_banks::import_banks;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Payers at once: as many as the reference has clients, and a peak.
const CLIENTS: [usize; 2] = [32, 256];
/// What others publish, in payments a second of one processor: Mojaloop (durable, p99 of 1.7 s) and Hyperswitch (its sizing
/// guide). Fifty times the better one is the aim.
const PUBLISHED: f64 = 9.3;
const AIM: f64 = 50.0;
/// The longest message that is read.
const MESSAGE_BYTES_MAX: usize = 100_000;
const BANK: &str = "970436";

/// Measures whole payments; `disk` names another disk than the machine's.
pub async fn measure(world: &mut World, disk: &str) -> Result<Vec<Record>> {
    let clearing = Clearing::start(world).await?;
    import_banks(&world.app, &[(BANK.to_owned(), "Vietcombank".to_owned())])
        .await
        .map_err(|e| anyhow::anyhow!("{e:?}"))?;
    world.stop().await?;
    world.clearing_url = format!("http://{}/clearing", clearing.address);
    world.start().await?;
    let payers = Arc::new(Payers {
        app: world.app.clone(),
        bank_key: Arc::clone(&world.bank_key),
        address: world.address,
        token: world.token("bill").await?,
        due: due(world).to_string(),
        run: world.app.clock.now().unix_timestamp(),
        number: AtomicUsize::new(0),
        asked: Arc::clone(&clearing.asked),
    });
    let mut records = Vec::new();
    for clients in CLIENTS {
        records.extend(at_once(world, &payers, clients, disk).await?);
    }
    Ok(records)
}

/// So many payers at once.
async fn at_once(world: &mut World, payers: &Arc<Payers>, clients: usize, disk: &str) -> Result<Vec<Record>> {
    let mut waited = Vec::new();
    let many = (200.0 * world.seconds.as_secs_f64()) as usize + 4 * clients;
    let trio = trio(
        world,
        async |world| postings(world, Posting::Uniform).await,
        async |world| {
            pay(payers, clients, many / 4).await?;
            world.analyze().await?;
            let settled = "credit where outcome = 'settled' and payment_id is not null";
            let before = world.count(settled).await?;
            let meter = Meter::start(&world.payers(), &world.url()).await?;
            waited = pay(payers, clients, many).await?;
            let spent = meter.stop().await?;
            let settled = world.count(settled).await? - before;
            ensure!(usize::try_from(settled)? == many, "{settled} settled of {many}");
            Ok(Rate::of(many, spent))
        },
    )
    .await?;
    waited.sort_unstable();
    let ms = |share: f64| waited.get((share * waited.len() as f64) as usize).map(|t| t.as_secs_f64() * 1e3);
    let path = format!("payments end to end, one hot account, {clients} payers{disk}");
    Ok(vec![
        Record {
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            memory_mib: Some(world.service_memory()?),
            ..Record::of(
                &path,
                "one-statement posting with two balances, uniform accounts, 32 clients",
                None,
                &trio,
            )
        },
        Record {
            path: "  beside what others publish".to_owned(),
            rate: Some(trio.ours.per_cpu_s),
            reference: Some(format!("{PUBLISHED}/s of one processor")),
            reference_rate: Some(PUBLISHED),
            ratio: Some(trio.ours.per_cpu_s / PUBLISHED),
            goal: Some(AIM),
            ..Record::default()
        },
    ])
}

/// Those who pay, and the systems that ask them to.
struct Payers {
    app: App,
    bank_key: Arc<SigningKey>,
    address: SocketAddr,
    token: String,
    due: String,
    run: i64,
    number: AtomicUsize,
    asked: Asked,
}

/// What the clearing system was asked for, by the bill's reference.
type Asked = Arc<Mutex<HashMap<String, Uuid>>>;

/// So many payments by so many payers; how long each took from its bill to its receipt.
async fn pay(payers: &Arc<Payers>, clients: usize, many: usize) -> Result<Vec<Duration>> {
    let left = Arc::new(AtomicUsize::new(many));
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let (payers, left) = (Arc::clone(payers), Arc::clone(&left));
        running.spawn(async move {
            let mut connection = Connection::open(payers.address).await?;
            let mut waited = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                let began = Instant::now();
                payers.one(&mut connection).await?;
                waited.push(began.elapsed());
            }
            anyhow::Ok(waited)
        });
    }
    let mut waited = Vec::with_capacity(many);
    while let Some(done) = running.join_next().await {
        waited.extend(done??);
    }
    Ok(waited)
}

impl Payers {
    async fn one(&self, connection: &mut Connection) -> Result<()> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (bearer, key) = (format!("Bearer {}", self.token), format!("e-{}-{number}", self.run));
        let headers =
            [("authorization", &*bearer), ("idempotency-key", &*key), ("content-type", "application/json")];
        let body = json!({
            "dossier": format!("H29.14-261124-{:04}", number % 10_000),
            "procedure": "2.000488",
            "lines": [{ "fee": "LLTP-01" }, { "fee": "LLTP-02", "count": 1 }],
            "channel": "online",
            "due": self.due,
            "applicant": { "name": "Nguyễn Thị Hòa" },
        });
        let bill = demand(connection, &post("/v1/bills", &headers, body.to_string().as_bytes()), 201).await?;
        let bill: Value = serde_json::from_slice(&bill)?;
        let reference = bill["reference"].as_str().context("a reference")?;
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let chosen = post(&format!("/pay/{reference}"), &form, format!("bank={BANK}").as_bytes());
        demand(connection, &chosen, 303).await?;
        let payment = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(reference);
        let payment: Id<id::Payment> = Id::from_uuid(payment.context("the clearing system was not asked")?);
        let credited = message(&self.app, &self.bank_key, payment)?;
        demand(connection, &credited, 200).await?;
        Ok(())
    }
}

async fn demand(connection: &mut Connection, request: &[u8], expected: u16) -> Result<Vec<u8>> {
    let (status, body) = connection.send(request).await?;
    ensure!(status == expected, "answered {status}: {}", String::from_utf8_lossy(&body));
    Ok(body)
}

/// The clearing system: it takes every request to pay, and remembers what it was asked for.
struct Clearing {
    address: SocketAddr,
    asked: Asked,
    _serving: JoinSet<()>,
}

struct Bank {
    app: App,
    key: Arc<SigningKey>,
    asked: Asked,
    target: String,
}

impl Clearing {
    async fn start(world: &World) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, asked) = (listener.local_addr()?, Asked::default());
        let bank = Bank {
            app: world.app.clone(),
            key: Arc::clone(&world.bank_key),
            asked: Arc::clone(&asked),
            target: format!("http://{address}/clearing"),
        };
        let routes = axum::Router::new().route("/clearing", on_post(take)).with_state(Arc::new(bank));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _ended = axum::serve(listener, routes).await;
        });
        Ok(Self { address, asked, _serving: serving })
    }
}

async fn take(State(bank): State<Arc<Bank>>, headers: HeaderMap, body: Bytes) -> Response {
    let answered = bank.answer(&headers, &body);
    answered.unwrap_or_else(|| StatusCode::BAD_REQUEST.into_response())
}

impl Bank {
    fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Option<Response> {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let signature = Headers {
            content_digest: text("content-digest")?,
            signature_input: text("signature-input")?,
            signature: text("signature")?,
        };
        let (now, content_type) = (self.app.clock.now(), text("content-type")?);
        let request = Request { method: "POST", target_uri: &self.target, content_type: &content_type, body };
        let keys = self.app.keys.published(Purpose::Message);
        let signed = verify_request(&request, &signature, keys, now).ok()?;
        let received = read(body, MESSAGE_BYTES_MAX).ok()?;
        let Message::RequestToPay(asked) = received.message else { return None };
        self.remember(&asked);
        let header = Header {
            from: received.header.to,
            to: received.header.from,
            id: MessageId(Uuid::from_bytes(random(&*self.app.entropy))),
            created: now,
            possible_duplicate: false,
        };
        let status = RequestStatus {
            original: received.header.id,
            end_to_end_id: asked.end_to_end_id,
            uetr: Some(asked.uetr),
            status: TransactionStatus::Pending,
        };
        let xml = write(&header, &Message::RequestStatus(status));
        let answer = Answer { status: 200, body: xml.as_bytes() };
        let headers = sign_answer(&answer, &signed.signature, &*self.key, now);
        let headers = [
            ("content-type", "application/xml".to_owned()),
            ("content-digest", headers.content_digest),
            ("signature-input", headers.signature_input),
            ("signature", headers.signature),
        ];
        Some((headers, xml).into_response())
    }

    /// The bill's reference is a word of the remittance text.
    fn remember(&self, asked: &RequestToPay) {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for word in asked.remittance.as_str().split_whitespace() {
            all.insert(word.to_owned(), asked.end_to_end_id.0);
        }
    }
}
