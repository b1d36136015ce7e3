//! The registered series of an agency's receipts, and what was used of them in a quarter.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    idempotency::Idempotency,
    inherit::{Tree, agencies_of},
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{Agency, Id},
};
use crate::codec::receipt_content::FORM;
use crate::payment::{
    blank::Medium,
    fee::FeeKind,
    receipt::{Letters, Range},
};
use crate::store::{
    Tx, adjustment_due,
    adjustment_order::{self, Ordered},
    audit, blank,
    receipt_due::{self, Due},
    receipt_series::{self, StoredSeries, Use},
};
use serde_json::{Value, json};

/// A series as an agency registers it.
pub struct NewSeries {
    /// Of which kind.
    pub kind: FeeKind,
    /// Its letters.
    pub letters: Letters,
    /// The form's number; [`FORM`] where none is named.
    pub form: Option<String>,
    /// What its numbers stand on.
    pub medium: Medium,
    /// Its numbers.
    pub range: Range,
    /// The first and the last day in force, of one year.
    pub force: (Day, Day),
}

/// Registers a series of the agency. What waits for a number is tried at once.
pub async fn register_series(
    app: &App,
    agency: Id<Agency>,
    new: NewSeries,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let wrong = |field: &str, rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
    if !new.letters.is_of(new.kind) {
        return Err(wrong("/letters", "another_kind"));
    }
    // The series that is made for whoever has none takes the letter A.
    if new.medium != Medium::Electronic && new.letters.book() == 'A' {
        return Err(wrong("/letters", "kept_for_electronic"));
    }
    if new.force.0 > new.force.1 || new.force.0.year() != new.force.1.year() {
        return Err(wrong("/valid_to", "order"));
    }
    let form = new.form.unwrap_or_else(|| FORM.to_owned());
    if !(1..=20).contains(&form.len())
        || !form.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-".contains(&b))
    {
        return Err(wrong("/form", "shape"));
    }
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let stored = StoredSeries {
        id: Id::new(now, &*app.entropy),
        agency,
        kind: new.kind,
        letters: new.letters,
        year: new.force.0.year(),
        form,
        medium: new.medium,
        range: new.range,
        force: new.force,
        registered_at: now,
    };
    match receipt_series::insert(&mut tx, &stored).await {
        Err(e) if e.violates("receipt_series_letters_once") => return Err(Error::conflict("series_exists")),
        done => done?,
    }
    receipt_due::hasten(&mut tx, agency, now).await?;
    adjustment_due::hasten(&mut tx, now).await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    let concern = Concern { citizen: None, agency: Some(agency), object: stored.id.uuid() };
    let answer = series_json(&stored);
    let leaf = audit_leaf::leaf(app, now, "receipt_series.registered", concern, &sealing, &answer);
    audit::append(&mut tx, &[leaf]).await?;
    key.keep(&mut tx, stored.id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The agency's series, the newest year first; for itself or by either tree, as every list here.
pub async fn list_series(app: &App, agency: Id<Agency>, tree: Tree) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let items: Vec<Value> =
        receipt_series::of_agencies(&mut tx, &agencies).await?.iter().map(series_json).collect();
    Ok(json!({ "items": items, "next": null }))
}

/// How many waiting receipts are shown.
const DUE_SHOWN: i64 = 200;

/// What is paid and waits for its receipt, and what went back and waits for another issuer's, the longest first.
pub async fn list_due(app: &App, agency: Id<Agency>, tree: Tree) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let due = receipt_due::of_agencies(&mut tx, &agencies, DUE_SHOWN).await?;
    let orders = adjustment_order::of_agencies(&mut tx, &agencies, DUE_SHOWN).await?;
    let mut items: Vec<(Instant, Value)> = due.iter().map(|due| (due.since, due_json(due))).collect();
    items.extend(orders.iter().map(|of| (of.since, ordered_json(of))));
    items.sort_by_key(|(since, _)| *since);
    let most = usize::try_from(DUE_SHOWN).unwrap_or(usize::MAX);
    let items: Vec<Value> = items.into_iter().take(most).map(|(_, item)| item).collect();
    Ok(json!({ "items": items, "next": null }))
}

fn ordered_json(of: &Ordered) -> Value {
    json!({
        "bill": of.bill.to_string(),
        "payment": of.payment.to_string(),
        "refund": of.refund.to_string(),
        "kind": of.kind.as_str(),
        "reason": "issuer",
        "since": rfc3339(of.since),
        "attempts": of.attempts,
        "last_outcome": of.outcome,
        "next_at": rfc3339(of.next_at),
    })
}

fn due_json(due: &Due) -> Value {
    json!({
        "bill": due.bill.to_string(),
        "payment": due.payment.to_string(),
        "refund": null,
        "kind": due.kind.as_str(),
        "reason": due.reason,
        "since": rfc3339(due.since),
        "attempts": due.attempts,
        "last_outcome": due.outcome,
        "next_at": rfc3339(due.next_at),
    })
}

/// A quarter of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarter {
    first: Day,
    after: Day,
}

impl Quarter {
    /// The quarter of that number, 1 to 4, of a year.
    fn nth(year: i32, number: u8) -> Option<Self> {
        let after = if number == 4 { Day::new(year + 1, 1, 1) } else { Day::new(year, number * 3 + 1, 1) };
        Some(Self { first: Day::new(year, number * 3 - 2, 1)?, after: after? })
    }

    /// The quarter in which a day lies.
    pub fn of(day: Day) -> Self {
        Self::nth(day.year(), number(day)).unwrap_or(Self { first: day, after: day })
    }

    /// The quarter before it.
    #[must_use]
    pub fn before(self) -> Self {
        Self::of(self.first.plus_days(-1))
    }

    /// Its first and its last day.
    pub fn days(self) -> (Day, Day) {
        (self.first, self.after.plus_days(-1))
    }
}

/// Which quarter of its year a day lies in.
fn number(day: Day) -> u8 {
    u8::from(day.date().month()).div_ceil(3)
}

impl std::fmt::Display for Quarter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-Q{}", self.first.year(), number(self.first))
    }
}

impl std::str::FromStr for Quarter {
    type Err = NotAQuarter;

    fn from_str(text: &str) -> std::result::Result<Self, NotAQuarter> {
        let (year, quarter) = text.split_once("-Q").ok_or(NotAQuarter)?;
        let number: u8 = quarter.parse().map_err(|_| NotAQuarter)?;
        if year.len() != 4 || quarter.len() != 1 || !(1..=4).contains(&number) {
            return Err(NotAQuarter);
        }
        let year: i32 = year.parse().map_err(|_| NotAQuarter)?;
        Self::nth(year, number).ok_or(NotAQuarter)
    }
}

/// A text that is no quarter like `2026-Q4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quarter is written like 2026-Q4")]
pub struct NotAQuarter;

/// The report on the use of receipts in a quarter (Decree 123/2020, article 38): of each series what was there at its
/// beginning, what was issued, voided and replaced, and what is left.
pub async fn report_use(app: &App, agency: Id<Agency>, quarter: Quarter, tree: Tree) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let items = use_of(&mut tx, &agencies, quarter).await?;
    Ok(json!({
        "from": quarter.first.to_string(),
        "to": quarter.after.plus_days(-1).to_string(),
        "items": items,
    }))
}

/// What these agencies used of each series in a quarter.
pub(super) async fn use_of(tx: &mut Tx, agencies: &[Id<Agency>], quarter: Quarter) -> Result<Vec<Value>> {
    let (from, to) = (quarter.first.start(), quarter.after.start());
    let series = receipt_series::of_agencies(tx, agencies).await?;
    let used = receipt_series::used(tx, agencies, from, to).await?;
    let leaves = blank::voided(tx, agencies, (from, to)).await?;
    let of = |series: &StoredSeries| {
        let year = i16::try_from(series.year).unwrap_or(i16::MAX);
        let mut used =
            used.get(&(series.agency, series.letters.to_string(), year)).copied().unwrap_or_default();
        // A leaf that nobody was given is used up and void at once.
        let (before, during) = leaves.get(&series.id).copied().unwrap_or_default();
        used.before += before;
        used.issued += during;
        used.voided += during;
        used
    };
    let told = |series: &&StoredSeries| {
        let in_force = series.force.0 < quarter.after && series.force.1 >= quarter.first;
        series.registered_at < to
            && (in_force || of(series) != Use { before: of(series).before, ..Use::default() })
    };
    Ok(series.iter().filter(told).map(|series| use_json(series, of(series))).collect())
}

fn use_json(series: &StoredSeries, used: Use) -> Value {
    let span = |from: i64, to: i64| {
        let count = (to - from + 1).max(0);
        let known = |number: i64| (count > 0).then(|| format!("{number:07}"));
        json!({ "from": known(from), "to": known(to), "count": count })
    };
    let opening = series.range.first + used.before;
    let closing = opening + used.issued;
    // Paper is not used up in order, so that only counts are told.
    let span = |from: i64, to: i64| {
        let mut told = span(from, to);
        if series.medium != Medium::Electronic {
            (told["from"], told["to"]) = (Value::Null, Value::Null);
        }
        told
    };
    json!({
        "series": symbol(series),
        "agency": series.agency.to_string(),
        "medium": series.medium.as_str(),
        "kind": series.kind.as_str(),
        "form": series.form,
        "opening": span(opening, series.range.until),
        "issued": span(opening, closing - 1),
        "voided": used.voided,
        "replaced": used.replaced,
        "closing": span(closing, series.range.until),
    })
}

pub(super) fn symbol(series: &StoredSeries) -> String {
    format!("{}-{:02}{}", series.letters, series.year.rem_euclid(100), series.medium.letter())
}

fn series_json(series: &StoredSeries) -> Value {
    json!({
        "id": series.id.to_string(),
        "series": symbol(series),
        "agency": series.agency.to_string(),
        "kind": series.kind.as_str(),
        "medium": series.medium.as_str(),
        "form": series.form,
        "first": series.range.first,
        "last": series.range.until,
        "drawn": series.range.drawn - series.range.first + 1,
        "left": series.range.left(),
        "valid_from": series.force.0.to_string(),
        "valid_to": series.force.1.to_string(),
        "registered_at": rfc3339(series.registered_at),
    })
}
