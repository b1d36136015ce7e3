//! How much portals have asked, how often a number was asked about, and the alerts that came of it.

use super::{Result, StoreError, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Alert, Citizen, Client, Id},
    page::{Page, PageRequest},
};
use crate::crypto::digest::Digest;
use crate::identity::watch::Watch;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What was counted so far.
pub struct Counted {
    /// The watches of the clients, those that are watched already.
    pub watches: BTreeMap<Id<Client>, Watch>,
    /// How often each number was asked about on the day without its owner, by client.
    pub asks: Vec<(Digest, Id<Client>, u32)>,
}

/// Reads what was counted about these clients and numbers, by one statement. The watches are locked until the
/// transaction ends, in one order, so that two writers never wait for each other; the numbers are not.
pub async fn counted(tx: &mut Tx, clients: &[Id<Client>], numbers: &[Digest], day: Day) -> Result<Counted> {
    let ids: Vec<Uuid> = clients.iter().map(|id| id.uuid()).collect();
    let hashes: Vec<&[u8]> = numbers.iter().map(Digest::as_slice).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"WITH watch AS MATERIALIZED (
               SELECT client_id, asked, day, window_start, answered, misses, slowed_until, last_at FROM portal_watch
               WHERE client_id = ANY($1) ORDER BY client_id FOR UPDATE
           )
           SELECT client_id AS "client_id!", asked AS "asked!", NULL::bytea AS number_hash, day, window_start, answered,
                  misses, slowed_until, last_at
           FROM watch
           UNION ALL
           SELECT client_id, asked, number_hash, NULL, NULL, NULL, NULL, NULL, NULL
           FROM number_budget WHERE number_hash = ANY($2) AND day = $3"#,
        &ids,
        &hashes as &[&[u8]],
        day.date()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut counted = Counted { watches: BTreeMap::new(), asks: Vec::new() };
    for row in rows {
        let client: Id<Client> = Id::from_uuid(row.client_id);
        let corrupt = |column| StoreError::corrupt("portal_watch or number_budget", column, client);
        match &row.number_hash {
            Some(hash) => {
                let hash = hash.as_slice().try_into().map_err(|_| corrupt("number_hash"))?;
                counted.asks.push((hash, client, u32::try_from(row.asked).map_err(|_| corrupt("asked"))?));
            }
            None => {
                counted.watches.insert(client, row.watch().ok_or_else(|| corrupt("a count"))?);
            }
        }
    }
    Ok(counted)
}

struct Raw {
    client_id: Uuid,
    asked: i32,
    number_hash: Option<Vec<u8>>,
    day: Option<time::Date>,
    window_start: Option<Instant>,
    answered: Option<i32>,
    misses: Option<i32>,
    slowed_until: Option<Instant>,
    last_at: Option<Instant>,
}

impl Raw {
    fn watch(&self) -> Option<Watch> {
        Some(Watch {
            day: Day::from_date(self.day?),
            asked: self.asked.try_into().ok()?,
            window_start: self.window_start?,
            answered: self.answered?.try_into().ok()?,
            misses: self.misses?.try_into().ok()?,
            slowed_until: self.slowed_until,
            last_at: self.last_at?,
        })
    }
}

/// Keeps watches, and counts look-ups of numbers: each pair of number and client once, in ascending order. One statement.
pub async fn count(
    tx: &mut Tx,
    watches: &BTreeMap<Id<Client>, Watch>,
    asks: &BTreeMap<(Digest, Id<Client>), u32>,
    day: Day,
) -> Result<()> {
    if watches.is_empty() && asks.is_empty() {
        return Ok(());
    }
    let count = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let clients: Vec<Uuid> = watches.keys().map(|id| id.uuid()).collect();
    let days: Vec<time::Date> = watches.values().map(|w| w.day.date()).collect();
    let asked: Vec<i32> = watches.values().map(|w| count(w.asked)).collect();
    let starts: Vec<Instant> = watches.values().map(|w| w.window_start).collect();
    let answered: Vec<i32> = watches.values().map(|w| count(w.answered)).collect();
    let misses: Vec<i32> = watches.values().map(|w| count(w.misses)).collect();
    let slowed: Vec<Option<Instant>> = watches.values().map(|w| w.slowed_until).collect();
    let last: Vec<Instant> = watches.values().map(|w| w.last_at).collect();
    let hashes: Vec<&[u8]> = asks.keys().map(|(hash, _)| hash.as_slice()).collect();
    let askers: Vec<Uuid> = asks.keys().map(|(_, client)| client.uuid()).collect();
    let counts: Vec<i32> = asks.values().copied().map(count).collect();
    sqlx::query!(
        r#"WITH watch AS (
               INSERT INTO portal_watch (client_id, day, asked, window_start, answered, misses, slowed_until, last_at)
               SELECT client_id, day, asked, window_start, answered, misses, slowed_until, last_at
               FROM unnest($1::uuid[], $2::date[], $3::integer[], $4::timestamptz[], $5::integer[], $6::integer[],
                           $7::timestamptz[], $8::timestamptz[])
                   AS w (client_id, day, asked, window_start, answered, misses, slowed_until, last_at)
               ON CONFLICT (client_id) DO UPDATE
               SET day = EXCLUDED.day, asked = EXCLUDED.asked, window_start = EXCLUDED.window_start,
                   answered = EXCLUDED.answered, misses = EXCLUDED.misses, slowed_until = EXCLUDED.slowed_until,
                   last_at = EXCLUDED.last_at
           )
           INSERT INTO number_budget (number_hash, day, client_id, asked)
           SELECT number_hash, $12, client_id, asked
           FROM unnest($9::bytea[], $10::uuid[], $11::integer[]) AS n (number_hash, client_id, asked)
           ON CONFLICT (number_hash, day, client_id) DO UPDATE SET asked = number_budget.asked + EXCLUDED.asked"#,
        &clients,
        &days,
        &asked,
        &starts,
        &answered,
        &misses,
        &slowed as &[Option<Instant>],
        &last,
        &hashes as &[&[u8]],
        &askers,
        &counts,
        day.date()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Deletes what earlier days have counted.
pub async fn forget_days_before(tx: &mut Tx, day: Day) -> Result<u64> {
    let done =
        sqlx::query!("DELETE FROM number_budget WHERE day < $1", day.date()).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

/// Which of these dossiers have had their free look-up.
pub async fn firsts_taken(tx: &mut Tx, hashes: &[Digest]) -> Result<Vec<Digest>> {
    let asked: Vec<&[u8]> = hashes.iter().map(Digest::as_slice).collect();
    let rows = sqlx::query_scalar!("SELECT hash FROM first_check WHERE hash = ANY($1)", &asked as &[&[u8]])
        .fetch_all(tx.conn())
        .await?;
    let digest =
        |hash: Vec<u8>| hash.try_into().map_err(|_| StoreError::corrupt("first_check", "hash", "a row"));
    rows.into_iter().map(digest).collect()
}

/// Notes free look-ups as taken.
pub async fn take_firsts(tx: &mut Tx, hashes: &[Digest], day: Day) -> Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    let taken: Vec<&[u8]> = hashes.iter().map(Digest::as_slice).collect();
    sqlx::query!(
        "INSERT INTO first_check (hash, day) SELECT hash, $2 FROM unnest($1::bytea[]) AS f (hash) ON CONFLICT DO NOTHING",
        &taken as &[&[u8]],
        day.date()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Which of these people an officer has seen with their card since then, and at which agency.
pub async fn seen_with_card(
    tx: &mut Tx,
    citizens: &[Id<Citizen>],
    since: Instant,
) -> Result<Vec<(Id<Agency>, Id<Citizen>)>> {
    let citizens: Vec<Uuid> = citizens.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT DISTINCT agency_id, citizen_id AS "citizen_id!" FROM card_check
           WHERE citizen_id = ANY($1) AND verdict = 'passed' AND at > $2"#,
        &citizens,
        since
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.agency_id), Id::from_uuid(row.citizen_id))).collect())
}

/// A portal that looked like probing numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertRow {
    /// Its identifier.
    pub id: Id<Alert>,
    /// Which portal.
    pub client: Id<Client>,
    /// Whose it is.
    pub agency: Id<Agency>,
    /// When.
    pub at: Instant,
    /// Answers in the window.
    pub answered: u32,
    /// Misses among them.
    pub misses: u32,
    /// Until when it is answered slowly.
    pub until: Instant,
}

/// Keeps an alert.
pub async fn insert_alert(tx: &mut Tx, alert: &AlertRow) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO portal_alert (id, client_id, agency_id, at, answered, misses, until)
           VALUES ($1, $2, $3, $4, $5, $6, $7)"#,
        alert.id.uuid(),
        alert.client.uuid(),
        alert.agency.uuid(),
        alert.at,
        i32::try_from(alert.answered).unwrap_or(i32::MAX),
        i32::try_from(alert.misses).unwrap_or(i32::MAX),
        alert.until
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The alerts, the newest first.
pub async fn list_alerts(
    tx: &mut Tx,
    agencies: Option<&[Id<Agency>]>,
    page: &PageRequest<Id<Alert>>,
) -> Result<Page<AlertRow>> {
    let agencies: Option<Vec<Uuid>> = agencies.map(|all| all.iter().map(|agency| agency.uuid()).collect());
    let rows = sqlx::query!(
        r#"SELECT id, client_id, agency_id, at, answered, misses, until FROM portal_alert
           WHERE ($1::uuid IS NULL OR id < $1) AND ($3::uuid[] IS NULL OR agency_id = any($3))
           ORDER BY id DESC LIMIT $2"#,
        page.after.map(Id::uuid),
        page.fetch(),
        agencies.as_deref()
    )
    .fetch_all(tx.conn())
    .await?;
    let alert = rows.into_iter().map(|row| AlertRow {
        id: Id::from_uuid(row.id),
        client: Id::from_uuid(row.client_id),
        agency: Id::from_uuid(row.agency_id),
        at: row.at,
        answered: row.answered.unsigned_abs(),
        misses: row.misses.unsigned_abs(),
        until: row.until,
    });
    Ok(Page::from_rows(alert.collect(), page))
}
