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
use time::{Date, Time};

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

/// The hours of the clearing sessions that hold on a day, and those of all days after it.
pub async fn sessions(tx: &mut Tx, day: Day) -> Result<Vec<Hours>> {
    let all = sessions_told(tx, Some(day)).await?;
    Ok(all.into_iter().map(|(hours, _)| hours).collect())
}

/// Every hours, each with the decision that says so; those that hold on a day and after it, if one is named.
pub async fn sessions_told(tx: &mut Tx, from: Option<Day>) -> Result<Vec<(Hours, String)>> {
    let rows = sqlx::query!(
        "select valid_from, session, opens, closes, closes_month_end, amount_max, basis from clearing_session
         where $1::date is null
             or valid_from >= coalesce((select max(valid_from) from clearing_session where valid_from <= $1), $1)
         order by valid_from, session desc",
        from.map(Day::date),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let hours = Hours {
                from: Day::from_date(row.valid_from),
                session: Session::named(&row.session)
                    .ok_or_else(|| StoreError::corrupt("clearing_session", "session", &row.session))?,
                opens: row.opens,
                closes: row.closes,
                closes_month_end: row.closes_month_end,
                amount_max: row.amount_max.map(Money::vnd),
            };
            Ok((hours, row.basis))
        })
        .collect()
}

/// Sets hours of sessions; the days must have both of them.
pub async fn put_sessions(tx: &mut Tx, told: &[(Hours, String)], at: Instant) -> Result<()> {
    let days: Vec<Date> = told.iter().map(|(h, _)| h.from.date()).collect();
    let sessions: Vec<&str> = told.iter().map(|(h, _)| h.session.as_str()).collect();
    let times = |f: fn(&Hours) -> Time| told.iter().map(|(h, _)| f(h)).collect::<Vec<_>>();
    let most: Vec<Option<i64>> = told.iter().map(|(h, _)| h.amount_max.map(Money::minor)).collect();
    let bases: Vec<&str> = told.iter().map(|(_, basis)| basis.as_str()).collect();
    sqlx::query!(
        "insert into clearing_session (valid_from, session, opens, closes, closes_month_end, amount_max, basis, imported_at)
         select s.valid_from, s.session, s.opens, s.closes, s.closes_month_end, s.amount_max, s.basis, $8
         from unnest($1::date[], $2::text[], $3::time[], $4::time[], $5::time[], $6::bigint[], $7::text[])
             as s (valid_from, session, opens, closes, closes_month_end, amount_max, basis)
         on conflict on constraint clearing_session_pkey do update set opens = excluded.opens, closes = excluded.closes,
             closes_month_end = excluded.closes_month_end, amount_max = excluded.amount_max, basis = excluded.basis,
             imported_at = excluded.imported_at",
        &days,
        &sessions as &[&str],
        &times(|h| h.opens),
        &times(|h| h.closes),
        &times(|h| h.closes_month_end),
        &most as &[Option<i64>],
        &bases as &[&str],
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
