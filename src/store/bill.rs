//! Bills: the moving part in `bill`, what never changes in `bill_content`.

use super::{
    Result, StoreError, Tx,
    bill_lines::{lines, lines_json, shares},
};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Client, Id, Payment, Schedule},
        page::{Page, PageRequest},
        secret::Sealed,
        text::Line,
    },
    payment::{
        bill::{Bill, Parties, State},
        fee::{Bilingual, Procedure},
    },
};
use time::Date;
use uuid::Uuid;

/// How the lines of a bill came about: a JSON array of steps for each line.
pub enum Trace {}

/// A bill as its rows hold it.
#[derive(Debug, Clone)]
pub struct StoredBill {
    /// What was issued.
    pub bill: Bill,
    /// What has become of it.
    pub state: State,
    /// The account that its money is asked to.
    pub account: Id<Account>,
    /// The agency system that posted it.
    pub client: Id<Client>,
    /// The version of the fee schedule that it was computed by.
    pub schedule: Id<Schedule>,
    /// The procedure as it was named then.
    pub procedure: Procedure,
    /// The four parties.
    pub parties: Sealed<Parties>,
    /// How the lines came about.
    pub trace: Sealed<Trace>,
}

/// Adds bills, each with its content.
pub async fn insert_bills(tx: &mut Tx, bills: &[StoredBill]) -> Result<()> {
    let shares: Vec<(i64, i64, i64)> = bills.iter().map(|b| shares(&b.bill.lines)).collect();
    let uuid = |f: fn(&StoredBill) -> Uuid| bills.iter().map(f).collect::<Vec<_>>();
    let text = |f: fn(&StoredBill) -> &str| bills.iter().map(f).collect::<Vec<_>>();
    let phi: Vec<i64> = shares.iter().map(|s| s.0).collect();
    let le_phi: Vec<i64> = shares.iter().map(|s| s.1).collect();
    let tax: Vec<i64> = shares.iter().map(|s| s.2).collect();
    let references: Vec<String> = bills.iter().map(|b| b.bill.reference.to_string()).collect();
    let due: Vec<Date> = bills.iter().map(|b| b.bill.due.date()).collect();
    // Only where it is another day.
    let until: Vec<Option<Date>> = bills
        .iter()
        .map(|b| (b.bill.payable_until != b.bill.due).then(|| b.bill.payable_until.date()))
        .collect();
    let issued: Vec<Instant> = bills.iter().map(|b| b.bill.issued_at).collect();
    let sensitive: Vec<bool> = bills.iter().map(|b| b.procedure.sensitive).collect();
    let lines: Vec<serde_json::Value> = bills.iter().map(|b| lines_json(&b.bill.lines)).collect();
    let parties: Vec<&[u8]> = bills.iter().map(|b| b.parties.bytes()).collect();
    let trace: Vec<&[u8]> = bills.iter().map(|b| b.trace.bytes()).collect();
    let key: Vec<i32> = bills.iter().map(|b| b.parties.key().cast_signed()).collect();
    sqlx::query!(
        "with b as materialized (
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::date[], $7::bigint[],
                 $8::bigint[], $9::bigint[], $10::timestamptz[], $11::date[], $12::uuid[], $13::uuid[], $14::text[],
                 $15::text[], $16::text[], $17::boolean[], $18::jsonb[], $19::bytea[], $20::bytea[], $21::integer[])
                 as b (id, agency_id, account_id, reference, dossier, due, phi, le_phi, tax, issued_at, payable_until,
                     client_id, schedule_id, procedure, name_vi, name_en, sensitive, lines, parties, trace, key)
             order by id
         ), issued as (
             insert into bill (id, agency_id, account_id, reference, dossier, due, phi, le_phi, tax, state, issued_at,
                 payable_until)
             select id, agency_id, account_id, reference, dossier, due, phi, le_phi, tax, 'open', issued_at, payable_until
             from b
         )
         insert into bill_content (bill_id, client_id, schedule_id, procedure, name_vi, name_en, sensitive, lines, parties,
             trace, key)
         select id, client_id, schedule_id, procedure, name_vi, name_en, sensitive, lines, parties, trace, key from b",
        &uuid(|b| b.bill.id.uuid()),
        &uuid(|b| b.bill.agency.uuid()),
        &uuid(|b| b.account.uuid()),
        &references,
        &text(|b| b.bill.dossier.as_str()) as &[&str],
        &due,
        &phi,
        &le_phi,
        &tax,
        &issued,
        &until as &[Option<Date>],
        &uuid(|b| b.client.uuid()),
        &uuid(|b| b.schedule.uuid()),
        &text(|b| b.procedure.code.as_str()) as &[&str],
        &text(|b| b.procedure.name.vi.as_str()) as &[&str],
        &text(|b| b.procedure.name.en.as_str()) as &[&str],
        &sensitive,
        &lines,
        &parties as &[&[u8]],
        &trace as &[&[u8]],
        &key,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A bill by its identifier.
pub async fn bill(tx: &mut Tx, bill: Id<id::Bill>) -> Result<Option<StoredBill>> {
    let row = sqlx::query_as!(
        BillRow,
        "select b.id, b.agency_id, b.account_id, b.reference, b.dossier, b.due, b.phi, b.le_phi, b.tax, b.state, b.paid_by,
             b.ended_at, b.issued_at, b.version, b.payable_until, c.client_id, c.schedule_id, c.procedure, c.name_vi, c.name_en, c.sensitive,
             c.lines, c.parties, c.trace, c.key
         from bill b join bill_content c on c.bill_id = b.id where b.id = $1",
        bill.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(StoredBill::try_from).transpose()
}

/// Bills by their identifiers.
pub async fn bills(tx: &mut Tx, bills: &[Id<id::Bill>]) -> Result<Vec<StoredBill>> {
    let ids: Vec<Uuid> = bills.iter().map(|b| b.uuid()).collect();
    let rows = sqlx::query_as!(
        BillRow,
        "select b.id, b.agency_id, b.account_id, b.reference, b.dossier, b.due, b.phi, b.le_phi, b.tax, b.state, b.paid_by,
             b.ended_at, b.issued_at, b.version, b.payable_until, c.client_id, c.schedule_id, c.procedure, c.name_vi, c.name_en, c.sensitive,
             c.lines, c.parties, c.trace, c.key
         from bill b join bill_content c on c.bill_id = b.id where b.id = any($1) order by b.id",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredBill::try_from).collect()
}

/// A bill by its public reference.
pub async fn bill_of_reference(
    tx: &mut Tx,
    reference: &crate::base::reference::Reference,
) -> Result<Option<StoredBill>> {
    let row = sqlx::query_as!(
        BillRow,
        "select b.id, b.agency_id, b.account_id, b.reference, b.dossier, b.due, b.phi, b.le_phi, b.tax, b.state, b.paid_by,
             b.ended_at, b.issued_at, b.version, b.payable_until, c.client_id, c.schedule_id, c.procedure, c.name_vi, c.name_en, c.sensitive,
             c.lines, c.parties, c.trace, c.key
         from bill b join bill_content c on c.bill_id = b.id where b.reference = $1",
        reference.as_str(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(StoredBill::try_from).transpose()
}

/// The bills of these agencies that a search finds, the newest first.
pub async fn bills_of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    search: &Search,
    page: &PageRequest<Id<id::Bill>>,
) -> Result<Page<StoredBill>> {
    let rows = sqlx::query_as!(
        BillRow,
        "select b.id, b.agency_id, b.account_id, b.reference, b.dossier, b.due, b.phi, b.le_phi, b.tax, b.state, b.paid_by,
             b.ended_at, b.issued_at, b.version, b.payable_until, c.client_id, c.schedule_id, c.procedure, c.name_vi,
             c.name_en, c.sensitive, c.lines, c.parties, c.trace, c.key
         from unnest($1::uuid[]) as a (id) cross join lateral (
         select * from bill b
         where b.agency_id = a.id and ($2::text is null or b.dossier = $2) and ($3::uuid is null or b.id < $3)
             and ($5::text is null or b.reference = $5)
             and ($6::text is null or $6 = case when b.state = 'open' and coalesce(b.payable_until, b.due) < $9
                 then 'expired' else b.state end)
             and ($7::date is null or b.issued_at >= $7::date::timestamp at time zone interval '7 hours')
             and ($8::date is null or b.issued_at < ($8::date + 1)::timestamp at time zone interval '7 hours')
         order by b.id desc limit $4) b join bill_content c on c.bill_id = b.id
         order by b.id desc limit $4",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        search.dossier,
        page.after.map(Id::uuid),
        page.fetch(),
        search.reference,
        search.status,
        search.from.map(Day::date),
        search.to.map(Day::date),
        search.today.map(Day::date),
    )
    .fetch_all(tx.conn())
    .await?;
    let bills = rows.into_iter().map(StoredBill::try_from).collect::<Result<_>>()?;
    Ok(Page::from_rows(bills, page))
}

/// An agency's bills that were issued between two days, both included, in the order of issue.
pub async fn bills_issued(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    from: Day,
    to: Day,
    after: Option<Id<id::Bill>>,
    limit: i64,
) -> Result<Vec<StoredBill>> {
    let rows = sqlx::query_as!(
        BillRow,
        "select b.id, b.agency_id, b.account_id, b.reference, b.dossier, b.due, b.phi, b.le_phi, b.tax, b.state, b.paid_by,
             b.ended_at, b.issued_at, b.version, b.payable_until, c.client_id, c.schedule_id, c.procedure, c.name_vi, c.name_en, c.sensitive,
             c.lines, c.parties, c.trace, c.key
         from bill b join bill_content c on c.bill_id = b.id
         where b.agency_id = any($1) and ($4::uuid is null or b.id > $4)
             and b.issued_at >= ($2::date::timestamp at time zone interval '7 hours') and b.issued_at < ($3::date::timestamp at time zone interval '7 hours')
         order by b.id limit $5",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        from.date(),
        to.plus_days(1).date(),
        after.map(Id::uuid),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredBill::try_from).collect()
}

/// Locks a bill and reads where it stands, and whether an attempt is under way.
pub async fn lock_bill(tx: &mut Tx, bill: Id<id::Bill>) -> Result<Option<(State, bool)>> {
    let row = sqlx::query!(
        "select state, paid_by, ended_at from bill where id = $1 for no key update",
        bill.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    // A second statement, so that it sees what a transaction that held the lock has committed.
    let live = sqlx::query_scalar!(
        r#"select exists (select from live_attempt where bill_id = $1) as "live!""#,
        bill.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    let state = state(&row.state, row.paid_by, row.ended_at)
        .ok_or_else(|| StoreError::corrupt("bill", "state", bill))?;
    Ok(Some((state, live)))
}

/// Locks bills in the order of their identifiers, as [`lock_bill`] does one.
pub async fn lock_bills(tx: &mut Tx, bills: &[Id<id::Bill>]) -> Result<Vec<(State, bool)>> {
    let ids: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query!(
        "select id, state, paid_by, ended_at from bill where id = any($1) order by id for no key update",
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    // A second statement, so that it sees what a transaction that held the locks has committed.
    let live = sqlx::query_scalar!("select bill_id from live_attempt where bill_id = any($1)", &ids)
        .fetch_all(tx.conn())
        .await?;
    let locked = rows.into_iter().map(|row| {
        let corrupt = || StoreError::corrupt("bill", "state", Id::<id::Bill>::from_uuid(row.id));
        let state = state(&row.state, row.paid_by, row.ended_at).ok_or_else(corrupt)?;
        Ok((state, live.contains(&row.id)))
    });
    locked.collect()
}

/// Withdraws an open bill; false when it is not open.
pub async fn cancel_bill(tx: &mut Tx, bill: Id<id::Bill>, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "update bill set state = 'cancelled', ended_at = $2 where id = $1 and state = 'open'",
        bill.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a search asks for; what is absent does not narrow it.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Of this dossier.
    pub dossier: Option<String>,
    /// Of this reference.
    pub reference: Option<String>,
    /// In this state as others see it.
    pub status: Option<String>,
    /// Issued on this day or later.
    pub from: Option<Day>,
    /// Issued on this day or earlier.
    pub to: Option<Day>,
    /// The day on which it is asked: an open bill of before has expired.
    pub today: Option<Day>,
}

/// Marks open bills as paid, each by its payment; the count of those that were open.
pub async fn pay_bills(tx: &mut Tx, paid: &[(Id<id::Bill>, Id<Payment>)], at: Instant) -> Result<u64> {
    let bills: Vec<Uuid> = paid.iter().map(|p| p.0.uuid()).collect();
    let payments: Vec<Uuid> = paid.iter().map(|p| p.1.uuid()).collect();
    let done = sqlx::query!(
        "update bill b set state = 'paid', paid_by = p.payment_id, ended_at = $3
         from unnest($1::uuid[], $2::uuid[]) as p (bill_id, payment_id)
         where b.id = p.bill_id and b.state = 'open'",
        &bills,
        &payments,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

pub(super) fn state(state: &str, paid_by: Option<Uuid>, ended_at: Option<Instant>) -> Option<State> {
    match (state, paid_by, ended_at) {
        ("open", None, None) => Some(State::Open),
        ("paid", Some(payment), Some(at)) => Some(State::Paid { payment: Id::from_uuid(payment), at }),
        ("cancelled", None, Some(at)) => Some(State::Cancelled { at }),
        ("superseded", None, Some(at)) => Some(State::Superseded { at }),
        _ => None,
    }
}

struct BillRow {
    id: Uuid,
    agency_id: Uuid,
    account_id: Uuid,
    reference: String,
    dossier: String,
    due: Date,
    phi: i64,
    le_phi: i64,
    tax: i64,
    state: String,
    paid_by: Option<Uuid>,
    ended_at: Option<Instant>,
    issued_at: Instant,
    version: i32,
    payable_until: Option<Date>,
    client_id: Uuid,
    schedule_id: Uuid,
    procedure: String,
    name_vi: String,
    name_en: String,
    sensitive: bool,
    lines: serde_json::Value,
    parties: Vec<u8>,
    trace: Vec<u8>,
    key: i32,
}

impl TryFrom<BillRow> for StoredBill {
    type Error = StoreError;

    fn try_from(row: BillRow) -> Result<Self> {
        let id: Id<id::Bill> = Id::from_uuid(row.id);
        let bad = |column| StoreError::corrupt("bill", column, id);
        let lines = lines(row.lines).filter(|lines| shares(lines) == (row.phi, row.le_phi, row.tax));
        let procedure: crate::payment::code::ProcedureCode =
            row.procedure.parse().map_err(|_| bad("procedure"))?;
        let name = Bilingual {
            vi: Line::parse(&row.name_vi).map_err(|_| bad("name_vi"))?,
            en: Line::parse(&row.name_en).map_err(|_| bad("name_en"))?,
        };
        Ok(Self {
            bill: Bill {
                id,
                agency: Id::from_uuid(row.agency_id),
                reference: row.reference.parse().map_err(|_| bad("reference"))?,
                dossier: row.dossier.parse().map_err(|_| bad("dossier"))?,
                procedure: procedure.clone(),
                lines: lines.ok_or_else(|| bad("lines"))?,
                due: Day::from_date(row.due),
                payable_until: Day::from_date(row.payable_until.unwrap_or(row.due)),
                version: row.version.unsigned_abs(),
                issued_at: row.issued_at,
            },
            state: state(&row.state, row.paid_by, row.ended_at).ok_or_else(|| bad("state"))?,
            account: Id::from_uuid(row.account_id),
            client: Id::from_uuid(row.client_id),
            schedule: Id::from_uuid(row.schedule_id),
            procedure: Procedure { code: procedure, name, sensitive: row.sensitive },
            parties: Sealed::new(row.parties, row.key.cast_unsigned()),
            trace: Sealed::new(row.trace, row.key.cast_unsigned()),
        })
    }
}
