//! What becomes of bills after their issue: later versions, bills in their place, and how bills belong together.

use super::{
    Result, StoreError, Tx,
    bill::{StoredBill, Trace},
    bill_lines::{lines, lines_json, shares},
};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Id, Schedule},
        secret::Sealed,
    },
    payment::bill::Lines,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Keeps what a bill says now, before another version takes its place.
pub async fn keep_version(tx: &mut Tx, bill: Id<id::Bill>, reason: &str, at: Instant) -> Result<()> {
    sqlx::query!(
        "insert into bill_version (bill_id, version, due, payable_until, lines, schedule_id, trace, key, until, reason)
         select b.id, b.version, b.due, b.payable_until, c.lines, c.schedule_id, c.trace, c.key, $3, $2
         from bill b join bill_content c on c.bill_id = b.id where b.id = $1",
        bill.uuid(),
        reason,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps what a paper says that was paid of a bill, and what no version of it said, as one between what the bill says and what
/// it says from now on, which is the same; its number. The caller holds the bill's lock.
pub async fn keep_paper(tx: &mut Tx, (of, paper): (&StoredBill, &StoredBill), at: Instant) -> Result<u32> {
    keep_version(tx, of.bill.id, "late", at).await?;
    let version = of.bill.version + 1;
    let until = (paper.bill.payable_until != paper.bill.due).then(|| paper.bill.payable_until.date());
    sqlx::query!(
        "with said as (update bill set version = $2 + 1 where id = $1 and version = $2 - 1)
         insert into bill_version (bill_id, version, due, payable_until, lines, schedule_id, trace, key, until, reason)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'late')",
        of.bill.id.uuid(),
        i32::try_from(version).unwrap_or(i32::MAX),
        paper.bill.due.date(),
        until,
        lines_json(&paper.bill.lines),
        paper.schedule.uuid(),
        paper.trace.bytes(),
        paper.trace.key().cast_signed(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(version)
}

/// What a bill said once, where an amendment changed it since.
pub struct EarlierVersion {
    version: u32,
    due: Day,
    payable_until: Day,
    lines: Lines,
    schedule: Id<Schedule>,
    trace: Sealed<Trace>,
}

impl EarlierVersion {
    /// Puts it in the place of the newest version.
    pub fn restore(&self, stored: &mut StoredBill) {
        stored.bill.due = self.due;
        stored.bill.payable_until = self.payable_until;
        stored.bill.version = self.version;
        stored.bill.lines = self.lines.clone();
        stored.schedule = self.schedule;
        stored.trace = self.trace.clone();
    }
}

/// The first versions of bills that have later ones.
pub async fn first_versions(
    tx: &mut Tx,
    bills: &[Id<id::Bill>],
) -> Result<BTreeMap<Id<id::Bill>, EarlierVersion>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select bill_id, version, due, payable_until, lines, schedule_id, trace, key from bill_version
         where version = 1 and bill_id = any($1)",
        &bills,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|row| Ok((Id::from_uuid(row.bill_id), row.try_into()?))).collect()
}

/// What a bill said at that time, where it was amended since.
pub async fn standing_at(tx: &mut Tx, bill: Id<id::Bill>, at: Instant) -> Result<Option<EarlierVersion>> {
    let row = sqlx::query_as!(
        Row,
        "select bill_id, version, due, payable_until, lines, schedule_id, trace, key from bill_version
         where bill_id = $1 and until > $2 order by version limit 1",
        bill.uuid(),
        at,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The bill as this payment paid it: where it says something else now, the lines of the version that was on paper.
pub async fn as_paid(
    tx: &mut Tx,
    payment: Id<id::Payment>,
    bill: Id<id::Bill>,
) -> Result<Option<StoredBill>> {
    let Some(mut stored) = super::bill::bill(tx, bill).await? else { return Ok(None) };
    let row = sqlx::query_as!(
        Row,
        "select v.bill_id, v.version, v.due, v.payable_until, v.lines, v.schedule_id, v.trace, v.key
         from desk_payment d join payment p on p.id = d.payment_id
         join bill_version v on v.bill_id = p.bill_id and v.version = d.version
         where d.payment_id = $1",
        payment.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(paid) = row.map(EarlierVersion::try_from).transpose()? {
        stored.bill.lines = paid.lines;
    }
    Ok(Some(stored))
}

struct Row {
    bill_id: Uuid,
    version: i32,
    due: time::Date,
    payable_until: Option<time::Date>,
    lines: serde_json::Value,
    schedule_id: Uuid,
    trace: Vec<u8>,
    key: i32,
}

impl TryFrom<Row> for EarlierVersion {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let bad = || StoreError::corrupt("bill_version", "lines", Id::<id::Bill>::from_uuid(row.bill_id));
        Ok(Self {
            version: row.version.unsigned_abs(),
            due: Day::from_date(row.due),
            payable_until: Day::from_date(row.payable_until.unwrap_or(row.due)),
            lines: lines(row.lines).ok_or_else(bad)?,
            schedule: Id::from_uuid(row.schedule_id),
            trace: Sealed::new(row.trace, row.key.cast_unsigned()),
        })
    }
}

/// What an open bill said once, on its way to whoever takes an agency's place.
pub struct Passing {
    /// The bill.
    pub bill: Id<id::Bill>,
    /// Which of its versions.
    pub version: i32,
    /// Its procedure.
    pub procedure: String,
    /// What was owed.
    pub lines: Lines,
    /// The trace.
    pub trace: Sealed<Trace>,
}

struct PassingRow {
    bill_id: Uuid,
    version: i32,
    procedure: String,
    lines: serde_json::Value,
    trace: Vec<u8>,
    key: i32,
}

impl TryFrom<PassingRow> for Passing {
    type Error = StoreError;

    fn try_from(row: PassingRow) -> Result<Self> {
        let bad = || StoreError::corrupt("bill_version", "lines", row.bill_id);
        Ok(Self {
            bill: Id::from_uuid(row.bill_id),
            version: row.version,
            procedure: row.procedure,
            lines: lines(row.lines).ok_or_else(bad)?,
            trace: Sealed::new(row.trace, row.key.cast_unsigned()),
        })
    }
}

/// The earlier versions of these bills.
pub async fn earlier(tx: &mut Tx, bills: &[Id<id::Bill>]) -> Result<Vec<Passing>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query_as!(
        PassingRow,
        "select v.bill_id, v.version, c.procedure, v.lines, v.trace, v.key
         from bill_version v join bill_content c on c.bill_id = v.bill_id
         where v.bill_id = any($1) order by v.bill_id, v.version",
        &bills,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The earlier versions of open bills on which an agency's lines stood; those bills locked.
pub async fn earlier_with_lines_of(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<Passing>> {
    let rows = sqlx::query_as!(
        PassingRow,
        "select v.bill_id, v.version, c.procedure, v.lines, v.trace, v.key
         from bill_version v join bill b on b.id = v.bill_id join bill_content c on c.bill_id = b.id
         where b.state = 'open' and v.lines @> jsonb_build_array(jsonb_build_object('agency', $1::text))
         order by v.bill_id, v.version for no key update of b",
        agency.uuid().to_string(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Puts the lines and the traces of versions as those who take an agency's place hold them.
pub async fn pass_on(tx: &mut Tx, passed: &[Passing]) -> Result<()> {
    let bills: Vec<Uuid> = passed.iter().map(|p| p.bill.uuid()).collect();
    let versions: Vec<i32> = passed.iter().map(|p| p.version).collect();
    let lines: Vec<serde_json::Value> = passed.iter().map(|p| lines_json(&p.lines)).collect();
    let traces: Vec<&[u8]> = passed.iter().map(|p| p.trace.bytes()).collect();
    let keys: Vec<i32> = passed.iter().map(|p| p.trace.key().cast_signed()).collect();
    sqlx::query!(
        "update bill_version v set lines = p.lines, trace = p.trace, key = p.key
         from unnest($1::uuid[], $2::integer[], $3::jsonb[], $4::bytea[], $5::integer[])
             as p (bill_id, version, lines, trace, key)
         where v.bill_id = p.bill_id and v.version = p.version",
        &bills,
        &versions,
        &lines,
        &traces as &[&[u8]],
        &keys,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Closes the other ways to pay bills that transfers have just paid: their instalments, or the whole they are part of.
pub async fn close_other_ways(tx: &mut Tx, paid: &[Id<id::Bill>], at: Instant) -> Result<()> {
    let paid: Vec<Uuid> = paid.iter().map(|bill| bill.uuid()).collect();
    sqlx::query!(
        "update bill b set state = 'superseded', ended_at = $2
         from (select other_id as id from bill_link where relation = 'instalment' and bill_id = any($1)
               union select bill_id from bill_link where relation = 'instalment' and other_id = any($1)) o
         where b.id = o.id and b.state = 'open'",
        &paid,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts the next version of a bill into its row; false when the row is not at the version before, or not in that state.
pub async fn put_version(tx: &mut Tx, stored: &StoredBill, was: &str) -> Result<bool> {
    let (phi, le_phi, tax) = shares(&stored.bill.lines);
    let until = (stored.bill.payable_until != stored.bill.due).then(|| stored.bill.payable_until.date());
    let done = sqlx::query!(
        "update bill set due = $2, payable_until = $3, phi = $4, le_phi = $5, tax = $6, version = $7, state = 'open',
             ended_at = null where id = $1 and version = $7 - 1 and state = $8",
        stored.bill.id.uuid(),
        stored.bill.due.date(),
        until,
        phi,
        le_phi,
        tax,
        i32::try_from(stored.bill.version).unwrap_or(i32::MAX),
        was,
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Puts the lines of the next version into the bill's content.
pub async fn put_content(tx: &mut Tx, stored: &StoredBill) -> Result<()> {
    sqlx::query!(
        "update bill_content set lines = $2, schedule_id = $3, trace = $4 where bill_id = $1",
        stored.bill.id.uuid(),
        lines_json(&stored.bill.lines),
        stored.schedule.uuid(),
        stored.trace.bytes(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says that other bills take the place of open ones; how many were open.
pub async fn supersede_bills(tx: &mut Tx, bills: &[Id<id::Bill>], at: Instant) -> Result<usize> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let done = sqlx::query!(
        "update bill set state = 'superseded', ended_at = $2 where id = any($1) and state = 'open'",
        &bills,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// Says that another bill takes the place of one that was in that state; false when it is in another.
pub async fn supersede_bill(tx: &mut Tx, (bill, was): (Id<id::Bill>, &str), at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "update bill set state = 'superseded', ended_at = $2 where id = $1 and state = $3",
        bill.uuid(),
        at,
        was,
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// The older bills of a family: those that this one came from, and the younger ones that came from it, by relation.
pub async fn links(tx: &mut Tx, bill: Id<id::Bill>) -> Result<Vec<(String, Id<id::Bill>, bool)>> {
    let rows = sqlx::query!(
        r#"select relation as "relation!", other_id as "other!", false as "later!" from bill_link where bill_id = $1
         union all select relation, bill_id, true from bill_link where other_id = $1 order by 2"#,
        bill.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.relation, Id::from_uuid(row.other), row.later)).collect())
}

/// Records that a bill came from another.
pub async fn link(tx: &mut Tx, bill: Id<id::Bill>, other: Id<id::Bill>, relation: &str) -> Result<()> {
    sqlx::query!(
        "insert into bill_link (bill_id, other_id, relation) values ($1, $2, $3)",
        bill.uuid(),
        other.uuid(),
        relation,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A part, the bill that it is a part of, and the version of that bill which was divided.
pub type PartOf = (Id<id::Bill>, Id<id::Bill>, u32);

/// Records into what bills were divided.
pub async fn link_parts(tx: &mut Tx, parts: &[PartOf], relation: &str) -> Result<()> {
    let bills: Vec<Uuid> = parts.iter().map(|part| part.0.uuid()).collect();
    let wholes: Vec<Uuid> = parts.iter().map(|part| part.1.uuid()).collect();
    let versions: Vec<i32> = parts.iter().map(|part| i32::try_from(part.2).unwrap_or(i32::MAX)).collect();
    sqlx::query!(
        "insert into bill_link (bill_id, other_id, version, relation)
         select b, o, v, $4 from unnest($1::uuid[], $2::uuid[], $3::integer[]) as p (b, o, v)",
        &bills,
        &wholes,
        &versions,
        relation,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The parts by owner of these bills, with the version that each divides: those of the newest version, or of the first.
pub async fn parts_of(tx: &mut Tx, wholes: &[Id<id::Bill>], newest: bool) -> Result<Vec<PartOf>> {
    let wholes: Vec<Uuid> = wholes.iter().map(|whole| whole.uuid()).collect();
    let rows = sqlx::query!(
        "select l.bill_id, l.other_id, l.version from bill_link l
         where l.relation = 'part' and l.other_id = any($1) and not exists (
             select from bill_link o where o.other_id = l.other_id and o.relation = 'part'
                 and case when $2 then o.version > l.version else o.version < l.version end)
         order by l.other_id, l.bill_id",
        &wholes,
        newest,
    )
    .fetch_all(tx.conn())
    .await?;
    let part = |(bill, whole, version): (Uuid, Uuid, i32)| {
        (Id::from_uuid(bill), Id::from_uuid(whole), version.unsigned_abs())
    };
    Ok(rows.into_iter().map(|row| part((row.bill_id, row.other_id, row.version))).collect())
}
