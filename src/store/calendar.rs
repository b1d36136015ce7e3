//! The days on which banks clear, and when their sessions stop: dated data.

use super::{Result, StoreError, Tx};
use crate::{
    base::{
        calendar::{Day, WorkingDays},
        clock::Instant,
        money::Money,
    },
    payment::session::{Hours, Session},
};
use time::Date;

/// A day that is not what its weekday says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDay {
    /// The day.
    pub day: Day,
    /// Whether banks clear on it.
    pub working: bool,
    /// Why, in Vietnamese and English.
    pub name: (String, String),
    /// The decision that says so.
    pub basis: String,
}

/// Sets listed days; the count of those that are new or other than before.
pub async fn put_days(tx: &mut Tx, days: &[ListedDay], at: Instant) -> Result<u64> {
    let text = |f: fn(&ListedDay) -> &str| days.iter().map(f).collect::<Vec<_>>();
    let dates: Vec<Date> = days.iter().map(|d| d.day.date()).collect();
    let working: Vec<bool> = days.iter().map(|d| d.working).collect();
    let done = sqlx::query!(
        "insert into calendar_day as c (day, working, name_vi, name_en, basis, imported_at)
         select d.day, d.working, d.name_vi, d.name_en, d.basis, $6
         from unnest($1::date[], $2::boolean[], $3::text[], $4::text[], $5::text[])
             as d (day, working, name_vi, name_en, basis)
         on conflict (day) do update set working = excluded.working, name_vi = excluded.name_vi,
             name_en = excluded.name_en, basis = excluded.basis, imported_at = excluded.imported_at
         where (c.working, c.name_vi, c.name_en, c.basis)
             is distinct from (excluded.working, excluded.name_vi, excluded.name_en, excluded.basis)",
        &dates,
        &working,
        &text(|d| &d.name.0) as &[&str],
        &text(|d| &d.name.1) as &[&str],
        &text(|d| &d.basis) as &[&str],
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// The listed days of a year and the next: what anything decided today may ask for.
pub async fn working_days(tx: &mut Tx, today: Day) -> Result<WorkingDays> {
    let rows = sqlx::query!(
        "select day, working from calendar_day where day between $1::date - 366 and $1::date + 366",
        today.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |working: bool| {
        rows.iter().filter(|row| row.working == working).map(|row| Day::from_date(row.day)).collect()
    };
    Ok(WorkingDays::new(of(false), of(true)))
}

/// The hours of the clearing sessions that hold on a day.
pub async fn sessions(tx: &mut Tx, day: Day) -> Result<Vec<Hours>> {
    let rows = sqlx::query!(
        "select session, opens, closes, closes_month_end, amount_max from clearing_session
         where valid_from = (select max(valid_from) from clearing_session where valid_from <= $1)
         order by session desc",
        day.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Hours {
                session: Session::named(&row.session)
                    .ok_or_else(|| StoreError::corrupt("clearing_session", "session", &row.session))?,
                opens: row.opens,
                closes: row.closes,
                closes_month_end: row.closes_month_end,
                amount_max: row.amount_max.map(Money::vnd),
            })
        })
        .collect()
}
