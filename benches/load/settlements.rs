//! Settled payments: one credit in each signed `camt.054`, all to one treasury account; answered when postings,
//! receipt, audit leaf and event are durable.

use super::client::{Pace, Requests, load, post};
use super::half::at_half_load;
use super::measure::Meter;
use super::reference::{Posting, postings};
use super::report::{Rate, Record, trio};
use super::same_rows::{Unit, beside};
use super::world::{ACCOUNT, World};
use anyhow::{Context, Result, anyhow};
use chung::app::App;
use chung::base::{calendar::Day, entropy::random, id, id::Id, money::Money, text::Line};
use chung::codec::http_signature::{Request, sign_request};
use chung::codec::iso20022::{
    CreditNotification, Direction, EndToEndId, Entry, Header, Message, MessageId, write,
};
use chung::crypto::signing::SigningKey;
use chung::flow::create_bill::create_all;
use chung::payment::{
    bill::{Parties, PartyName},
    exemption::{Channel, Circumstances, Dates, Facts},
    fee::Asked,
    issue::{Draft, Outcome},
    payment::{State, Watch},
};
use chung::store::{account, attempts, payment::StoredPayment};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Messages that the clearing system has under way at once: as many as the reference has clients, and a peak.
const CLIENTS: [usize; 2] = [32, 256];
/// What each bill comes to: a criminal record with one extra copy.
const TOTAL: i64 = 205_000;
/// Bills that are prepared in one transaction.
const CHUNK: usize = 200;

/// Measures `/clearing/inbox`.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let (mut rate, mut per_trial, mut ours) = (0.0, 2_000.0 * world.seconds.as_secs_f64(), None);
    for clients in CLIENTS {
        let trio = trio(
            world,
            async |world| postings(world, Posting::Uniform).await,
            async |world| settle(world, clients, per_trial as usize).await,
        )
        .await?;
        (rate, ours) = (trio.ours.per_s, Some(trio.ours));
        per_trial = rate * world.seconds.as_secs_f64();
        let path = format!("settled payments, one hot account, {clients} under way");
        let reference = "one-statement posting with two balances, uniform accounts, 32 clients";
        records.push(Record {
            memory_mib: Some(world.service_memory()?),
            ..Record::of(&path, reference, Some(1.2), &trio)
        });
    }
    if let Some(ours) = ours {
        records.extend(beside(world, Unit::Settled, &ours).await?);
    }
    let messages = prepare(world, (per_trial / 2.0) as usize).await?;
    let (half, memory) = at_half_load(world, (64, rate), 200, &messages).await?;
    records.push(Record {
        path: "  at half load".to_owned(),
        p50_ms: Some(half.quantile_ms(0.5)),
        p99_ms: Some(half.quantile_ms(0.99)),
        goal: Some(50.0),
        ..Record::default()
    });
    records.push(memory);
    for (posting, words) in [
        (Posting::AppendOnly, "the same posting without balances"),
        (Posting::WithoutTriggers, "the same posting with two balances, without triggers"),
    ] {
        let rate = postings(world, posting).await?;
        records.push(Record {
            path: format!("  beside: {words}"),
            reference_rate: Some(rate.per_cpu_s),
            cpu_s: Some(rate.spent.cpu_s),
            fsync_per_s: Some(rate.spent.fsync_per_s),
            note: format!("{:.0}/s on the wall", rate.per_s),
            ..Record::default()
        });
    }
    Ok(records)
}

/// Settles payments at a peak for as long as a trial lasts, where so many a second are expected.
pub async fn at_peak(world: &World, per_s: f64) -> Result<Rate> {
    settle(world, CLIENTS[1], (per_s * world.seconds.as_secs_f64()) as usize).await
}

/// Settles so many payments, and counts those that the database holds afterwards.
async fn settle(world: &World, clients: usize, many: usize) -> Result<Rate> {
    let warm = prepare(world, many / 4).await?;
    load(world.address, clients, Pace::Closed(Duration::MAX), 200, &warm).await?;
    let messages = prepare(world, many).await?;
    world.analyze().await?;
    let before = world.count("credit where outcome = 'settled' and payment_id is not null").await?;
    let meter = Meter::start(&world.payers(), &world.url()).await?;
    let done = load(world.address, clients, Pace::Closed(Duration::MAX), 200, &messages).await?;
    let spent = meter.stop().await?;
    let settled = world.count("credit where outcome = 'settled' and payment_id is not null").await? - before;
    anyhow::ensure!(
        done.answered == many && usize::try_from(settled)? == many,
        "{settled} settled, {} answered, {many} sent",
        done.answered
    );
    Ok(Rate::of(many, spent))
}

/// The last day of payment of every bill here.
pub fn due(world: &World) -> Day {
    Day::of(world.app.clock.now()).plus_days(30)
}

/// So many open bills with an accepted attempt each, and the signed message that settles each.
async fn prepare(world: &World, many: usize) -> Result<Requests> {
    let mut messages = Vec::with_capacity(many);
    while messages.len() < many {
        let chunk = CHUNK.min(many - messages.len());
        let bills = bills(world, chunk).await?;
        for payment in attempts(world, &bills).await? {
            messages.push(message(&world.app, &world.bank_key, payment)?);
        }
    }
    Ok(Arc::new(move |number| messages.get(number).cloned()))
}

pub(super) async fn bills(world: &World, many: usize) -> Result<Vec<Id<id::Bill>>> {
    let app = &world.app;
    let bad = |what: &'static str| move |_| anyhow!(what);
    let fee = |code: &str| -> Result<Asked> {
        Ok(Asked { fee: code.parse().map_err(|_| anyhow!("a fee"))?, count: 1, copies: 1, value: None })
    };
    let draft = || -> Result<Draft> {
        let name = PartyName::parse("Nguyễn Thị Hòa")?;
        Ok(Draft {
            agency: world.agency,
            client: world.client,
            key: (hex::encode(random::<16>(&*app.entropy)), [0; 32]),
            dossier: "H29.14-261124-0001".parse().map_err(bad("a dossier"))?,
            procedure: "2.000488".parse().map_err(bad("a procedure"))?,
            asked: vec![fee("LLTP-01")?, fee("LLTP-02")?],
            circumstances: Circumstances {
                channel: Channel::Online,
                dates: Dates { submission: Day::of(app.clock.now()), acceptance: None, payment: None },
                applicant: Facts::default(),
                submitter: Facts::default(),
            },
            grounds: chung::payment::issue::Grounds::default(),
            owners: std::collections::BTreeMap::new(),
            obligations: Vec::new(),
            together: false,
            payable_until: None,
            due: due(world),
            parties: Parties { applicant: name, submitter: None, payer: None, receipt_name: None },
        })
    };
    let drafts = (0..many).map(|_| draft()).collect::<Result<Vec<_>>>()?;
    let issued = create_all(app, drafts).await.map_err(|e| anyhow!("{e:?}"))?;
    let id = |outcome: Outcome| match outcome {
        Outcome::Issued(answer) => {
            let answer: serde_json::Value = serde_json::from_str(&answer)?;
            answer["id"].as_str().context("an id")?.parse().map_err(|_| anyhow!("an id"))
        }
        other => Err(anyhow!("{other:?}")),
    };
    issued.into_iter().map(id).collect()
}

pub(super) async fn attempts(world: &World, bills: &[Id<id::Bill>]) -> Result<Vec<Id<id::Payment>>> {
    let app = &world.app;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let account = account::account_of_number(&mut tx, ACCOUNT).await?.context("the account")?;
    // All inquiries made: nobody asks the clearing system, which is not there.
    let watch = Watch { since: now, inquiries: 3, next: None };
    let attempt = |bill: &Id<id::Bill>| StoredPayment {
        id: Id::new(now, &*app.entropy),
        bill: *bill,
        account: account.id,
        amount: Money::vnd(TOTAL),
        way: chung::payment::payment::Way::Request,
        bank: "970436".to_owned(),
        uetr: Uuid::from_bytes(random(&*app.entropy)),
        state: State::Accepted(watch),
        created_at: now,
    };
    let begun: Vec<StoredPayment> = bills.iter().map(attempt).collect();
    attempts::begin(&mut tx, &begun.iter().collect::<Vec<_>>()).await?;
    tx.commit().await?;
    Ok(begun.into_iter().map(|attempt| attempt.id).collect())
}

/// The signed `camt.054` that credits a payment.
pub(super) fn message(app: &App, bank_key: &SigningKey, payment: Id<id::Payment>) -> Result<Vec<u8>> {
    let now = app.clock.now();
    let reference = payment.uuid().simple().to_string();
    let entry = Entry {
        reference: Line::parse(&reference)?,
        amount: Money::vnd(TOTAL),
        direction: Direction::Credit,
        reversal: false,
        booked: Day::of(now),
        value: Day::of(now),
        end_to_end: Some(Line::parse(&EndToEndId(payment.uuid()).to_string())?),
        uetr: None,
        clearing_reference: None,
        counterparty: None,
        counterparty_agent: None,
        remittance: vec![],
        accepted: None,
        charged: None,
    };
    let account = ACCOUNT.parse().map_err(|_| anyhow!("an account number"))?;
    let party = |text: &str| text.parse().map_err(|_| anyhow!("a party"));
    let header = Header {
        from: party("SBV01")?,
        to: party("CHUNG")?,
        id: MessageId(Uuid::from_bytes(random(&*app.entropy))),
        created: now,
        possible_duplicate: false,
    };
    let message = Message::CreditNotification(CreditNotification { account, entries: vec![entry] });
    let xml = write(&header, &message);
    let target = app.origin.at("/clearing/inbox");
    let request = Request {
        method: "POST",
        target_uri: &target,
        content_type: "application/xml",
        body: xml.as_bytes(),
    };
    let (signed, _) = sign_request(&request, bank_key, now);
    let headers = [
        ("content-type", "application/xml"),
        ("content-digest", &signed.content_digest),
        ("signature-input", &signed.signature_input),
        ("signature", &signed.signature),
    ];
    Ok(post("/clearing/inbox", &headers, xml.as_bytes()))
}
