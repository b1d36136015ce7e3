//! Which account of the prescribed chart stands for which of ours, from which day on.

use super::{Result, Tx};
use crate::base::calendar::Day;
use time::Date;

/// One of our kinds of account in the chart, from a day on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapped {
    /// Our kind of account.
    pub kind: String,
    /// The first day.
    pub from: Day,
    /// The account of the chart.
    pub code: String,
    /// Its name, in Vietnamese and English.
    pub name: (String, String),
    /// The law that prescribes the chart.
    pub basis: String,
}

/// Every row, by kind and day.
pub async fn all(tx: &mut Tx) -> Result<Vec<Mapped>> {
    let rows = sqlx::query!(
        "select kind, valid_from, code, name_vi, name_en, basis from chart_mapping order by kind, valid_from"
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| Mapped {
        kind: row.kind,
        from: Day::from_date(row.valid_from),
        code: row.code,
        name: (row.name_vi, row.name_en),
        basis: row.basis,
    });
    Ok(found.collect())
}

/// Sets rows.
pub async fn put(tx: &mut Tx, rows: &[Mapped]) -> Result<()> {
    let text = |f: fn(&Mapped) -> &str| rows.iter().map(f).collect::<Vec<_>>();
    let from: Vec<Date> = rows.iter().map(|row| row.from.date()).collect();
    sqlx::query!(
        "insert into chart_mapping (kind, valid_from, code, name_vi, name_en, basis)
         select * from unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[])
         on conflict on constraint chart_mapping_once do update
             set code = excluded.code, name_vi = excluded.name_vi, name_en = excluded.name_en, basis = excluded.basis",
        &text(|row| &row.kind) as &[&str],
        &from,
        &text(|row| &row.code) as &[&str],
        &text(|row| &row.name.0) as &[&str],
        &text(|row| &row.name.1) as &[&str],
        &text(|row| &row.basis) as &[&str],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
