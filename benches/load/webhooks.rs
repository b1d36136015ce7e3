//! Deliveries of events to a hundred endpoints, all well, and again while one of them takes calls and never answers.
//!
//! The lanes run in this process as the service runs them; the service itself rests, so that nobody else delivers.
//! `CHUNG_BENCH_EVENTS` sets how many events each agency tells (default 60).

use super::measure::{Meter, Payers};
use super::report::{Rate, Record};
use super::world::World;
use anyhow::{Context, Result, anyhow, ensure};
use axum::{Router, extract::Path, http::StatusCode, routing::post};
use chung::app::App;
use chung::base::{id::Id, text::Line};
use chung::flow::{
    deliver_events::{Lane, deliver_events, route_events},
    endpoints::register_endpoint,
    idempotency::Idempotency,
    register_client::{NewAgency, NewClient, register_agency, register_client},
};
use chung::identity::{
    assurance::Assurance, claims::ClaimsPolicy, client::Wording, profile::Terms, token::ApiScopes,
};
use chung::partner::webhook::RemoteWebhooks;
use chung::store::outbox::{self, NewOutbox, Topic};
use sqlx::{Connection, PgConnection};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How many agencies there are, and how many endpoints each has.
const AGENCIES: usize = 10;
/// Endpoints of an agency.
const ENDPOINTS: usize = 10;
/// The endpoint that never answers.
const DEAD: usize = 0;
/// What the others keep of their rate.
const GOAL: f64 = 0.9;
/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures deliveries with every endpoint well and with a dead one among them.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    world.stop().await?;
    let asked = std::env::var_os("CHUNG_BENCH_EVENTS").and_then(|count| count.to_str()?.parse().ok());
    let events = asked.unwrap_or(60);
    let mut running = JoinSet::new();
    let address = listen(&mut running).await?;
    let timeout = world.app.limits.partner_timeout();
    let hooks = RemoteWebhooks::new(true, timeout)?;
    let app = world.app.with(|parts| parts.webhooks = Arc::new(hooks));
    let agencies = offices(&app, address).await?;
    let dead = format!("url like '%/{DEAD}'");
    silence(world, &format!("update endpoint set state = 'suspended' where {dead}")).await?;
    let well = deliver(world, &app, &agencies, events).await?;
    silence(world, &format!("update endpoint set state = 'active' where {dead}")).await?;
    let beside = deliver(world, &app, &agencies, events).await?;
    world.start().await?;
    let record = |path: &str, rate: Rate| Record {
        path: path.to_owned(),
        rate: Some(rate.per_cpu_s),
        per_s: Some(rate.per_s),
        cpu_s: Some(rate.spent.cpu_s),
        fsync_per_s: Some(rate.spent.fsync_per_s),
        note: format!("{:.0}/s on the wall", rate.per_s),
        ..Record::default()
    };
    let slowed = Record {
        reference: Some("the same with every endpoint well, on the wall".to_owned()),
        reference_per_s: Some(well.per_s),
        ratio: Some(beside.per_s / well.per_s),
        goal: Some(GOAL),
        ..record("  to the other 99 beside a dead endpoint", beside)
    };
    Ok(vec![record("webhook deliveries to 99 endpoints", well), slowed])
}

/// A hundred addresses, one of which never answers.
async fn listen(running: &mut JoinSet<()>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route(
        "/{number}",
        post(|Path(number): Path<usize>| async move {
            if number == DEAD {
                std::future::pending::<()>().await;
            }
            StatusCode::NO_CONTENT
        }),
    );
    running.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(address)
}

async fn silence(world: &World, sql: &str) -> Result<()> {
    let mut connection = PgConnection::connect(&world.url()).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    Ok(())
}

type Agency = Id<chung::base::id::Agency>;

/// Agencies with a system and endpoints each.
async fn offices(app: &App, address: SocketAddr) -> Result<Vec<Agency>> {
    let refused = |e| anyhow!("{e:?}");
    let wording =
        |text: &str| -> Result<Wording> { Ok(Wording { vi: Line::parse(text)?, en: Line::parse(text)? }) };
    let mut agencies = Vec::new();
    for nth in 0..AGENCIES {
        let new = NewAgency {
            code: format!("H29.{}", 500 + nth),
            name: wording("Sở Tư pháp")?,
            tax_code: None,
            address_vi: None,
        };
        let agency = register_agency(app, &new).await.map_err(refused)?;
        let new = NewClient {
            agency,
            name: wording("Hệ thống một cửa")?,
            purpose: wording("giải quyết hồ sơ")?,
            jwks: None,
            redirect_uris: vec![],
            post_logout_redirect_uris: vec![],
            acr_min: Assurance::Low,
            sector: format!("hooks-{nth}.example").parse().map_err(|e| anyhow!("{e:?}"))?,
            policy: ClaimsPolicy::new(vec![]).map_err(|e| anyhow!("{e:?}"))?,
            scopes: ApiScopes::parse("event").map_err(|e| anyhow!("{e:?}"))?,
            terms: Terms::basic(),
            until: None,
        };
        let client = register_client(app, &new).await.map_err(refused)?.client;
        for place in 0..ENDPOINTS {
            let url = format!("http://{address}/{}", nth * ENDPOINTS + place);
            let key = Idempotency::new(client, &url, "POST", b"").context("a key")?;
            let url = url.parse().map_err(|_| anyhow!("an address"))?;
            register_endpoint(app, agency, client, (url, Vec::new()), &key).await.map_err(refused)?;
        }
        agencies.push(agency);
    }
    Ok(agencies)
}

/// Tells so many events of every agency, and waits until every endpoint but the dead one has heard them.
async fn deliver(world: &World, app: &App, agencies: &[Agency], events: usize) -> Result<Rate> {
    let mut tx = app.store.begin().await?;
    let at = app.clock.now();
    for agency in agencies {
        let rows = (0..events).map(|_| {
            let id: Id<chung::base::id::Event> = Id::new(at, &*app.entropy);
            NewOutbox {
                id,
                at,
                topic: Topic::Event,
                agency: Some(*agency),
                object: id.uuid(),
                name: "bill.paid",
                body: br#"{"type":"bill.paid","data":{}}"#.to_vec(),
            }
        });
        outbox::enqueue(&mut tx, &rows.collect::<Vec<_>>()).await?;
    }
    tx.commit().await?;
    let of_others = format!(
        "delivery d join endpoint e on e.id = d.endpoint_id where d.state = 'done' and e.url not like '%/{DEAD}'"
    );
    let before = usize::try_from(world.count(&of_others).await?)?;
    let expected = (AGENCIES * ENDPOINTS - 1) * events;
    let payers = Payers { processes: vec![std::process::id()], ..world.payers() };
    let meter = Meter::start(&payers, &world.url()).await?;
    let mut lanes = JoinSet::new();
    for lane in [Lane::Well, Lane::Failing] {
        let app = app.clone();
        lanes.spawn(async move {
            loop {
                let routed = if lane == Lane::Well { route_events(&app).await.unwrap_or(0) } else { 0 };
                let told = deliver_events(&app, lane).await.unwrap_or(0);
                if routed + told == 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    let done = async {
        while usize::try_from(world.count(&of_others).await?)? < before + expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    let done = tokio::time::timeout(PATIENCE, done).await;
    let spent = meter.stop().await?;
    lanes.shutdown().await;
    done.context("deliveries that never end")??;
    ensure!(usize::try_from(world.count(&of_others).await?)? == before + expected, "each event is told once");
    Ok(Rate::of(expected, spent))
}
