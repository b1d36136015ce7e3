//! How long each class of data is kept: one table, a job that keeps to it, and a report that shows both.
//!
//! Removed are rows that are worthless after their time, and the contents of vouchers after the retention that law
//! sets; a voucher's number, sum and digest stay, so that the books and the log still verify. Each class loses a
//! bounded number of rows per tick.

use super::Result;
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
};
use crate::store::{
    Tx,
    retention::{self, Class},
};
use serde_json::{Value, json};
use time::Duration;

/// For how many whole years after the year of its issue a voucher is kept (Accounting Law 88/2015, Decree 174/2016
/// art. 13: vouchers that books rest on).
pub const VOUCHER_YEARS: i32 = 10;
/// For how many whole years after the year of its issue a bill says who its parties are: as long as its vouchers, which
/// may be issued until the year after.
pub const BILL_YEARS: i32 = VOUCHER_YEARS + 1;
/// How many rows of a class one tick removes.
const REMOVED_MAX: i64 = 1_000;

/// A class of data and how long it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The class.
    pub class: Class,
    /// How long after the row's moment.
    pub kept: Kept,
    /// Why that long: a law, or a purpose.
    pub why: &'static str,
}

/// A span of keeping.
#[derive(Debug, Clone, Copy)]
pub enum Kept {
    /// So many days.
    Days(i64),
    /// So many whole years after the year of its moment.
    Years(i32),
}

/// Every class that has an end. What is not here is kept as long as the thing that it belongs to.
pub const RULES: &[Rule] = &[
    Rule { class: Class::Challenges, kept: Kept::Days(90), why: "abuse is looked into within a quarter" },
    Rule { class: Class::NationalIdTrips, kept: Kept::Days(1), why: "worthless after ten minutes" },
    Rule { class: Class::Messages, kept: Kept::Days(30), why: "delivery is looked into within a month" },
    Rule {
        class: Class::Verifications,
        kept: Kept::Years(10),
        why: "evidence of what a dossier's decision rested on, as long as its vouchers",
    },
    Rule {
        class: Class::AccountLevels,
        kept: Kept::Years(10),
        why: "evidence of a fee reduction, as long as the voucher",
    },
    Rule {
        class: Class::Uploads,
        kept: Kept::Days(7),
        why: "a file that did not come to its end is sent anew",
    },
    Rule {
        class: Class::Batches,
        kept: Kept::Years(10),
        why: "evidence of what decisions rested on, as long as single questions",
    },
    Rule { class: Class::Slips, kept: Kept::Years(10), why: "as long as the answer that they are of" },
    Rule {
        class: Class::FirstChecks,
        kept: Kept::Days(366),
        why: "a dossier is decided within a year; a second free look-up later does no harm",
    },
    Rule { class: Class::CardChecks, kept: Kept::Years(5), why: "evidence of a decision at a counter" },
    Rule {
        class: Class::Vouchers,
        kept: Kept::Years(VOUCHER_YEARS),
        why: "accounting vouchers (Law 88/2015, Decree 174/2016 art. 13)",
    },
    Rule {
        class: Class::Refunds,
        kept: Kept::Years(VOUCHER_YEARS),
        why: "why money went back and who took it: accounting vouchers (Law 88/2015, Decree 174/2016 art. 13)",
    },
    Rule {
        class: Class::Bills,
        kept: Kept::Years(BILL_YEARS),
        why: "what receipts and refunds rest on, as long as the last of them (a bill is due within a year of its issue)",
    },
    Rule {
        class: Class::Answers,
        kept: Kept::Years(BILL_YEARS),
        why: "an act that is asked for again is answered as the first time, as long as its bill names people",
    },
    Rule {
        class: Class::LedgerVouchers,
        kept: Kept::Years(VOUCHER_YEARS),
        why: "what entries of the ledger rest on: accounting vouchers (Law 88/2015, Decree 174/2016 art. 13)",
    },
];

impl Kept {
    /// Rows of before that instant are over.
    pub fn end_before(self, now: Instant) -> Instant {
        match self {
            Self::Days(days) => now - Duration::days(days),
            Self::Years(years) => {
                let first = Day::new(Day::of(now).year() - years, 1, 1);
                first.map_or(now - Duration::days(366 * i64::from(years)), Day::start)
            }
        }
    }

    /// In words of the wire: `90d`, `10y`.
    pub fn text(self) -> String {
        match self {
            Self::Days(days) => format!("{days}d"),
            Self::Years(years) => format!("{years}y"),
        }
    }
}

/// Removes some of what is over, of every class; how many rows in all.
pub async fn retain(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let mut removed = 0;
    for rule in RULES {
        let mut tx = app.store.begin().await?;
        let gone = remove(&mut tx, rule, now).await?;
        if gone > 0 {
            retention::note_run(&mut tx, rule.class, gone, now).await?;
        }
        tx.commit().await?;
        removed += gone;
    }
    Ok(removed)
}

async fn remove(tx: &mut Tx, rule: &Rule, now: Instant) -> Result<u64> {
    Ok(retention::remove(tx, rule.class, rule.kept.end_before(now), REMOVED_MAX).await?)
}

/// What is kept of each class, how old the oldest is, and what is over and still there.
pub async fn report_retention(app: &App) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut classes = Vec::new();
    for rule in RULES {
        let held = retention::held(&mut tx, rule.class, rule.kept.end_before(now)).await?;
        let last = retention::last_run(&mut tx, rule.class).await?;
        classes.push(json!({
            "class": rule.class.word(),
            "kept_for": rule.kept.text(),
            "why": rule.why,
            "rows": held.rows,
            "oldest": held.oldest.map(rfc3339),
            "overdue": held.overdue,
            "last_removed_at": last.map(|(at, _)| rfc3339(at)),
            "removed_in_all": last.map_or(0, |(_, removed)| removed),
        }));
    }
    let generations = crate::store::key_rotation::by_generation(&app.store).await?;
    let keys: Vec<Value> = generations
        .into_iter()
        .map(|(generation, keys)| json!({ "generation": generation, "data_keys": keys }))
        .collect();
    Ok(
        json!({ "at": rfc3339(now), "classes": classes, "master_keys": keys, "wraps_with": app.keys.generation() }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn vouchers_are_kept_for_whole_years_after_the_year_of_issue() {
        let years = Kept::Years(10);
        let last_moment = datetime!(2036-12-31 16:59:59 UTC);
        assert_eq!(years.end_before(last_moment), datetime!(2025-12-31 17:00 UTC));
        assert_eq!(years.end_before(datetime!(2036-12-31 17:00 UTC)), datetime!(2026-12-31 17:00 UTC));
        assert_eq!(Kept::Days(1).end_before(last_moment), datetime!(2036-12-30 16:59:59 UTC));
    }
}
