//! The receipts of an agency at its page: what is paid and waits for one, the series with what is left of them, what was
//! given, and the report on their use.

use super::{
    Error, Result,
    officer::{self, Workplace},
    receipt_series::{Quarter, symbol, use_of},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Agency, Bill, Citizen, Id},
    page::PageRequest,
};
use crate::codec::receipt_content::check_code;
use crate::store::{
    adjustment_order, bill as bills,
    receipt::{self, StoredReceipt},
    receipt_due,
    receipt_series::{self, StoredSeries},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub use crate::store::{adjustment_order::Ordered, receipt_due::Due};

/// How many waiting receipts the page lists.
pub const WAITING_SHOWN: i64 = 100;

/// The page.
pub struct Receipts {
    /// Whoever reads.
    pub reader: String,
    /// Where.
    pub agency: Workplace,
    /// What waits, the longest first, each with the dossier of its bill.
    pub waiting: Vec<(Option<String>, Due)>,
    /// What went back and waits for another issuer to adjust its receipt, likewise.
    pub adjusting: Vec<(Option<String>, Ordered)>,
    /// How much waits at the agency itself.
    pub count: i64,
    /// The series, each with its symbol; those in force today are marked.
    pub series: Vec<(String, bool, StoredSeries)>,
    /// What was given, the newest first, each with its check code.
    pub given: Vec<(String, StoredReceipt)>,
    /// After which older ones follow.
    pub next: Option<Id<id::Receipt>>,
}

/// The receipts of an agency where the citizen keeps or audits the books; of the first such agency, if none is named.
pub async fn read_receipt_page(
    app: &App,
    citizen: Id<Citizen>,
    (agency, whole): (Option<Id<Agency>>, bool),
    after: Option<Id<id::Receipt>>,
) -> Result<Receipts> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let place = officer::workplace(&mut tx, citizen, agency, today).await?;
    let agencies = place.tree(whole);
    let waiting = receipt_due::of_agencies(&mut tx, &agencies, WAITING_SHOWN).await?;
    let adjusting = adjustment_order::of_agencies(&mut tx, &agencies, WAITING_SHOWN).await?;
    let of_bills = waiting.iter().map(|due| due.bill).chain(adjusting.iter().map(|of| of.bill));
    let of_bills: Vec<Id<Bill>> = of_bills.collect();
    let dossiers: BTreeMap<Id<Bill>, String> = bills::bills(&mut tx, &of_bills)
        .await?
        .into_iter()
        .map(|stored| (stored.bill.id, stored.bill.dossier.to_string()))
        .collect();
    let count = receipt_due::count(&mut tx, place.id).await?;
    let series = receipt_series::of_agencies(&mut tx, &agencies).await?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    drop(tx);
    let page = PageRequest::new(after, None).ok_or(Error::not_found())?;
    let given = receipt::of_agencies(&app.store, &agencies, None, &page).await?;
    Ok(Receipts {
        reader: names.get(&citizen).cloned().unwrap_or_default(),
        waiting: waiting.into_iter().map(|due| (dossiers.get(&due.bill).cloned(), due)).collect(),
        adjusting: adjusting.into_iter().map(|of| (dossiers.get(&of.bill).cloned(), of)).collect(),
        count,
        series: series.into_iter().map(|of| (symbol(&of), in_force(&of, today), of)).collect(),
        next: given.items.last().filter(|_| given.more).map(|last| last.id),
        given: given.items.into_iter().map(|of| (check_code(&of.digest), of)).collect(),
        agency: place,
    })
}

fn in_force(series: &StoredSeries, today: Day) -> bool {
    series.force.0 <= today && today <= series.force.1
}

/// The report on the use of receipts in a quarter (Decree 123/2020, article 38) as its page shows it.
pub struct UseReport {
    /// Whoever reads.
    pub reader: String,
    /// Where.
    pub agency: Workplace,
    /// Which quarter.
    pub quarter: Quarter,
    /// The quarters that are offered, the newest first.
    pub offered: Vec<Quarter>,
    /// One row for each series, as `/v1/receipts/use` tells it.
    pub items: Vec<Value>,
}

/// How many quarters the page offers.
const QUARTERS: usize = 6;

/// The report of an agency where the citizen keeps or audits the books; of the quarter before this one, if none is named.
pub async fn read_use_page(
    app: &App,
    citizen: Id<Citizen>,
    (agency, whole): (Option<Id<Agency>>, bool),
    quarter: Option<Quarter>,
) -> Result<UseReport> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let agency = officer::workplace(&mut tx, citizen, agency, today).await?;
    let offered: Vec<Quarter> =
        std::iter::successors(Some(Quarter::of(today)), |quarter| Some(quarter.before()))
            .take(QUARTERS)
            .collect();
    let quarter = quarter.unwrap_or_else(|| Quarter::of(today).before());
    let items = use_of(&mut tx, &agency.tree(whole), quarter).await?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    Ok(UseReport { reader, agency, quarter, offered, items })
}
