//! What an agency's fees came to over a stretch of days, from the entries and the lines of the bills that they settled.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    id::{Agency, Id, Schedule},
};
use std::collections::BTreeMap;

/// What one fee came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeSum {
    /// The fee.
    pub fee: String,
    /// Phí, lệ phí, tax or the price of a service.
    pub kind: String,
    /// Its Vietnamese name on the bills.
    pub name_vi: String,
    /// How many lines were settled.
    pub lines: i64,
    /// What was collected.
    pub collected: i64,
    /// What of it the agency keeps.
    pub retained: i64,
    /// The budget's chapter and sub-item, by the version that the bills were computed by.
    pub budget: Option<(String, String)>,
    /// The law that sets it, and the one by which a part is kept.
    pub basis: (String, Option<String>),
}

/// The fees of an agency that settled between two days, both included, by fee: as they were paid, where the bill says something
/// else now.
pub async fn settled_fees(tx: &mut Tx, agencies: &[Id<Agency>], from: Day, to: Day) -> Result<Vec<FeeSum>> {
    let rows = sqlx::query!(
        r#"with line as (
             select coalesce(v.schedule_id, c.schedule_id) as schedule_id, l.value ->> 'fee' as fee, l.value ->> 'kind' as kind, l.value ->> 'vi' as vi,
                 l.value ->> 'basis' as basis, (l.value ->> 'amount')::bigint as amount,
                 coalesce((l.value ->> 'retained')::bigint, 0) as retained
             from ledger_entry e
             join payment p on p.id = e.subject
             join bill b on b.id = p.bill_id
             join bill_content c on c.bill_id = b.id
             left join desk_payment d on d.payment_id = p.id
             left join bill_version v on v.bill_id = b.id and v.version = d.version
             cross join lateral jsonb_array_elements(coalesce(v.lines, c.lines)) l (value)
             where e.kind = 'settled' and e.booked_on between $2 and $3
                 and coalesce((l.value ->> 'agency')::uuid, b.agency_id) = any($1))
         select line.fee as "fee!", line.kind as "kind!", min(line.vi) as "vi!", min(line.basis) as "basis!",
             count(*) as "lines!", sum(line.amount)::bigint as "collected!", sum(line.retained)::bigint as "retained!",
             min(i.chapter) as chapter, min(i.sub_item) as sub_item, min(i.retained_basis) as retained_basis
         from line
         left join lateral (
             select chapter, sub_item, retained_basis from fee_item
             where schedule_id = line.schedule_id and code = line.fee order by valid_from desc limit 1) i on true
         group by line.fee, line.kind order by line.kind desc, line.fee"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        from.date(),
        to.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    let sums = rows.into_iter().map(|row| FeeSum {
        fee: row.fee,
        kind: row.kind,
        name_vi: row.vi,
        lines: row.lines,
        collected: row.collected,
        retained: row.retained,
        budget: row.chapter.zip(row.sub_item),
        basis: (row.basis, row.retained_basis),
    });
    Ok(sums.collect())
}

/// A fee of a version of the schedule, as budget slips look at it: what it is booked under from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// The version.
    pub schedule: Id<Schedule>,
    /// The fee.
    pub fee: String,
    /// The first day.
    pub from: Day,
    /// *Chương* and *tiểu mục*.
    pub budget: (String, String),
}

/// Under what the fees of these versions are booked, in the order of the days from which it holds.
pub async fn booked_under(tx: &mut Tx, schedules: &[Id<Schedule>], fees: &[String]) -> Result<Vec<Booked>> {
    let rows = sqlx::query!(
        "select schedule_id, code, valid_from, chapter, sub_item from fee_item
         where schedule_id = any($1) and code = any($2) and chapter <> '' and sub_item <> '' order by valid_from",
        &schedules.iter().map(|schedule| schedule.uuid()).collect::<Vec<_>>(),
        fees,
    )
    .fetch_all(tx.conn())
    .await?;
    let booked = rows.into_iter().map(|row| Booked {
        schedule: Id::from_uuid(row.schedule_id),
        fee: row.code,
        from: Day::from_date(row.valid_from),
        budget: (row.chapter, row.sub_item),
    });
    Ok(booked.collect())
}

/// The administrative areas of these agencies (*địa bàn*) on a day, where they were told.
pub async fn areas(tx: &mut Tx, agencies: &[Id<Agency>], on: Day) -> Result<BTreeMap<Id<Agency>, String>> {
    let rows = sqlx::query!(
        "select distinct on (agency_id) agency_id, area from agency_budget
         where agency_id = any($1) and valid_from <= $2 order by agency_id, valid_from desc",
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        on.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.agency_id), row.area)).collect())
}

/// What the books say of an agency's fee accounts over the same days: by kind of account and entry, credits positive.
pub async fn booked_fees(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    from: Day,
    to: Day,
) -> Result<Vec<(String, String, i64)>> {
    let rows = sqlx::query!(
        r#"select a.kind, e.kind as entry, -sum(p.amount)::bigint as "booked!"
         from ledger_account a
         join posting p on p.account_id = a.id and p.booked_on between $2 and $3
         join ledger_entry e on e.id = p.entry_id and e.booked_on = p.booked_on
         where a.agency_id = any($1) and a.kind in ('fee_phi', 'fee_le_phi', 'fee_tax', 'fee_service', 'fee_phi_retained')
         group by a.kind, e.kind order by a.kind, e.kind"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        from.date(),
        to.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.entry, row.booked)).collect())
}
