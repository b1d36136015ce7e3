//! The citizen's own page with ten thousand entries: the newest page and one in the depth.

use super::client::{Connection, Pace, Requests, load};
use super::report::Record;
use super::world::World;
use anyhow::{Context, Result, ensure};
use chung::base::id::{self, Id};
use chung::base::secret::{Token, TokenKind};
use chung::crypto::digest::sha256;
use chung::flow::audit_leaf::{Concern, leaf};
use chung::flow::population::{look_up, meet};
use chung::identity::{authenticator::Method, personal_number::PersonalNumber, session::Session};
use chung::store::{audit::append, session};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The entries of the history.
const ENTRIES: usize = 10_000;
/// How deep the second page lies, in pages of fifty.
const DEPTH: usize = 100;
/// Milliseconds that a page may take.
const GOAL_MS: f64 = 50.0;

/// Measures `GET /me`.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    fill(world).await?;
    let cookie = sign_in(world).await?;
    let deep = walk(world, &cookie).await?;
    let mut records = Vec::new();
    for (name, path) in
        [("history page, newest of 10,000 entries", "/me".to_owned()), ("  after 5,000 entries", deep)]
    {
        let bytes = get(&path, &cookie);
        let requests: Requests = Arc::new(move |_| Some(bytes.clone()));
        load(world.address, 1, Pace::Closed(world.seconds / 4), 200, &requests).await?;
        let done = load(world.address, 1, Pace::Closed(world.seconds), 200, &requests).await?;
        records.push(Record {
            path: format!("{name} (p95 {:.1} ms)", done.quantile_ms(0.95)),
            p50_ms: Some(done.quantile_ms(0.5)),
            p99_ms: Some(done.quantile_ms(0.99)),
            goal: Some(GOAL_MS),
            ..Record::default()
        });
    }
    Ok(records)
}

/// Writes the entries as answered questions leave them, in the citizen's history and under the citizen's key. A number
/// has a budget of questions a day, so that nobody could ask for them one by one.
async fn fill(world: &World) -> Result<()> {
    let app = &world.app;
    let refused = |error| anyhow::anyhow!("{error:?}");
    let number: PersonalNumber =
        world.citizen(0).number.parse().map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let holder = look_up(app, &mut app.store.begin().await?, number)
        .await
        .map_err(refused)?
        .on_record
        .context("on record")?;
    let details = json!({
        "verification": "verif_00000000000000000000000000000000",
        "agency": world.agency.to_string(),
        "client": world.client.to_string(),
        "officer": "hoa.nt",
        "purpose": "Cấp Phiếu lý lịch tư pháp",
        "procedure": "2.000488",
        "dossier": "H29.14-261124-0001",
        "occasion": "unattended",
        "source": "local-population-register",
        "policy": "exact",
        "attributes": { "name": "exact", "birth_date": "exact", "sex": "exact" },
        "state": "match",
    });
    let began = app.clock.now() - Duration::from_secs(ENTRIES as u64);
    let at = |place: usize| began + Duration::from_secs(place as u64);
    for block in (0..ENTRIES).collect::<Vec<_>>().chunks(1_000) {
        let leaves = block.iter().map(|place| {
            let concern = Concern {
                citizen: Some(holder.citizen),
                agency: Some(world.agency),
                object: uuid::Uuid::nil(),
            };
            leaf(app, at(*place), "verification.answered", concern, &holder.key, &details)
        });
        let mut tx = app.store.begin().await?;
        append(&mut tx, &leaves.collect::<Vec<_>>()).await?;
        tx.commit().await?;
    }
    let written = world.count("audit_detail where citizen_id is not null").await?;
    ensure!(usize::try_from(written)? >= ENTRIES, "only {written} entries");
    Ok(())
}

/// A session of that citizen; the cookie's value.
async fn sign_in(world: &World) -> Result<String> {
    let app = &world.app;
    let now = app.clock.now();
    let refused = |error| anyhow::anyhow!("{error:?}");
    let mut tx = app.store.begin().await?;
    let number: PersonalNumber =
        world.citizen(0).number.parse().map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let holder = look_up(app, &mut tx, number).await.map_err(refused)?.on_record.context("on record")?;
    meet(app, &mut tx, &holder, now).await.map_err(refused)?;
    let token = Token::new(TokenKind::Session, &*app.entropy);
    let id: Id<id::Session> = Id::new(now, &*app.entropy);
    let session = Session {
        id,
        citizen: holder.citizen,
        method: Method::SmsCode,
        reached: Method::SmsCode.assurance(),
        authenticated_at: now,
        expires_at: now + Duration::from_secs(3600),
        ended_at: None,
    };
    session::insert(&mut tx, &session, None, &sha256(token.expose().as_bytes())).await?;
    tx.commit().await?;
    Ok(token.expose().to_owned())
}

/// Follows the link to older entries; the address of the page in the depth.
async fn walk(world: &World, cookie: &str) -> Result<String> {
    let mut connection = Connection::open(world.address).await?;
    let mut path = "/me".to_owned();
    for _ in 0..DEPTH {
        let (status, body) = connection.send(&get(&path, cookie)).await?;
        ensure!(status == 200, "{path} answers {status}");
        let text = String::from_utf8_lossy(&body).into_owned();
        let (_, rest) = text.split_once("/me?after=").context("no older entries")?;
        path = format!("/me?after={}", rest.split('"').next().unwrap_or_default());
    }
    Ok(path)
}

fn get(path: &str, cookie: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\ncookie: chung_session={cookie}\r\n\r\n").into_bytes()
}
