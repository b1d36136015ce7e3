//! The registered series of receipt numbers: drawn from in the settling transaction, registered, listed, and what was
//! used of them in a time.

use super::{Result, StoreError, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Id},
};
use crate::payment::{
    blank::Medium,
    fee::FeeKind,
    receipt::{Letters, Range},
};
use std::collections::HashMap;
use uuid::Uuid;

/// A series as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredSeries {
    /// Its identifier.
    pub id: Id<id::ReceiptSeries>,
    /// Whose.
    pub agency: Id<Agency>,
    /// Of which kind.
    pub kind: FeeKind,
    /// Its letters.
    pub letters: Letters,
    /// The year (Vietnam) that its printed symbol names.
    pub year: i32,
    /// The form's number.
    pub form: String,
    /// What its numbers stand on; only electronic ones are drawn when money settles.
    pub medium: Medium,
    /// Its numbers, and how far they are drawn.
    pub range: Range,
    /// The first and the last day on which it is in force.
    pub force: (Day, Day),
    /// When it was registered.
    pub registered_at: Instant,
}

/// What numbers are drawn for: an agency and a kind.
pub type Wanted = (Id<Agency>, FeeKind);

/// The series in force on that day that have numbers left, in the order that they are used up; locked until the
/// transaction ends, in the order of agency, kind and letters, so that the numbers have no gaps.
pub async fn lock_open(tx: &mut Tx, wanted: &[Wanted], day: Day) -> Result<Vec<StoredSeries>> {
    let (agencies, kinds) = columns(wanted);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT s.id, s.agency_id, s.kind, s.letters, s.year, s.form, s.medium, s.first, s.until, s.last,
                  s.valid_from, s.valid_to, s.registered_at
           FROM receipt_series s
           JOIN unnest($1::uuid[], $2::text[]) AS w (agency_id, kind) ON w.agency_id = s.agency_id AND w.kind = s.kind
           WHERE s.medium = 'electronic' AND s.valid_from <= $3 AND s.valid_to >= $3 AND s.year = date_part('year', $3::date)::smallint
             AND s.last < s.until
           ORDER BY s.agency_id, s.kind, s.letters FOR UPDATE OF s"#,
        &agencies,
        &kinds as &[&str],
        day.date()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Gives each that has no series of that year at all its first one, for the whole year.
pub async fn register_first(tx: &mut Tx, series: &[StoredSeries]) -> Result<()> {
    let ids: Vec<Uuid> = series.iter().map(|s| s.id.uuid()).collect();
    let wanted: Vec<Wanted> = series.iter().map(|s| (s.agency, s.kind)).collect();
    let (agencies, kinds) = columns(&wanted);
    let letters: Vec<String> = series.iter().map(|s| s.letters.to_string()).collect();
    let years: Vec<i16> = series.iter().map(|s| small(s.year)).collect();
    let forms: Vec<&str> = series.iter().map(|s| s.form.as_str()).collect();
    let until: Vec<i64> = series.iter().map(|s| s.range.until).collect();
    let from: Vec<time::Date> = series.iter().map(|s| s.force.0.date()).collect();
    let to: Vec<time::Date> = series.iter().map(|s| s.force.1.date()).collect();
    let at: Vec<Instant> = series.iter().map(|s| s.registered_at).collect();
    sqlx::query!(
        r#"INSERT INTO receipt_series (id, agency_id, kind, letters, year, form, first, until, last, valid_from,
                                       valid_to, registered_at)
           SELECT n.id, n.agency_id, n.kind, n.letters, n.year, n.form, 1, n.until, 0, n.valid_from, n.valid_to, n.at
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::bigint[],
                       $8::date[], $9::date[], $10::timestamptz[])
               AS n (id, agency_id, kind, letters, year, form, until, valid_from, valid_to, at)
           WHERE NOT EXISTS (SELECT FROM receipt_series s
                             WHERE s.agency_id = n.agency_id AND s.kind = n.kind AND s.year = n.year
                                 AND s.medium = 'electronic')
           ORDER BY n.agency_id, n.kind
           ON CONFLICT ON CONSTRAINT receipt_series_letters_once DO NOTHING"#,
        &ids,
        &agencies,
        &kinds as &[&str],
        &letters,
        &years,
        &forms as &[&str],
        &until,
        &from,
        &to,
        &at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes how far series are drawn.
pub async fn set_drawn(tx: &mut Tx, drawn: &[(Id<id::ReceiptSeries>, i64)]) -> Result<()> {
    let ids: Vec<Uuid> = drawn.iter().map(|d| d.0.uuid()).collect();
    let last: Vec<i64> = drawn.iter().map(|d| d.1).collect();
    sqlx::query!(
        "UPDATE receipt_series s SET last = d.last FROM unnest($1::uuid[], $2::bigint[]) AS d (id, last)
         WHERE s.id = d.id",
        &ids,
        &last
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Registers a series; the same letters twice in a year violate `receipt_series_letters_once`, the letter A on paper
/// violates `receipt_series_letter_kept`.
pub async fn insert(tx: &mut Tx, series: &StoredSeries) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO receipt_series (id, agency_id, kind, letters, year, form, first, until, last, valid_from,
                                       valid_to, registered_at, medium)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"#,
        series.id.uuid(),
        series.agency.uuid(),
        series.kind.as_str(),
        series.letters.to_string(),
        small(series.year),
        series.form,
        series.range.first,
        series.range.until,
        series.range.drawn,
        series.force.0.date(),
        series.force.1.date(),
        series.registered_at,
        series.medium.as_str()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The agency's series, the newest year first.
pub async fn of_agencies(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<StoredSeries>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, agency_id, kind, letters, year, form, medium, first, until, last, valid_from, valid_to, registered_at
           FROM receipt_series WHERE agency_id = any($1) ORDER BY year DESC, letters, agency_id"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// One series, locked: whoever draws from it waits.
pub async fn lock(tx: &mut Tx, series: Id<id::ReceiptSeries>) -> Result<Option<StoredSeries>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, agency_id, kind, letters, year, form, medium, first, until, last, valid_from, valid_to, registered_at
           FROM receipt_series WHERE id = $1 FOR UPDATE"#,
        series.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// What was used of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    /// Issued before the time.
    pub before: i64,
    /// Issued in it.
    pub issued: i64,
    /// Issued in it or before, and voided in it without another in its place.
    pub voided: i64,
    /// The same, with another in its place.
    pub replaced: i64,
}

/// What was used of the agency's series from the first instant to before the second, by letters and year.
pub async fn used(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    from: Instant,
    to: Instant,
) -> Result<HashMap<(Id<Agency>, String, i16), Use>> {
    let rows = sqlx::query!(
        r#"SELECT r.agency_id, r.letters, r.year, count(*) FILTER (WHERE r.issued_at < $2) AS "before!",
                  count(*) FILTER (WHERE r.issued_at >= $2) AS "issued!",
                  count(*) FILTER (WHERE v.at >= $2 AND v.at < $3 AND v.replaced_by IS NULL) AS "voided!",
                  count(*) FILTER (WHERE v.at >= $2 AND v.at < $3 AND v.replaced_by IS NOT NULL) AS "replaced!"
           FROM receipt r LEFT JOIN receipt_void v ON v.receipt_id = r.id
           WHERE r.agency_id = any($1) AND r.issued_at < $3 GROUP BY r.agency_id, r.letters, r.year"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        from,
        to
    )
    .fetch_all(tx.conn())
    .await?;
    let of = rows.into_iter().map(|row| {
        let seen = Use { before: row.before, issued: row.issued, voided: row.voided, replaced: row.replaced };
        ((Id::from_uuid(row.agency_id), row.letters, row.year), seen)
    });
    Ok(of.collect())
}

fn columns(wanted: &[Wanted]) -> (Vec<Uuid>, Vec<&'static str>) {
    wanted.iter().map(|(agency, kind)| (agency.uuid(), kind.as_str())).unzip()
}

fn small(year: i32) -> i16 {
    i16::try_from(year).unwrap_or(i16::MAX)
}

struct Row {
    id: Uuid,
    agency_id: Uuid,
    kind: String,
    letters: String,
    year: i16,
    form: String,
    medium: String,
    first: i64,
    until: i64,
    last: i64,
    valid_from: time::Date,
    valid_to: time::Date,
    registered_at: Instant,
}

impl TryFrom<Row> for StoredSeries {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<id::ReceiptSeries> = Id::from_uuid(row.id);
        let bad = |column| StoreError::corrupt("receipt_series", column, id);
        Ok(Self {
            id,
            agency: Id::from_uuid(row.agency_id),
            kind: row.kind.parse().map_err(|_| bad("kind"))?,
            letters: row.letters.parse().map_err(|_| bad("letters"))?,
            year: i32::from(row.year),
            form: row.form,
            medium: row.medium.parse().map_err(|_| bad("medium"))?,
            range: Range { first: row.first, until: row.until, drawn: row.last },
            force: (Day::from_date(row.valid_from), Day::from_date(row.valid_to)),
            registered_at: row.registered_at,
        })
    }
}
